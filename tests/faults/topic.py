"""Reads the whole topic with a client of its own: what the broker holds, record by record."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import numpy as np
from confluent_kafka import Consumer, TopicPartition
from numpy.typing import NDArray

from tests.faults.wire import POISON_KEY

BATCH = 20_000
_TIMEOUT_S = 60.0
_BATCH_S = 0.5


@dataclass(slots=True)
class TopicContent:
    """The records of a topic."""

    ends: dict[int, int]
    """The offset after the last record of each partition."""
    records: int = 0
    poison: dict[tuple[int, int], bytes] = field(default_factory=dict)
    """Value of each poisonous record by (partition, offset)."""
    poison_keys: dict[tuple[int, int], bytes] = field(default_factory=dict)
    producers: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    numbers: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    partitions: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    """Of every record that is no poison, in any order; a repeated event is there repeatedly."""


class LogEnds:
    """Asks the broker how far the partitions of a topic are."""

    def __init__(self, kafka: str, topic: str, partitions: int) -> None:
        self._consumer = _consumer(kafka)
        self._places = [TopicPartition(topic, each) for each in range(partitions)]

    def ask(self, timeout_s: float = 10.0) -> dict[int, int]:
        """Return the offset after the last record of each partition. Raises KafkaException."""
        return {
            place.partition: self._consumer.get_watermark_offsets(place, timeout=timeout_s)[1]
            for place in self._places
        }

    def close(self) -> None:
        """Let the connection go."""
        self._consumer.close()


def read_topic(kafka: str, topic: str, partitions: int) -> TopicContent:
    """Return everything that the topic holds; it must have come to rest."""
    ends = LogEnds(kafka, topic, partitions)
    content = TopicContent(ends.ask())
    ends.close()
    consumer = _consumer(kafka)
    consumer.assign([TopicPartition(topic, each, 0) for each in range(partitions)])
    parts: list[tuple[NDArray[np.int64], ...]] = []
    left = {each for each, end in content.ends.items() if end > 0}
    heard_s = time.monotonic()
    while left:
        batch = consumer.consume(BATCH, timeout=_BATCH_S)
        if batch:
            heard_s = time.monotonic()
        elif time.monotonic() - heard_s > _TIMEOUT_S:
            raise TimeoutError(f"the broker gives no more records, partitions {left} are not done")
        keys: list[bytes] = []
        places: list[int] = []
        for message in batch:
            if (error := message.error()) is not None:
                raise RuntimeError(str(error))
            partition, offset, key = message.partition(), message.offset(), message.key()
            if partition is None or offset is None or not isinstance(key, bytes):
                raise RuntimeError("a record without a place or a key")
            content.records += 1
            if key.startswith(POISON_KEY):
                content.poison[(partition, offset)] = _bytes(message.value())
                content.poison_keys[(partition, offset)] = key
            else:
                keys.append(key)
                places.append(partition)
            if offset + 1 >= content.ends[partition]:
                left.discard(partition)
        if keys:
            ids = np.array(keys, "S").astype("S21")
            parts.append((*parse_ids(ids, skip=1), np.array(places, np.int64)))
    consumer.close()
    content.producers, content.numbers, content.partitions = (
        np.concatenate(columns) for columns in zip(*parts, strict=True)
    )
    return content


def parse_ids(
    ids: NDArray[np.bytes_], *, skip: int = 0
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return producer and running number of each event id (`e00-0000000000000000`)."""
    letters = np.ascontiguousarray(ids).view(np.uint8).reshape(len(ids), -1)[:, skip:]
    digits: NDArray[np.int64] = letters.astype(np.int64) - ord("0")
    powers = 10 ** np.arange(15, -1, -1, dtype=np.int64)
    return digits[:, 1] * 10 + digits[:, 2], digits[:, 4:20] @ powers


def _bytes(value: str | bytes | None) -> bytes:
    if isinstance(value, str):
        return value.encode()
    return value or b""


def _consumer(kafka: str) -> Consumer:
    return Consumer(
        {
            "bootstrap.servers": kafka,
            "group.id": "fault-harness-reader",
            "enable.auto.commit": False,
            "auto.offset.reset": "error",
            "fetch.queue.backoff.ms": 10,
            # It repeats itself all the time while the broker is away, as it often is.
            "log_level": 0,
            "queued.max.messages.kbytes": 200_000,
        }
    )
