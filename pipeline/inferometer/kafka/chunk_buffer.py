"""Records of one partition on their way into chunks: what waits, and cutting it to size."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from inferometer.core.records import SPARE_BYTES, RecordColumns
from inferometer.errors import BrokerError
from inferometer.kafka.chunk_policy import Waiting

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from inferometer.kafka.chunk_policy import ChunkPolicy
    from inferometer.kafka.fetched import FetchedRecords

USUAL_RECORD_BYTES = 1024.0
"""Taken for the size of a record before one has been seen."""


@dataclass(frozen=True, slots=True)
class _Part:
    records: RecordColumns
    event_counts: NDArray[np.int64]
    """Events of each record, about."""
    came_s: float
    """When it was fetched, on a monotonic clock."""


@dataclass(slots=True)
class ChunkBuffer:
    """What has been fetched of a partition and belongs to no chunk yet.

    `position` is the offset up to which everything is in chunks; commits name it.
    """

    policy: ChunkPolicy
    position: int
    next_offset: int
    """Where the next fetch is expected to begin."""
    gapless: bool = False
    log_end: int = 0
    """Where the readable log ended when something was fetched last."""
    records: int = 0
    events: int = 0
    """About as many are in the records that wait."""
    size_bytes: int = 0
    oldest_append_ms: int | None = None
    """When the first record that waits was appended; a field, because other threads read it."""
    _parts: deque[_Part] = field(default_factory=deque)
    _cut_s: float = -math.inf
    _record_events: float = 1.0
    _record_bytes: float = USUAL_RECORD_BYTES

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
        self.log_end = fetched.log_end
        if not len(records):
            return
        counts = records.event_counts()
        events, size_bytes = int(counts.sum()), int(records.lengths.sum())
        self._record_events = events / len(records)
        self._record_bytes = size_bytes / len(records)
        self._parts.append(_Part(records, counts, now_s))
        self._note_oldest()
        self.records += len(records)
        self.events += events
        self.size_bytes += size_bytes

    def _require_no_gap(self, fetched: FetchedRecords) -> None:
        offsets = fetched.records.offsets
        if int(offsets[0]) != self.next_offset or int(offsets[-1] - offsets[0]) + 1 != len(offsets):
            raise BrokerError(
                f"records are missing in {fetched.topic}/{fetched.partition} after offset "
                f"{self.next_offset - 1}: the embedded broker dropped them before they were read; "
                "send less at a time",
                retryable=False,
            )

    def waiting(self, now_s: float) -> Waiting:
        """Return what waits at an instant, as the policy of chunks wants to know it."""
        coming = max(0, self.log_end - self.next_offset)
        return Waiting(
            events=self.events,
            size_bytes=self.size_bytes,
            age_s=now_s - self._parts[0].came_s if self._parts else 0.0,
            since_cut_s=now_s - self._cut_s,
            coming_events=int(coming * self._record_events),
            coming_bytes=int(coming * self._record_bytes),
        )

    def cut(self, now_s: float) -> RecordColumns:
        """Take the next chunk: at least one record, else at most what the policy allows."""
        self._cut_s = now_s
        taken: list[_Part] = []
        room, room_bytes = self.policy.max_events, self.policy.max_bytes
        while self._parts and room > 0 and room_bytes > 0:
            part = self._parts[0]
            fitting = min(
                int(np.searchsorted(np.cumsum(part.event_counts), room, side="right")),
                int(np.searchsorted(np.cumsum(part.records.lengths), room_bytes, side="right")),
            )
            stop = max(fitting, 0 if taken else 1)
            if stop == 0:
                break
            self._take_front(taken, stop)
            room -= int(taken[-1].event_counts.sum())
            room_bytes -= int(taken[-1].records.lengths.sum())
            if stop < len(part.records):
                break
        return self._finish(taken)

    def cut_through(self, last_offset: int) -> RecordColumns:
        """Take exactly the records up to an offset: the chunk of an open intent."""
        taken: list[_Part] = []
        while self._parts and int(self._parts[0].records.offsets[0]) <= last_offset:
            offsets = self._parts[0].records.offsets
            self._take_front(taken, int(np.searchsorted(offsets, last_offset, side="right")))
        return self._finish(taken)

    def _take_front(self, taken: list[_Part], stop: int) -> None:
        part = self._parts[0]
        if stop >= len(part.records):
            taken.append(self._parts.popleft())
            return
        taken.append(_piece(part, 0, stop))
        self._parts[0] = _piece(part, stop, len(part.records))

    def _finish(self, taken: list[_Part]) -> RecordColumns:
        self.records -= sum(len(part.records) for part in taken)
        self.events -= sum(int(part.event_counts.sum()) for part in taken)
        self.size_bytes -= sum(int(part.records.lengths.sum()) for part in taken)
        first_left = int(self._parts[0].records.offsets[0]) if self._parts else self.next_offset
        self.position = first_left
        self._note_oldest()
        pieces = [part.records for part in taken]
        taken.clear()
        return _joined(pieces)

    def _note_oldest(self) -> None:
        parts = self._parts
        self.oldest_append_ms = int(parts[0].records.append_times_ms[0]) if parts else None


def _piece(part: _Part, start: int, stop: int) -> _Part:
    """Return records start..stop with only their own stretch of the buffer."""
    own = part.records.stretch(start, stop)
    own = replace(own, buffer=_without_the_rest(own.buffer))
    return _Part(own, part.event_counts[start:stop], part.came_s)


def _without_the_rest(stretch: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a stretch that does not keep much more than itself in memory."""
    whole = stretch.base
    if isinstance(whole, np.ndarray) and whole.nbytes >= 2 * stretch.nbytes:
        return stretch.copy()
    return stretch


def _joined(pieces: list[RecordColumns]) -> RecordColumns:
    """Join records into one buffer, letting each piece go once it is copied: memory for one chunk."""
    if len(pieces) <= 1:
        return pieces.pop() if pieces else RecordColumns.empty()
    starts, at = [], 0
    for piece in pieces:
        starts.append(piece.starts + at)
        at += len(piece.buffer)
    columns = {
        name: np.concatenate([getattr(piece, name) for piece in pieces])
        for name in ("lengths", "offsets", "append_times_ms", "content_types")
    }
    buffer = np.empty(at + SPARE_BYTES, dtype=np.uint8)
    pieces.reverse()
    filled = 0
    while pieces:
        piece = pieces.pop()
        buffer[filled : filled + len(piece.buffer)] = piece.buffer
        filled += len(piece.buffer)
    return RecordColumns(
        buffer=buffer, starts=np.concatenate(starts), spare_bytes=SPARE_BYTES, **columns
    )
