"""Measures the calls to the store and to the job without their knowing of it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, TypeVar

from inferometer.prometheus.worker_metrics import COMPUTE_STEP, LOOKUP_STEP

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    import pyarrow as pa

    from inferometer.core.chunks import (
        Chunk,
        ChunkOutcome,
        Intent,
        PartitionSpan,
        StreamPartition,
    )
    from inferometer.core.records import RecordColumns
    from inferometer.core.resumption import GroupPosition, Resumption, StoredProgress
    from inferometer.ports import ChunkProcessor, ChunkStore, Lease
    from inferometer.prometheus.worker_metrics import WorkerMetrics

T = TypeVar("T")


class MeasuredStore:
    """A `ChunkStore` that measures another one."""

    def __init__(
        self, store: ChunkStore, metrics: WorkerMetrics, monotonic: Callable[[], float]
    ) -> None:
        self._store = store
        self._metrics = metrics
        self._monotonic = monotonic
        self._local = threading.local()

    @property
    def asking_s(self) -> float:
        """Seconds that the calling thread has spent asking the store so far."""
        asking_s: float = getattr(self._local, "asking_s", 0.0)
        return asking_s

    def insert(self, *, table: str, rows: pa.Table, token: str) -> None:
        """Store rows as one block; see `ChunkStore.insert`."""
        began_s = self._monotonic()
        try:
            self._store.insert(table=table, rows=rows, token=token)
        except BaseException:
            self._metrics.insert_failed(table)
            raise
        self._metrics.insert_took(table, self._monotonic() - began_s, rows.num_rows)

    def progress(self, source: StreamPartition) -> StoredProgress:
        """Return how far a partition has come; see `ChunkStore.progress`."""
        return self._looked_up(lambda: self._store.progress(source))

    def find_events(
        self, *, source: StreamPartition, event_ids: Sequence[str], floor: int, before: int
    ) -> set[str]:
        """Return the ids that the log holds; see `ChunkStore.find_events`."""
        return self._looked_up(
            lambda: self._store.find_events(
                source=source, event_ids=event_ids, floor=floor, before=before
            )
        )

    def recent_event_ids(
        self, *, source: StreamPartition, floor: int, before: int
    ) -> pa.ChunkedArray:
        """Return the ids of a span of the log; see `ChunkStore.recent_event_ids`."""
        return self._looked_up(
            lambda: self._store.recent_event_ids(source=source, floor=floor, before=before)
        )

    def spans_before_resize(
        self, source: StreamPartition, *, partition_count: int, since: datetime
    ) -> tuple[PartitionSpan, ...]:
        """Return what other partitions have stored; see `ChunkStore.spans_before_resize`."""
        return self._looked_up(
            lambda: self._store.spans_before_resize(
                source, partition_count=partition_count, since=since
            )
        )

    def dedupe_floor(self, source: StreamPartition, *, before: int, max_events: int) -> int:
        """Return where the latest events begin; see `ChunkStore.dedupe_floor`."""
        return self._looked_up(
            lambda: self._store.dedupe_floor(source, before=before, max_events=max_events)
        )

    def admitted_values(self, source: StreamPartition, *, before: int) -> pa.Table:
        """Return what a partition had admitted; see `ChunkStore.admitted_values`."""
        return self._looked_up(lambda: self._store.admitted_values(source, before=before))

    def _looked_up(self, ask: Callable[[], T]) -> T:
        began_s = self._monotonic()
        try:
            return ask()
        finally:
            took_s = self._monotonic() - began_s
            self._local.asking_s = self.asking_s + took_s
            self._metrics.step_took(LOOKUP_STEP, took_s)


class _TimedLease:
    """A `Lease` that knows when it was first asked: inserts begin there, computing is over."""

    def __init__(self, lease: Lease, monotonic: Callable[[], float]) -> None:
        self._lease = lease
        self._monotonic = monotonic
        self.first_asked_s: float | None = None

    def check(self) -> None:
        """Return while the right is certain; see `Lease.check`."""
        if self.first_asked_s is None:
            self.first_asked_s = self._monotonic()
        self._lease.check()


class MeasuredProcessor:
    """A `ChunkProcessor` that measures how long another one computes.

    That is until the first insert, without the questions asked of the store.
    """

    def __init__(
        self,
        processor: ChunkProcessor,
        store: MeasuredStore,
        metrics: WorkerMetrics,
        monotonic: Callable[[], float],
    ) -> None:
        self._processor = processor
        self._store = store
        self._metrics = metrics
        self._monotonic = monotonic

    def assigned(
        self, source: StreamPartition, group: GroupPosition, partition_count: int
    ) -> Resumption:
        """Prepare for chunks of a partition; see `ChunkProcessor.assigned`."""
        return self._processor.assigned(source, group, partition_count)

    def plan(self, source: StreamPartition, records: RecordColumns) -> Intent:
        """Pin all that the outcome depends on; see `ChunkProcessor.plan`."""
        return self._processor.plan(source, records)

    def run(self, chunk: Chunk, lease: Lease) -> ChunkOutcome:
        """Store everything that a chunk yields; see `ChunkProcessor.run`."""
        began_s, asking_before_s = self._monotonic(), self._store.asking_s
        timed = _TimedLease(lease, self._monotonic)
        outcome = self._processor.run(chunk, timed)
        ended_s = self._monotonic() if timed.first_asked_s is None else timed.first_asked_s
        asking_s = self._store.asking_s - asking_before_s
        self._metrics.step_took(COMPUTE_STEP, ended_s - began_s - asking_s)
        return outcome

    def idle(self, source: StreamPartition, broker_time_us: int) -> None:
        """Hear that nothing is left to read; see `ChunkProcessor.idle`."""
        self._processor.idle(source, broker_time_us)

    def revoked(self, source: StreamPartition) -> None:
        """Forget a partition; see `ChunkProcessor.revoked`."""
        self._processor.revoked(source)
