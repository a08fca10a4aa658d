"""What the jobs need from the outside world; each port names its need, adapters name a product."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from inferometer.core.chunks import Chunk, ChunkOutcome, Intent, StreamPartition
    from inferometer.core.records import RecordColumns


class ChunkStore(Protocol):
    """Where chunks are written.

    Calls block and may come from several threads, never two for one partition at a time.
    """

    def insert(self, *, table: str, rows: pa.Table, token: str) -> None:
        """Store rows as one block; idempotent for one token.

        Column names are those of the physical table; columns left out take their defaults.
        Returns only once the rows are durable to the store's own promise.
        Raises StoreError; a retryable one is safe to repeat with the same token.
        """

    def find_events(
        self, *, source: StreamPartition, event_ids: Sequence[str], floor: int, before: int
    ) -> set[str]:
        """Return those ids that the log holds for this partition at offsets in [floor, before).

        Raises StoreError.
        """

    def recent_event_ids(
        self, *, source: StreamPartition, floor: int, before: int
    ) -> pa.ChunkedArray:
        """Return the event ids that the log holds for this partition at offsets in [floor, before).

        Read once on assignment, to fill the deduplication horizon. Raises StoreError.
        """


class ChunkProcessor(Protocol):
    """What is done with chunks. `run`, `assigned` and `idle` block and are called in threads,
    never two of them for one partition at a time.
    """

    def assigned(self, source: StreamPartition, next_offset: int) -> None:
        """Prepare for chunks of a partition from an offset on. Raises StoreError."""

    def plan(self, source: StreamPartition, records: RecordColumns) -> Intent:
        """Pin all that the outcome of these records depends on; quick, without effect."""

    def run(self, chunk: Chunk) -> ChunkOutcome:
        """Store everything that a chunk yields; idempotent for one chunk.

        Raises StoreError (a retryable one is met by running the chunk again) and StateError.
        """

    def idle(self, source: StreamPartition, broker_time_us: int) -> None:
        """Hear that at an instant a partition had nothing left to read. Raises StoreError."""

    def revoked(self, source: StreamPartition) -> None:
        """Forget a partition; quick, without effect on the store."""
