"""Reads stretches of a topic by assignment, never as a member of a group; for threads."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any, Self

from inferometer.errors import StoreError
from inferometer.kafka.librdkafka_clients import columns_of, outside_consumer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inferometer.core.chunks import StreamPartition
    from inferometer.core.records import RecordColumns
    from inferometer.kafka.settings import KafkaSettings

ANSWER_TIMEOUT_S = 15.0
BATCH_RECORDS = 10_000
_POLL_S = 0.5


class PartitionReader:
    """One consumer that is assigned one partition at a time; implements the port SourceLog."""

    def __init__(self, kafka: KafkaSettings) -> None:
        self._kafka = kafka
        self._consumer: Any = None
        self._lock = threading.Lock()

    def offset_at(self, source: StreamPartition, since_ms: int, *, before: int) -> int:
        """Return the first offset since an instant; see `SourceLog.offset_at`."""
        from confluent_kafka import KafkaException, TopicPartition

        asked = TopicPartition(source.topic, source.partition, max(0, since_ms))
        with self._lock:
            try:
                (found,) = self._open().offsets_for_times([asked], timeout=ANSWER_TIMEOUT_S)
            except KafkaException as error:
                raise self._refused(source.topic, error) from error
        return min(found.offset, before) if found.offset >= 0 else before

    def records(self, source: StreamPartition, first: int, last: int) -> RecordColumns:
        """Return the records of a range; see `SourceLog.records`."""
        return columns_of(self.messages(source.topic, source.partition, first, last))

    def messages(
        self, topic: str, partition: int, first: int = 0, last: int | None = None
    ) -> Iterator[Any]:
        """Yield the records that are there now in [first, last], as librdkafka gives them."""
        from confluent_kafka import KafkaException, TopicPartition

        with self._lock:
            consumer = self._open()
            place = TopicPartition(topic, partition)
            try:
                low, high = _ends(consumer, place)
                end = high - 1 if last is None else min(last, high - 1)
                place.offset = max(first, low)
                if place.offset > end:
                    return
                consumer.assign([place])
                yield from self._until(consumer, end)
            except KafkaException as error:
                raise self._refused(topic, error) from error
            finally:
                consumer.unassign()

    def _until(self, consumer: Any, end: int) -> Iterator[Any]:
        from confluent_kafka import KafkaError, KafkaException

        silent = 0
        while True:
            messages = consumer.consume(BATCH_RECORDS, timeout=_POLL_S)
            silent = 0 if messages else silent + 1
            if silent > ANSWER_TIMEOUT_S / _POLL_S:
                raise KafkaException(KafkaError(KafkaError._TIMED_OUT))  # noqa: SLF001
            for message in messages:
                error = message.error()
                if error is not None:
                    if error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - its public name
                        return
                    raise KafkaException(error)
                if message.offset() > end:
                    return
                yield message
                if message.offset() == end:
                    return

    def close(self) -> None:
        """Disconnect; again is harmless."""
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            consumer.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _open(self) -> Any:
        if self._consumer is None:
            self._consumer = outside_consumer(
                self._kafka,
                **{
                    "enable.auto.offset.store": False,
                    "auto.offset.reset": "earliest",
                    "fetch.queue.backoff.ms": 10,
                },
            )
        return self._consumer

    def _refused(self, topic: str, error: Exception) -> StoreError:
        return StoreError(
            f"{topic} at {self._kafka.bootstrap_servers} cannot be read: {error.args[0].str()}",
            retryable=True,
        )


def _ends(consumer: Any, place: Any) -> tuple[int, int]:
    """Return the first offset and the next one; a partition may be without a leader for moments."""
    from confluent_kafka import KafkaError, KafkaException

    passing = {KafkaError.NOT_LEADER_FOR_PARTITION, KafkaError.LEADER_NOT_AVAILABLE}
    until_s = time.monotonic() + ANSWER_TIMEOUT_S
    while True:
        try:
            low, high = consumer.get_watermark_offsets(place, timeout=ANSWER_TIMEOUT_S)
        except KafkaException as error:
            if error.args[0].code() not in passing or time.monotonic() > until_s:
                raise
            time.sleep(_POLL_S)
        else:
            return low, high
