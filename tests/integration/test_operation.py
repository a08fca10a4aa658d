"""What operators see of a real worker over HTTP, against what it did and what the store holds."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka import admin as kafka_admin
from prometheus_client.parser import text_string_to_metric_families

from inferometer.clickhouse.connect import StoreConnection
from inferometer.clickhouse.migrations import migrate
from inferometer.clickhouse.settings import StoreSettings
from inferometer.clickhouse.store import ClickHouseChunkStore
from inferometer.core.retention import LogSpan, TopicRetention
from inferometer.errors import StoreError
from inferometer.jobs.process_chunk import ProcessChunk
from inferometer.jobs.sink_policy import SinkPolicy
from inferometer.kafka.group_lag import group_lag
from inferometer.kafka.local_broker import free_port
from inferometer.kafka.log_state import LogState
from inferometer.kafka.settings import KafkaSettings, WorkerSettings
from inferometer.kafka.worker import SinkWorker
from inferometer.prices import load_book
from inferometer.runtime.operation import Operation
from tests.integration.kafka_bench import now, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

    import pyarrow as pa

    from tests.services.kafka import KafkaService

pytestmark = pytest.mark.integration

PARTITIONS = 3
GOOD = 300
REPEATED = 20
BAD = 7
ANSWER_S = 180.0


@pytest.fixture
def kafka(kafka_broker: KafkaService) -> KafkaSettings:
    topic = kafka_broker.new_topic(partitions=PARTITIONS)
    return KafkaSettings(
        bootstrap_servers=kafka_broker.bootstrap_servers, group=f"of-{topic}", topic=topic
    )


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[StoreConnection]:
    with StoreConnection(StoreSettings(data_dir=tmp_path)) as opened:
        migrate(opened, report=lambda _line: None)
        yield opened


class AwayAtTimes(ClickHouseChunkStore):
    """The store, until the test takes it away."""

    is_away = False

    def insert(self, *, table: str, rows: pa.Table, token: str) -> None:
        self.ask()
        super().insert(table=table, rows=rows, token=token)

    def ask(self) -> None:
        if self.is_away:
            raise StoreError("connection refused", retryable=True)


@dataclass
class Operated:
    """A running worker and its endpoints."""

    worker: SinkWorker
    store: AwayAtTimes
    port: int

    def ask(self, path: str) -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=ANSWER_S)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def scrape(self) -> dict[tuple[str, ...], float]:
        """Return every sample by its name and the values of its labels."""
        _status, text = self.ask("/metrics")
        return {
            (sample.name.removeprefix("inferometer_worker_"), *sample.labels.values()): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }

    def is_ready(self) -> bool:
        return self.ask("/readyz")[0] == 200

    async def until(self, is_so: Callable[[], bool]) -> None:
        # In a thread: the worker shares this loop.
        deadline = time.monotonic() + ANSWER_S
        while not await asyncio.to_thread(is_so):
            assert time.monotonic() < deadline, await asyncio.to_thread(self.ask, "/readyz")
            await asyncio.sleep(0.05)


@contextlib.asynccontextmanager
async def operated(kafka: KafkaSettings, connection: StoreConnection) -> AsyncIterator[Operated]:
    store = AwayAtTimes(connection)
    with Operation(
        kafka=kafka,
        place="the test's store",
        metrics_host="127.0.0.1",
        metrics_port=free_port(),
        clock=now,
        lag_every_s=0.1,
        probe_every_s=0.1,
    ) as operation:
        measured = operation.measured_store(store)
        job = ProcessChunk(store=measured, book=load_book(), policy=SinkPolicy(), clock=now)
        worker = SinkWorker(
            settings=WorkerSettings(
                kafka=kafka,
                chunk_max_wait_s=0.1,
                idle_interval_s=0.2,
                fetch_max_wait_ms=20,
                retry_backoff_s=0.05,
                retry_backoff_max_s=0.2,
                session_timeout_s=30.0,
                heartbeat_interval_s=0.2,
            ),
            processor=operation.measured_processor(job, measured),
            clock=now,
            observer=operation.observer,
        )
        with operation.watching(worker, final_before_us=job.final_before_us, ask_store=store.ask):
            tasks = [
                asyncio.create_task(worker.run()),
                asyncio.create_task(operation.health.beat()),
            ]
            try:
                yield Operated(worker, store, operation.port)
            finally:
                worker.request_stop()
                await tasks[0]
                tasks[1].cancel()


def event(number: int, **changes: Any) -> bytes:
    fields = {
        "event_id": f"e-{number}",
        "request_id": f"r-{number}",
        "model": "m",
        "status_code": 200,
        "ts_end": int(time.time() * 1_000_000),
        "input_tokens": number,
    }
    return json.dumps({**fields, **changes}).encode()


def produce(kafka: KafkaSettings, values: list[bytes]) -> None:
    producer = Producer({"bootstrap.servers": kafka.bootstrap_servers, "linger.ms": 5})
    for place, value in enumerate(values):
        producer.produce(kafka.topic, value=value, partition=place % PARTITIONS)
    assert producer.flush(ANSWER_S) == 0


def count(connection: StoreConnection, table: str) -> int:
    return int(connection.reader().query(f"SELECT count() FROM {table}").result_rows[0][0])


def is_worked_off(scraped: dict[tuple[str, ...], float]) -> bool:
    """Return whether every partition is known to be read to its end, and the store to be there."""
    lags = [value for key, value in scraped.items() if key[0] == "lag_records"]
    return (
        len(lags) == PARTITIONS
        and sum(lags) == 0
        and ("watermark_delay_seconds",) in scraped
        and scraped[("store_up",)] == 1
        and scraped[("in_flight_bytes",)] == 0
    )


def test_what_is_scraped_is_what_was_done_and_what_the_store_holds(
    kafka: KafkaSettings, connection: StoreConnection
) -> None:
    began_s = time.monotonic()
    values = [event(number) for number in range(GOOD)]
    # Again into the same partition, and some that are no events.
    values += [event(number) for number in range(REPEATED * PARTITIONS) if number % PARTITIONS == 0]
    repeats = len(values) - GOOD
    for place in range(GOOD, len(values)):
        values[place] = event(place % PARTITIONS)
    values += [b"{"] * BAD
    produce(kafka, values)

    async def work() -> tuple[Any, dict[tuple[str, ...], float]]:
        async with operated(kafka, connection) as running:
            await until(lambda: running.worker.counters.events >= len(values), ANSWER_S)
            settled: list[dict[tuple[str, ...], float]] = []

            def is_settled() -> bool:
                settled.append(running.scrape())
                return is_worked_off(settled[-1])

            await running.until(is_settled)
            return running.worker.counters, settled[-1]

    counters, scraped = asyncio.run(work())

    assert scraped[("events_total",)] == counters.events == len(values)
    assert scraped[("stored_events_total",)] == counters.stored == count(connection, "requests")
    assert scraped[("stored_events_total",)] == GOOD
    assert scraped[("duplicate_events_total",)] == counters.duplicates == repeats
    assert scraped[("dead_letters_total", "invalid_json")] == BAD == counters.dead
    assert count(connection, "dead_letters") == BAD
    assert scraped[("chunks_total",)] == counters.chunks == count(connection, "chunk_ledger")
    for step in ("fetch_wait", "intent_commit", "run", "compute"):
        assert scraped[("chunk_step_seconds_count", step)] == counters.chunks
    assert scraped[("chunk_step_seconds_count", "acknowledge")] >= 1
    assert scraped[("insert_seconds_count", "chunk_ledger")] == counters.chunks
    assert scraped[("insert_rows_total", "requests")] == GOOD
    # No older than the events, but for how late others may come.
    bound_s = SinkPolicy().watermark_bound.total_seconds()
    most_s = time.monotonic() - began_s + bound_s + 1
    assert 0 <= scraped[("watermark_delay_seconds",)] < most_s
    assert scraped[("assigned_partitions",)] == PARTITIONS
    assert scraped[("group_member",)] == scraped[("store_up",)] == 1
    assert scraped[("rebalances_total",)] == 1
    assert scraped[("retention_used_ratio", "0")] == 0
    assert scraped[("fetched_bytes_total",)] > 0
    assert scraped[("in_flight_bytes",)] == 0


def test_readiness_follows_the_store_and_health_does_not(
    kafka: KafkaSettings, connection: StoreConnection
) -> None:
    async def work() -> None:
        async with operated(kafka, connection) as running:
            await running.until(running.is_ready)
            running.store.is_away = True
            produce(kafka, [event(number) for number in range(30)])
            await running.until(lambda: not running.is_ready())
            status, text = await asyncio.to_thread(running.ask, "/readyz")
            assert (status, text) == (503, "the store at the test's store does not answer\n")
            assert (await asyncio.to_thread(running.ask, "/healthz"))[0] == 200
            await running.until(lambda: running.scrape()[("store_retries_total",)] > 0)
            scraped = await asyncio.to_thread(running.scrape)
            assert scraped[("store_up",)] == 0
            assert scraped[("in_flight_bytes",)] > 0
            await running.until(
                lambda: any(
                    value > 0 for key, value in running.scrape().items() if key[0] == "lag_seconds"
                )
            )
            running.store.is_away = False
            await running.until(running.is_ready)
            await until(lambda: running.worker.counters.stored == 30, ANSWER_S)
        assert (running.worker.status().is_member) is False

    asyncio.run(work())


def test_the_broker_tells_offsets_ages_and_retention(kafka: KafkaSettings) -> None:
    before_ms = int(time.time() * 1000)
    produce(kafka, [b"x"] * 6)
    log = LogState(kafka)
    try:
        assert log.spans(range(PARTITIONS)) == dict.fromkeys(range(PARTITIONS), LogSpan(0, 2))
        appended_ms = log.append_ms(1, 1)
        assert appended_ms is not None
        assert before_ms - 1000 <= appended_ms <= time.time() * 1000 + 1000
        assert log.retention() == TopicRetention(age_ms=7 * 24 * 3600 * 1000)
    finally:
        log.close()


def test_a_group_lags_by_what_it_has_not_committed(kafka: KafkaSettings) -> None:
    produce(kafka, [b"x"] * 6)
    assert group_lag(kafka) == {}
    consumer = Consumer({"bootstrap.servers": kafka.addresses[0], "group.id": kafka.group})
    try:
        place = TopicPartition(kafka.topic, 0, 1)
        consumer.commit(offsets=[place], asynchronous=False)
    finally:
        consumer.close()
    assert group_lag(kafka) == {0: 1, 1: 2, 2: 2}


def test_records_that_the_topic_dropped_before_they_were_read_are_said(
    kafka: KafkaSettings, connection: StoreConnection, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="inferometer")
    produce(kafka, [event(number) for number in range(30)])

    async def work() -> None:
        async with operated(kafka, connection) as running:
            await until(lambda: running.worker.counters.stored == 30, ANSWER_S)
            running.store.is_away = True
            produce(kafka, [event(number) for number in range(30, 60)])
            await running.until(
                lambda: sum(part.next_offset for part in running.worker.status().partitions) == 60
            )
            drop_before(kafka, 15)
            # The broker drops one partition after the other.
            await running.until(lambda: running.scrape().get(("only_in_memory_records",)) == 15)
            await running.until(lambda: "only this worker's memory holds" in caplog.text)
            running.store.is_away = False
            await until(lambda: running.worker.counters.stored == 60, ANSWER_S)

    asyncio.run(work())


def test_a_lag_that_nears_the_retention_alarms(
    kafka: KafkaSettings, connection: StoreConnection, caplog: pytest.LogCaptureFixture
) -> None:
    # A log that is one segment is never cut, so nothing is lost while this waits.
    configure(kafka, "retention.bytes", "4000")

    async def work() -> None:
        async with operated(kafka, connection) as running:
            await running.until(running.is_ready)
            running.store.is_away = True
            produce(kafka, [event(number) for number in range(300)])
            await running.until(lambda: running.scrape().get(("lag_records", "0")) == 100)
            await running.until(
                lambda: running.scrape().get(("retention_used_ratio", "0"), 0) > 0.8
            )
            await running.until(lambda: "used" in caplog.text and "start workers" in caplog.text)
            running.store.is_away = False
            await running.until(lambda: running.scrape()[("retention_used_ratio", "0")] == 0)

    caplog.set_level(logging.INFO, logger="inferometer")
    asyncio.run(work())
    assert any(
        record.levelno == logging.ERROR and vars(record).get("reason") == "retention"
        for record in caplog.records
    )


def test_a_rebalance_is_counted_with_its_pause(
    kafka: KafkaSettings, connection: StoreConnection
) -> None:
    async def work() -> None:
        async with operated(kafka, connection) as first:
            await first.until(first.is_ready)
            async with operated(kafka, connection) as second:
                await second.until(second.is_ready)
                await first.until(
                    lambda: (
                        first.scrape()[("rebalance_pause_seconds_count",)] == 1
                        and assigned(first) + assigned(second) == PARTITIONS
                    )
                )
                mine, other = await asyncio.to_thread(lambda: (first.scrape(), second.scrape()))
                assert mine[("rebalances_total",)] == 2
                assert other[("rebalance_pause_seconds_count",)] == 0
                assert mine[("rebalance_pause_seconds_count",)] == 1
                assert 0 < mine[("rebalance_pause_seconds_sum",)] < ANSWER_S
            await first.until(lambda: assigned(first) == PARTITIONS)

    asyncio.run(work())


def assigned(one: Operated) -> float:
    return one.scrape()[("assigned_partitions",)]


def configure(kafka: KafkaSettings, name: str, value: str) -> None:
    client = kafka_admin.AdminClient(kafka.librdkafka())
    entry: Any = kafka_admin
    resource = entry.ConfigResource(
        entry.ConfigResource.Type.TOPIC,
        kafka.topic,
        incremental_configs=[
            entry.ConfigEntry(name, value, incremental_operation=entry.AlterConfigOpType.SET)
        ],
    )
    for future in client.incremental_alter_configs([resource]).values():
        future.result(ANSWER_S)


def drop_before(kafka: KafkaSettings, offset: int) -> None:
    client = kafka_admin.AdminClient(kafka.librdkafka())
    before = [TopicPartition(kafka.topic, number, offset) for number in range(PARTITIONS)]
    for future in client.delete_records(before).values():
        future.result(ANSWER_S)
