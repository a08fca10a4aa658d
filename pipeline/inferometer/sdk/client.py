"""The client beside a model server: takes events at once, sends them in the background."""

from __future__ import annotations

import logging
import os
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

from inferometer.core import codec, quick_check
from inferometer.core.events import InferenceRequest
from inferometer.errors import BrokerError, ConfigError, DecodeError
from inferometer.names import JSON_CONTENT_TYPE
from inferometer.sdk.account import Account
from inferometer.sdk.deadlines import DeadlineTimer
from inferometer.sdk.ids import EventIds
from inferometer.sdk.items import Item, as_is, events_in, is_line, item_of
from inferometer.sdk.lines import LineMaker
from inferometer.sdk.measure import Request
from inferometer.sdk.processes import watch
from inferometer.sdk.refusals import EventTooLargeError, InvalidEventError
from inferometer.sdk.sender import Sender
from inferometer.sdk.settings import (
    ClientSettings,
    Envelope,
    check_names,
    default_fields,
)
from inferometer.sdk.stats import ClientStats, Delivery, Drop, DropReason
from inferometer.sdk.tables import entries_of
from inferometer.sdk.transport import KafkaTransport, Outgoing, Transport

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    import pyarrow as pa

    from inferometer.core.gauges import GaugeSample
    from inferometer.core.signals import InferenceSignal
    from inferometer.sdk.items import Entry

_MAX_CONTENT_TYPE_BYTES = 255
_LOG = logging.getLogger("inferometer.sdk")


class Client:
    """Sends events of ended requests to Kafka, never in the way of the request itself.

    `emit` checks and notes the fields, in some microseconds, and returns; a thread judges those
    that are not surely right and sends many in one record, see `Envelope`. It is safe for threads
    and may be called from asyncio code. Trouble with the broker never raises: events wait in the
    buffer (`buffer_events`, `buffer_bytes`), beyond it they are dropped, counted in `stats`, told
    to `on_drop` and logged, one line every 30 s. Values that make no event are told the same way,
    and the event is sent as it is, so that the sink keeps it as a dead letter.

    The same event finds the same partition whoever sends it again, as long as `source` (or the
    folder of the spool) names the same producer: it and the second of `ts_end` choose.

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
        self._is_shared = self.settings.envelope != Envelope.JSON.value
        self._lines = LineMaker(self.defaults, is_judging=self._is_shared)
        self._on_drop = on_drop
        self._new_transport = new_transport
        self._is_closed = False
        self._start()
        self._sender: Sender | None = self._new_sender()
        watch(self)

    def emit(self, event: InferenceRequest | Mapping[str, Any]) -> None:
        """Send one event; returns at once.

        A mapping is noted as it is now, and completed by the client's defaults and an event id;
        an `InferenceRequest` is sent as it is.
        Raises InvalidEventError for names that are no field and for values that JSON does not
        know, and EventTooLargeError; never for trouble with the broker. Other wrong values are
        found later and told to `on_drop`: `emit(client.event(fields))` raises for them here.
        """
        self._put(self._entry(event))

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

    def emit_signal(self, signal: InferenceSignal | GaugeSample) -> None:
        """Send what is known about a request that has not ended, or a gauge; returns at once.

        Signals speak of the present, so no spool keeps them.
        """
        value, key = codec.encode_signal(signal), codec.key(signal)
        record = Outgoing(self.settings.signals_topic, key, value, codec.signal_headers(signal))
        self._check_size(Item(value, key))
        if self._is_closed:
            self._account.turn_away(Item(value, key), DropReason.CLOSED, "the client is closed")
            return
        try:
            if not (self._sender or self._reopen()).send_now(record):
                self._account.turn_away(
                    Item(value, key), DropReason.BUFFER_FULL, "the buffer is full"
                )
        except BrokerError as error:
            self._account.turn_away(Item(value, key), DropReason.FAILED, str(error))

    def emit_record(
        self, value: bytes, *, key: bytes | None = None, content_type: str = JSON_CONTENT_TYPE
    ) -> None:
        """Send bytes as they are, unchecked (replay of recorded records, tests of the door).

        Events on one line of JSON share records as those of `emit` do; the key then only names
        them in reports. Everything else is a record of its own, under the key.
        Raises EventTooLargeError, and ValueError for a content type above 255 bytes.
        """
        if len(content_type.encode()) > _MAX_CONTENT_TYPE_BYTES:
            raise ValueError("a content type has 255 bytes at most")
        is_bare = key is None and content_type == JSON_CONTENT_TYPE
        self._put(self._unjudged(value) if is_bare else Item(value, key, content_type))

    def emit_records(self, values: Iterable[bytes]) -> int:
        """Send many events that are JSON already, unchecked; return how many were taken.

        The way for a gateway that has encoded them: no work an event here but to pass it on. One
        that is too large is counted, told and left out; so is what the buffer has no room for.
        """
        entries: list[Entry] = []
        limit = self.settings.max_event_bytes
        for value in values:
            if len(value) <= limit:
                entries.append(self._unjudged(value))
            else:
                detail = str(EventTooLargeError(len(value), limit))
                self._account.turn_away(Item(value), DropReason.TOO_LARGE, detail)
        return self._put_all(entries)

    def emit_table(self, table: pa.Table | pa.RecordBatch) -> int:
        """Send events that are columns already, values unchecked; return how many were taken.

        The way of least CPU for a gateway that has columns. They are named as the fields and typed
        as `inferometer.core.arrow_schema` says or as what Arrow casts to that; plain numbers for
        durations count in the unit of their field. `event_id` and the client's defaults are added
        where they are missing. The rows go out as Arrow records under
        any `envelope`. Raises InvalidEventError for columns that make no events, ConfigError
        where pyarrow is missing.
        """
        entries = entries_of(
            table,
            self.settings,
            defaults=self.defaults,
            new_id=self.ids.next,
            place=self._place,
            on_too_large=lambda detail: self._account.turn_away(
                Item(b""), DropReason.TOO_LARGE, detail
            ),
        )
        return self._put_all(entries)

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

    def partition_of(self, value: bytes, *, key: bytes | None, partitions: int) -> int:
        """Return the partition that a JSON value of `emit_record` goes to, of so many."""
        return (self._sender or self._reopen()).partition_of(value, key, partitions)

    def stats(self) -> ClientStats:
        """Return what became of the events so far."""
        return self._account.stats(self._sender)

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

    def __exit__(self, *_: object) -> None:
        self.close()

    def judged(self, line: bytes) -> Entry:
        """Return an event of `emit` as it is sent, once it is judged; called by the sender."""
        if self._is_shared and quick_check.checked(line) is not None:
            return line
        try:
            return item_of(codec.decode(line))
        except DecodeError as error:
            item = as_is(line)
            self.drop(DropReason.INVALID, f"sent as it is, {error}", item.key)
            return item

    def new_transport(self) -> Transport:
        """Open a producer; called by the sender."""
        return self._new_transport(self.settings, self)

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
        self._account.complain(subject, message)

    def drop(self, reason: DropReason, detail: str, key: bytes | None) -> None:
        """Count an event that is lost or wrong, and tell the owner's hook."""
        self._account.drop(reason, detail, key)

    def _start(self) -> None:
        self._lock = threading.Lock()
        self._account = Account(self._on_drop, self.monotonic)
        self.deadlines = DeadlineTimer(self.monotonic)

    def restart_in_child(self) -> Transport | None:
        """Begin anew in a forked child; return the parent's producer, not to be freed here."""
        left = None if self._sender is None else self._sender.abandon()
        self._sender = None
        self.ids = EventIds(self.clock_ns)
        self._start()
        return left

    def _entry(self, event: InferenceRequest | Mapping[str, Any]) -> Entry:
        if isinstance(event, InferenceRequest):
            return item_of(event)
        line = self._lines.line(event, self.ids)
        return item_of(self.event(event)) if line is None else line

    def _unjudged(self, value: bytes) -> Entry:
        """Return JSON of the caller's own, bare where it shares a record and needs no headers."""
        return value if self._is_shared and is_line(value) else Item(value)

    def _put(self, entry: Entry) -> None:
        self._check_size(entry)
        if self._is_closed or not (self._sender or self._reopen()).put(entry):
            self._account.turn_away(entry, *self._why_not())

    def _put_all(self, entries: Sequence[Entry]) -> int:
        """Hand over entries, and tell those for which there is no room; return the events taken."""
        taken = 0 if self._is_closed else (self._sender or self._reopen()).put_all(entries)
        for entry in entries[taken:]:
            self._account.turn_away(entry, *self._why_not())
        return events_in(entries[:taken])

    def _why_not(self) -> tuple[DropReason, str]:
        if self._is_closed:
            return DropReason.CLOSED, "the client is closed"
        return DropReason.BUFFER_FULL, "the buffer is full"

    def _place(self, second: bytes) -> tuple[bytes, int]:
        # Closed in a forked child, it opens no producer for what it turns away.
        return (b"", -1) if self._is_closed else (self._sender or self._reopen()).place(second)

    def _check_size(self, entry: Entry) -> None:
        size = len(entry)
        if size > self.settings.max_event_bytes:
            error = EventTooLargeError(size, self.settings.max_event_bytes)
            self._account.turn_away(entry, DropReason.TOO_LARGE, str(error))
            raise error

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
            source=self.defaults.get("source", ""),
            monotonic=self.monotonic,
            now_ms=lambda: self.clock_ns() // 1_000_000,
        )


def _refusal(error: DecodeError | TypeError) -> InvalidEventError:
    if isinstance(error, DecodeError):
        return InvalidEventError(error.reason, error.detail)
    return InvalidEventError("unknown_field", str(error))
