"""Kafka as the client sees it: an idempotent librdkafka producer behind five calls.

The only module of the SDK that knows the Kafka library.
"""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, cast

from confluent_kafka import KafkaError, KafkaException, Producer

from inferometer.errors import BrokerError, ConfigError
from inferometer.sdk.refusals import EventTooLargeError
from inferometer.sdk.settings import SpoolMode
from inferometer.sdk.stats import Delivery

if TYPE_CHECKING:
    from collections.abc import Callable

    from confluent_kafka import Message

    from inferometer.core.codec import Header
    from inferometer.sdk.settings import ClientSettings

_POLL_S = 0.1
_METADATA_S = 1.0
_METADATA_AGAIN_S = 0.5
_METADATA_AGE_S = 60.0
_HEADER_ROOM_BYTES = 16 * 1024
_RECONNECT_MAX_MS = 2_000
_FOR_THE_RECORD = frozenset({KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.INVALID_RECORD})
_LOG = logging.getLogger("inferometer.sdk")


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One record as it goes to the broker."""

    topic: str
    key: bytes | None
    value: bytes
    headers: list[Header]
    partition: int = -1
    """Where it must go; -1 leaves it to the key."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a record did not arrive."""

    detail: str
    is_for_the_record: bool
    """Other records would be taken, this one never will be."""


class Observer(Protocol):
    """Who hears what became of records; called on the transport's own thread, must not block."""

    on_delivery: Callable[[Delivery], None] | None
    """None spares the report of every single success."""

    def record_failed(self, record: Outgoing, refusal: Refusal) -> None:
        """Hear that a record without a report of its own will not arrive."""

    def broker_trouble(self, detail: str) -> None:
        """Hear that the broker is away or refuses; may come often."""


class Transport(Protocol):
    """Where encoded records go. Calls come from any thread."""

    def send(
        self, record: Outgoing, on_report: Callable[[Refusal | None], None] | None = None
    ) -> bool:
        """Take a record without blocking; False when the buffer is full.

        `on_report` hears once what became of it (None: acknowledged), on the transport's thread.
        Raises EventTooLargeError, and BrokerError once this transport can never send again.
        """

    def partitions(self, topic: str) -> int:
        """Return how many partitions a topic has; 0 until the broker has said so. Never blocks."""

    def in_flight(self) -> int:
        """Return how many records wait for the broker."""

    def flush(self, timeout_s: float) -> int:
        """Block until all is acknowledged or given up; return how many still wait."""

    def close(self) -> None:
        """Give up what still waits, reporting each as failed, and free the producer."""


class KafkaTransport:
    """A transport over one librdkafka producer, with a thread that serves its reports.

    Raises ConfigError for properties that librdkafka does not take.
    """

    def __init__(self, settings: ClientSettings, observer: Observer) -> None:
        self._max_bytes = settings.max_event_bytes
        self._observer = observer
        self._metadata: dict[str, _Metadata] = {}
        self._producer = self._new_producer(settings)
        self._is_broken = False
        self._stopping = threading.Event()
        self._thread = threading.Thread(
            target=self._serve_reports, name="inferometer-sdk-reports", daemon=True
        )
        self._thread.start()

    def send(
        self, record: Outgoing, on_report: Callable[[Refusal | None], None] | None = None
    ) -> bool:
        """Hand a record to librdkafka; see `Transport.send`."""
        if self._is_broken:
            raise BrokerError("the producer met a fatal error", retryable=True)
        more: dict[str, Any] = {}
        if on_report is not None:
            more["on_delivery"] = partial(self._on_own_report, on_report)
        try:
            self._producer.produce(
                record.topic,
                record.value,
                record.key,
                partition=record.partition,
                headers=record.headers,  # type: ignore[arg-type]
                **more,
            )
        except BufferError:
            return False
        except KafkaException as error:
            code = error.args[0].code()
            if code == KafkaError.MSG_SIZE_TOO_LARGE:
                size = len(record.value) + len(record.key or b"")
                raise EventTooLargeError(size, self._max_bytes) from error
            self._is_broken = code == KafkaError._FATAL  # noqa: SLF001 - the library's public name
            raise BrokerError(f"Kafka refused the record: {error}", retryable=True) from error
        return True

    def partitions(self, topic: str) -> int:
        """Return the last known number; the thread of the reports asks the broker."""
        return self._metadata.setdefault(topic, _Metadata()).partitions

    def in_flight(self) -> int:
        """Return how many records librdkafka still holds."""
        return len(self._producer)

    def flush(self, timeout_s: float) -> int:
        """Block up to `timeout_s`; the linger does not apply while flushing."""
        return self._producer.flush(timeout_s)

    def close(self) -> None:
        """Purge, report, stop the thread."""
        self._producer.purge()
        self._producer.flush(1.0)
        self._stopping.set()
        if self._thread is not threading.current_thread():
            self._thread.join(timeout=2.0)

    def _new_producer(self, settings: ClientSettings) -> Producer:
        is_spooled = bool(settings.spool_dir) and settings.spool == SpoolMode.ALWAYS.value
        properties: dict[str, Any] = {
            "bootstrap.servers": settings.bootstrap_servers,
            "client.id": "inferometer-sdk",
            "enable.idempotence": True,
            "acks": "all",
            # The most that keeps the order of an idempotent producer.
            "max.in.flight.requests.per.connection": 5,
            "reconnect.backoff.max.ms": _RECONNECT_MAX_MS,
            "linger.ms": settings.linger_ms,
            "compression.type": settings.compression,
            # Kafka's own default, so that producers in other languages agree on the partition.
            "partitioner": "murmur2_random",
            "queue.buffering.max.messages": settings.buffer_events,
            "queue.buffering.max.kbytes": settings.buffer_bytes // 1024,
            "message.max.bytes": settings.max_event_bytes + _HEADER_ROOM_BYTES,
            # What stands in the spool may wait for ever: the producer's own retry is exactly once.
            "message.timeout.ms": 0 if is_spooled else int(settings.delivery_timeout_s * 1000),
            # librdkafka repeats itself every second while a broker is away; `error_cb` tells us.
            "log_level": 0,
            "error_cb": self._on_error,
            "on_delivery": self._on_report,
            # A report a record doubles the producer's cost, so successes are inferred from the
            # number of records that librdkafka still holds.
            "delivery.report.only.error": self._observer.on_delivery is None
            and not settings.spool_dir,
            **settings.security.librdkafka(),
            **settings.kafka,
        }
        try:
            return Producer(properties)
        except (KafkaException, TypeError, ValueError) as error:
            raise ConfigError(
                [f"librdkafka does not take these Kafka settings: {error}"]
            ) from error

    def _serve_reports(self) -> None:
        while not self._stopping.is_set():
            try:
                self._producer.poll(_POLL_S)
                self._ask_for_metadata()
            except Exception:  # noqa: BLE001 - a caller's hook must not end the reports
                _LOG.exception("a hook of the client raised; the record itself is unharmed")

    def _on_error(self, error: KafkaError) -> None:
        self._is_broken = self._is_broken or error.fatal()
        self._observer.broker_trouble(error.str())

    def _ask_for_metadata(self) -> None:
        """Ask for the partitions of every topic that somebody wants to know about."""
        for topic, known in list(self._metadata.items()):
            now = time.monotonic()
            if now < known.ask_at:
                continue
            known.ask_at = now + _METADATA_AGAIN_S
            try:
                found = self._producer.list_topics(topic, timeout=_METADATA_S).topics[topic]
            except KafkaException as error:
                if not known.partitions:
                    self._observer.broker_trouble(error.args[0].str())
                continue
            if found.error is not None:
                self._observer.broker_trouble(f"topic {topic}: {found.error.str()}")
            elif found.partitions:
                known.partitions = len(found.partitions)
                known.ask_at = now + _METADATA_AGE_S

    def _on_own_report(
        self,
        on_report: Callable[[Refusal | None], None],
        error: KafkaError | None,
        message: Message,
    ) -> None:
        on_report(None if error is None else _refusal(error))
        if error is None and self._observer.on_delivery is not None:
            self._observer.on_delivery(_delivery(message))

    def _on_report(self, error: KafkaError | None, message: Message) -> None:
        if error is not None:
            self._observer.record_failed(_record(message), _refusal(error))
        elif self._observer.on_delivery is not None:
            self._observer.on_delivery(_delivery(message))


@dataclass(slots=True)
class _Metadata:
    """What is known of one topic, and when to ask again."""

    partitions: int = 0
    ask_at: float = 0.0


def _refusal(error: KafkaError) -> Refusal:
    return Refusal(error.str(), error.code() in _FOR_THE_RECORD)


def _key(message: Message) -> bytes | None:
    key = message.key()
    return key.encode() if isinstance(key, str) else key


def _value(message: Message) -> bytes:
    return message.value() or b""


def _record(message: Message) -> Outgoing:
    partition = message.partition()
    return Outgoing(
        message.topic() or "",
        _key(message),
        _value(message),
        cast("list[Header]", message.headers() or []),
        -1 if partition is None else partition,
    )


def _delivery(message: Message) -> Delivery:
    return Delivery(
        topic=message.topic() or "",
        partition=message.partition() or 0,
        offset=message.offset() or 0,
        size_bytes=len(_value(message)) + len(_key(message) or b""),
    )
