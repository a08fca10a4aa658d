"""Sends the items of one journal in order, and lets go of them once the broker has acknowledged them.

Items that go to one partition share records, as far as they are at hand. An item is marked `resent` where the broker may have it already: an earlier process had handed it to
a producer, or its delivery failed. When a delivery fails, nothing more is sent until the fate of
all that is under way is known; then sending goes on from the first item without acknowledgement.
"""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from dataclasses import replace
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING

from inferometer.errors import BrokerError
from inferometer.sdk import items
from inferometer.sdk.breath import Breath
from inferometer.sdk.items import ANY_PARTITION
from inferometer.sdk.partitioning import partition_of
from inferometer.sdk.refusals import EventTooLargeError
from inferometer.sdk.spool.frames import Damage
from inferometer.sdk.spool.sent import Fate, Sent
from inferometer.sdk.spread import BY_KEY, Spread
from inferometer.sdk.transport import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from inferometer.sdk.envelopes import Packer
    from inferometer.sdk.items import Item
    from inferometer.sdk.spool.frames import Frame
    from inferometer.sdk.spool.journal import Journal
    from inferometer.sdk.spool.marks import Marks
    from inferometer.sdk.transport import Outgoing, Transport

_AHEAD = 4096
"""Frames kept in memory before they are sent; beyond them they are read back from the disk."""
_UNDER_WAY = 10_000
"""Items that a producer has at a time: those are sent again after a kill, the rest for the first
time."""
_FIRST_RETRY_S = 0.25
_LAST_RETRY_S = 5.0
_MARK_EVERY_S = 0.05
_WINDOWS_AT_ONCE = 16
_WINDOW = 2_000
"""Items that are looked through for those that may share a record."""


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
        packer: Packer,
        producer: int = BY_KEY,
    ) -> None:
        """`producer` names this process where its items share records; see `spread`."""
        self._journal = journal
        self._marks = marks
        self._monotonic = monotonic
        self._on_refused = on_refused
        self._on_damaged = on_damaged
        self._packer = packer
        self._producer = producer
        if producer != BY_KEY and marks.producers and marks.producers[-1][1] != BY_KEY:
            # The folder's own name lasts longer than that of a process.
            self._producer = marks.producers[-1][1]
        self._spreads: dict[int, Spread] = {}
        self._packed: deque[tuple[Outgoing, list[Sent]]] = deque()
        """Records that the transport had no room for."""
        self._ahead: deque[Frame | Damage] = deque()
        self._read_to = marks.acknowledged
        self._under_way: deque[Sent] = deque()
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
            and not self._packed
        )

    @property
    def is_done(self) -> bool:
        """Whether the broker has acknowledged everything."""
        return self.is_all_sent and not self._under_way

    @property
    def producer(self) -> int:
        """Whose seconds choose the partition of what is written now."""
        return self._producer

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
        self.waiting += sum(frame.item.events for frame in written)
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
                each.item.events
                for each in found
                if not isinstance(each, Damage) and each.start < self._counted_until
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
        # A disk that refuses must not keep events from a broker that is well: the rule is known for
        # as long as this process lives.
        with suppress(OSError):
            position = max(self._cursor, self._resent_before)
            self._marks.note_spread(position, partitions, self._producer)
        while self._packed:
            record, sent = self._packed[0]
            if not self._hand_over(transport, record, sent):
                return
            self._packed.popleft()
        while (frame := self._next()) is not None:
            if isinstance(frame, Damage):
                self._put_aside(frame.start, frame.end, frame.reason)
                self._on_damaged(frame.reason)
                self._skip(frame, is_waiting=False)
                self._ahead.popleft()
            elif frame.start in self._settled_ahead:
                self._skip(frame, is_waiting=self._settled_ahead.pop(frame.start))
                self._ahead.popleft()
            elif not self._send_some(transport, partitions):
                return

    def settle(self) -> None:
        """Take note of the reports: let go of what is delivered, go back to what is not."""
        under_way = self._under_way
        while under_way and under_way[0].fate is Fate.ACKNOWLEDGED:
            sent = under_way.popleft()
            self.acknowledged = sent.end
            self.waiting -= sent.events * sent.is_waiting
            self._suspects.discard(sent.start)
            self._retry_s = _FIRST_RETRY_S
        if self._has_failed and all(
            sent.fate is not Fate.UNKNOWN or not sent.is_handed for sent in under_way
        ):
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

    def _send_some(self, transport: Transport, partitions: int) -> bool:
        """Hand over what comes next; False when the transport is full or an item must go alone."""
        room = max(0, _UNDER_WAY - len(self._under_way))
        window = self._window(room)
        if not window:
            return False
        if window[-1].end > self._handed_to:
            self._note_handed()
        first = window[0].start
        count = min(self._marks.count_at(first) or partitions, partitions)
        producer = self._marks.producer_at(first)
        spread = self._spreads.setdefault(producer, Spread(producer))
        entries = [self._item(frame, count, partitions, producer) for frame in window]
        sent = [Sent(frame) for frame in window]
        parcels = [
            (parcel.record, [sent[place] for place in parcel.places])
            for parcel in self._packer.pack(entries, spread, count)
        ]
        self._under_way.extend(sent)
        for number, (record, inside) in enumerate(parcels):
            try:
                if is_taken := self._hand_over(transport, record, inside):
                    self._breath.take(len(inside))
            except BrokerError:
                self._leave(parcels[number:], window)
                raise
            if not is_taken:
                self._leave(parcels[number:], window)
                return False
        for _ in window:
            self._ahead.popleft()
        return not self._has_failed

    def _leave(self, parcels: list[tuple[Outgoing, list[Sent]]], window: list[Frame]) -> None:
        """Keep what the transport does not take: as it is behind what it took, else as not looked at."""
        if any(each.is_handed for each in islice(reversed(self._under_way), len(window))):
            self._packed.extend(parcels)
            forget: Callable[[], object] = self._ahead.popleft
        else:
            forget = self._under_way.pop
        for _ in window:
            forget()

    def _window(self, room: int) -> list[Frame]:
        """Return the next frames that one rule spreads, as far as they are at hand."""
        first = self._ahead[0]
        is_alone = first.start in self._suspects
        if self._under_way and (is_alone or self._under_way[-1].start in self._suspects):
            return []
        limit = 1 if is_alone or not self._packer.is_shared else min(room, _WINDOW)
        end = self._marks.next_spread(first.start)
        window: list[Frame] = []
        for frame in islice(self._ahead, min(limit, room)):
            if isinstance(frame, Damage) or frame.start in self._settled_ahead:
                break
            if frame.start >= end or (window and frame.start in self._suspects):
                break
            window.append(frame)
        return window

    def _item(self, frame: Frame, count: int, partitions: int, producer: int) -> Item:
        item = frame.item
        if not 0 <= item.partition < partitions:
            # Another process may read the frame later, so the frame keeps what it says itself.
            if producer == BY_KEY or not items.may_share(item):
                chosen = partition_of(items.key_of(item), item.value, count)
                item = replace(item, partition=chosen)
            elif item.partition != ANY_PARTITION:
                item = replace(item, partition=ANY_PARTITION)
        if item.was_sent or frame.start < self._resent_before:
            item = items.resent(item)
        return item

    def _hand_over(self, transport: Transport, record: Outgoing, sent: list[Sent]) -> bool:
        """Give the transport a record; False when it is full. Raises BrokerError."""
        try:
            if not transport.send(record, partial(self._report, sent)):
                return False
        except EventTooLargeError as error:
            if len(sent) > 1:
                self._report(sent, Refusal(str(error), is_for_the_record=True))
                return True
            alone = sent[0]
            alone.reason = str(error)
            self._refuse(alone)
            alone.fate, alone.is_waiting = Fate.ACKNOWLEDGED, False
        for each in sent:
            each.is_handed = True
        return True

    def _note_handed(self) -> None:
        """Say before it happens that what is at hand goes to the producer, once for many."""
        room = min(len(self._ahead), _UNDER_WAY - len(self._under_way))
        self._handed_to = self._ahead[max(room, 1) - 1].end
        with suppress(OSError):
            self._marks.note_handed(self._handed_to)

    def _report(self, sent: Sequence[Sent], refusal: Refusal | None) -> None:
        """Hear from the transport's own thread; only marks, `settle` acts on them."""
        fate = Fate.ACKNOWLEDGED
        if refusal is not None:
            fate = Fate.REFUSED if refusal.is_for_the_record else Fate.FAILED
        for each in sent:
            each.reason = "" if refusal is None else refusal.detail
            each.fate = fate
        if refusal is not None:
            self._has_failed = True

    def _go_back(self) -> None:
        """Continue from the first item that is not delivered."""
        under_way, self._under_way = self._under_way, deque()
        for sent in under_way:
            if sent.fate is Fate.ACKNOWLEDGED:
                self._settled_ahead[sent.start] = sent.is_waiting
            elif sent.fate is Fate.REFUSED and sent.start in self._suspects:
                self._suspects.remove(sent.start)
                self._refuse(sent)
                self._settled_ahead[sent.start] = False
            elif sent.fate is Fate.REFUSED:
                # The broker refuses whole batches: each is tried alone before it is given up.
                self._suspects.add(sent.start)
        self._packed.clear()
        if under_way:
            handed = (sent.end for sent in reversed(under_way) if sent.is_handed)
            self._resent_before = max(self._resent_before, next(handed, 0))
            self._handed_to = max(self._handed_to, self._resent_before)
            self._ahead.clear()
            self._read_to = under_way[0].start
        self._has_failed = False
        self._retry_at = self._monotonic() + self._retry_s
        self._retry_s = min(2 * self._retry_s, _LAST_RETRY_S)

    def give_up_under_way(self) -> None:
        """Take all without a report for failed: the transport that had them is gone."""
        for sent in self._under_way:
            if sent.fate is Fate.UNKNOWN and sent.is_handed:
                sent.fate = Fate.FAILED
                self._has_failed = True

    def _skip(self, frame: Frame | Damage, *, is_waiting: bool) -> None:
        self._under_way.append(Sent(frame, Fate.ACKNOWLEDGED, is_waiting=is_waiting))

    def _refuse(self, sent: Sent) -> None:
        self._put_aside(sent.start, sent.end, sent.reason)
        self.waiting -= sent.events
        for _ in range(sent.events):
            self._on_refused(sent.reason)

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
