"""The client beside a model server: takes events at once, sends them in the background."""

from __future__ import annotations

import atexit
import logging
import os
import threading
import time
import weakref
from typing import TYPE_CHECKING, Any, Self

from inferometer.core import codec
from inferometer.core.events import InferenceRequest
from inferometer.errors import BrokerError, DecodeError
from inferometer.names import CONTENT_TYPE_HEADER, JSON_CONTENT_TYPE
from inferometer.sdk.deadlines import DeadlineTimer
from inferometer.sdk.ids import EventIds
from inferometer.sdk.measure import Request
from inferometer.sdk.refusals import EventTooLargeError, InvalidEventError
from inferometer.sdk.settings import ClientSettings, check_names, default_fields
from inferometer.sdk.stats import ClientStats, Complaints, Delivery, Drop, DropReason
from inferometer.sdk.transport import KafkaTransport, Transport

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType

    from inferometer.core.codec import Header
    from inferometer.core.signals import InferenceSignal

_LOG = logging.getLogger("inferometer.sdk")


class Client:
    """Sends events of ended requests to Kafka, never in the way of the request itself.

    `emit` encodes, hands the record to a buffer and returns; it is safe for threads and may be
    called from asyncio code. Trouble with the broker never raises: events wait in the buffer
    (`buffer_events`, `buffer_bytes`), beyond it they are dropped, counted in `stats`, told to
    `on_drop` and logged, one line every 30 s. Nothing is written to disk: what is still buffered
    when the process dies is lost.

    `on_drop` and `on_delivery` may run on the client's own thread, must not block, and must not
    raise. `on_delivery` costs a report a record.

    After `os.fork` the child's first event opens a connection of its own; what the parent had in
    its buffer is sent by the parent alone, once.

    Arguments not given come from the environment: the variables of
    `SETTING_VARIABLES` (`INFEROMETER_KAFKA_BOOTSTRAP_SERVERS` ...) and `DEFAULT_FIELD_VARIABLES`
    (`INFEROMETER_NODE_ID` ...). `fields` (and the keywords beside it) are the defaults
    of every event. Further keywords are those of `ClientSettings` (`linger_ms`, `buffer_events`,
    `kafka` for TLS and SASL properties ...). Raises ConfigError, naming every problem.
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
        self._transport: Transport | None = new_transport(self.settings, self)
        _CLIENTS.add(self)

    def emit(self, event: InferenceRequest | Mapping[str, Any]) -> None:
        """Send one event; returns at once.

        A mapping is completed by the client's defaults and an event id, then validated; an
        `InferenceRequest` is sent as it is.
        Raises InvalidEventError and EventTooLargeError, never for trouble with the broker.
        """
        if not isinstance(event, InferenceRequest):
            event = self.event(event)
        topic = self.settings.requests_topic
        self._send(topic, codec.key(event), codec.encode(event), codec.headers(event))

    def event(self, fields: Mapping[str, Any]) -> InferenceRequest:
        """Return the event of these fields, the client's defaults and a new event id.

        Raises InvalidEventError.
        """
        try:
            check_names(fields)
            return codec.event_of({"event_id": self.ids.next(), **self.defaults, **fields})
        except (DecodeError, TypeError) as error:
            refusal = _refusal(error)
            self._drop(DropReason.INVALID, str(refusal), None)
            raise refusal from error

    def emit_signal(self, signal: InferenceSignal) -> None:
        """Send what is known about a request that has not ended; returns at once."""
        topic = self.settings.signals_topic
        value = codec.encode_signal(signal)
        self._send(topic, codec.key(signal), value, codec.signal_headers(signal))

    def emit_record(
        self, value: bytes, *, key: bytes | None = None, content_type: str = JSON_CONTENT_TYPE
    ) -> None:
        """Send bytes as they are, unchecked (replay of recorded records, tests of the door).

        Raises EventTooLargeError.
        """
        headers = [(CONTENT_TYPE_HEADER, content_type.encode())]
        self._send(self.settings.requests_topic, key, value, headers)

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
        transport = self._transport
        waiting = transport.in_flight() if transport is not None else 0
        with self._lock:
            emitted, drops = self._emitted, dict(self._drops)
        invalid = drops.pop(DropReason.INVALID)
        # The transport's own notices wait in the same queue, so its count may be a little high.
        in_flight = min(waiting, emitted - sum(drops.values()))
        return ClientStats(
            emitted=emitted,
            delivered=emitted - in_flight - sum(drops.values()),
            in_flight=in_flight,
            failed=drops[DropReason.FAILED],
            dropped_buffer_full=drops[DropReason.BUFFER_FULL],
            dropped_too_large=drops[DropReason.TOO_LARGE],
            dropped_closed=drops[DropReason.CLOSED],
            invalid=invalid,
        )

    def flush(self, timeout_s: float) -> int:
        """Block until every event is acknowledged or given up; return how many still wait.

        From asyncio: `await asyncio.to_thread(client.flush, 5.0)`.
        """
        transport = self._transport
        if transport is None or transport.flush(timeout_s) == 0:
            return 0
        return self.stats().in_flight

    def close(self, timeout_s: float | None = None) -> int:
        """Flush, then give up what remains (counted as failed); return how many that were.

        The default timeout is `exit_timeout_s`. Closing again does nothing.
        """
        with self._lock:
            if self._is_closed:
                return 0
            self._is_closed = True
        self.deadlines.close()
        remaining = self.flush(self.settings.exit_timeout_s if timeout_s is None else timeout_s)
        if self._transport is not None:
            self._transport.close()
            self._transport = None
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

    def record_failed(self, key: bytes | None, detail: str) -> None:
        """Count a record that the transport gave up; called by the transport."""
        self._drop(DropReason.FAILED, detail, key)

    def broker_trouble(self, detail: str) -> None:
        """Say that the broker is away; called by the transport."""
        self._complaints.say(
            "broker",
            f"Kafka at {self.settings.bootstrap_servers}: {detail}; events wait in the buffer "
            f"({self.settings.buffer_events} events, {self.settings.buffer_bytes} bytes), check "
            "address and broker",
        )

    def _start(self) -> None:
        self._lock = threading.Lock()
        self._emitted = 0
        self._drops = dict.fromkeys(DropReason, 0)
        self._complaints = Complaints(_LOG, self.monotonic)
        self.deadlines = DeadlineTimer(self.monotonic)

    def _restart_in_child(self) -> None:
        # The producer's threads exist in the parent only, and freeing it here would wait for them.
        _LEFT_TO_PARENT.append(self._transport)
        self._transport = None
        self.ids = EventIds(self.clock_ns)
        self._start()

    def _send(self, topic: str, key: bytes | None, value: bytes, headers: list[Header]) -> None:
        with self._lock:
            self._emitted += 1
        transport = self._transport or self._reopen()
        if transport is None:
            self._drop(DropReason.CLOSED, "the client is closed", key)
            return
        try:
            if not transport.send(topic, key, value, headers):
                self._drop(DropReason.BUFFER_FULL, "the buffer is full", key)
        except EventTooLargeError as error:
            self._drop(DropReason.TOO_LARGE, str(error), key)
            raise
        except BrokerError as error:
            self._drop(DropReason.FAILED, str(error), key)
            self._replace(transport)

    def _reopen(self) -> Transport | None:
        """Open the connection of a forked child; None once the client is closed."""
        with self._lock:
            if self._transport is None and not self._is_closed:
                self._transport = self._new_transport(self.settings, self)
            return self._transport

    def _replace(self, broken: Transport) -> None:
        """Put a new producer in the place of one that met a fatal error."""
        with self._lock:
            if self._transport is not broken or self._is_closed:
                return
            self._transport = self._new_transport(self.settings, self)
        broken.close()

    def _drop(self, reason: DropReason, detail: str, key: bytes | None) -> None:
        with self._lock:
            self._drops[reason] += 1
        self._complaints.say(
            reason.value, f"an event is lost ({reason.value}): {_NEXT[reason]}: {detail}"
        )
        if self._on_drop is not None:
            try:
                self._on_drop(Drop(reason, detail, key))
            except Exception:  # noqa: BLE001 - a hook's fault must not reach the request that is being measured
                _LOG.exception("on_drop raised; the count in stats() is right all the same")


_NEXT = {
    DropReason.BUFFER_FULL: "is the broker reachable? else raise buffer_events or buffer_bytes",
    DropReason.TOO_LARGE: "shorten it, or raise max_event_bytes",
    DropReason.FAILED: "check the broker and the topic",
    DropReason.CLOSED: "close the client after the last request",
    DropReason.INVALID: "mend the fields",
}

_CLIENTS: weakref.WeakSet[Client] = weakref.WeakSet()
_LEFT_TO_PARENT: list[Transport | None] = []


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
