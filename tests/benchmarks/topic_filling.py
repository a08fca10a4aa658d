"""Fills the topics that contestants read: the same events for all, written once for all runs.

Records are what the SDK sends: its values, keys, headers and compression. Partitions are filled in
turn, so that each has as many events, and event time runs evenly over all.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from confluent_kafka import Producer

from inferometer.kafka.settings import KafkaSettings
from inferometer.kafka.topics import make_topics
from tests.benchmarks.envelopes import COMPRESSION, in_envelopes
from tests.benchmarks.feeder import EVENT_RATE, PARTITIONS, value_stream

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tests.benchmarks.contestants import Content, Shape
    from tests.benchmarks.feeder import Record

_SEED = 1
_FLUSH_S = 120.0
_QUEUE_RECORDS = 200_000


@dataclass(frozen=True, slots=True)
class TopicKind:
    """Which events a topic holds, and in what form."""

    shape: Shape
    content: Content
    events: int


@dataclass(frozen=True, slots=True)
class FilledTopic:
    """A topic, and what an event takes in it."""

    name: str
    bytes_an_event: float
    """Of the values, before compression by the producer."""


def fill(bootstrap_servers: str, kinds: Iterable[TopicKind]) -> dict[TopicKind, FilledTopic]:
    """Make and fill a topic of each kind. Raises BrokerError, RuntimeError."""
    found = {}
    for kind in dict.fromkeys(kinds):
        name = f"bench-{kind.shape}-{kind.content}-{kind.events}-{time.time_ns()}"
        make_topics(
            KafkaSettings(bootstrap_servers=bootstrap_servers),
            (name,),
            partitions=PARTITIONS,
            replication_factor=1,
        )
        found[kind] = FilledTopic(name, _send(bootstrap_servers, name, kind) / kind.events)
    return found


def _send(bootstrap_servers: str, topic: str, kind: TopicKind) -> int:
    """Send all records; return the bytes of their values."""
    producer = Producer(
        {
            "bootstrap.servers": bootstrap_servers,
            "enable.idempotence": True,
            "acks": "all",
            "linger.ms": 50,
            "compression.type": COMPRESSION[kind.content],
            "queue.buffering.max.messages": _QUEUE_RECORDS,
            "log_level": 0,
            "message.max.bytes": 8_000_000,
        }
    )
    total = 0
    for place, record in enumerate(_records(kind)):
        total += len(record.value)
        while True:
            try:
                producer.produce(
                    topic, record.value, record.key, place % PARTITIONS, headers=record.headers
                )
                break
            except BufferError:
                producer.poll(0.1)
    if producer.flush(_FLUSH_S):
        raise RuntimeError(f"the broker does not take the records of {topic}")
    return total


def _records(kind: TopicKind) -> Iterator[Record]:
    values = value_stream(kind.shape, kind.events, _SEED, end_s=time.time(), rate=EVENT_RATE)
    return in_envelopes(values, kind.content)
