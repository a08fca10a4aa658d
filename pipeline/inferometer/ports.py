"""What the jobs need from the outside world; each port names its need, adapters name a product."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    import pyarrow as pa

    from inferometer.core.audit_spans import HourRows, Slice
    from inferometer.core.chunks import (
        Chunk,
        ChunkOutcome,
        Intent,
        PartitionSpan,
        StreamPartition,
    )
    from inferometer.core.conservation import (
        EntryRows,
        GroupDifference,
        LedgerEntry,
        OpenChunk,
        PartitionPosition,
        RepeatedEvent,
        WindowCheck,
    )
    from inferometer.core.cubes import Cube, Resolution
    from inferometer.core.records import RecordColumns
    from inferometer.core.redrive import DeadLetterRow, LetterFilter, LetterPlace
    from inferometer.core.resumption import GroupPosition, Resumption, StoredProgress


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

    def progress(self, source: StreamPartition) -> StoredProgress:
        """Return how far a partition has come: what its ledger and its intents say.

        Sees every insert that has returned. Raises StoreError.
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

        Read on assignment, to fill the deduplication horizon. Raises StoreError.
        """

    def dedupe_floor(self, source: StreamPartition, *, before: int, max_events: int) -> int:
        """Return where the chunks begin that hold the latest events of a partition.

        As many of the last chunks before an offset as are needed for `max_events`, by the ledger;
        0 where it has none. Raises StoreError.
        """

    def spans_before_resize(
        self, source: StreamPartition, *, partition_count: int, since: datetime
    ) -> tuple[PartitionSpan, ...]:
        """Return what other partitions have stored since an instant, if their number has changed.

        One span a partition of the same incarnation, of the chunks that were decided since then;
        none where all of those chunks were cut under `partition_count` partitions.
        Raises StoreError.
        """

    def admitted_values(self, source: StreamPartition, *, before: int) -> pa.Table:
        """Return what a partition had admitted, in its latest month, before an offset.

        Rows of (month, dimension, value) in the order of their first appearance; none at first.
        Sees every insert that has returned. Raises StoreError.
        """


class Lease(Protocol):
    """The right to write for a partition."""

    def check(self) -> None:
        """Return while the right is certain. Raises LeaseError."""


class ChunkProcessor(Protocol):
    """What is done with chunks. `run`, `assigned` and `idle` block and are called in threads,
    never two of them for one partition at a time.
    """

    def assigned(
        self, source: StreamPartition, group: GroupPosition, partition_count: int
    ) -> Resumption:
        """Prepare for chunks of a partition; return where to go on.

        Raises StoreError, and StateError where an open chunk cannot be finished.
        """

    def plan(self, source: StreamPartition, records: RecordColumns) -> Intent:
        """Pin all that the outcome of these records depends on; quick, without effect."""

    def run(self, chunk: Chunk, lease: Lease) -> ChunkOutcome:
        """Store everything that a chunk yields; idempotent for one chunk.

        Checks the lease right before each insert. Raises StoreError (a retryable one is met by
        running the chunk again), LeaseError (likewise, once the lease is certain) and StateError.
        """

    def idle(self, source: StreamPartition, broker_time_us: int) -> None:
        """Hear that at an instant a partition had nothing left to read. Raises StoreError."""

    def revoked(self, source: StreamPartition) -> None:
        """Forget a partition; quick, without effect on the store."""


class AuditStore(Protocol):
    """What an audit reads of the store: log, dead letters, ledger, intents and roll-ups.

    Every answer sees each insert that had returned when it was asked. Calls block and raise
    StoreError.
    """

    def kept_days(self) -> dict[str, int]:
        """Return the days that each table keeps its rows; tables that keep all are absent."""

    def sources(self, span: Slice) -> list[StreamPartition]:
        """Return every partition of every incarnation that has rows or chunks in a span."""

    def ledger_ends(self) -> dict[StreamPartition, tuple[int, int]]:
        """Return each ledger's furthest offset, and when (s) its oldest row was decided."""

    def ledger_entries(
        self, source: StreamPartition, span: Slice, *, from_offset: int, limit: int
    ) -> list[LedgerEntry]:
        """Return ledger rows decided in a span, in offset order, from a first_offset on."""

    def rows_by_entry(
        self, table: str, source: StreamPartition, *, first_offset: int, last_offset: int
    ) -> dict[int, EntryRows]:
        """Return a table's rows in [first, last] by the first_offset of the entry before them.

        Rows in front of every entry come under 0.
        """

    def stored_places(
        self,
        table: str,
        source: StreamPartition,
        *,
        first_offset: int,
        last_offset: int,
        only_repeated: bool,
        limit: int,
    ) -> list[tuple[int, int]]:
        """Return (offset, index) of the events in [first, last] that a table has, in order.

        With `only_repeated` those that have more than one row.
        """

    def intents_after(
        self,
        ends: Mapping[StreamPartition, int],
        *,
        since_s: int,
        source: StreamPartition | None = None,
    ) -> list[OpenChunk]:
        """Return the chunks decided since then that begin behind the end of their partition.

        Every chunk of a partition that is not in `ends` counts; with `source` only its own.
        """

    def windows_of(self, chunks: Sequence[OpenChunk], *, seconds: int) -> dict[OpenChunk, set[int]]:
        """Return the starts of the windows that log rows of these chunks lie in.

        A chunk that has no log row yet is left out.
        """

    def log_hours(self, span: Slice) -> list[HourRows]:
        """Return the hours of event time that have log rows."""

    def rollup_hours(self, table: str, span: Slice) -> dict[int, int]:
        """Return the hours in which a roll-up table has rows, with the number of windows."""

    def compare_windows(self, cube: Cube, resolution: Resolution, span: Slice) -> list[WindowCheck]:
        """Hold every window of a roll-up in a span against the log."""

    def differing_groups(
        self, cube: Cube, resolution: Resolution, windows_s: Sequence[int], *, limit: int
    ) -> list[GroupDifference]:
        """Return the groups of some windows that differ, at most `limit`, in order."""

    def repeated_events(
        self, span: Slice, *, part: int, parts: int, limit: int
    ) -> list[RepeatedEvent]:
        """Return event ids that the log of a span holds more than once; one of `parts` passes."""

    def known_event_ids(self, topic: str, event_ids: Sequence[str]) -> set[str]:
        """Return those ids that the log holds from any partition of a topic."""


class RepairStore(Protocol):
    """Where repairs are written. Calls block and raise StoreError."""

    def insert(self, *, table: str, rows: pa.Table, token: str) -> None:
        """Store rows as one block; idempotent for one token, as `ChunkStore.insert`."""

    def count_repairs(self, token_prefix: str) -> int:
        """Return how many repairs whose tokens begin with this were recorded as done."""


class DeadLetterStore(Protocol):
    """Where dead letters, and the record of those sent again, are kept. Raises StoreError."""

    def letters(self, wanted: LetterFilter) -> Iterator[DeadLetterRow]:
        """Yield letters in the order in which they were decided, without their bytes.

        May be consumed while letters are recorded as sent; each comes once. Letters that come
        meanwhile are left out: those may be the very events that were sent, refused again.
        """

    def counts(self, wanted: LetterFilter) -> dict[str, int]:
        """Return how many letters there are by reason, the most frequent first."""

    def values(self, places: Sequence[LetterPlace]) -> dict[LetterPlace, bytes]:
        """Return the original bytes of letters."""

    def insert(self, *, table: str, rows: pa.Table, token: str) -> None:
        """Store rows as one block; idempotent for one token, as `ChunkStore.insert`."""


class RecordSender(Protocol):
    """Sends records to chosen partitions of the requests topic. Blocks, raises BrokerError."""

    def partitions(self) -> int:
        """Return how many partitions the topic has."""

    def send(self, records: Sequence[tuple[int, bytes]]) -> list[int]:
        """Send (partition, JSON event) in order; return their offsets once the broker has all.

        When it raises, any of them may have arrived.
        """


class TopicView(Protocol):
    """What an audit reads of the broker; never joins the group. Calls block, raise BrokerError."""

    def stream_id(self) -> str:
        """Return the id of the topic's present incarnation."""

    def positions(self) -> dict[int, PartitionPosition]:
        """Return each partition's offsets and how far the group is."""

    def records(self, partition: int, first_offset: int, last_offset: int) -> RecordColumns:
        """Return the records that the broker still holds in [first, last], all in memory."""

    def held_offsets(
        self, partition: int, first_offset: int, last_offset: int, *, limit: int
    ) -> tuple[int, list[int]]:
        """Return how many records the broker still holds in [first, last], and the first offsets.

        The range may be as long as the topic: only `limit` offsets are kept.
        """
