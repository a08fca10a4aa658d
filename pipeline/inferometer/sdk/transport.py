"""Kafka as the client sees it: an idempotent librdkafka producer behind four calls.

The only module of the SDK that knows the Kafka library.
"""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any, Protocol

from confluent_kafka import KafkaError, KafkaException, Producer

from inferometer.errors import BrokerError, ConfigError
from inferometer.sdk.refusals import EventTooLargeError
from inferometer.sdk.stats import Delivery

if TYPE_CHECKING:
    from collections.abc import Callable

    from confluent_kafka import Message

    from inferometer.core.codec import Header
    from inferometer.sdk.settings import ClientSettings

_POLL_S = 0.1
_LOG = logging.getLogger("inferometer.sdk")


class Observer(Protocol):
    """Who hears what became of records; called on the transport's own thread, must not block."""

    on_delivery: Callable[[Delivery], None] | None
    """None spares the report of every single success."""

    def record_failed(self, key: bytes | None, detail: str) -> None:
        """Hear that a record will not arrive."""

    def broker_trouble(self, detail: str) -> None:
        """Hear that the broker is away or refuses; may come often."""


class Transport(Protocol):
    """Where encoded records go. Calls come from any thread."""

    def send(self, topic: str, key: bytes | None, value: bytes, headers: list[Header]) -> bool:
        """Take a record without blocking; False when the buffer is full.

        Raises EventTooLargeError, and BrokerError once this transport can never send again.
        """

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
        self._producer = self._new_producer(settings)
        self._is_broken = False
        self._stopping = threading.Event()
        self._thread = threading.Thread(
            target=self._serve_reports, name="inferometer-sdk-reports", daemon=True
        )
        self._thread.start()

    def send(self, topic: str, key: bytes | None, value: bytes, headers: list[Header]) -> bool:
        """Hand a record to librdkafka; see `Transport.send`."""
        if self._is_broken:
            raise BrokerError("the producer met a fatal error", retryable=True)
        try:
            self._producer.produce(topic, value, key, headers=headers)  # type: ignore[arg-type]
        except BufferError:
            return False
        except KafkaException as error:
            code = error.args[0].code()
            if code == KafkaError.MSG_SIZE_TOO_LARGE:
                raise EventTooLargeError(len(value) + len(key or b""), self._max_bytes) from error
            self._is_broken = code == KafkaError._FATAL  # noqa: SLF001 - the library's public name
            raise BrokerError(f"Kafka refused the record: {error}", retryable=True) from error
        return True

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
        properties: dict[str, Any] = {
            "bootstrap.servers": settings.bootstrap_servers,
            "client.id": "inferometer-sdk",
            "enable.idempotence": True,
            "acks": "all",
            "linger.ms": settings.linger_ms,
            "compression.type": settings.compression,
            # Kafka's own default, so that producers in other languages agree on the partition.
            "partitioner": "murmur2_random",
            "queue.buffering.max.messages": settings.buffer_events,
            "queue.buffering.max.kbytes": settings.buffer_bytes // 1024,
            "message.max.bytes": settings.max_event_bytes,
            "message.timeout.ms": int(settings.delivery_timeout_s * 1000),
            # librdkafka repeats itself every second while a broker is away; `error_cb` tells us.
            "log_level": 0,
            "error_cb": self._on_error,
            "on_delivery": self._on_report,
            # A report a record doubles the producer's cost, so successes are inferred from the
            # number of records that librdkafka still holds.
            "delivery.report.only.error": self._observer.on_delivery is None,
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
            except Exception:  # noqa: BLE001 - a caller's hook must not end the reports
                _LOG.exception("a hook of the client raised; the record itself is unharmed")

    def _on_error(self, error: KafkaError) -> None:
        self._is_broken = self._is_broken or error.fatal()
        self._observer.broker_trouble(error.str())

    def _on_report(self, error: KafkaError | None, message: Message) -> None:
        key = message.key()
        key_bytes = key.encode() if isinstance(key, str) else key
        if error is not None:
            self._observer.record_failed(key_bytes, error.str())
        elif self._observer.on_delivery is not None:
            self._observer.on_delivery(
                Delivery(
                    topic=message.topic() or "",
                    partition=message.partition() or 0,
                    offset=message.offset() or 0,
                    size_bytes=len(message.value() or b"") + len(key_bytes or b""),
                )
            )
