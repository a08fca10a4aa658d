"""What the jobs need from the outside world; each port names its need, adapters name a product."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    import pyarrow as pa

    from inferometer.core.chunks import StreamPartition


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
