"""The topics of alerting in memory: counts, source log, what was told, snapshots."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import numpy as np

from inferometer.core.records import RecordColumns
from inferometer.core.slo.board_snapshots import Kept

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inferometer.core.alerts.history import TransitionRecord
    from inferometer.core.alerts.notices import Notice
    from inferometer.core.chunks import StreamPartition


class MemoryCounts:
    """A `CountsOutput` that keeps the records of each target partition."""

    def __init__(self, targets: int = 1) -> None:
        self.partitions: list[list[bytes]] = [[] for _ in range(targets)]
        self._failures: list[tuple[int, Exception]] = []
        self._lock = threading.Lock()

    def fail_next(self, error: Exception, *, after: int = 0) -> None:
        """Let the next call raise once it has kept so many of its records."""
        self._failures.append((after, error))

    def publish(self, records: Sequence[tuple[int, bytes]]) -> None:
        """Keep records; see `CountsOutput.publish`."""
        with self._lock:
            if self._failures:
                kept, error = self._failures.pop(0)
                for target, value in records[:kept]:
                    self.partitions[target].append(value)
                raise error
            for target, value in records:
                self.partitions[target].append(value)


class MemorySourceLog:
    """A `SourceLog` over records that were put in, by partition."""

    def __init__(self) -> None:
        self._parts: dict[int, list[RecordColumns]] = {}

    def put(self, partition: int, records: RecordColumns) -> None:
        """Append records to a partition."""
        self._parts.setdefault(partition, []).append(records)

    def offset_at(self, source: StreamPartition, since_ms: int, *, before: int) -> int:
        """Return the first offset since an instant; see `SourceLog.offset_at`."""
        records = self._whole(source)
        found = records.offsets[records.append_times_ms >= since_ms]
        return int(min(found[0], before)) if len(found) else before

    def records(self, source: StreamPartition, first: int, last: int) -> RecordColumns:
        """Return records of a range; see `SourceLog.records`."""
        records = self._whole(source)
        start, stop = np.searchsorted(records.offsets, [first, last + 1]).tolist()
        return records.stretch(start, stop) if stop > start else RecordColumns.empty()

    def _whole(self, source: StreamPartition) -> RecordColumns:
        return RecordColumns.concatenate(self._parts.get(source.partition, []))


class MemoryAlertOutput:
    """An `AlertOutput` that keeps everything, repetitions included."""

    def __init__(self) -> None:
        self.notices: list[Notice] = []
        self.transitions: list[TransitionRecord] = []
        self._failures: list[tuple[Exception, bool]] = []

    def fail_next(self, *errors: Exception, keeps: bool = False) -> None:
        """Let the next calls raise these, one each, and keep nothing, or all before they raise."""
        self._failures.extend((error, keeps) for error in errors)

    def forgive(self) -> None:
        """Let no call fail any more."""
        self._failures.clear()

    def publish(self, notices: Sequence[Notice], transitions: Sequence[TransitionRecord]) -> None:
        """Keep what is told; see `AlertOutput.publish`."""
        error, keeps = self._failures.pop(0) if self._failures else (None, True)
        if keeps:
            self.notices += notices
            self.transitions += transitions
        if error is not None:
            raise error


class MemorySnapshots:
    """A `SnapshotStore` in memory."""

    def __init__(self) -> None:
        self.saved: dict[int, bytes] = {}
        self.told: dict[int, bytes] = {}
        self._failures: list[Exception] = []

    def fail_next(self, *errors: Exception) -> None:
        """Let the next saves raise these, one each."""
        self._failures.extend(errors)

    def forgive(self) -> None:
        """Let no save fail any more."""
        self._failures.clear()

    def latest(self, partition: int) -> Kept:
        """Return what is kept; see `SnapshotStore.latest`."""
        return Kept(self.saved.get(partition), self.told.get(partition))

    def save(self, partition: int, snapshot: bytes) -> None:
        """Keep a snapshot; see `SnapshotStore.save`."""
        if self._failures:
            raise self._failures.pop(0)
        self.saved[partition] = snapshot
        self.told.pop(partition, None)

    def save_told(self, partition: int, told: bytes) -> None:
        """Keep what is about to be told; see `SnapshotStore.save_told`."""
        if self._failures:
            raise self._failures.pop(0)
        self.told[partition] = told
