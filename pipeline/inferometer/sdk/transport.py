"""Kafka as the client sees it: an idempotent librdkafka producer behind five calls.

The only module of the SDK that knows the Kafka library.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from confluent_kafka import KafkaError, KafkaException, Producer

from inferometer.errors import BrokerError, ConfigError
from inferometer.sdk.refusals import EventTooLargeError
from inferometer.sdk.settings import Envelope, SpoolMode
from inferometer.sdk.stats import Delivery

if TYPE_CHECKING:
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
    events: int = 1
    """How many it carries."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a record did not arrive."""

    detail: str
    is_for_the_record: bool
    """Other records would be taken, this one never will be."""
    partition: int = -1
    """Where it was to go; -1 where nobody had chosen yet."""


Report = Callable[[Refusal | None], None]
"""Hears once what became of a record, None for acknowledged, on the transport's own thread."""


class Observer(Protocol):
    """Who hears what became of records; called on the transport's own thread, must not block."""

    on_delivery: Callable[[Delivery], None] | None
    """Hears of each record that was acknowledged, where somebody wants to."""

    def broker_trouble(self, detail: str) -> None:
        """Hear that the broker is away or refuses; may come often."""


class Transport(Protocol):
    """Where encoded records go. Calls come from any thread."""

    def send(self, record: Outgoing, on_report: Report) -> bool:
        """Take a record without blocking; False when the buffer is full.

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

    def send(self, record: Outgoing, on_report: Report) -> bool:
        """Hand a record to librdkafka; see `Transport.send`."""
        if self._is_broken:
            raise BrokerError("the producer met a fatal error", retryable=True)
        try:
            self._producer.produce(
                record.topic,
                record.value,
                record.key,
                partition=record.partition,
                headers=record.headers,  # type: ignore[arg-type]
                on_delivery=partial(self._on_report, on_report, record.events),
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
        is_single = settings.envelope == Envelope.JSON.value
        properties: dict[str, Any] = {
            "bootstrap.servers": settings.bootstrap_servers,
            "client.id": "inferometer-sdk",
            "enable.idempotence": True,
            "acks": "all",
            # The most that keeps the order of an idempotent producer.
            "max.in.flight.requests.per.connection": 5,
            "reconnect.backoff.max.ms": _RECONNECT_MAX_MS,
            # What shares a record has waited for the others already.
            "linger.ms": settings.linger_ms if is_single else min(settings.linger_ms, 1.0),
            "compression.type": settings.compression,
            **({"compression.level": 1} if settings.compression == "zstd" else {}),
            # Kafka's own default, so that producers in other languages agree on the partition.
            "partitioner": "murmur2_random",
            "queue.buffering.max.messages": settings.buffer_events,
            # The client keeps to its bound by events; a record has a few bytes more than they.
            "queue.buffering.max.kbytes": settings.buffer_bytes // 1024 + 2_048,
            "message.max.bytes": settings.max_event_bytes + _HEADER_ROOM_BYTES,
            # What stands in the spool may wait for ever: the producer's own retry is exactly once.
            "message.timeout.ms": 0 if is_spooled else int(settings.delivery_timeout_s * 1000),
            # librdkafka repeats itself every second while a broker is away; `error_cb` tells us.
            "log_level": 0,
            "error_cb": self._on_error,
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

    def _on_report(
        self, on_report: Report, events: int, error: KafkaError | None, message: Message
    ) -> None:
        if error is not None:
            partition = message.partition()
            on_report(
                Refusal(
                    error.str(),
                    error.code() in _FOR_THE_RECORD,
                    -1 if partition is None else partition,
                )
            )
            return
        on_report(None)
        if self._observer.on_delivery is not None:
            self._observer.on_delivery(_delivery(message, events))


@dataclass(slots=True)
class _Metadata:
    """What is known of one topic, and when to ask again."""

    partitions: int = 0
    ask_at: float = 0.0


def _delivery(message: Message, events: int) -> Delivery:
    key: Any = message.key() or b""
    return Delivery(
        topic=message.topic() or "",
        partition=message.partition() or 0,
        offset=message.offset() or 0,
        size_bytes=len(message.value() or b"") + len(key.encode() if isinstance(key, str) else key),
        events=events,
    )
