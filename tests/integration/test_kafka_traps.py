"""What would lose or double events on Apache Kafka: each trap is set here, and nothing is."""

from __future__ import annotations

import asyncio
import json
import threading
import time
import uuid
from typing import TYPE_CHECKING, Any

import pytest
from confluent_kafka import (
    ConsumerGroupTopicPartitions,
    KafkaException,
    Producer,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewPartitions

from inferometer.core.price_book import PriceBook
from inferometer.errors import BrokerError, StoreError
from inferometer.jobs.process_chunk import ProcessChunk
from inferometer.jobs.sink_policy import SinkPolicy
from inferometer.kafka.settings import KafkaSettings, WorkerSettings
from inferometer.kafka.topics import make_topics
from inferometer.kafka.worker import SinkWorker
from inferometer.names import LEDGER_TABLE, REQUESTS_TABLE
from inferometer.testing.stores import MemoryChunkStore
from tests.integration.kafka_bench import now, running, until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import pyarrow as pa

    from tests.services.kafka import KafkaService

pytestmark = pytest.mark.integration

ANSWER_S = 180.0
QUICK: dict[str, Any] = {
    "chunk_max_events": 50,
    "chunk_max_wait_s": 0.1,
    "idle_interval_s": 0.1,
    "fetch_max_wait_ms": 20,
    # A machine that stands still for less puts nobody out of the group.
    "session_timeout_s": 30.0,
    "heartbeat_interval_s": 0.3,
}


class Bench:
    """A topic and a group of one test, and what has been stored from them."""

    def __init__(self, service: KafkaService, *, partitions: int = 1) -> None:
        self.address = service.bootstrap_servers
        self.topic = service.new_topic(partitions=partitions)
        self.group = f"group-{uuid.uuid4().hex[:12]}"
        self.store = MemoryChunkStore()
        self.admin = AdminClient({"bootstrap.servers": self.address})

    def worker(self, store: MemoryChunkStore | None = None, *, instance_id: str = "") -> SinkWorker:
        return SinkWorker(
            settings=WorkerSettings(
                kafka=KafkaSettings(
                    bootstrap_servers=self.address,
                    topic=self.topic,
                    group=self.group,
                    instance_id=instance_id,
                ),
                **QUICK,
            ),
            processor=ProcessChunk(
                store=store or self.store,
                book=PriceBook("test", ()),
                policy=SinkPolicy(),
                clock=now,
            ),
            clock=now,
        )

    def send(self, ids: Iterable[str], *, partition: int = 0) -> None:
        producer = Producer({"bootstrap.servers": self.address, "enable.idempotence": True})
        ts_end = int(now().timestamp() * 1_000_000)
        for each in ids:
            fields = {"event_id": each, "request_id": each, "model": "m", "status_code": 200}
            value = json.dumps({**fields, "ts_end": ts_end, "input_tokens": 1})
            producer.produce(self.topic, value=value.encode(), partition=partition)
        assert producer.flush(ANSWER_S) == 0

    async def work(self, *, until_events: int, store: MemoryChunkStore | None = None) -> None:
        worker = self.worker(store)
        async with running(worker):
            await until(lambda: worker.counters.events >= until_events, ANSWER_S)

    def set_offset(self, offset: int) -> None:
        places = [TopicPartition(self.topic, 0, offset)]
        request = [ConsumerGroupTopicPartitions(self.group, places)]
        self._change_group(lambda: self.admin.alter_consumer_group_offsets(request))

    def forget_group(self) -> None:
        self._change_group(lambda: self.admin.delete_consumer_groups([self.group]))

    def _change_group(self, change: Callable[[], dict[str, Any]]) -> None:
        """Change what only a group without members lets be changed, once the last one has left."""
        deadline = time.monotonic() + ANSWER_S
        while True:
            try:
                for future in change().values():
                    future.result(ANSWER_S)
            except KafkaException:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)
            else:
                return

    def stored(self) -> int:
        """Return the events of whole chunks; one that is done again counts once."""
        return sum(self.column(LEDGER_TABLE, "stored"))

    def column(self, table: str, name: str) -> list[Any]:
        rows = self.store.rows(table)
        return [] if rows is None else rows.column(name).to_pylist()

    def assert_stored_once(self, ids: Iterable[str]) -> None:
        expected = sorted(ids)
        assert sorted(self.column(REQUESTS_TABLE, "event_id")) == expected
        for table in ("service_10s_rows", "service_1h_rows", "usage_1m_rows", "usage_1h_rows"):
            assert sum(self.column(table, "requests")) == len(expected), table
        assert sum(self.column(LEDGER_TABLE, "stored")) == len(expected)


class _RefusesLater(MemoryChunkStore):
    """Refuses for good at the insert of a given number, so that a chunk stays half written."""

    def __init__(self, inserts: int) -> None:
        super().__init__()
        self.left = inserts

    def insert(self, *, table: str, rows: pa.Table, token: str) -> None:
        self.left -= 1
        if self.left == 0:
            raise StoreError("refused", retryable=False)
        super().insert(table=table, rows=rows, token=token)


class _Slow(MemoryChunkStore):
    """Takes its time, so that a rebalance finds chunks in the middle."""

    def insert(self, *, table: str, rows: pa.Table, token: str) -> None:
        threading.Event().wait(0.04)
        super().insert(table=table, rows=rows, token=token)


def ids(count: int, prefix: str = "e") -> list[str]:
    return [f"{prefix}-{number}" for number in range(count)]


@pytest.mark.parametrize("inserts", [2, 3, 5, 8, 12])
def test_offsets_that_expire_while_a_chunk_is_half_written(
    kafka_broker: KafkaService, inserts: int
) -> None:
    bench = Bench(kafka_broker)
    bench.store = _RefusesLater(inserts)
    bench.send(ids(120))
    with pytest.raises(StoreError):
        asyncio.run(asyncio.wait_for(bench.worker().run(), ANSWER_S))
    bench.forget_group()

    bench.send(ids(30, "later"))
    stored = len(bench.column(REQUESTS_TABLE, "event_id")) if inserts > 8 else 0
    asyncio.run(bench.work(until_events=150 - 50 * (stored >= 100)))

    bench.assert_stored_once(ids(120) + ids(30, "later"))
    # Boundaries were kept: what had been inserted before met its own token.
    assert bench.store.repeated_tokens


@pytest.mark.parametrize("offset", [0, 20, 50, 70])
def test_offsets_that_go_back(kafka_broker: KafkaService, offset: int) -> None:
    bench = Bench(kafka_broker)
    bench.send(ids(100))
    asyncio.run(bench.work(until_events=100))
    bench.set_offset(offset)

    bench.send(ids(30, "later"))
    asyncio.run(bench.work(until_events=30))

    bench.assert_stored_once(ids(100) + ids(30, "later"))


def test_a_topic_that_is_made_anew_under_a_live_worker(kafka_broker: KafkaService) -> None:
    bench = Bench(kafka_broker)
    kafka = KafkaSettings(bootstrap_servers=bench.address)

    def make_anew() -> None:
        for future in bench.admin.delete_topics([bench.topic]).values():
            future.result(ANSWER_S)
        deadline = time.monotonic() + ANSWER_S
        while bench.topic in bench.admin.list_topics(timeout=ANSWER_S).topics:
            assert time.monotonic() < deadline, "the topic is still there"
            time.sleep(0.1)
        make_topics(kafka, [bench.topic], partitions=1, replication_factor=1)
        # Offsets 0 to 129: the first hundred were tokens of the old topic.
        bench.send(ids(130, "new"))

    async def live() -> None:
        worker = bench.worker()
        async with running(worker):
            await until(lambda: bench.stored() >= 100, ANSWER_S)
            await asyncio.to_thread(make_anew)
            await until(lambda: bench.stored() >= 230, ANSWER_S)

    bench.send(ids(100))
    asyncio.run(live())

    bench.assert_stored_once(ids(100) + ids(130, "new"))
    assert len(set(bench.column(LEDGER_TABLE, "stream_id"))) == 2


def test_two_workers_with_one_instance_id(kafka_broker: KafkaService) -> None:
    bench = Bench(kafka_broker, partitions=2)

    async def both() -> None:
        first, second = (bench.worker(instance_id="same") for _ in range(2))
        task = asyncio.create_task(first.run())
        await until(lambda: first.counters.events >= 50, ANSWER_S)
        async with running(second):
            with pytest.raises(BrokerError, match="another worker has joined with the instance id"):
                await asyncio.wait_for(task, ANSWER_S)
            await asyncio.to_thread(bench.send, ids(40, "later"), partition=1)
            await until(lambda: bench.stored() >= 90, ANSWER_S)

    bench.send(ids(50))
    asyncio.run(both())

    bench.assert_stored_once(ids(50) + ids(40, "later"))


def test_a_restart_with_its_own_instance_id_is_no_second_worker(
    kafka_broker: KafkaService,
) -> None:
    bench = Bench(kafka_broker)

    async def twice() -> None:
        for count in (50, 80):
            worker = bench.worker(instance_id="same")
            async with running(worker):
                await asyncio.to_thread(bench.send, ids(30, f"before-{count}"))
                await until(lambda: worker.counters.events >= 30, ANSWER_S)  # noqa: B023

    asyncio.run(twice())

    bench.assert_stored_once(ids(30, "before-50") + ids(30, "before-80"))


def test_more_partitions_than_before(kafka_broker: KafkaService) -> None:
    bench = Bench(kafka_broker)
    bench.send(ids(60))
    asyncio.run(bench.work(until_events=60))

    for future in bench.admin.create_partitions([NewPartitions(bench.topic, 3)]).values():
        future.result(ANSWER_S)
    # Sent again by their key, they land elsewhere now.
    bench.send([*ids(60)[:40], *ids(20, "later")], partition=2)
    asyncio.run(bench.work(until_events=60))

    bench.assert_stored_once(ids(60) + ids(20, "later"))
    assert sum(bench.column(LEDGER_TABLE, "duplicates")) == 40


def test_a_rebalance_waits_for_the_chunk_that_runs(kafka_broker: KafkaService) -> None:
    bench = Bench(kafka_broker, partitions=2)
    bench.store = _Slow()
    sent: list[str] = []

    def send_more() -> None:
        for partition in range(2):
            names = ids(100, f"p{partition}-{len(sent)}")
            bench.send(names, partition=partition)
            sent.extend(names)

    async def join() -> None:
        first, second = bench.worker(), bench.worker()
        async with running(first):
            await until(lambda: first.counters.chunks >= 1, ANSWER_S)
            async with running(second):
                # However long a busy machine takes to let it join, there is work until it has.
                while not second.counters.chunks:
                    if bench.stored() + 200 > len(sent):
                        await asyncio.to_thread(send_more)
                    await asyncio.sleep(0.05)
                await until(lambda: bench.stored() >= len(sent), ANSWER_S)
        assert first.counters.fenced + second.counters.fenced == 0

    send_more()
    asyncio.run(join())

    bench.assert_stored_once(sent)
    # Nobody had to do a chunk again.
    assert bench.store.repeated_tokens == []


def test_members_that_come_and_go_under_load(kafka_broker: KafkaService) -> None:
    bench = Bench(kafka_broker, partitions=4)
    sent = [(partition, ids(1_500, f"p{partition}")) for partition in range(4)]

    async def come_and_go() -> None:
        async with running(bench.worker()):
            for partition, names in sent:
                await asyncio.to_thread(bench.send, names, partition=partition)
            for _ in range(3):
                visitor = bench.worker()
                async with running(visitor):
                    await until(lambda: visitor.status().is_member, ANSWER_S)  # noqa: B023
                    await asyncio.sleep(0.3)
            await until(lambda: bench.stored() >= 6_000, ANSWER_S)

    asyncio.run(come_and_go())

    bench.assert_stored_once(name for _, names in sent for name in names)
