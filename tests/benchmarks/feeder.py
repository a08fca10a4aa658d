"""The feeder: a process of its own that holds the embedded broker and fills it as fast as it may.

The embedded broker keeps 5 MB and 100,000 records a partition and forgets what is older, so the
feeder runs ahead of what the measured process has fetched by less than that; compressed sizes count
there, the feeder reckons with uncompressed ones.
Records are what the SDK sends: its headers, key, compression and idempotent producer.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import orjson
from confluent_kafka import Producer

from inferometer.core import codec
from inferometer.kafka.embedded import KEPT_BYTES, KEPT_RECORDS, EmbeddedBroker
from inferometer.kafka.settings import KafkaSettings
from inferometer.kafka.topics import make_topics
from inferometer.names import REQUESTS_TOPIC, SIGNALS_TOPIC
from inferometer.sdk.settings import ClientSettings
from inferometer.simulate.fixed_size import full_events, lean_events
from tests.benchmarks.contestants import Shape

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from multiprocessing.connection import Connection

    from inferometer.core.events import InferenceRequest

PARTITIONS = 4
COMPRESSION = ClientSettings(bootstrap_servers="localhost:9092").compression
EVENT_RATE = 50_000.0
"""Events a second of event time, over all partitions: it says how many windows a chunk touches."""

_MAKERS = {"full": full_events, "lean": lean_events}
_FILL = 0.9
_HEADER_BYTES = 280
_BLOCK = 256
_POLL_S = 0.001
_STALL_S = 60.0


@dataclass(frozen=True, slots=True)
class Record:
    """One record as the SDK sends it."""

    value: bytes
    key: bytes
    headers: list[tuple[str, str | bytes | None]]

    @property
    def size(self) -> int:
        """Bytes that it takes at most in the broker."""
        return len(self.value) + len(self.key) + _HEADER_BYTES


@dataclass(frozen=True, slots=True)
class Feed:
    """What a run sends: events before the measurement, and those measured."""

    shape: Shape
    warm_up: int
    events: int
    kafka: str = ""
    """A broker that keeps a backlog: all is sent before the measured process starts."""


@dataclass(frozen=True, slots=True)
class BrokerPlace:
    """Where the broker of a run is, and the identity of its topics."""

    bootstrap_servers: str
    run_epoch: str
    """Empty where the broker has topic ids."""
    topic: str = REQUESTS_TOPIC


class _Named:
    """The part of an event that its headers are made of."""

    def __init__(self, fields: dict[str, Any]) -> None:
        for name in ("event_id", "source", "virtual_account_id", "user_id", "workspace_id"):
            setattr(self, name, fields.get(name, ""))
        self.ts_end = fields["ts_end"]


def make_values(
    shape: Shape, count: int, seed: int, *, end_s: float | None = None, rate: float = EVENT_RATE
) -> list[bytes]:
    """Return event records that end now or at an instant, so that the door lets them in."""
    return list(value_stream(shape, count, seed, end_s=end_s, rate=rate))


def value_stream(
    shape: Shape, count: int, seed: int, *, end_s: float | None = None, rate: float = EVENT_RATE
) -> Iterator[bytes]:
    """Yield the same one by one."""
    start_us = int(((time.time() if end_s is None else end_s) - count / rate) * 1e6)
    return _MAKERS[shape](count, seed, start_us=start_us, rate=rate)


def as_record(value: bytes) -> Record:
    """Return the record by which the SDK sends one event."""
    fields = orjson.loads(value)
    headers = codec.headers(cast("InferenceRequest", _Named(fields)))
    return Record(value, fields["request_id"].encode(), list(headers))


def serve(commands: Connection, fetched: Sequence[int], feed: Feed) -> None:
    """Serve runs until told to end; `fetched` holds how far each partition has been read.

    Commands: "open" starts a broker and answers its place, "warm" and "go" send, "close" ends the
    broker, "end" ends the process.
    """
    records = [as_record(v) for v in make_values(feed.shape, feed.warm_up + feed.events, seed=1)]
    broker: EmbeddedBroker | None = None
    sender: _Sender | None = None
    while (command := commands.recv()) != "end":
        if feed.kafka:
            if command == "open":
                commands.send(_fill(feed.kafka, records))
        elif command == "open":
            broker = EmbeddedBroker()
            broker.start({REQUESTS_TOPIC: PARTITIONS, SIGNALS_TOPIC: 1})
            sender = _Sender(broker.bootstrap_servers, fetched)
            commands.send(BrokerPlace(broker.bootstrap_servers, broker.run_epoch))
        elif command == "close" and broker is not None:
            broker.close()
        elif sender is not None:
            sender.send(records[: feed.warm_up] if command == "warm" else records[feed.warm_up :])


def _fill(kafka: str, records: list[Record]) -> BrokerPlace:
    """Send all records to a new topic of a broker that keeps them."""
    topic = f"inferometer-bench-{time.time_ns()}"
    make_topics(
        KafkaSettings(bootstrap_servers=kafka),
        (topic,),
        partitions=PARTITIONS,
        replication_factor=1,
    )
    _Sender(kafka, [0] * PARTITIONS, topic=topic).send_all(records)
    return BrokerPlace(kafka, "", topic)


class _Sender:
    def __init__(
        self, bootstrap_servers: str, fetched: Sequence[int], topic: str = REQUESTS_TOPIC
    ) -> None:
        self._topic = topic
        settings = ClientSettings(bootstrap_servers=bootstrap_servers)
        self._fetched = fetched
        self._sent = 0
        self._producer = Producer(
            {
                "bootstrap.servers": bootstrap_servers,
                "enable.idempotence": True,
                "acks": "all",
                "linger.ms": settings.linger_ms,
                "compression.type": settings.compression,
                "queue.buffering.max.messages": KEPT_RECORDS * PARTITIONS,
                "log_level": 0,
            }
        )

    def send(self, records: list[Record]) -> None:
        """Send records, partition after partition, and wait until the broker has them all."""
        mean_bytes = sum(record.size for record in records) / len(records)
        ahead = min(int(_FILL * KEPT_BYTES / mean_bytes), int(_FILL * KEPT_RECORDS))
        produce = self._producer.produce
        for first in range(0, len(records), _BLOCK):
            self._wait_for_room((ahead - _BLOCK // PARTITIONS) * PARTITIONS)
            for record in records[first : first + _BLOCK]:
                partition = self._sent % PARTITIONS
                produce(self._topic, record.value, record.key, partition, headers=record.headers)
                self._sent += 1
            self._producer.poll(0)
        self._flush()

    def send_all(self, records: list[Record]) -> None:
        """Send records in turn to all partitions, and wait until the broker has them all."""
        for place, record in enumerate(records):
            if len(self._producer) >= KEPT_RECORDS:
                self._producer.flush(_STALL_S)
            self._producer.produce(
                self._topic, record.value, record.key, place % PARTITIONS, headers=record.headers
            )
        self._flush()

    def _flush(self) -> None:
        if self._producer.flush(_STALL_S):
            raise RuntimeError("the broker does not take the records")

    def _wait_for_room(self, ahead: int) -> None:
        # Partitions are filled in turn, so the one that was read least says how far to go.
        deadline = time.monotonic() + _STALL_S
        while self._sent - min(self._fetched) * PARTITIONS > ahead:
            if time.monotonic() > deadline:
                raise RuntimeError("nothing has been read for a minute")
            time.sleep(_POLL_S)
