"""What happens behind the request path: events are checked, encoded, spooled and sent, by one thread.

The request path appends to a queue. The thread takes what has gathered, so one wake-up serves all
events of some milliseconds, and gives each to the spool first (`always`), or to the producer first
and to the spool where the producer cannot take it (`overflow`), or to the producer alone.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Protocol, TypeVar

from inferometer.errors import BrokerError, ConfigError
from inferometer.names import CONTENT_TYPE_HEADER, JSON_CONTENT_TYPE
from inferometer.sdk import items
from inferometer.sdk.breath import Breath
from inferometer.sdk.items import Item
from inferometer.sdk.refusals import EventTooLargeError
from inferometer.sdk.settings import SpoolMode
from inferometer.sdk.stats import DropReason
from inferometer.sdk.transport import Outgoing, Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from inferometer.sdk.settings import ClientSettings
    from inferometer.sdk.spool.folder import Spool
    from inferometer.sdk.transport import Transport

Entry = TypeVar("Entry")

_LOG = logging.getLogger("inferometer.sdk")
_GATHER_S = 0.005
_BUSY_S = 0.02
_IDLE_S = 1.0
_BATCH = 1_000


class Owner(Protocol):
    """What the sender needs of the client."""

    def item_of(self, text: bytes) -> Item:
        """Return the item of an event's fields as the caller gave them."""

    def new_transport(self) -> Transport:
        """Open a producer. Raises ConfigError."""

    def drop(self, reason: DropReason, detail: str, key: bytes | None) -> None:
        """Count and tell an event that is lost."""

    def complain(self, subject: str, message: str) -> None:
        """Log, but not too often."""


class Sender:
    """Takes events from any thread; `step` and what it calls run under one lock.

    Raises ConfigError where the spool or the producer cannot be opened.
    """

    def __init__(
        self,
        settings: ClientSettings,
        owner: Owner,
        *,
        monotonic: Callable[[], float],
        now_ms: Callable[[], int],
    ) -> None:
        self._settings = settings
        self._owner = owner
        self._mode = SpoolMode(settings.spool) if settings.spool_dir else None
        self._queue: deque[bytes | Item] = deque()
        self._queued_bytes = 0
        self._in_hand = 0
        self._has_unwritten = False
        """The producer may hold something that stands in no spool."""
        self._returned: deque[Item] = deque()
        self._breath = Breath()
        self._step_lock = threading.RLock()
        self._bytes_lock = threading.Lock()
        self._wake = threading.Event()
        self._hurry = threading.Event()
        self._is_stopping = False
        self._thread: threading.Thread | None = None
        self._spool = self._open_spool(monotonic, now_ms)
        try:
            self._transport = owner.new_transport()
        except ConfigError:
            if self._spool is not None:
                self._spool.close()
            raise
        if self._spool is not None:
            # What an earlier process left is sent without waiting for the first event.
            self._start()

    def put(self, entry: bytes | Item) -> bool:
        """Take an event without blocking; False when the buffer is full."""
        size = _size(entry)
        queue = self._queue
        waiting = len(queue) if self._spool else len(queue) + self._transport.in_flight()
        if waiting >= self._settings.buffer_events:
            return False
        with self._bytes_lock:
            if self._queued_bytes + size > self._settings.buffer_bytes:
                return False
            self._queued_bytes += size
        queue.append(entry)
        if not self._wake.is_set():
            if self._thread is None:
                self._start()
            self._wake.set()
        return True

    def send_now(self, record: Outgoing) -> bool:
        """Hand a record past queue and spool to the producer; False when its buffer is full."""
        transport = self._transport
        try:
            return transport.send(record)
        except BrokerError:
            self._replace(transport)
            raise

    def record_failed(self, record: Outgoing, refusal: Refusal) -> None:
        """Take back a record that the producer gave up; called by the transport."""
        if self._spool is None or record.topic != self._settings.requests_topic:
            self._owner.drop(DropReason.FAILED, refusal.detail, record.key)
            return
        names = dict(record.headers)
        kind = names.get(CONTENT_TYPE_HEADER, b"").decode() or JSON_CONTENT_TYPE
        self._returned.append(
            Item(
                record.value,
                record.key,
                kind,
                is_event="ce_type" in names,
                partition=record.partition,
                was_sent=True,
            )
        )
        self._wake.set()

    def in_flight(self) -> int:
        """Return how many events wait, wherever they do; briefly it may count one twice."""
        waiting = len(self._queue) + self._in_hand + len(self._returned)
        if self._spool is None:
            return waiting + self._transport.in_flight()
        return waiting + self._spool.waiting + self._unwritten()

    @property
    def spool(self) -> Spool | None:
        """The spool, for its counts."""
        return self._spool

    def step(self) -> None:
        """Do everything that can be done now, short of waiting for the broker."""
        with self._step_lock:
            self._store_all()
            spool = self._spool
            if spool is None:
                return
            for work in (spool.settle, self._send_spooled):
                try:
                    work()
                except OSError as error:
                    self._complain_of_disk(error)

    def persist(self, timeout_s: float) -> bool:
        """Return whether everything taken so far is in the spool, or with the broker."""
        if self._mode is not SpoolMode.ALWAYS:
            return self.flush(timeout_s) == 0
        with self._step_lock:
            self._store_all()
            self._has_unwritten = self._has_unwritten and self._transport.in_flight() > 0
            return self._unwritten() == 0

    def flush(self, timeout_s: float) -> int:
        """Block until everything is acknowledged or given up; return how many still wait."""
        end = time.monotonic() + timeout_s
        self._hurry.set()
        try:
            while True:
                self.step()
                left_s = max(0.0, end - time.monotonic())
                if self._spool is None and not self._queue:
                    self._transport.flush(left_s)
                    return self.in_flight()
                self._transport.flush(min(left_s, 0.1))
                self.step()
                if left_s == 0 or (self._is_idle() and not self._transport.in_flight()):
                    return self.in_flight()
                time.sleep(0.002)
        finally:
            self._hurry.clear()

    def close(self) -> None:
        """Give up what waits; with a spool, leave it there for the next process."""
        self._is_stopping = True
        self._hurry.set()
        self._wake.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(timeout=5.0)
        with self._step_lock:
            self._store_all()
            self._transport.close()
            self._store_all()
            if self._spool is not None:
                try:
                    self._spool.close()
                except OSError as error:
                    self._complain_of_disk(error)

    def abandon(self) -> Transport:
        """In a forked child: leave everything to the parent; return its producer, not to be freed."""
        if self._spool is not None:
            self._spool.abandon()
        return self._transport

    def _start(self) -> None:
        with self._bytes_lock:
            if self._thread is not None or self._is_stopping:
                return
            self._thread = threading.Thread(
                target=self._run, name="inferometer-sdk-sender", daemon=True
            )
        self._thread.start()

    def _run(self) -> None:
        while not self._is_stopping:
            self._wake.wait(_IDLE_S if self._is_idle() else _BUSY_S)
            self._hurry.wait(_GATHER_S)
            self._wake.clear()
            try:
                self.step()
            except Exception:  # noqa: BLE001 - a fault of one event must not end the sending of all
                _LOG.exception("the sender met a fault and goes on")

    def _is_idle(self) -> bool:
        """Whether there is nothing to do before somebody wakes the thread."""
        if self._queue or self._returned:
            return False
        return self._spool is None or self._spool.is_done

    def _unwritten(self) -> int:
        """Return about how many records the producer has that stand in no spool."""
        if self._spool is None or not self._has_unwritten:
            return 0
        # The producer counts its own notices too, so the difference may be a little high.
        return max(0, self._transport.in_flight() - self._spool.under_way)

    def _send_spooled(self) -> None:
        transport = self._transport
        try:
            if self._spool is not None:
                self._spool.send(transport, self._settings.requests_topic)
        except BrokerError:
            self._replace(transport)

    def _store_all(self) -> None:
        """Empty the queue, batch by batch."""
        while self._returned and self._spool is not None:
            self._place(self._take(self._returned), is_written_first=True)
            self._in_hand = 0
        for _ in range(1 + len(self._queue) // _BATCH):
            entries = self._take(self._queue)
            batch = [self._item(each) for each in entries]
            self._place(batch, is_written_first=self._mode is SpoolMode.ALWAYS)
            with self._bytes_lock:
                self._queued_bytes -= sum(map(_size, entries))
            self._in_hand = 0

    def _item(self, entry: bytes | Item) -> Item:
        self._breath.take()
        return entry if isinstance(entry, Item) else self._owner.item_of(entry)

    def _take(self, queue: deque[Entry]) -> list[Entry]:
        self._in_hand = number = min(_BATCH, len(queue))
        return [queue.popleft() for _ in range(number)]

    def _place(self, batch: Sequence[Item], *, is_written_first: bool) -> None:
        """Bring each item to the spool or the producer, in order; drop what neither takes."""
        rest = self._write(batch) if is_written_first else batch
        for at, item in enumerate(rest):
            if not is_written_first and self._spool and not self._spool.own.is_all_sent:
                # Later events stay behind those that wait in the spool.
                for left in self._write(rest[at:]):
                    self._send(left)
                break
            if not self._send(item, may_drop=is_written_first or self._spool is None):
                for left in self._write(rest[at:]):
                    self._send(left)
                break

    def _write(self, batch: Sequence[Item]) -> Sequence[Item]:
        """Write items to the spool; return those that it did not take."""
        if self._spool is None:
            return batch
        try:
            return batch[self._spool.append(batch) :]
        except OSError as error:
            self._complain_of_disk(error)
            return batch

    def _send(self, item: Item, *, may_drop: bool = True) -> bool:
        """Hand an item to the producer; False where it is full and the item is not dropped."""
        transport = self._transport
        sent = items.resent(item) if item.was_sent else item
        record = Outgoing(
            self._settings.requests_topic, sent.key, sent.value, items.headers(sent), sent.partition
        )
        try:
            if transport.send(record):
                self._has_unwritten = True
                return True
            reason, detail = DropReason.BUFFER_FULL, "the buffer is full"
            if self._spool is not None:
                reason, detail = DropReason.SPOOL_FULL, "the spool and the buffer are full"
        except EventTooLargeError as error:
            self._owner.drop(DropReason.TOO_LARGE, str(error), item.key)
            return True
        except BrokerError as error:
            self._replace(transport)
            reason, detail = DropReason.FAILED, str(error)
        if may_drop:
            self._owner.drop(reason, detail, item.key)
        return may_drop

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

    def _open_spool(
        self, monotonic: Callable[[], float], now_ms: Callable[[], int]
    ) -> Spool | None:
        if self._mode is None:
            return None
        try:
            from inferometer.sdk.spool.folder import Spool
        except ImportError as error:
            raise ConfigError(
                ["spool_dir: this system has no file locks of the POSIX kind; leave it empty"]
            ) from error
        return Spool(
            self._settings,
            monotonic=monotonic,
            now_ms=now_ms,
            on_refused=lambda reason: self._owner.drop(DropReason.FAILED, reason, None),
            on_damaged=lambda reason: self._owner.complain(
                "damage", f"bytes of the spool cannot be read and were put aside: {reason}"
            ),
        )

    def _complain_of_disk(self, error: OSError) -> None:
        self._owner.complain(
            "spool",
            f"the spool in {self._settings.spool_dir} does not work ({error}); events go to the "
            "broker without it, free the disk or choose another spool_dir",
        )


def _size(entry: bytes | Item) -> int:
    return len(entry if isinstance(entry, bytes) else entry.value)
