"""Processes of `inferometer alerts` under a test: their settings, their fleet and who they tell."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import subprocess
import sys
import threading
import time
import uuid
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from confluent_kafka import Producer
from standardwebhooks.webhooks import Webhook

from inferometer.kafka.local_broker import free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.services.kafka import KafkaService

KEY = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
PATIENCE_S = 300.0
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
    models: tuple[str, ...] = ("m-large",)
    is_failing: threading.Event = field(default_factory=threading.Event)
    """Whether the requests of `failing` fail."""
    failing: str = "m-large"
    failing_node: str = ""
    """Of four, the one whose requests fail then; empty: all of them."""
    is_over: threading.Event = field(default_factory=threading.Event)
    sent: int = 0

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
                model = self.models[number % len(self.models)]
                node = f"node-{number % 4}"
                is_bad = self.is_failing.is_set() and model == self.failing
                is_bad &= self.failing_node in {"", node}
                request = {
                    "event_id": f"e-{number}",
                    "request_id": f"r-{number}",
                    "workspace_id": "acme",
                    "model": model,
                    "user_id": f"user-{number % 9}",
                    "node_id": node,
                    "status_code": 503 if is_bad else 200,
                    "error_type": "overloaded" if is_bad else "",
                    "ts_end": int(time.time() * 1_000_000),
                }
                value = json.dumps(request).encode()
                # Every request twice: retries of producers count once.
                for _twice in range(2):
                    producer.produce(self.topic, value, partition=number % PARTITIONS)
            producer.poll(0)
            self.sent = number
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

    def get(self, path: str) -> str:
        """Return what its interface answers."""
        with contextlib.closing(
            http.client.HTTPConnection("127.0.0.1", self.http_port, timeout=60)
        ) as connection:
            connection.request("GET", path)
            return connection.getresponse().read().decode()

    def is_serving(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.http_port, timeout=60)
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


def deployed(
    folder: Path, kafka: KafkaService, receiver: Receiver, *, beside: Deployment | None = None
) -> Deployment:
    """Return a deployment with topics of its own, or on the requests of another one."""
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
    if beside is not None:
        topics = ("INFEROMETER_KAFKA_REQUESTS_TOPIC", "INFEROMETER_KAFKA_SIGNALS_TOPIC")
        environ |= {name: beside.environ[name] for name in topics}
    return Deployment(folder, environ, http_port)


@contextlib.contextmanager
def ended(process: subprocess.Popen[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def until(is_so: Callable[[], bool], deployment: Deployment, what: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < deadline, f"{what}\n{deployment.log()[-3000:]}"
        time.sleep(0.2)
