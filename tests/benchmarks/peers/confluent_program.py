"""Reads a topic by confluent-kafka's `consume`, and counts or sums windows."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import orjson
from confluent_kafka import Consumer, KafkaException

from tests.benchmarks.peers.speaking import Progress, say
from tests.benchmarks.peers.windows import Windows

if TYPE_CHECKING:
    from confluent_kafka import Message

_BATCH = 10_000
_TIMEOUT_S = 0.05
_FETCH_BYTES = 8 << 20


def main(work: str, servers: str, topic: str, group: str, number: str) -> None:
    """Read so many events."""
    events = int(number)
    consumer = Consumer(
        {
            "bootstrap.servers": servers,
            "group.id": group,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "fetch.queue.backoff.ms": 10,
            "fetch.wait.max.ms": 50,
            "queued.min.messages": 20_000,
            "max.partition.fetch.bytes": _FETCH_BYTES,
        }
    )
    consumer.subscribe([topic])
    progress, windows = Progress(), Windows()
    while progress.events < events:
        records = consumer.consume(_BATCH, _TIMEOUT_S)
        if work == "sum":
            _sum(records, windows)
        elif any(record.error() for record in records):
            raise KafkaException("a record could not be read")
        progress.add(len(records))
    progress.say_last()
    say("counted", windows.counted if work == "sum" else progress.events)
    consumer.close()


def _sum(records: list[Message], windows: Windows) -> None:
    for record in records:
        value = record.value()
        if record.error() or value is None:
            raise KafkaException(record.error())
        windows.add(orjson.loads(value))


if __name__ == "__main__":
    main(*sys.argv[1:])
