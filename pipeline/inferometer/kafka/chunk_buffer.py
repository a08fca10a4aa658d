"""Records of one partition on their way into chunks: cut by count, bytes, age or an open intent."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from inferometer.core.records import RecordColumns
from inferometer.errors import BrokerError

if TYPE_CHECKING:
    from inferometer.kafka.fetched import FetchedRecords


@dataclass(frozen=True, slots=True)
class CutPolicy:
    """When a chunk is full, and how long one may wait to become so."""

    max_events: int
    max_bytes: int
    max_wait_s: float


@dataclass(frozen=True, slots=True)
class _Part:
    records: RecordColumns
    came_s: float
    """When it was fetched, on a monotonic clock."""


@dataclass(slots=True)
class ChunkBuffer:
    """What has been fetched of a partition and belongs to no chunk yet.

    `position` is the offset up to which everything is in chunks; commits name it.
    """

    policy: CutPolicy
    position: int
    next_offset: int
    """Where the next fetch is expected to begin."""
    gapless: bool = False
    count: int = 0
    size_bytes: int = 0
    oldest_append_ms: int | None = None
    """When the first record that waits was appended; a field, because other threads read it."""
    _parts: deque[_Part] = field(default_factory=deque)

    def add(self, fetched: FetchedRecords, now_s: float) -> None:
        """Append a fetch. Raises BrokerError where the broker has lost records in between."""
        records = fetched.records
        if fetched.start_offset != self.next_offset:
            raise BrokerError(
                f"a fetch of {fetched.topic}/{fetched.partition} began at {fetched.start_offset}, "
                f"expected was {self.next_offset}",
                retryable=True,
            )
        if self.gapless and len(records):
            self._require_no_gap(fetched)
        self.next_offset = fetched.next_offset
        if not len(records):
            return
        self._parts.append(_Part(records, now_s))
        self._note_oldest()
        self.count += len(records)
        self.size_bytes += int(records.lengths.sum())

    def _require_no_gap(self, fetched: FetchedRecords) -> None:
        offsets = fetched.records.offsets
        if int(offsets[0]) != self.next_offset or int(offsets[-1] - offsets[0]) + 1 != len(offsets):
            raise BrokerError(
                f"records are missing in {fetched.topic}/{fetched.partition} after offset "
                f"{self.next_offset - 1}: the embedded broker dropped them before they were read; "
                "send less at a time",
                retryable=False,
            )

    def is_ready(self, now_s: float) -> bool:
        """Whether a chunk can be cut now."""
        return self.count > 0 and (
            self.count >= self.policy.max_events
            or self.size_bytes >= self.policy.max_bytes
            or self.ripens_in_s(now_s) == 0.0
        )

    def ripens_in_s(self, now_s: float) -> float | None:
        """Return how long until age makes a chunk; None while nothing waits."""
        if not self._parts:
            return None
        return max(0.0, self._parts[0].came_s + self.policy.max_wait_s - now_s)

    def cut(self) -> RecordColumns:
        """Take the next chunk: at least one record, at most what the policy allows."""
        taken: list[RecordColumns] = []
        room, room_bytes = self.policy.max_events, self.policy.max_bytes
        while self._parts and room > 0 and room_bytes > 0:
            lengths = self._parts[0].records.lengths
            fitting = int(np.searchsorted(np.cumsum(lengths), room_bytes, side="right"))
            stop = min(room, max(fitting, 0 if taken else 1))
            if stop == 0:
                break
            self._take_front(taken, stop)
            room -= len(taken[-1])
            room_bytes -= int(taken[-1].lengths.sum())
        return self._finish(taken)

    def cut_through(self, last_offset: int) -> RecordColumns:
        """Take exactly the records up to an offset: the chunk of an open intent."""
        taken: list[RecordColumns] = []
        while self._parts and int(self._parts[0].records.offsets[0]) <= last_offset:
            offsets = self._parts[0].records.offsets
            self._take_front(taken, int(np.searchsorted(offsets, last_offset, side="right")))
        return self._finish(taken)

    def _take_front(self, taken: list[RecordColumns], stop: int) -> None:
        part = self._parts[0]
        if stop >= len(part.records):
            taken.append(self._parts.popleft().records)
            return
        taken.append(_own(part.records, 0, stop))
        self._parts[0] = _Part(_own(part.records, stop, len(part.records)), part.came_s)

    def _finish(self, taken: list[RecordColumns]) -> RecordColumns:
        records = RecordColumns.concatenate(taken)
        self.count -= len(records)
        self.size_bytes -= int(records.lengths.sum())
        first_left = int(self._parts[0].records.offsets[0]) if self._parts else self.next_offset
        self.position = first_left
        self._note_oldest()
        return records

    def _note_oldest(self) -> None:
        parts = self._parts
        self.oldest_append_ms = int(parts[0].records.append_times_ms[0]) if parts else None


def _own(part: RecordColumns, start: int, stop: int) -> RecordColumns:
    """Return records start..stop with only their own stretch of the buffer."""
    piece = part.slice(start, stop)
    first = int(piece.starts[0])
    end = int(piece.starts[-1] + piece.lengths[-1])
    return RecordColumns(
        buffer=piece.buffer[first:end],
        starts=piece.starts - first,
        lengths=piece.lengths,
        offsets=piece.offsets,
        append_times_ms=piece.append_times_ms,
        content_types=piece.content_types,
    )
