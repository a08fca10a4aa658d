"""Silences of `inferometer alerts` as it runs: pages are muted, and what was confirmed stays."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import subprocess
import sys
import time
import uuid
from typing import TYPE_CHECKING

import pytest

from inferometer.kafka.local_broker import free_port
from tests.integration.alert_processes import Fleet, Receiver, deployed, ended, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import Command
    from tests.services.kafka import KafkaService

pytestmark = pytest.mark.integration

TOKEN = "token-that-no-line-may-show"
READY_S = 300.0
SLOS = """\
format: inferometer.slos.v1
slos:
  - {name: chat-success, workspace: acme, service: chat-api, indicator: availability,
     objective: 0.999, requests_per_hour: 6000}
"""
WHO = ("--author", "me", "--comment", "known")


@contextlib.contextmanager
def alerts(folder: Path, port: int, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run the process until its interface is ready; kill it at the end."""
    with (folder / "log").open("ab") as log:
        running = subprocess.Popen(
            [sys.executable, "-m", "inferometer", "alerts", *arguments],
            stdout=log,
            stderr=log,
            env={**os.environ, "INFEROMETER_ALERTS_HTTP_TOKEN": TOKEN},
        )
        try:
            _wait_until_ready(port, running, folder / "log")
            yield running
        finally:
            running.kill()
            running.wait()


def _wait_until_ready(port: int, running: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + READY_S
    while time.monotonic() < deadline:
        assert running.poll() is None, log.read_text(encoding="utf-8")
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        with contextlib.suppress(OSError), contextlib.closing(connection):
            connection.request("GET", "/-/ready")
            if connection.getresponse().status == 200:
                return
        time.sleep(0.2)
    raise AssertionError(log.read_text(encoding="utf-8"))


def test_a_confirmed_silence_outlives_a_kill(
    kafka_broker: KafkaService, tmp_path: Path, inferometer: Command
) -> None:
    slos, port = tmp_path / "slos.yaml", free_port()
    slos.write_text(SLOS, encoding="utf-8")
    requests, signals = (kafka_broker.new_topic(partitions=1) for _ in range(2))
    config = tmp_path / "inferometer.toml"
    config.write_text(
        f'[kafka]\nrequests_topic = "{requests}"\nsignals_topic = "{signals}"\n'
        f'[alerts]\ntopic_prefix = "{uuid.uuid4().hex[:8]}."\ncounts_partitions = 1\n',
        encoding="utf-8",
    )
    line = (
        "--config", str(config), "--kafka", kafka_broker.bootstrap_servers, "--slo", str(slos),
        "--http", f"127.0.0.1:{port}",
    )  # fmt: skip
    place = ("--url", f"http://127.0.0.1:{port}")
    environ = {"INFEROMETER_ALERTS_HTTP_TOKEN": TOKEN}

    with alerts(tmp_path, port, *line):
        refused = inferometer("silence", "add", "slo=chat-success", *WHO, *place)
        assert refused.returncode == 1
        assert "401" in refused.stderr
        added = inferometer("silence", "add", "chat-success", *WHO, *place, environ=environ)
        assert added.returncode == 0, added.stderr
    with alerts(tmp_path, port, *line):
        listed = inferometer("silence", "list", "--json", *place)
        (silence,) = json.loads(listed.stdout)["silences"]
        assert silence["id"] == added.stdout.strip()
        assert silence["status"] == {"state": "active"}
        expired = inferometer("silence", "expire", silence["id"], *place, environ=environ)
        assert expired.returncode == 0, expired.stderr
        assert json.loads(inferometer("silence", "list", "--json", *place).stdout)["silences"] == []
    assert TOKEN not in (tmp_path / "log").read_text(encoding="utf-8")


def test_a_silence_of_amtool_mutes_a_page_until_it_ends(
    kafka_broker: KafkaService, tmp_path: Path
) -> None:
    program = shutil.which("amtool")
    if program is None:
        pytest.skip(
            "amtool is not installed (Debian, Ubuntu: apt-get install prometheus-alertmanager)"
        )
    with Receiver() as receiver:
        deployment = deployed(tmp_path, kafka_broker, receiver)
        topic = deployment.environ["INFEROMETER_KAFKA_REQUESTS_TOPIC"]

        def amtool(*arguments: str) -> str:
            url = f"--alertmanager.url=http://127.0.0.1:{deployment.http_port}"
            done = subprocess.run(
                [program, url, "--no-version-check", *arguments],
                capture_output=True,
                text=True,
                check=True,
            )
            return done.stdout

        with (
            Fleet(kafka_broker.bootstrap_servers, topic) as fleet,
            ended(deployment.start()),
        ):
            until(deployment.is_serving, deployment, "it does not serve")
            added = amtool("silence", "add", "chat-success", "-a", "me", "-c", "known")
            fleet.is_failing.set()
            suppressed = ("alert", "query", "--silenced", "-o", "json")
            until(lambda: json.loads(amtool(*suppressed)) != [], deployment, "nothing fires")
            (alert,) = json.loads(amtool(*suppressed))
            assert alert["status"]["silencedBy"] == [added.strip()]
            assert alert["labels"]["severity"] == "page"
            assert receiver.got == []
            amtool("silence", "expire", added.strip())
            until(lambda: bool(receiver.got), deployment, "nobody was told after the silence")
    assert receiver.refused == []
    ((_, event), *_) = receiver.got
    assert event["type"] == "slo.alert.silence_ended"
    assert event["data"]["fingerprint"] == alert["fingerprint"]
