"""Reads the whole topic with a client of its own: what the broker holds, event by event."""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from confluent_kafka import Consumer, TopicPartition
from numpy.typing import NDArray

from tests.faults.wire import POISON_KEY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from confluent_kafka import Message

    Place = tuple[int, int, int]
    """Partition, offset, index in the record."""

BATCH = 20_000
_TIMEOUT_S = 60.0
_BATCH_S = 0.5
_ID = re.compile(rb'"event_id": ?"([ep]\d\d-\d{16})"')
_ANY_ID = re.compile(rb"[ep]\d\d-\d{16}")


@dataclass(slots=True)
class TopicContent:
    """The records of a topic."""

    ends: dict[int, int]
    """The offset after the last record of each partition."""
    records: int = 0
    events: int = 0
    envelopes: int = 0
    """Records that were made for many events."""
    poison: dict[Place, bytes] = field(default_factory=dict)
    """Value of each poisonous event by its place."""
    poison_keys: dict[Place, bytes] = field(default_factory=dict)
    producers: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    numbers: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    partitions: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    """Of every event that is no poison, in any order; a repeated event is there repeatedly."""


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
        ids: list[bytes] = []
        places: list[int] = []
        for message in batch:
            if (error := message.error()) is not None:
                raise RuntimeError(str(error))
            partition, offset = message.partition(), message.offset()
            if partition is None or offset is None:
                raise RuntimeError("a record without a place")
            found = _count(content, message, (partition, offset))
            ids += found
            places += [partition] * len(found)
            if offset + 1 >= content.ends[partition]:
                left.discard(partition)
        if ids:
            parts.append((*parse_ids(np.array(ids, "S").astype("S20")), np.array(places, np.int64)))
    consumer.close()
    content.producers, content.numbers, content.partitions = (
        np.concatenate(columns) for columns in zip(*parts, strict=True)
    )
    return content


def parse_ids(ids: NDArray[np.bytes_]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return producer and running number of each event id (`e00-0000000000000000`)."""
    letters = np.ascontiguousarray(ids).view(np.uint8).reshape(len(ids), -1)
    digits: NDArray[np.int64] = letters.astype(np.int64) - ord("0")
    powers = 10 ** np.arange(15, -1, -1, dtype=np.int64)
    return digits[:, 1] * 10 + digits[:, 2], digits[:, 4:20] @ powers


def _count(content: TopicContent, message: Message, place: tuple[int, int]) -> list[bytes]:
    """Count a record and its events; return the ids of those that are no poison."""
    content.records += 1
    content.envelopes += _content_type(message) in _READERS
    ids: list[bytes] = []
    for index, (key, value) in enumerate(_events(message)):
        content.events += 1
        if key.startswith(POISON_KEY):
            content.poison[(*place, index)] = value
            content.poison_keys[(*place, index)] = key
        else:
            ids.append(key)
    return ids


def _content_type(message: Message) -> str:
    headers = dict(message.headers() or ())
    return _bytes(headers.get("content-type")).decode()


def _events(message: Message) -> Iterator[tuple[bytes, bytes]]:
    """Yield each event of a record: its id and nothing, or the key of a poison and its value."""
    value = _bytes(message.value())
    reader = _READERS.get(_content_type(message))
    if reader is not None:
        yield from reader(value)
        return
    key = _bytes(message.key())
    if key.startswith(POISON_KEY):
        yield key, value
    else:
        yield key[1:], b""


def _lines(value: bytes) -> Iterator[tuple[bytes, bytes]]:
    for line in value.split(b"\n"):
        found = _ID.search(line)
        ident = found[1] if found else _ANY_ID.findall(line)[0]
        yield (ident, b"") if ident.startswith(b"e") else (POISON_KEY + ident, line)


def _columns(value: bytes) -> Iterator[tuple[bytes, bytes]]:
    table = pa.ipc.open_stream(value).read_all()
    for row, text in enumerate(table.column("event_id").to_pylist()):
        ident = text.encode()
        if ident.startswith(b"e"):
            yield ident, b""
        else:
            [fields] = table.slice(row, 1).to_pylist()
            yield POISON_KEY + ident, json.dumps(fields, default=_plain).encode()


def _plain(value: object) -> object:
    """Return a duration in milliseconds, an instant in microseconds."""
    if isinstance(value, timedelta):
        return value / timedelta(milliseconds=1)
    if isinstance(value, datetime):
        return (value - _EPOCH) // timedelta(microseconds=1)
    raise TypeError(f"{type(value).__name__} is in no poison")


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_READERS = {
    "application/x-ndjson": _lines,
    "application/vnd.apache.arrow.stream": _columns,
}


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
