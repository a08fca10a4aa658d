"""The client beside a model server: takes events at once, sends them in the background."""

from __future__ import annotations

import atexit
import logging
import os
import threading
import time
import weakref
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

import orjson

from inferometer.core import codec
from inferometer.core.events import InferenceRequest
from inferometer.errors import BrokerError, ConfigError, DecodeError
from inferometer.names import JSON_CONTENT_TYPE
from inferometer.sdk.deadlines import DeadlineTimer
from inferometer.sdk.ids import EventIds
from inferometer.sdk.items import Item, as_is, item_of, snapshot
from inferometer.sdk.measure import Request
from inferometer.sdk.refusals import EventTooLargeError, InvalidEventError
from inferometer.sdk.sender import Sender
from inferometer.sdk.settings import KNOWN_FIELDS, ClientSettings, check_names, default_fields
from inferometer.sdk.stats import (
    NEXT_STEPS,
    ClientStats,
    Complaints,
    Delivery,
    Drop,
    DropReason,
)
from inferometer.sdk.transport import KafkaTransport, Outgoing, Refusal, Transport

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType

    from inferometer.core.signals import InferenceSignal

_MAX_CONTENT_TYPE_BYTES = 255
_LOG = logging.getLogger("inferometer.sdk")


class Client:
    """Sends events of ended requests to Kafka, never in the way of the request itself.

    `emit` notes the fields and returns; a thread checks, encodes and sends them. It is safe for
    threads and may be called from asyncio code. Trouble with the broker never raises: events wait
    in the buffer (`buffer_events`, `buffer_bytes`), beyond it they are dropped, counted in
    `stats`, told to `on_drop` and logged, one line every 30 s. Values that make no event are told
    the same way, and the event is sent as it is, so that the sink keeps it as a dead letter.

    With `spool_dir` events also stand on the disk until the broker has them, see `SpoolMode`: they
    survive a broker that is away and, with `always`, a kill of this process. What an earlier
    process left there is sent first, in order, marked `resent`, with its event id and to its
    partition. Without, what is still buffered when the process dies is lost.

    `on_drop` and `on_delivery` may run on the client's own thread, must not block, and must not
    raise. `on_delivery` costs a report a record.

    After `os.fork` the child's first event opens a connection (and a folder of the spool) of its
    own; what the parent had in its buffer is sent by the parent alone, once.

    Arguments not given come from the environment: the variables of
    `SETTING_VARIABLES` (`INFEROMETER_KAFKA_BOOTSTRAP_SERVERS` ...) and `DEFAULT_FIELD_VARIABLES`
    (`INFEROMETER_NODE_ID` ...). `fields` (and the keywords beside it) are the defaults
    of every event. Further keywords are those of `ClientSettings` (`linger_ms`, `buffer_events`,
    `spool_dir`, `kafka` for further librdkafka properties ...). Raises ConfigError, naming every
    problem.
    """

    def __init__(  # keywords only, each with its default: one call configures the whole
        self,
        *,
        bootstrap_servers: str | None = None,
        source: str | None = None,
        workspace_id: str | None = None,
        environment: str | None = None,
        region: str | None = None,
        node_id: str | None = None,
        gpu_type: str | None = None,
        fields: Mapping[str, Any] | None = None,
        on_drop: Callable[[Drop], None] | None = None,
        on_delivery: Callable[[Delivery], None] | None = None,
        environ: Mapping[str, str] = os.environ,
        monotonic: Callable[[], float] = time.monotonic,
        clock_ns: Callable[[], int] = time.time_ns,  # noqa: TID251 - the SDK is its own edge
        new_transport: Callable[[ClientSettings, Client], Transport] = KafkaTransport,
        **settings: Any,
    ) -> None:
        given = {"bootstrap_servers": bootstrap_servers, **settings}
        self.settings = ClientSettings.load(environ, given)
        self.monotonic = monotonic
        self.clock_ns = clock_ns
        self.on_delivery = on_delivery
        self.ids = EventIds(clock_ns)
        self.defaults: Mapping[str, Any] = default_fields(
            environ,
            {
                **(fields or {}),
                "source": source,
                "workspace_id": workspace_id,
                "environment": environment,
                "region": region,
                "node_id": node_id,
                "gpu_type": gpu_type,
            },
        )
        check_names(self.defaults)
        self._on_drop = on_drop
        self._new_transport = new_transport
        self._is_closed = False
        self._start()
        self._sender: Sender | None = self._new_sender()
        _CLIENTS.add(self)

    def emit(self, event: InferenceRequest | Mapping[str, Any]) -> None:
        """Send one event; returns at once.

        A mapping is noted as it is now, and completed by the client's defaults and an event id;
        an `InferenceRequest` is sent as it is.
        Raises InvalidEventError for names that are no field and for values that JSON does not
        know, and EventTooLargeError; never for trouble with the broker. Other wrong values are
        found later and told to `on_drop`: `emit(client.event(fields))` raises for them here.
        """
        self._put(self._snapshot(event))

    def event(self, fields: Mapping[str, Any]) -> InferenceRequest:
        """Return the event of these fields, the client's defaults and a new event id.

        Raises InvalidEventError.
        """
        try:
            check_names(fields)
            return codec.event_of({"event_id": self.ids.next(), **self.defaults, **fields})
        except (DecodeError, TypeError) as error:
            refusal = _refusal(error)
            self.drop(DropReason.INVALID, str(refusal), None)
            raise refusal from error

    def emit_signal(self, signal: InferenceSignal) -> None:
        """Send what is known about a request that has not ended; returns at once.

        Signals speak of the present, so no spool keeps them.
        """
        value, key = codec.encode_signal(signal), codec.key(signal)
        record = Outgoing(self.settings.signals_topic, key, value, codec.signal_headers(signal))
        self._check_size(key, len(value))
        if (sender := self._admit(key)) is None:
            return
        try:
            if not sender.send_now(record):
                self.drop(DropReason.BUFFER_FULL, "the buffer is full", key)
        except BrokerError as error:
            self.drop(DropReason.FAILED, str(error), key)

    def emit_record(
        self, value: bytes, *, key: bytes | None = None, content_type: str = JSON_CONTENT_TYPE
    ) -> None:
        """Send bytes as they are, unchecked (replay of recorded records, tests of the door).

        Raises EventTooLargeError, and ValueError for a content type above 255 bytes.
        """
        if len(content_type.encode()) > _MAX_CONTENT_TYPE_BYTES:
            raise ValueError("a content type has 255 bytes at most")
        self._put(Item(value, key, content_type))

    def request(
        self,
        *,
        deadline_ttft_ms: float | None = None,
        deadline_e2e_ms: float | None = None,
        **fields: Any,
    ) -> Request:
        """Return a measurement of one request, to be entered with `with` or `async with`.

        `fields` are fields of the event, `model` at least; TypeError for a name that is none.
        A deadline that passes before the first token, or before the end, sends a signal at once.
        """
        check_names(fields)
        return Request(self, fields, deadline_ttft_ms, deadline_e2e_ms)

    def stats(self) -> ClientStats:
        """Return what became of the events so far."""
        sender = self._sender
        waiting = sender.in_flight() if sender is not None else 0
        spool = sender.spool if sender is not None else None
        with self._lock:
            emitted, drops = self._emitted, dict(self._drops)
        invalid = drops.pop(DropReason.INVALID)
        taken_over = spool.taken_over if spool else 0
        # Something may be counted twice while it passes from hand to hand.
        in_flight = min(waiting, emitted + taken_over - sum(drops.values()))
        return ClientStats(
            emitted=emitted,
            delivered=emitted + taken_over - in_flight - sum(drops.values()),
            in_flight=in_flight,
            failed=drops[DropReason.FAILED],
            dropped_buffer_full=drops[DropReason.BUFFER_FULL],
            dropped_too_large=drops[DropReason.TOO_LARGE],
            dropped_closed=drops[DropReason.CLOSED],
            invalid=invalid,
            dropped_spool_full=drops[DropReason.SPOOL_FULL],
            taken_over=taken_over,
            spool_events=spool.waiting if spool else 0,
            spool_bytes=spool.size_bytes if spool else 0,
            spool_oldest_age_s=spool.oldest_age_s() if spool else 0.0,
            spool_set_aside=spool.set_aside if spool else 0,
        )

    def persist(self, timeout_s: float = 5.0) -> bool:
        """Return once a kill of this process can no longer lose what was emitted so far.

        True when all is in the spool (`always`: the time of a write to the disk) or, otherwise,
        with the broker within the timeout. With `spool_fsync="batch"` it survives a power loss too.
        """
        sender = self._sender
        return sender is None or sender.persist(timeout_s)

    def flush(self, timeout_s: float) -> int:
        """Block until every event is acknowledged or given up; return how many still wait.

        From asyncio: `await asyncio.to_thread(client.flush, 5.0)`.
        """
        sender = self._sender
        if sender is None or sender.flush(timeout_s) == 0:
            return 0
        return self.stats().in_flight

    def close(self, timeout_s: float | None = None) -> int:
        """Flush, then give up what remains; return how many events that were.

        They are counted as failed; with a spool they stay in it for the next process, and `stats`
        keeps them `in_flight`. The default timeout is `exit_timeout_s`. Closing again does nothing.
        """
        with self._lock:
            if self._is_closed:
                return 0
            self._is_closed = True
        self.deadlines.close()
        remaining = self.flush(self.settings.exit_timeout_s if timeout_s is None else timeout_s)
        if self._sender is not None:
            self._sender.close()
        return remaining

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def item_of(self, text: bytes) -> Item:
        """Return the item of noted fields; called by the sender."""
        fields = {"event_id": self.ids.next(), **self.defaults, **orjson.loads(text)}
        try:
            return item_of(codec.event_of(fields))
        except DecodeError as error:
            item = as_is(fields)
            self.drop(DropReason.INVALID, f"sent as it is, {error}", item.key)
            return item

    def new_transport(self) -> Transport:
        """Open a producer; called by the sender."""
        return self._new_transport(self.settings, self)

    def record_failed(self, record: Outgoing, refusal: Refusal) -> None:
        """Hear of a record that the producer gave up; called by the transport."""
        if self._sender is not None:
            self._sender.record_failed(record, refusal)

    def broker_trouble(self, detail: str) -> None:
        """Say that the broker is away; called by the transport."""
        place = self.settings.spool_dir or (
            f"the buffer ({self.settings.buffer_events} events, {self.settings.buffer_bytes} bytes)"
        )
        self.complain(
            "broker",
            f"Kafka at {self.settings.bootstrap_servers}: {detail}; events wait in {place}, check "
            "address and broker",
        )

    def complain(self, subject: str, message: str) -> None:
        """Log, one line a subject every 30 s."""
        self._complaints.say(subject, message)

    def drop(self, reason: DropReason, detail: str, key: bytes | None) -> None:
        """Count an event that is lost or wrong, and tell the owner's hook."""
        with self._lock:
            self._drops[reason] += 1
        what = "is wrong" if reason is DropReason.INVALID else "is lost"
        self.complain(
            reason.value, f"an event {what} ({reason.value}): {NEXT_STEPS[reason]}: {detail}"
        )
        if self._on_drop is not None:
            try:
                self._on_drop(Drop(reason, detail, key))
            except Exception:  # noqa: BLE001 - a hook's fault must not reach the request that is being measured
                _LOG.exception("on_drop raised; the count in stats() is right all the same")

    def _start(self) -> None:
        self._lock = threading.Lock()
        self._emitted = 0
        self._drops = dict.fromkeys(DropReason, 0)
        self._complaints = Complaints(_LOG, self.monotonic)
        self.deadlines = DeadlineTimer(self.monotonic)

    def _restart_in_child(self) -> None:
        # The producer's threads exist in the parent only, and freeing it here would wait for them.
        if self._sender is not None:
            _LEFT_TO_PARENT.append(self._sender.abandon())
        self._sender = None
        self.ids = EventIds(self.clock_ns)
        self._start()

    def _snapshot(self, event: InferenceRequest | Mapping[str, Any]) -> Item | bytes:
        if isinstance(event, InferenceRequest):
            return item_of(event)
        if event.keys() <= KNOWN_FIELDS and (text := snapshot(event)) is not None:
            return text
        return item_of(self.event(event))

    def _put(self, entry: Item | bytes) -> None:
        value, key = (entry, None) if isinstance(entry, bytes) else (entry.value, entry.key)
        self._check_size(key, len(value))
        sender = self._admit(key)
        if sender is not None and not sender.put(entry):
            self.drop(DropReason.BUFFER_FULL, "the buffer is full", key)

    def _check_size(self, key: bytes | None, value_bytes: int) -> None:
        size = value_bytes + len(key or b"")
        if size > self.settings.max_event_bytes:
            with self._lock:
                self._emitted += 1
            error = EventTooLargeError(size, self.settings.max_event_bytes)
            self.drop(DropReason.TOO_LARGE, str(error), key)
            raise error

    def _admit(self, key: bytes | None) -> Sender | None:
        """Count an event; None where the client is closed."""
        with self._lock:
            self._emitted += 1
        if self._is_closed:
            self.drop(DropReason.CLOSED, "the client is closed", key)
            return None
        return self._sender or self._reopen()

    def _reopen(self) -> Sender:
        """Open the connection of a forked child."""
        with self._lock:
            if self._sender is None:
                try:
                    self._sender = self._new_sender()
                except ConfigError as error:
                    # In the middle of a request there is nobody to hear of a folder.
                    self.complain("spool", f"no spool in this process: {error}")
                    self.settings = replace(self.settings, spool_dir="")
                    self._sender = self._new_sender()
            return self._sender

    def _new_sender(self) -> Sender:
        return Sender(
            self.settings,
            self,
            monotonic=self.monotonic,
            now_ms=lambda: self.clock_ns() // 1_000_000,
        )


_CLIENTS: weakref.WeakSet[Client] = weakref.WeakSet()
_LEFT_TO_PARENT: list[Transport] = []


def _refusal(error: DecodeError | TypeError) -> InvalidEventError:
    if isinstance(error, DecodeError):
        return InvalidEventError(error.reason, error.detail)
    return InvalidEventError("unknown_field", str(error))


def _close_all() -> None:
    for client in list(_CLIENTS):
        client.close()


def _restart_all_in_child() -> None:
    for client in list(_CLIENTS):
        client._restart_in_child()  # noqa: SLF001 - same module, and no business of the caller


atexit.register(_close_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_restart_all_in_child)
