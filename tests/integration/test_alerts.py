"""`inferometer alerts` against a real broker: an outage, killed processes, and who is told of it."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest
from confluent_kafka import Producer
from standardwebhooks.webhooks import Webhook

from inferometer.kafka.alert_outputs import KafkaSnapshots
from inferometer.kafka.alert_producer import AlertProducer, Outgoing
from inferometer.kafka.local_broker import free_port
from inferometer.kafka.partition_reader import PartitionReader
from inferometer.kafka.settings import KafkaSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.services.kafka import KafkaService

pytestmark = pytest.mark.integration

KEY = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
PATIENCE_S = 180.0
LATENESS_S = 3.0
PARTITIONS = 2


@dataclass
class Receiver:
    """A webhook that verifies and keeps what it is sent."""

    got: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    def __enter__(self) -> Receiver:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                try:
                    event = Webhook(KEY).verify(body, dict(self.headers))
                except Exception as error:  # noqa: BLE001 - the test says what it was
                    receiver.refused.append(repr(error))
                else:
                    receiver.got.append((self.headers["webhook-id"], event))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()

    def types(self) -> list[str]:
        """Return the types of what came, repetitions of one id left out."""
        return [event["type"] for event in dict(self.got).values()]


@dataclass
class Fleet:
    """Sends ten requests each tenth of a second from a thread, until it is left."""

    broker: str
    topic: str
    is_failing: threading.Event = field(default_factory=threading.Event)
    is_over: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Fleet:
        self.thread = threading.Thread(target=self._send)
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.is_over.set()
        self.thread.join()

    def _send(self) -> None:
        producer = Producer({"bootstrap.servers": self.broker, "linger.ms": 20})
        number = 0
        while not self.is_over.wait(0.1):
            for _ in range(10):
                number += 1
                request = {
                    "event_id": f"e-{number}",
                    "request_id": f"r-{number}",
                    "workspace_id": "acme",
                    "model": "m-large",
                    "user_id": f"user-{number % 9}",
                    "status_code": 503 if self.is_failing.is_set() else 200,
                    "ts_end": int(time.time() * 1_000_000),
                }
                value = json.dumps(request).encode()
                # Every request twice: retries of producers count once.
                for _twice in range(2):
                    producer.produce(self.topic, value, partition=number % PARTITIONS)
            producer.poll(0)
        producer.flush(10)


@dataclass(frozen=True)
class Deployment:
    """Files and settings of one test, and processes of `inferometer alerts` under them."""

    folder: Path
    environ: dict[str, str]
    http_port: int

    def on_its_port(self) -> Deployment:
        """Return the same deployment with its own HTTP port in the settings."""
        port = {"INFEROMETER_ALERTS_HTTP_PORT": str(self.http_port)}
        return replace(self, environ={**self.environ, **port})

    def start(self) -> subprocess.Popen[bytes]:
        with (self.folder / "alerts.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "inferometer", "alerts"],
                stdout=log, stderr=log, env=self.environ,
            )  # fmt: skip

    def run(self, *arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "inferometer", *arguments],
            env=self.environ, check=True, capture_output=True, text=True,
        )  # fmt: skip
        return done.stdout

    def is_serving(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.http_port, timeout=5)
        try:
            connection.request("GET", "/api/v2/status")
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()

    def log(self) -> str:
        return (self.folder / "alerts.log").read_text()


SLOS = """
format: inferometer.slos.v1
shipped_rules: false
defaults: {workspace: acme, service: chat-api, owner: us}
slos:
  - name: chat-success
    indicator: availability
    objective: 0.999
    group_by: model
    keep_firing_for: 10s
    burn_windows:
      - {name: page-fast, severity: page, long: 2m, short: 10s, burn: 14.4}
"""


def deployed(folder: Path, kafka: KafkaService, receiver: Receiver) -> Deployment:
    port = receiver.server.server_address[1]
    http_port = free_port()
    (folder / "slos.yaml").write_text(SLOS)
    (folder / "receivers.yaml").write_text(
        "format: inferometer.receivers.v1\n"
        "receivers:\n"
        "  - name: hook\n"
        f"    url: http://127.0.0.1:{port}/alerts\n"
        "    secrets: [{env: HOOK_KEY}]\n"
        f"    allow: {{http: true, ports: [{port}], networks: [127.0.0.0/8]}}\n"
        "route: {receiver: hook}\n"
    )
    name = uuid.uuid4().hex[:8]
    environ = {
        **os.environ,
        "HOOK_KEY": KEY,
        "INFEROMETER_KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
        "INFEROMETER_KAFKA_REQUESTS_TOPIC": kafka.new_topic(partitions=PARTITIONS),
        "INFEROMETER_KAFKA_SIGNALS_TOPIC": kafka.new_topic(partitions=1),
        "INFEROMETER_ALERTS_TOPIC_PREFIX": f"test-{name}.",
        "INFEROMETER_ALERTS_GROUP": f"alerts-{name}",
        "INFEROMETER_ALERTS_SLO_PATH": str(folder / "slos.yaml"),
        "INFEROMETER_ALERTS_RECEIVERS_FILE": str(folder / "receivers.yaml"),
        "INFEROMETER_ALERTS_LATENESS_S": str(LATENESS_S),
        "INFEROMETER_ALERTS_SNAPSHOT_EVERY_S": "5",
        "INFEROMETER_ALERTS_HTTP_PORT": str(http_port),
    }
    return Deployment(folder, environ, http_port)


@contextlib.contextmanager
def ended(process: subprocess.Popen[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def until(is_so: Callable[[], bool], deployment: Deployment, what: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < deadline, f"{what}\n{deployment.log()[-3000:]}"
        time.sleep(0.2)


def test_an_outage_is_told_once_though_the_process_is_killed_again_and_again(
    kafka_broker: KafkaService, tmp_path: Path
) -> None:
    with Receiver() as receiver:
        deployment = deployed(tmp_path, kafka_broker, receiver)
        topic = deployment.environ["INFEROMETER_KAFKA_REQUESTS_TOPIC"]
        with Fleet(kafka_broker.bootstrap_servers, topic) as fleet:
            for _ in range(2):
                with ended(deployment.start()) as process:
                    until(deployment.is_serving, deployment, "it does not serve")
                    fleet.is_failing.set()
                    time.sleep(5)
                    process.send_signal(signal.SIGKILL)
            with ended(deployment.start()):
                until(lambda: bool(receiver.got), deployment, "nobody was told")
                fleet.is_failing.clear()
                until(lambda: len(receiver.types()) > 1, deployment, "no end was told")
                rows = json.loads(deployment.run("alerts", "status", "--json"))
        assert receiver.refused == []
        told = json.dumps(receiver.got, indent=1)
        assert receiver.types() == ["slo.alert.firing", "slo.alert.resolved"], told
        assert len({event["data"]["incident_id"] for _, event in receiver.got}) == 1
        (success,) = [row for row in rows if row["slo"] == "chat-success"]
        assert success["group"] == {"model": "m-large"}
        assert success["budget_left"] < 1


def test_two_processes_share_the_work_and_one_takes_over_for_the_other(
    kafka_broker: KafkaService, tmp_path: Path
) -> None:
    with Receiver() as receiver:
        deployment = deployed(tmp_path, kafka_broker, receiver)
        topic = deployment.environ["INFEROMETER_KAFKA_REQUESTS_TOPIC"]
        other = replace(deployment, http_port=free_port()).on_its_port()
        with (
            Fleet(kafka_broker.bootstrap_servers, topic) as fleet,
            ended(deployment.start()) as first,
            ended(other.start()),
        ):
            until(deployment.is_serving, deployment, "the first does not serve")
            until(other.is_serving, deployment, "the second does not serve")
            time.sleep(10)
            fleet.is_failing.set()
            until(lambda: bool(receiver.got), deployment, "nobody was told")
            first.send_signal(signal.SIGKILL)
            time.sleep(10)
            fleet.is_failing.clear()
            until(lambda: len(receiver.types()) > 1, deployment, "no end was told")
        told = json.dumps(receiver.got, indent=1)
        assert receiver.types() == ["slo.alert.firing", "slo.alert.resolved"], told
        assert len({event["data"]["incident_id"] for _, event in receiver.got}) == 1


def test_a_snapshot_is_whole_or_the_one_before(kafka_broker: KafkaService) -> None:
    topic = kafka_broker.new_topic(partitions=2)
    kafka = KafkaSettings(bootstrap_servers=kafka_broker.bootstrap_servers, topic=topic)
    with AlertProducer(kafka) as producer, PartitionReader(kafka) as reader:
        store = KafkaSnapshots(producer, reader, topic)
        assert store.latest(1) is None
        large = bytes(range(256)) * 8000
        for snapshot in (b"first", large, b"third"):
            store.save(1, snapshot)
            assert KafkaSnapshots(producer, reader, topic).latest(1) == snapshot
        assert store.latest(0) is None
        # A writer that dies before its manifest: pieces of the next generation, and no more.
        producer.send([Outgoing(topic, bytes(8) + b"half", key=b"b/0", partition=1)])
        again = KafkaSnapshots(producer, reader, topic)
        assert again.latest(1) == b"third"
        again.save(1, b"fourth")
        assert KafkaSnapshots(producer, reader, topic).latest(1) == b"fourth"
