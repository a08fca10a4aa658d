"""A ChunkStore that fails once, at a call of a given number, before or after the call has worked."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, TypeVar

from inferometer.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    import pyarrow as pa

    from inferometer.core.chunks import PartitionSpan, StreamPartition
    from inferometer.core.resumption import StoredProgress
    from inferometer.ports import ChunkStore

T = TypeVar("T")


class FailingChunkStore:
    """Hands calls on to another store; call number `fail_at`, from 0, raises a retryable StoreError.

    With `is_applied` the call works first and only its answer is lost, as when a connection breaks.
    """

    def __init__(
        self, store: ChunkStore, *, fail_at: int | None = None, is_applied: bool = False
    ) -> None:
        self._store = store
        self._fail_at = fail_at
        self._is_applied = is_applied
        self._lock = threading.Lock()
        self.calls: list[str] = []
        """What was called, in order; inserts with their table."""

    def insert(self, *, table: str, rows: pa.Table, token: str) -> None:
        """See `ChunkStore.insert`."""
        self._call(
            f"insert {table}", lambda: self._store.insert(table=table, rows=rows, token=token)
        )

    def progress(self, source: StreamPartition) -> StoredProgress:
        """See `ChunkStore.progress`."""
        return self._call("progress", lambda: self._store.progress(source))

    def find_events(
        self, *, source: StreamPartition, event_ids: Sequence[str], floor: int, before: int
    ) -> set[str]:
        """See `ChunkStore.find_events`."""
        return self._call(
            "find_events",
            lambda: self._store.find_events(
                source=source, event_ids=event_ids, floor=floor, before=before
            ),
        )

    def recent_event_ids(
        self, *, source: StreamPartition, floor: int, before: int
    ) -> pa.ChunkedArray:
        """See `ChunkStore.recent_event_ids`."""
        return self._call(
            "recent_event_ids",
            lambda: self._store.recent_event_ids(source=source, floor=floor, before=before),
        )

    def spans_before_resize(
        self, source: StreamPartition, *, partition_count: int, since: datetime
    ) -> tuple[PartitionSpan, ...]:
        """See `ChunkStore.spans_before_resize`."""
        return self._call(
            "spans_before_resize",
            lambda: self._store.spans_before_resize(
                source, partition_count=partition_count, since=since
            ),
        )

    def dedupe_floor(self, source: StreamPartition, *, before: int, max_events: int) -> int:
        """See `ChunkStore.dedupe_floor`."""
        return self._call(
            "dedupe_floor",
            lambda: self._store.dedupe_floor(source, before=before, max_events=max_events),
        )

    def admitted_values(self, source: StreamPartition, *, before: int) -> pa.Table:
        """See `ChunkStore.admitted_values`."""
        return self._call(
            "admitted_values", lambda: self._store.admitted_values(source, before=before)
        )

    def _call(self, what: str, work: Callable[[], T]) -> T:
        with self._lock:
            is_failing = len(self.calls) == self._fail_at
            self.calls.append(what)
        if is_failing and not self._is_applied:
            raise StoreError(f"the store is away ({what})", retryable=True)
        result = work()
        if is_failing:
            raise StoreError(f"the answer of the store is lost ({what})", retryable=True)
        return result
