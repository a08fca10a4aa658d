"""Sends single records to chosen partitions and waits for the broker; implements RecordSender."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from inferometer.errors import BrokerError
from inferometer.kafka.librdkafka_clients import durable_producer
from inferometer.kafka.topics import TopicReader
from inferometer.names import CONTENT_TYPE_HEADER, JSON_CONTENT_TYPE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inferometer.kafka.settings import KafkaSettings

DELIVERY_TIMEOUT_S = 60.0
MAX_MESSAGE_BYTES = 16 * 1024 * 1024


class KafkaRecordSender:
    """A `RecordSender` over an idempotent producer, which is made at the first send."""

    def __init__(self, kafka: KafkaSettings) -> None:
        self._kafka = kafka
        self._producer: Any = None

    def partitions(self) -> int:
        """Return how many partitions the topic has; see `RecordSender.partitions`."""
        return TopicReader(self._kafka).describe(self._kafka.topic).partitions

    def send(self, records: Sequence[tuple[int, bytes]]) -> list[int]:
        """Send records and wait; see `RecordSender.send`."""
        from confluent_kafka import KafkaException

        producer = self._open()
        offsets: dict[int, int] = {}
        failures: list[str] = []

        def delivered(number: int) -> Any:
            def hear(error: Any, message: Any) -> None:
                if error is None:
                    offsets[number] = message.offset()
                else:
                    failures.append(error.str())

            return hear

        try:
            for number, (partition, value) in enumerate(records):
                producer.produce(
                    self._kafka.topic,
                    value,
                    partition=partition,
                    headers=[(CONTENT_TYPE_HEADER, JSON_CONTENT_TYPE.encode())],
                    on_delivery=delivered(number),
                )
                producer.poll(0)
            producer.flush(DELIVERY_TIMEOUT_S)
        except (KafkaException, BufferError) as error:
            raise self._refused(str(error)) from error
        if len(offsets) < len(records):
            raise self._refused(failures[0] if failures else "no answer")
        return [offsets[number] for number in range(len(records))]

    def close(self) -> None:
        """Forget the producer; again is harmless."""
        self._producer = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _open(self) -> Any:
        if self._producer is None:
            self._producer = durable_producer(
                self._kafka, timeout_s=DELIVERY_TIMEOUT_S, max_message_bytes=MAX_MESSAGE_BYTES
            )
        return self._producer

    def _refused(self, reason: str) -> BrokerError:
        return BrokerError(
            f"{self._kafka.topic} at {self._kafka.bootstrap_servers} did not take every event "
            f"({reason}); run the same command again: what has arrived counts once",
            retryable=True,
        )
