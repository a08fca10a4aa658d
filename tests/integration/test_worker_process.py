"""`inferometer worker` as operators run it: endpoints and logs, while its store is killed."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from confluent_kafka import Producer

from inferometer.kafka.local_broker import free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.services.kafka import KafkaService

pytestmark = pytest.mark.integration

PARTITIONS = 2
EVENTS = 200
READY_S = 300.0
PASSWORD = "pass-word-that-no-line-may-show"


@contextlib.contextmanager
def process(log: Path, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command of ours until the block ends; its stderr goes to a file."""
    environ = {**os.environ, "INFEROMETER_STORE_PASSWORD": PASSWORD}
    with log.open("ab") as errors:
        running = subprocess.Popen(
            [sys.executable, "-m", "inferometer", *arguments],
            stdout=subprocess.PIPE,
            stderr=errors,
            env=environ,
        )
        try:
            yield running
        finally:
            running.terminate()
            try:
                running.communicate(timeout=READY_S)
            except subprocess.TimeoutExpired:
                running.kill()
                running.communicate()


@dataclass(frozen=True)
class Endpoints:
    port: int

    def ask(self, path: str) -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        except OSError:
            return 0, ""
        finally:
            connection.close()

    def is_ready(self) -> bool:
        return self.ask("/readyz")[0] == 200

    def value(self, name: str) -> float:
        for line in self.ask("/metrics")[1].splitlines():
            if line.startswith(f"{name} "):
                return float(line.rpartition(" ")[2])
        return -1.0


def until(is_so: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + READY_S
    while not is_so():
        assert time.monotonic() < deadline, what
        time.sleep(0.1)


def send(kafka_broker: KafkaService, topic: str, first: int) -> None:
    producer = Producer({"bootstrap.servers": kafka_broker.bootstrap_servers})
    for number in range(first, first + EVENTS):
        fields: dict[str, Any] = {
            "event_id": f"e-{number}",
            "request_id": f"r-{number}",
            "model": "m",
            "status_code": 200,
            "ts_end": int(time.time() * 1_000_000),
        }
        producer.produce(topic, json.dumps(fields).encode(), partition=number % PARTITIONS)
    assert producer.flush(READY_S) == 0


def migrated(url: str) -> None:
    subprocess.run(
        [sys.executable, "-m", "inferometer", "migrate", "--store", url],
        env={**os.environ, "INFEROMETER_STORE_PASSWORD": PASSWORD},
        check=True,
        capture_output=True,
    )


def test_readiness_follows_a_store_that_is_killed_and_comes_back(
    kafka_broker: KafkaService, kafka_packages: None, tmp_path: Path
) -> None:
    topic = kafka_broker.new_topic(partitions=PARTITIONS)
    store_port, port = free_port(), free_port()
    url, log = f"http://127.0.0.1:{store_port}", tmp_path / "worker.log"
    store = ("dev", "store", "--port", str(store_port), "--data", str(tmp_path / "store"))
    endpoints = Endpoints(port)
    (tmp_path / "worker.toml").write_text(
        f'[kafka]\nrequests_topic = "{topic}"\n[worker]\nchunk_max_wait_s = 0.2\n'
    )
    worker = (
        "worker", "--config", str(tmp_path / "worker.toml"), "--group", topic, "--store", url,
        "--kafka", kafka_broker.bootstrap_servers, "--metrics", f"127.0.0.1:{port}",
        "--log-format", "json",
    )  # fmt: skip
    with process(tmp_path / "store.log", *store):
        until(lambda: is_open(store_port), "the store listens")
        migrated(url)
    with process(log, *worker) as running:
        until(lambda: endpoints.ask("/healthz") == (200, "ok\n"), "healthy before its store is up")
        until(lambda: "does not answer" in endpoints.ask("/readyz")[1], "it says what is away")
        with process(tmp_path / "store.log", *store) as killed:
            until(endpoints.is_ready, "ready once the store is up")
            send(kafka_broker, topic, 0)
            until(lambda: stored(endpoints) == EVENTS, "the first events are stored")
            os.kill(killed.pid, signal.SIGKILL)
            send(kafka_broker, topic, EVENTS)
            until(lambda: not endpoints.is_ready(), "not ready without its store")
            assert endpoints.ask("/healthz")[0] == 200
            until(lambda: endpoints.value("inferometer_worker_store_retries_total") > 0, "it tries")
            killed.wait(READY_S)
        with process(tmp_path / "store.log", *store):
            until(endpoints.is_ready, "ready again")
            until(lambda: stored(endpoints) == 2 * EVENTS, "all events are stored")
            running.send_signal(signal.SIGTERM)
            assert running.wait(READY_S) == 0
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert PASSWORD not in log.read_text()
    (waiting, *_) = [line for line in lines if "trying again in" in line["message"]]
    assert (waiting["topic"], waiting["reason"]) == (topic, "store_away")
    assert waiting["partition"] in range(PARTITIONS)
    # Client libraries say the same again in their own words.
    assert {line["logger"].partition(".")[0] for line in lines} == {"inferometer"}


def stored(endpoints: Endpoints) -> float:
    return endpoints.value("inferometer_worker_stored_events_total")


def is_open(port: int) -> bool:
    return Endpoints(port).ask("/ping")[0] == 200
