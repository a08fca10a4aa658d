"""What happens behind the request path: events are packed, spooled and sent, by one thread.

The request path appends to a queue. The thread takes what has gathered, so one wake-up serves all
events of some milliseconds, and gives it to the spool first (`always`), or to the producer first
and to the spool where the producer cannot take it (`overflow`), or to the producer alone.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from functools import partial
from typing import TYPE_CHECKING

from inferometer.errors import BrokerError, ConfigError
from inferometer.sdk import items
from inferometer.sdk.breath import Breath
from inferometer.sdk.envelopes import Packer
from inferometer.sdk.intake import Intake
from inferometer.sdk.items import Item
from inferometer.sdk.owner import complain_of_columns, complain_of_disk, open_spool
from inferometer.sdk.partitioning import partition_of
from inferometer.sdk.refusals import EventTooLargeError
from inferometer.sdk.settings import SpoolMode
from inferometer.sdk.spread import BY_KEY, Spread, producer_of, second_of
from inferometer.sdk.stats import DropReason

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from inferometer.sdk.envelopes import Parcel
    from inferometer.sdk.items import Entry
    from inferometer.sdk.owner import Owner
    from inferometer.sdk.settings import ClientSettings
    from inferometer.sdk.spool.folder import Spool
    from inferometer.sdk.transport import Outgoing, Refusal, Transport

_LOG = logging.getLogger("inferometer.sdk")
_GATHER_S = 0.005
_BUSY_S = 0.02
_IDLE_S = 1.0
_BATCH = 2_000
_BREATH, _JUDGED_AS = 400, 4
"""Events packed in a fifth of a millisecond; judging one counts as four, since a pause costs CPU too."""


class Sender:
    """Takes events from any thread; `step` and what it calls run under one lock.

    Raises ConfigError where the spool or the producer cannot be opened.
    """

    def __init__(
        self,
        settings: ClientSettings,
        owner: Owner,
        *,
        source: str = "",
        monotonic: Callable[[], float],
        now_ms: Callable[[], int],
    ) -> None:
        self._settings = settings
        self._owner = owner
        self._mode = SpoolMode(settings.spool) if settings.spool_dir else None
        self._packer = Packer(settings)
        self._linger_s = settings.linger_ms / 1000 if self._packer.is_shared else _GATHER_S
        self.intake = Intake(
            max_events=settings.buffer_events,
            max_bytes=settings.buffer_bytes,
            counts_loose=self._mode is None,
        )
        """What waits in memory, for its counts."""
        self._enough_events = settings.batch_max_events
        self._returned: deque[Item] = deque()
        self._breath = Breath(_BREATH)
        self._step_lock = threading.RLock()
        self._thread_lock = threading.Lock()
        self._wake = threading.Event()
        self._hurry = threading.Event()
        self._is_flushing = 0
        self._is_stopping = False
        self._thread: threading.Thread | None = None
        producer = producer_of(source) if self._packer.is_shared else BY_KEY
        self._spool = open_spool(
            settings,
            owner,
            packer=self._packer,
            producer=producer,
            monotonic=monotonic,
            now_ms=now_ms,
        )
        self._spread = Spread(producer if self._spool is None else self._spool.own.producer)
        try:
            self._transport = owner.new_transport()
        except ConfigError:
            if self._spool is not None:
                self._spool.close()
            raise
        # Asked for early, so that the first events may know it.
        self._transport.partitions(settings.requests_topic)
        if self._spool is not None:
            # What an earlier process left is sent without waiting for the first event.
            self._start()

    def put(self, entry: Entry) -> bool:
        """Take one entry without blocking; False where there is no room for it."""
        is_taken = self.intake.put(entry)
        self._stir()
        return is_taken

    def put_all(self, entries: Sequence[Entry]) -> int:
        """Take events without blocking; return how many of the entries there was room for."""
        taken = self.intake.put_all(entries)
        self._stir()
        return taken

    def _stir(self) -> None:
        """Wake the thread, and hurry it where a record is full."""
        if not self._wake.is_set():
            if self._thread is None:
                self._start()
            self._wake.set()
        if self.intake.queued_events >= self._enough_events and not self._hurry.is_set():
            self._hurry.set()

    def send_now(self, record: Outgoing) -> bool:
        """Hand a record past queue and spool to the producer; False when its buffer is full."""
        transport, size_bytes = self._transport, len(record.value)
        self.intake.count_loose(1, size_bytes, accepted=1)
        is_taken = False
        try:
            is_taken = transport.send(record, partial(self._on_signal, record))
        except BrokerError:
            self._replace(transport)
            raise
        finally:
            if not is_taken:
                self.intake.count_loose(-1, -size_bytes, accepted=-1)
        return is_taken

    def in_flight(self) -> int:
        """Return how many events wait, wherever they do; briefly it may count one twice."""
        waiting = self.intake.queued_events + self.intake.loose_events + len(self._returned)
        return waiting + (self._spool.waiting if self._spool is not None else 0)

    def place(self, second: bytes) -> tuple[bytes, int]:
        """Return the key that events of a second share, and their partition, -1 where unknown."""
        partitions = self._transport.partitions(self._settings.requests_topic)
        return self._spread.place(second, partitions)

    def partition_of(self, value: bytes, key: bytes | None, partitions: int) -> int:
        """Return the partition that a JSON record value goes to, of so many."""
        if self._spread.producer == BY_KEY or not items.is_line(value):
            return partition_of(key, value, partitions)
        return self._spread.place(second_of(value), partitions)[1]

    @property
    def spool(self) -> Spool | None:
        """The spool, for its counts."""
        return self._spool

    def step(self, *, is_due: bool = True) -> None:
        """Do everything that can be done now, short of waiting for the broker.

        Where it `is_due` no more, events are written to the spool and sent by a later step.
        """
        with self._step_lock:
            self._store_all()
            spool = self._spool
            if spool is None:
                return
            for work in (spool.settle, self._send_spooled) if is_due else (spool.settle,):
                try:
                    work()
                except OSError as error:
                    complain_of_disk(self._owner, self._settings, error)

    def persist(self, timeout_s: float) -> bool:
        """Return whether everything taken so far is in the spool, or with the broker."""
        if self._mode is not SpoolMode.ALWAYS:
            return self.flush(timeout_s) == 0
        with self._step_lock:
            self._store_all()
            return self.intake.loose_events == 0

    def flush(self, timeout_s: float) -> int:
        """Block until everything is acknowledged or given up; return how many still wait."""
        end = time.monotonic() + timeout_s
        with self._thread_lock:
            self._is_flushing += 1
        try:
            while True:
                self._hurry.set()
                self.step()
                left_s = max(0.0, end - time.monotonic())
                self._transport.flush(min(left_s, 0.1) if self._spool or self.intake else left_s)
                self.step()
                if left_s == 0 or (self._is_idle() and not self._transport.in_flight()):
                    return self.in_flight()
                time.sleep(0.002)
        finally:
            with self._thread_lock:
                self._is_flushing -= 1

    def close(self) -> None:
        """Give up what waits; with a spool, leave it there for the next process."""
        self._is_stopping = True
        self._hurry.set()
        self._wake.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(timeout=5.0)
        self.intake.close()
        with self._step_lock:
            self._store_all()
            self._transport.close()
            self._store_all()
            if self._spool is not None:
                try:
                    self._spool.close()
                except OSError as error:
                    complain_of_disk(self._owner, self._settings, error)

    def abandon(self) -> Transport:
        """In a forked child: leave everything to the parent; return its producer, not to be freed."""
        if self._spool is not None:
            self._spool.abandon()
        return self._transport

    def _start(self) -> None:
        with self._thread_lock:
            if self._thread is not None or self._is_stopping:
                return
            self._thread = threading.Thread(
                target=self._run, name="inferometer-sdk-sender", daemon=True
            )
        self._thread.start()

    def _run(self) -> None:
        send_at = time.monotonic() + self._linger_s
        while not self._is_stopping:
            if self._is_idle():
                self._wake.wait(_IDLE_S)
                send_at = time.monotonic() + self._linger_s
            else:
                self._wake.wait(_BUSY_S)
            # The disk is not kept waiting for events that may share a record.
            gather_s = _GATHER_S if self._mode is SpoolMode.ALWAYS else self._linger_s
            is_full = self._hurry.wait(gather_s)
            self._wake.clear()
            if not self._is_flushing:
                self._hurry.clear()
            is_due = is_full or time.monotonic() >= send_at
            try:
                self.step(is_due=is_due or self._mode is not SpoolMode.ALWAYS)
            except Exception:  # noqa: BLE001 - a fault of one event must not end the sending of all
                _LOG.exception("the sender met a fault and goes on")
            if is_due:
                send_at = time.monotonic() + self._linger_s

    def _is_idle(self) -> bool:
        """Whether there is nothing to do before somebody wakes the thread."""
        if self.intake or self._returned:
            return False
        return self._spool is None or self._spool.is_done

    def _send_spooled(self) -> None:
        transport = self._transport
        try:
            if self._spool is not None:
                self._spool.send(transport, self._settings.requests_topic)
        except BrokerError:
            self._replace(transport)
        except ImportError as error:
            complain_of_columns(self._owner, error)

    def _store_all(self) -> None:
        """Empty the queue, batch by batch."""
        while self._returned and self._spool is not None:
            returned: list[Entry] = [
                self._returned.popleft() for _ in range(min(_BATCH, len(self._returned)))
            ]
            self._place(returned, is_written_first=True)
        for _ in range(1 + len(self.intake) // _BATCH):
            taken = self.intake.take(_BATCH)
            if not taken:
                return
            try:
                judged = [self._judged(each) if isinstance(each, Item) else each for each in taken]
                self._place(judged, self._mode is SpoolMode.ALWAYS)
            finally:
                self.intake.settled(items.events_in(taken), items.bytes_in(taken))

    def _judged(self, item: Item) -> Entry:
        if item.is_judged:
            return item
        self._breath.take(_JUDGED_AS)
        return self._owner.judged(item.value)

    def _place(self, batch: Sequence[Entry], is_written_first: bool) -> None:
        """Bring each event to the spool or the producer, in order; drop what neither takes."""
        if is_written_first or (self._spool is not None and not self._spool.own.is_all_sent):
            # Later events stay behind those that wait in the spool.
            self._send(self._write(batch), may_drop=True)
            return
        left = self._send(batch, may_drop=self._spool is None)
        if left:
            self._send(self._write(left), may_drop=True)

    def _write(self, batch: Sequence[Entry]) -> Sequence[Entry]:
        """Write events to the spool; return those that it did not take."""
        if self._spool is None:
            return batch
        try:
            return batch[self._spool.append([items.as_item(each) for each in batch]) :]
        except OSError as error:
            complain_of_disk(self._owner, self._settings, error)
            return batch

    def _send(self, batch: Sequence[Entry], *, may_drop: bool) -> list[Entry]:
        """Hand events to the producer; return those that it did not take and that may not be dropped.

        Where it has no room for a record, those behind it are not tried unless they may be dropped.
        """
        if not batch:
            return []
        batch = [
            items.resent(each) if isinstance(each, Item) and each.was_sent else each
            for each in batch
        ]
        partitions = self._transport.partitions(self._settings.requests_topic)
        left: list[int] = []
        for parcel in self._packer.pack(batch, self._spread, partitions):
            if (left and not may_drop) or not self._send_parcel(batch, parcel, may_drop):
                left += parcel.places
            self._breath.take(parcel.record.events)
        return [batch[place] for place in sorted(left)]

    def _send_parcel(self, batch: Sequence[Entry], parcel: Parcel, may_drop: bool) -> bool:
        """Hand over one record; False where the producer does not take it and it may not be dropped."""
        transport, record = self._transport, parcel.record
        inside = [batch[place] for place in parcel.places]
        size_bytes = items.bytes_in(inside)
        self.intake.count_loose(record.events, size_bytes)
        try:
            if transport.send(record, partial(self._on_report, inside, record, size_bytes)):
                return True
            reason, detail = DropReason.BUFFER_FULL, "the buffer is full"
            if self._spool is not None:
                reason, detail = DropReason.SPOOL_FULL, "the spool and the buffer are full"
        except EventTooLargeError as error:
            reason, detail, may_drop = DropReason.TOO_LARGE, str(error), True
        except BrokerError as error:
            self._replace(transport)
            reason, detail = DropReason.FAILED, str(error)
        if may_drop:
            self._drop(inside, reason, detail)
        self.intake.count_loose(-record.events, -size_bytes)
        return may_drop

    def _on_report(
        self, inside: list[Entry], record: Outgoing, size_bytes: int, refusal: Refusal | None
    ) -> None:
        """Hear what became of a record that stands in no spool."""
        if refusal is not None and self._spool is None:
            self._drop(inside, DropReason.FAILED, refusal.detail)
        elif refusal is not None:
            chosen = record.partition if record.partition >= 0 else refusal.partition
            for entry in inside:
                item = items.as_item(entry)
                item.partition, item.was_sent = chosen, True
                self._returned.append(item)
            self._wake.set()
        self.intake.count_loose(-record.events, -size_bytes)

    def _on_signal(self, record: Outgoing, refusal: Refusal | None) -> None:
        if refusal is not None:
            self._owner.drop(DropReason.FAILED, refusal.detail, record.key)
        self.intake.count_loose(-1, -len(record.value))

    def _drop(self, entries: Sequence[Entry], reason: DropReason, detail: str) -> None:
        for entry in entries:
            key = items.key_of(entry)
            for _ in range(items.events_in([entry])):
                self._owner.drop(reason, detail, key)

    def _replace(self, broken: Transport) -> None:
        """Put a new producer in the place of one that met a fatal error."""
        with self._step_lock:
            if self._transport is not broken or self._is_stopping:
                return
            try:
                self._transport = self._owner.new_transport()
            except ConfigError as error:
                self._owner.complain("producer", f"no new producer: {error}")
                return
            broken.close()
            if self._spool is not None:
                self._spool.give_up_under_way()
