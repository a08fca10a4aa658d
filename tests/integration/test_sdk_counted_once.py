"""Envelopes end to end: producers killed with a spool, and every event counted once by the sink."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from inferometer.kafka.local_broker import free_port
from tests.integration.test_sdk_spool import PARTITIONS, Producer, read
from tests.integration.test_worker_process import Endpoints, process

if TYPE_CHECKING:
    from pathlib import Path

    from tests.services.kafka import KafkaService

pytestmark = pytest.mark.integration

READY_S = 400.0
"""The worker compiles its kernels where nobody has before."""


def accounted(endpoints: Endpoints) -> float:
    """Return the events of stored chunks: stored, dead letters and duplicates."""
    return endpoints.value("inferometer_worker_events_total")


@pytest.mark.parametrize("envelope", ["ndjson", "arrow", "table"])
def test_events_of_killed_producers_are_counted_once(
    kafka_broker: KafkaService, tmp_path: Path, envelope: str
) -> None:
    topic = kafka_broker.new_topic(partitions=PARTITIONS)
    now_us = time.time_ns() // 1000
    producer = Producer(
        kafka_broker.bootstrap_servers, topic, tmp_path / "spool", envelope, start_us=now_us
    )
    for batches in (1, 12, 25):
        producer.run_until_killed(batches)
    producer.drain()
    log = read(kafka_broker.bootstrap_servers, topic)
    copies = sum(map(len, log.places.values()))
    assert producer.safe <= log.numbers
    port = free_port()
    (tmp_path / "worker.toml").write_text(f'[kafka]\nrequests_topic = "{topic}"\n')
    store = ("--data", str(tmp_path / "store"))
    worker = (
        "worker", "--config", str(tmp_path / "worker.toml"), "--group", topic,
        "--kafka", kafka_broker.bootstrap_servers, *store, "--metrics", f"127.0.0.1:{port}",
    )  # fmt: skip
    subprocess.run([sys.executable, "-m", "inferometer", "migrate", *store], check=True)
    with process(tmp_path / "worker.log", *worker) as running:
        deadline = time.monotonic() + READY_S
        while accounted(Endpoints(port)) != copies:
            assert running.poll() is None, (tmp_path / "worker.log").read_text()
            assert time.monotonic() < deadline, "not every event is accounted for"
            time.sleep(0.2)
    answer = subprocess.run(
        [
            sys.executable, "-m", "inferometer", "sql", "--json", *store,
            "SELECT toInt64(count()) AS events, toInt64(uniqExact(event_id)) AS ids FROM requests",
        ],
        check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    (row,) = [json.loads(line) for line in answer.splitlines() if line.strip()]
    row = row[0] if isinstance(row, list) else row
    assert (int(row["events"]), int(row["ids"])) == (len(log.places), len(log.places))
