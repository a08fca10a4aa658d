"""Reads a topic from outside its consumer group: offsets, committed positions, ranges of records."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from inferometer.core.chunks import GroupMetadata
from inferometer.core.conservation import PartitionPosition
from inferometer.errors import BrokerError, StateError
from inferometer.kafka.group_offsets import committed_offsets
from inferometer.kafka.librdkafka_clients import columns_of, outside_consumer
from inferometer.kafka.topics import TopicReader

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inferometer.core.records import RecordColumns
    from inferometer.kafka.settings import KafkaSettings

ANSWER_TIMEOUT_S = 15.0
BATCH_RECORDS = 10_000
_POLL_S = 1.0


class KafkaTopicView:
    """A `TopicView`; assigns partitions to itself, so that the group never sees it."""

    def __init__(self, kafka: KafkaSettings) -> None:
        self._kafka = kafka
        self._consumer: Any = None

    def stream_id(self) -> str:
        """Return the topic's id; see `TopicView.stream_id`."""
        return self._kafka.run_epoch or TopicReader(self._kafka).topic_id(self._kafka.topic)

    def positions(self) -> dict[int, PartitionPosition]:
        """Return offsets and the group's positions; see `TopicView.positions`."""
        from confluent_kafka import KafkaException, TopicPartition

        topic = self._kafka.topic
        count = TopicReader(self._kafka).describe(topic).partitions
        consumer = self._open()
        found: dict[int, PartitionPosition] = {}
        try:
            # Committed first: an offset committed later may lie beyond the end that was read.
            committed = committed_offsets(self._kafka, count)
            for partition in range(count):
                source = TopicPartition(topic, partition)
                low, high = consumer.get_watermark_offsets(source, timeout=ANSWER_TIMEOUT_S)
                offset, metadata = committed.get(partition, (None, ""))
                found[partition] = PartitionPosition(
                    low=low, high=high, committed=offset, metadata=_metadata(metadata)
                )
        except KafkaException as error:
            raise self._refused(error) from error
        return found

    def records(self, partition: int, first_offset: int, last_offset: int) -> RecordColumns:
        """Return the records of a range; see `TopicView.records`."""
        batches = self._batches(partition, first_offset, last_offset)
        return columns_of(message for batch in batches for message in batch)

    def held_offsets(
        self, partition: int, first_offset: int, last_offset: int, *, limit: int
    ) -> tuple[int, list[int]]:
        """Count the records of a range; see `TopicView.held_offsets`."""
        count = 0
        first: list[int] = []
        for batch in self._batches(partition, first_offset, last_offset):
            count += len(batch)
            first += [message.offset() for message in batch[: limit - len(first)]]
        return count, first

    def _batches(self, partition: int, first_offset: int, last_offset: int) -> Iterator[list[Any]]:
        """Yield the messages of a range, a batch at a time."""
        from confluent_kafka import KafkaError, KafkaException, TopicPartition

        consumer = self._open()
        source = TopicPartition(self._kafka.topic, partition, first_offset)
        try:
            low, high = consumer.get_watermark_offsets(source, timeout=ANSWER_TIMEOUT_S)
            if first_offset >= high or last_offset < low:
                return
            source.offset = max(first_offset, low)
            consumer.assign([source])
            silent = 0
            is_end = False
            while not is_end:
                batch, is_end = _take(consumer, last_offset)
                silent = 0 if batch else silent + 1
                if silent > ANSWER_TIMEOUT_S / _POLL_S:
                    raise self._refused(KafkaException(KafkaError(KafkaError._TIMED_OUT)))  # noqa: SLF001
                yield batch
        except KafkaException as error:
            raise self._refused(error) from error
        finally:
            consumer.unassign()

    def close(self) -> None:
        """Close the connection; again is harmless."""
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            consumer.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _open(self) -> Any:
        if self._consumer is None:
            self._consumer = outside_consumer(self._kafka, **{"auto.offset.reset": "error"})
        return self._consumer

    def _refused(self, error: Exception) -> BrokerError:
        return BrokerError(
            f"{self._kafka.topic} at {self._kafka.bootstrap_servers} cannot be read: "
            f"{error.args[0].str()}; is the broker running, and may this user read?",
            retryable=True,
        )


def _take(consumer: Any, last_offset: int) -> tuple[list[Any], bool]:
    """Return one batch of messages, and whether the range is read to its end."""
    from confluent_kafka import KafkaError, KafkaException

    batch: list[Any] = []
    for message in consumer.consume(BATCH_RECORDS, timeout=_POLL_S):
        error = message.error()
        if error is not None:
            if error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - its public name
                return batch, True
            raise KafkaException(error)
        if message.offset() > last_offset:
            return batch, True
        batch.append(message)
        if message.offset() == last_offset:
            return batch, True
    return batch, False


def _metadata(text: str | None) -> GroupMetadata | None:
    try:
        return GroupMetadata.from_text(text or "")
    except StateError:
        # Another version's: whose stream the offset belongs to is unknown.
        return None
