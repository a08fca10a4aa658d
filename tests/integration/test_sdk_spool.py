"""The spool against a real Apache Kafka: killed producers, and brokers that freeze, die and return."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson
import pyarrow as pa
import pytest
from confluent_kafka import Consumer, TopicPartition

from inferometer.kafka.local_broker import LocalBroker
from inferometer.kafka.settings import KafkaSettings
from inferometer.kafka.topics import make_topics
from inferometer.names import ARROW_CONTENT_TYPE
from inferometer.sdk import Client
from tests.integration.spooling_process import START_US, event

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.services.kafka import KafkaService

pytestmark = pytest.mark.integration

PARTITIONS = 4
TOPIC = "inference.requests"
FLUSH_S = 240.0


@pytest.fixture(scope="module")
def own_broker(kafka_packages: None) -> Iterator[LocalBroker]:
    """A broker that a test may freeze and kill."""
    with LocalBroker() as broker:
        yield broker


@dataclass
class Producer:
    """A producer process that is killed and started again on one spool."""

    servers: str
    topic: str
    spool: Path
    envelope: str = "ndjson"
    start_us: int = START_US
    safe: set[int] = field(default_factory=set)
    next_number: int = 0

    def run_until_killed(self, batches: int, mode: str = "always") -> None:
        """Start, let it say `batches` times how far it is safe, and kill it without a word."""
        with self._start("--first", str(self.next_number), "--mode", mode) as process:
            assert process.stdout is not None
            said = [int(process.stdout.readline()) for _ in range(batches)]
            process.kill()
            said += [int(line) for line in process.stdout.read().split()]
        if mode == "always":
            self.safe.update(range(self.next_number, said[-1] + 1))
        # Behind what the process may have emitted without saying so.
        self.next_number = said[-1] + 100_000

    def run_deaf_until_killed(self) -> None:
        """Kill it once the broker has more than the one record that it heard of."""
        before = records(self.servers, self.topic)
        with self._start("--first", str(self.next_number), "--deaf") as process:
            assert process.stdout is not None
            said = [int(process.stdout.readline())]
            end = time.monotonic() + FLUSH_S
            while records(self.servers, self.topic) < before + 2 and time.monotonic() < end:
                said.append(int(process.stdout.readline()))
            process.kill()
            said += [int(line) for line in process.stdout.read().split()]
        self.safe.update(range(self.next_number, said[-1] + 1))
        self.next_number = said[-1] + 100_000

    def drain(self) -> None:
        """Start a process that emits nothing, and let it end by itself."""
        with self._start("--count", "0") as process:
            assert process.wait(FLUSH_S) == 0

    def _start(self, *flags: str) -> subprocess.Popen[str]:
        command = [
            sys.executable, "-m", "tests.integration.spooling_process", "--kafka", self.servers,
            "--topic", self.topic, "--spool", str(self.spool),
            "--envelope", self.envelope, "--start-us", str(self.start_us), *flags,
        ]  # fmt: skip
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


@dataclass
class Log:
    """What stands in a topic: per event its places in order, and the order of first arrivals."""

    places: dict[str, list[int]]
    unmarked_copies: int
    arrivals: dict[int, list[int]]

    @property
    def numbers(self) -> set[int]:
        return {int(event_id[2:]) for event_id in self.places}


def records(servers: str, topic: str) -> int:
    """Return how many records a topic holds."""
    consumer = Consumer({"bootstrap.servers": servers, "group.id": "reader"})
    try:
        return sum(consumer.get_watermark_offsets(each, 60)[1] for each in everywhere(topic))
    finally:
        consumer.close()


def everywhere(topic: str) -> list[TopicPartition]:
    """Return the start of every partition."""
    return [TopicPartition(topic, n, 0) for n in range(PARTITIONS)]


def read(servers: str, topic: str) -> Log:
    expected = records(servers, topic)
    consumer = Consumer(
        {"bootstrap.servers": servers, "group.id": "reader", "fetch.queue.backoff.ms": 10}
    )
    consumer.assign(everywhere(topic))
    messages: list[Any] = []
    end = time.monotonic() + FLUSH_S
    while len(messages) < expected and time.monotonic() < end:
        messages += [each for each in consumer.consume(5_000, 0.5) if each.error() is None]
    consumer.close()
    assert len(messages) == expected
    log = Log(defaultdict(list), 0, defaultdict(list))
    for message in messages:
        for fields in events_of(message):
            places = log.places[fields["event_id"]]
            if places and not fields.get("resent"):
                log.unmarked_copies += 1
            if not places:
                log.arrivals[message.partition()].append(int(fields["event_id"][2:]))
            places.append(message.partition())
    return log


def events_of(message: Any) -> list[dict[str, Any]]:
    """Return the events of a record of any kind."""
    if dict(message.headers())["content-type"] == ARROW_CONTENT_TYPE.encode():
        rows: list[dict[str, Any]] = pa.ipc.open_stream(message.value()).read_all().to_pylist()
        return rows
    return [orjson.loads(line) for line in message.value().split(b"\n")]


def check(log: Log, safe: set[int]) -> None:
    """Nothing safe is lost, copies say so and lie beside the first, first arrivals are in order."""
    assert safe <= log.numbers
    assert log.unmarked_copies == 0
    assert [places for places in log.places.values() if len(set(places)) > 1] == []
    for numbers in log.arrivals.values():
        assert numbers == sorted(numbers)


def copies(log: Log) -> int:
    """Return how many events the log holds beyond one of each."""
    return sum(map(len, log.places.values())) - len(log.places)


@pytest.mark.parametrize("envelope", ["ndjson", "arrow", "table", "json"])
def test_a_killed_producer_loses_nothing_that_it_called_safe(
    kafka_broker: KafkaService, tmp_path: Path, envelope: str
) -> None:
    topic = kafka_broker.new_topic(partitions=PARTITIONS)
    producer = Producer(kafka_broker.bootstrap_servers, topic, tmp_path / "spool", envelope)
    for batches in (1, 30, 7, 80):
        producer.run_until_killed(batches)
    # A kill leaves something open between a broker's append and its answer.
    producer.run_deaf_until_killed()
    producer.drain()
    assert len(producer.safe) > 11_000
    log = read(producer.servers, producer.topic)
    check(log, producer.safe)
    assert copies(log), "no kill left anything open"
    assert list((tmp_path / "spool").rglob("*.segment")) == []


def test_a_producer_killed_while_the_broker_is_frozen_or_dead_loses_nothing(
    own_broker: LocalBroker, tmp_path: Path
) -> None:
    make_topics(
        KafkaSettings(bootstrap_servers=own_broker.bootstrap_servers),
        ("killed",),
        partitions=PARTITIONS,
        replication_factor=1,
    )
    producer = Producer(own_broker.bootstrap_servers, "killed", tmp_path / "spool")
    producer.run_until_killed(20)
    os.kill(own_broker.pid, signal.SIGSTOP)
    producer.run_until_killed(20)
    os.kill(own_broker.pid, signal.SIGCONT)
    producer.run_until_killed(20)
    own_broker.kill()
    producer.run_until_killed(20)
    producer.run_until_killed(20)
    own_broker.start()
    producer.drain()
    assert len(producer.safe) > 9_000
    check(read(own_broker.bootstrap_servers, "killed"), producer.safe)


@pytest.mark.parametrize("mode", ["always", "overflow"])
def test_outages_of_the_broker_neither_lose_nor_double(
    own_broker: LocalBroker, tmp_path: Path, mode: str
) -> None:
    topic = f"outages-{mode}"
    settings = KafkaSettings(bootstrap_servers=own_broker.bootstrap_servers)
    make_topics(settings, (topic,), partitions=PARTITIONS, replication_factor=1)
    client = Client(
        bootstrap_servers=own_broker.bootstrap_servers,
        requests_topic=topic,
        spool_dir=str(tmp_path / "spool"),
        spool=mode,
        buffer_events=2_000,
        # However long a busy machine takes to start the broker again, nothing is given up.
        delivery_timeout_s=1_800.0,
        environ={},
    )
    stop = threading.Event()
    emitted: list[int] = []

    def emit() -> None:
        while not stop.wait(0.01):
            for _ in range(20):
                client.emit(event(len(emitted)))
                emitted.append(len(emitted))

    thread = threading.Thread(target=emit)
    thread.start()
    try:
        time.sleep(0.5)
        os.kill(own_broker.pid, signal.SIGSTOP)
        time.sleep(2)
        os.kill(own_broker.pid, signal.SIGCONT)
        time.sleep(0.5)
        own_broker.kill()
        time.sleep(2)
        own_broker.start()
        time.sleep(0.5)
    finally:
        stop.set()
        thread.join()
    assert client.flush(FLUSH_S) == 0
    stats = client.stats()
    assert (stats.emitted, stats.delivered) == (len(emitted), len(emitted))
    assert stats.spool_events == 0
    client.close()
    log = read(own_broker.bootstrap_servers, topic)
    check(log, set(emitted))
    # The producer's own retries are exactly once, so a process that lives sends nothing twice.
    assert sum(map(len, log.places.values())) == len(emitted)


def test_a_delivery_that_timed_out_is_sent_again_from_the_disk_to_its_partition(
    own_broker: LocalBroker, tmp_path: Path
) -> None:
    settings = KafkaSettings(bootstrap_servers=own_broker.bootstrap_servers)
    make_topics(settings, ("timeouts",), partitions=PARTITIONS, replication_factor=1)
    client = Client(
        bootstrap_servers=own_broker.bootstrap_servers,
        requests_topic="timeouts",
        spool_dir=str(tmp_path / "spool"),
        spool="overflow",
        delivery_timeout_s=1.0,
        environ={},
    )
    client.emit(event(0))
    assert client.flush(FLUSH_S) == 0
    os.kill(own_broker.pid, signal.SIGSTOP)
    for number in range(1, 200):
        client.emit(event(number))
    end = time.monotonic() + FLUSH_S
    while client.stats().spool_events < 199 and time.monotonic() < end:
        time.sleep(0.05)
    assert client.stats().spool_events == 199
    os.kill(own_broker.pid, signal.SIGCONT)
    assert client.flush(FLUSH_S) == 0
    client.close()
    log = read(own_broker.bootstrap_servers, "timeouts")
    check(log, set(range(200)))
