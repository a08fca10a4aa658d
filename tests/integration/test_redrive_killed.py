"""Audit and redrive on real services: kill -9 in the middle of a redrive, and once more."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from inferometer.clickhouse.connect import StoreConnection
from inferometer.clickhouse.settings import StoreSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.services.clickhouse import ClickHouseService
    from tests.services.kafka import KafkaService

pytestmark = pytest.mark.integration

PARTITIONS = 2
LETTERS = 700
"""More than one batch."""
DEADLINE_S = 300.0


class Pipeline:
    """A topic, a database and the command line on both."""

    def __init__(self, kafka: KafkaService, server: ClickHouseService) -> None:
        self.kafka = kafka.bootstrap_servers
        self.topic = kafka.new_topic(partitions=PARTITIONS)
        self.url = server.store_url(server.new_database())
        self.environ = {**os.environ, "INFEROMETER_KAFKA_REQUESTS_TOPIC": self.topic}

    def start(self, *arguments: str, with_kafka: bool = True) -> subprocess.Popen[str]:
        where = ["--store", self.url, *(["--kafka", self.kafka] if with_kafka else [])]
        return subprocess.Popen(
            [sys.executable, "-m", "inferometer", *arguments, *where],
            env=self.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str, with_kafka: bool = True) -> tuple[int, str]:
        process = self.start(*arguments, with_kafka=with_kafka)
        out, err = process.communicate(timeout=DEADLINE_S)
        return process.returncode, out or err

    def sent(self) -> int:
        """Return how many records the topic holds."""
        consumer = Consumer({"bootstrap.servers": self.kafka, "group.id": "counts"})
        try:
            ends = [
                consumer.get_watermark_offsets(TopicPartition(self.topic, number), DEADLINE_S)[1]
                for number in range(PARTITIONS)
            ]
        finally:
            consumer.close()
        return sum(ends)

    def rows(self, query: str) -> list[Any]:
        with StoreConnection(StoreSettings.from_url(self.url), create=False) as connection:
            return list(connection.reader().query(query).result_rows)

    def wait(self, query: str, is_there: Callable[[Any], bool], every_s: float = 0.2) -> None:
        deadline = time.monotonic() + DEADLINE_S
        with StoreConnection(StoreSettings.from_url(self.url), create=False) as connection:
            while not is_there(connection.reader().query(query).result_rows[0][0]):
                assert time.monotonic() < deadline, query
                time.sleep(every_s)


@pytest.fixture
def pipeline(
    kafka_broker: KafkaService, clickhouse_server: ClickHouseService
) -> Iterator[Pipeline]:
    made = Pipeline(kafka_broker, clickhouse_server)
    assert made.run("migrate", with_kafka=False)[0] == 0
    worker = made.start("worker", "--group", made.topic)
    yield made
    worker.terminate()
    worker.communicate(timeout=DEADLINE_S)


def test_a_redrive_that_is_killed_and_repeated_counts_each_letter_once(pipeline: Pipeline) -> None:
    now_us = int(time.time() * 1e6)
    producer = Producer({"bootstrap.servers": pipeline.kafka})
    for number in range(LETTERS):
        event = {"event_id": f"e-{number}", "request_id": "r", "model": "m", "status_code": "200",
                 "ts_end": now_us, "input_tokens": number}  # fmt: skip
        producer.produce(pipeline.topic, json.dumps(event).encode(), partition=number % PARTITIONS)
    producer.flush()
    pipeline.wait("SELECT count() FROM dead_letters", lambda count: count == LETTERS)

    redrive = ("dead-letters", "redrive", "--reason", "wrong_type", "--set", "status_code=200")
    killed = pipeline.start(*redrive)
    pipeline.wait("SELECT countIf(state = 'begun') FROM redrives", bool, every_s=0.01)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    code, said = pipeline.run(*redrive, "--json")
    assert code == 0, said
    assert sum(json.loads(said)["counts"].values()) == LETTERS
    code, said = pipeline.run(*redrive, "--again", "--json")
    assert json.loads(said)["counts"] == {"sent": LETTERS}

    # The letters, two redrives of all, and what the killed one had sent: none is on its way then.
    sent = pipeline.sent()
    assert sent >= 3 * LETTERS
    pipeline.wait("SELECT sum(records) FROM chunk_ledger", lambda records: records == sent)
    [row] = pipeline.rows("SELECT count(), uniqExact(event_id), sum(input_tokens) FROM requests")
    assert row == (LETTERS, LETTERS, sum(range(LETTERS)))
    code, said = pipeline.run("audit", "--group", pipeline.topic, "--json")
    report = json.loads(said)
    assert (code, report["ok"], report["skipped"]) == (0, True, [])
    assert report["totals"]["dead"] == report["totals"]["stored"] == LETTERS
    assert report["totals"]["duplicates"] >= LETTERS
