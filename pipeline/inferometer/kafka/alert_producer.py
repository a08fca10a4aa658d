"""Sends records and waits until the broker has them; for threads, shared by all that alerting says."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from inferometer.errors import StoreError
from inferometer.kafka.librdkafka_clients import durable_producer
from inferometer.kafka.topics import MAX_MESSAGE_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from inferometer.kafka.settings import KafkaSettings

DELIVERY_TIMEOUT_S = 30.0
POLL_S = 0.05
ANY_PARTITION = -1


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One record; without a partition, equal keys share one."""

    topic: str
    value: bytes | None
    key: bytes | None = None
    partition: int = ANY_PARTITION


class AlertProducer:
    """An idempotent producer, made at the first send; `send` blocks and may be called by threads."""

    def __init__(self, kafka: KafkaSettings) -> None:
        self._kafka = kafka
        self._producer: Any = None
        self._lock = threading.Lock()

    def send(self, records: Sequence[Outgoing]) -> None:
        """Return once every record is durable; each partition's in order.

        Raises StoreError, always retryable; then any of them may have arrived.
        """
        from confluent_kafka import KafkaException

        producer = self._open()
        waiting = threading.Semaphore(0)
        failures: list[str] = []

        def heard(error: Any, _message: Any) -> None:
            if error is not None:
                failures.append(error.str())
            waiting.release()

        try:
            for record in records:
                if failures:
                    raise self._refused(failures[0])
                _enqueue(producer, record, heard)
        except KafkaException as error:
            raise self._refused(str(error)) from error
        for _ in records:
            # The callbacks of one thread may be served by another.
            while not waiting.acquire(blocking=False):
                producer.poll(POLL_S)
        if failures:
            raise self._refused(failures[0])

    def close(self) -> None:
        """Forget the producer; again is harmless."""
        self._producer = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _open(self) -> Any:
        with self._lock:
            if self._producer is None:
                self._producer = durable_producer(
                    self._kafka,
                    timeout_s=DELIVERY_TIMEOUT_S,
                    max_message_bytes=MAX_MESSAGE_BYTES,
                    **{"linger.ms": 2},
                )
            return self._producer

    def _refused(self, reason: str) -> StoreError:
        return StoreError(
            f"the broker at {self._kafka.bootstrap_servers} did not take what alerting says "
            f"({reason}); it is said again",
            retryable=True,
        )


def _enqueue(producer: Any, record: Outgoing, heard: Callable[[Any, Any], None]) -> None:
    """Queue a record; when there are more than the queue holds, as soon as it has room.

    It has room within the delivery timeout: whatever is queued has arrived or failed by then.
    """
    while True:
        try:
            producer.produce(
                record.topic,
                record.value,
                key=record.key,
                partition=record.partition,
                on_delivery=heard,
            )
        except BufferError:
            producer.poll(POLL_S)
        else:
            return
