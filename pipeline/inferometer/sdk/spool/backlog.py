"""Sends the items of one journal in order, and lets go of them once the broker has acknowledged them.

An item is marked `resent` where the broker may have it already: an earlier process had handed it to
a producer, or its delivery failed. When a delivery fails, nothing more is sent until the fate of
all that is under way is known; then sending goes on from the first item without acknowledgement.
"""

from __future__ import annotations

import enum
from collections import deque
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from inferometer.sdk import items
from inferometer.sdk.breath import Breath
from inferometer.sdk.partitioning import partition_of
from inferometer.sdk.refusals import EventTooLargeError
from inferometer.sdk.spool.frames import Damage
from inferometer.sdk.transport import Outgoing

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from inferometer.sdk.items import Item
    from inferometer.sdk.spool.frames import Frame
    from inferometer.sdk.spool.journal import Journal
    from inferometer.sdk.spool.marks import Marks
    from inferometer.sdk.transport import Refusal, Transport

_AHEAD = 4096
"""Frames kept in memory before they are sent; beyond them they are read back from the disk."""
_UNDER_WAY = 10_000
"""Items that a producer has at a time: those are sent again after a kill, the rest for the first
time."""
_FIRST_RETRY_S = 0.25
_LAST_RETRY_S = 5.0
_MARK_EVERY_S = 0.05
_WINDOWS_AT_ONCE = 16


class _Fate(enum.Enum):
    UNKNOWN = enum.auto()
    ACKNOWLEDGED = enum.auto()
    FAILED = enum.auto()
    REFUSED = enum.auto()
    """By the broker, for what the record itself is."""


class _Sent:
    """One frame under way."""

    __slots__ = ("at_ms", "end", "fate", "is_waiting", "reason", "start")

    def __init__(
        self,
        frame: Frame | Damage,
        fate: _Fate = _Fate.UNKNOWN,
        *,
        is_waiting: bool = True,
    ) -> None:
        self.start = frame.start
        self.end = frame.end
        self.at_ms = 0 if isinstance(frame, Damage) else frame.at_ms
        self.is_waiting = is_waiting
        """Counted among those that wait until it is delivered."""
        self.fate = fate
        self.reason = ""


class Backlog:
    """What one journal still has to deliver. Not safe for threads, but for the reports."""

    def __init__(
        self,
        journal: Journal,
        marks: Marks,
        *,
        monotonic: Callable[[], float],
        on_refused: Callable[[str], None],
        on_damaged: Callable[[str], None],
    ) -> None:
        self._journal = journal
        self._marks = marks
        self._monotonic = monotonic
        self._on_refused = on_refused
        self._on_damaged = on_damaged
        self._ahead: deque[Frame | Damage] = deque()
        self._read_to = marks.acknowledged
        self._under_way: deque[_Sent] = deque()
        self._resent_before = min(marks.handed, journal.end)
        self._handed_to = self._resent_before
        if marks.handed > self._handed_to:
            # From here on this process knows what it hands over.
            with suppress(OSError):
                marks.note_handed(self._handed_to)
        self._counted_to = marks.acknowledged
        self._counted_until = journal.end
        self._breath = Breath()
        self._has_failed = False
        self._retry_at = float("-inf")
        self._retry_s = _FIRST_RETRY_S
        self._settled_ahead: dict[int, bool] = {}
        """Frames from the cursor on that need no sending, and whether they still count as waiting."""
        self._suspects: set[int] = set()
        self._mark_at = float("-inf")
        self.acknowledged = marks.acknowledged
        self.taken_over = 0
        """Items that an earlier process left."""
        self.waiting = 0
        """Items that the broker has not acknowledged."""

    @property
    def is_all_sent(self) -> bool:
        """Whether nothing waits for its first sending."""
        return (
            self._cursor >= self._journal.end
            and self._counted_to >= self._counted_until
            and not self._has_failed
        )

    @property
    def is_done(self) -> bool:
        """Whether the broker has acknowledged everything."""
        return self.is_all_sent and not self._under_way

    @property
    def under_way(self) -> int:
        """How many items the transport has without a report."""
        return len(self._under_way)

    @property
    def size_bytes(self) -> int:
        """What it takes on the disk."""
        return self._journal.size_bytes

    @property
    def set_aside(self) -> int:
        """Damaged frames and refused items that were put aside."""
        return self._journal.set_aside

    @property
    def oldest_ms(self) -> int | None:
        """When the oldest item that waits was written, as far as it has been read."""
        for queue in (self._under_way, self._ahead):
            # Counts are asked for by other threads, so the first may go between two looks.
            with suppress(IndexError):
                first = queue[0]
                return None if isinstance(first, Damage) else first.at_ms
        return None

    def append(self, batch: Sequence[Item]) -> int:
        """Write items behind the others; return how many there was room for. Raises OSError."""
        begin = self._journal.end
        written = self._journal.append(batch)
        self.waiting += len(written)
        if written and self._read_to == begin and len(self._ahead) < _AHEAD:
            self._ahead.extend(written)
            self._read_to = written[-1].end
        return len(written)

    def count_some(self) -> bool:
        """Count a part of what an earlier process left; True once all is counted."""
        for _ in range(_WINDOWS_AT_ONCE):
            if self._counted_to >= self._counted_until:
                return True
            found = self._journal.read(self._counted_to)
            number = sum(
                not isinstance(each, Damage) and each.start < self._counted_until for each in found
            )
            self.taken_over += number
            self.waiting += number
            self._counted_to = found[-1].end if found else self._counted_until
        return False

    def send(self, transport: Transport, topic: str) -> None:
        """Hand items to the transport, in order, while it takes them. Raises BrokerError."""
        if self._has_failed or self._monotonic() < self._retry_at or not self.count_some():
            return
        partitions = transport.partitions(topic)
        if not partitions:
            return
        self._note_count(partitions)
        while (frame := self._next()) is not None:
            if isinstance(frame, Damage):
                self._put_aside(frame.start, frame.end, frame.reason)
                self._on_damaged(frame.reason)
                self._skip(frame, is_waiting=False)
            elif frame.start in self._settled_ahead:
                self._skip(frame, is_waiting=self._settled_ahead.pop(frame.start))
            elif not self._send_one(transport, topic, frame, partitions):
                return
            self._ahead.popleft()
            self._breath.take()

    def settle(self) -> None:
        """Take note of the reports: let go of what is delivered, go back to what is not."""
        under_way = self._under_way
        while under_way and under_way[0].fate is _Fate.ACKNOWLEDGED:
            sent = under_way.popleft()
            self.acknowledged = sent.end
            self.waiting -= sent.is_waiting
            self._suspects.discard(sent.start)
            self._retry_s = _FIRST_RETRY_S
        if self._has_failed and all(sent.fate is not _Fate.UNKNOWN for sent in under_way):
            self._go_back()
        self._mark()

    def sync_when_due(self) -> None:
        """Force the disk where the policy says so. Raises OSError."""
        self._journal.sync_when_due(self.acknowledged)

    def close(self) -> None:
        """Leave what is not delivered to the next process. Raises OSError."""
        self.settle()
        self._mark_at = float("-inf")
        self._mark()
        self._marks.close()
        self._journal.close(self.acknowledged)

    def abandon(self) -> None:
        """Close the files that belong to the parent of this process."""
        self._marks.close()
        self._journal.abandon()

    @property
    def _cursor(self) -> int:
        return self._ahead[0].start if self._ahead else self._read_to

    def _next(self) -> Frame | Damage | None:
        if not self._ahead and self._read_to < self._journal.end:
            self._ahead.extend(self._journal.read(self._read_to))
            # A segment that somebody has deleted leaves a gap and nothing to read.
            self._read_to = self._ahead[-1].end if self._ahead else self._journal.end
        return self._ahead[0] if self._ahead else None

    def _send_one(self, transport: Transport, topic: str, frame: Frame, partitions: int) -> bool:
        """Hand over one item; False when the transport is full or the item must go alone."""
        under_way = self._under_way
        is_suspect = frame.start in self._suspects
        if under_way and (is_suspect or under_way[-1].start in self._suspects):
            return False
        if len(under_way) >= _UNDER_WAY:
            return False
        if frame.end > self._handed_to:
            self._note_handed()
        item = frame.item
        partition = self._partition(frame, partitions)
        if item.was_sent or frame.start < self._resent_before:
            item = items.resent(item)
        sent = _Sent(frame)
        record = Outgoing(topic, item.key, item.value, items.headers(item), partition)
        try:
            if not transport.send(record, partial(self._report, sent)):
                return False
        except EventTooLargeError as error:
            self._refuse(frame.start, frame.end, str(error))
            self._skip(frame, is_waiting=False)
            return True
        under_way.append(sent)
        return True

    def _partition(self, frame: Frame, partitions: int) -> int:
        kept = frame.item.partition
        if 0 <= kept < partitions:
            return kept
        count = min(self._marks.count_at(frame.start) or partitions, partitions)
        return partition_of(frame.item.key, frame.item.value, count)

    def _note_handed(self) -> None:
        """Say before it happens that what is at hand goes to the producer, once for many."""
        room = min(len(self._ahead), _UNDER_WAY - len(self._under_way))
        self._handed_to = self._ahead[room - 1].end
        with suppress(OSError):
            self._marks.note_handed(self._handed_to)

    def _note_count(self, partitions: int) -> None:
        counts = self._marks.counts
        if counts and counts[-1][1] == partitions:
            return
        # What was sent by another number stays with it; without a number nothing was ever sent.
        position = max(self._cursor, self._resent_before) if counts else 0
        # A disk that refuses must not keep events from a broker that is well: the number is known
        # for as long as this process lives.
        with suppress(OSError):
            self._marks.note_count(position, partitions)

    def _report(self, sent: _Sent, refusal: Refusal | None) -> None:
        """Hear from the transport's own thread; only marks, `settle` acts on them."""
        if refusal is None:
            sent.fate = _Fate.ACKNOWLEDGED
            return
        sent.reason = refusal.detail
        sent.fate = _Fate.REFUSED if refusal.is_for_the_record else _Fate.FAILED
        self._has_failed = True

    def _go_back(self) -> None:
        """Continue from the first item that is not delivered."""
        under_way, self._under_way = self._under_way, deque()
        for sent in under_way:
            if sent.fate is _Fate.ACKNOWLEDGED:
                self._settled_ahead[sent.start] = sent.is_waiting
            elif sent.fate is _Fate.REFUSED and sent.start in self._suspects:
                self._suspects.remove(sent.start)
                self._refuse(sent.start, sent.end, sent.reason)
                self._settled_ahead[sent.start] = False
            elif sent.fate is _Fate.REFUSED:
                # The broker refuses whole batches: each is tried alone before it is given up.
                self._suspects.add(sent.start)
        if under_way:
            self._resent_before = max(self._resent_before, under_way[-1].end)
            self._handed_to = max(self._handed_to, self._resent_before)
            self._ahead.clear()
            self._read_to = under_way[0].start
        self._has_failed = False
        self._retry_at = self._monotonic() + self._retry_s
        self._retry_s = min(2 * self._retry_s, _LAST_RETRY_S)

    def give_up_under_way(self) -> None:
        """Take all without a report for failed: the transport that had them is gone."""
        for sent in self._under_way:
            if sent.fate is _Fate.UNKNOWN:
                sent.fate = _Fate.FAILED
                self._has_failed = True

    def _skip(self, frame: Frame | Damage, *, is_waiting: bool) -> None:
        self._under_way.append(_Sent(frame, _Fate.ACKNOWLEDGED, is_waiting=is_waiting))

    def _refuse(self, start: int, end: int, reason: str) -> None:
        self._put_aside(start, end, reason)
        self.waiting -= 1
        self._on_refused(reason)

    def _put_aside(self, start: int, end: int, reason: str) -> None:
        self._journal.put_aside(start, self._journal.bytes_between(start, end), reason)

    def _mark(self) -> None:
        now = self._monotonic()
        if self.acknowledged > self._marks.acknowledged and now >= self._mark_at:
            self._mark_at = now + _MARK_EVERY_S
            # Without the mark the next process sends again what is marked `resent` then.
            with suppress(OSError):
                self._marks.note_acknowledged(self.acknowledged)
                self._journal.release(self.acknowledged)
