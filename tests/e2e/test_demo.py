"""The demo as a person meets it: it runs, answers questions meanwhile, and an interrupt is orderly."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.e2e

Command = Callable[..., Any]
START_TIMEOUT_S = 400.0
STOP_TIMEOUT_S = 180.0
LINK = re.compile(r"(http://127\.0\.0\.1:\d+)/overview\S*#token=(\S+)\s")
STORED = re.compile(r"  stored [1-9]")


@dataclass(frozen=True)
class Demo:
    """A demo that runs until it is told to end."""

    process: subprocess.Popen[bytes]
    data: Path
    out: Path
    err: Path

    def said(self) -> str:
        """Return what it has told of itself."""
        return self.err.read_text(encoding="utf-8")

    def end(self, number: signal.Signals) -> None:
        """Tell it to end, which must be in order."""
        self.process.send_signal(number)
        assert self.process.wait(timeout=STOP_TIMEOUT_S) == 0, self.said()
        assert "Traceback" not in self.said()


@contextlib.contextmanager
def demo_that_stores(folder: Path, *flags: str) -> Iterator[Demo]:
    """Run one from the moment at which something is stored."""
    data, out, err = (folder / name for name in ("demo", "out", "err"))
    with out.open("w") as stdout, err.open("w") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-m", "inferometer", "demo", "--for", "10m", "--data", data, *flags],
            stdout=stdout, stderr=stderr, env=os.environ,
        )  # fmt: skip
    demo = Demo(process, data, out, err)

    def has_stored() -> bool:
        assert process.poll() is None, demo.said()
        return STORED.search(demo.said()) is not None

    try:
        until_asked(has_stored)
        yield demo
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """As anyone runs it, with its console."""
    with demo_that_stores(tmp_path_factory.mktemp("running")) as running:
        yield running
        running.end(signal.SIGTERM)


def test_the_demo_accounts_for_every_event_and_says_where_to_look(
    inferometer: Command, tmp_path: Path
) -> None:
    data = tmp_path / "demo"
    done = inferometer(
        "demo", "--for", "6s", "--rate", "400", "--seed", "3", "--data", data,
        timeout_s=START_TIMEOUT_S + STOP_TIMEOUT_S,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "requests/s" in done.stderr
    queries = [line.strip() for line in done.stdout.splitlines() if "inferometer sql" in line]
    assert len(queries) >= 3
    for line in queries:
        query = line.split('"')[1]
        answer = inferometer("sql", query, "--data", data)
        assert answer.returncode == 0, answer.stderr
        assert answer.stdout.strip()


def test_a_demo_without_the_console_is_asked_while_it_runs_and_an_interrupt_loses_nothing(
    inferometer: Command, tmp_path: Path
) -> None:
    with demo_that_stores(tmp_path, "--rate", "300", "--no-serve", "--json") as demo:

        def asked(query: str) -> Any:
            answer = inferometer("sql", query, "--data", demo.data, "--json")
            assert answer.returncode == 0, answer.stderr
            return json.loads(answer.stdout)

        assert asked("SELECT sum(requests) AS n FROM service_10s")[0]["n"] > 0
        demo.end(signal.SIGINT)
        said = json.loads(demo.out.read_text(encoding="utf-8"))
        assert said["produced"] == said["stored"] + said["dead_lettered"] + said["duplicates"]
        assert asked("SELECT count() AS n FROM requests") == [{"n": said["stored"]}]
        assert "http://" not in demo.said()


def test_the_console_is_at_the_link_and_alerts_can_be_silenced(demo: Demo) -> None:
    [(url, token)] = LINK.findall(demo.said())
    assert ask(url, "/healthz")[0] == 200
    assert ask(url, "/api/v1/me")[0] == 401
    assert ask(url, "/api/v1/me", token)[1]["role"] == "admin"
    total = "/api/v1/metrics?measure=requests&granularity=total&from=now-1h"
    totals: list[tuple[int, Any]] = []

    def has_requests() -> bool:
        totals.append(ask(url, total, token))
        status, answer = totals[-1]
        return bool(status == 200 and answer["total"]["requests"] > 0)

    until_asked(has_requests, totals)
    ends = datetime.now(UTC) + timedelta(hours=1)
    silence = {
        "matchers": [{"name": "slo", "value": "demo", "isRegex": False, "isEqual": True}],
        "startsAt": datetime.now(UTC).isoformat(), "endsAt": ends.isoformat(),
        "comment": "a test",
    }  # fmt: skip
    answers: list[tuple[int, Any]] = []

    def is_taken() -> bool:
        # 503 until alerts run beside the fleet.
        answers.append(ask(url, "/api/v1/silences", token, silence))
        return answers[-1][0] != 503

    until_asked(is_taken, answers)
    status, made = answers[-1]
    assert status == 201, made
    rows = ask(url, "/api/v1/silences", token)[1]["rows"]
    assert [row["id"] for row in rows] == [made["silenceID"]]
    assert ask(url, "/api/v1/alerts/status", token)[1]["is_configured"]


def test_a_folder_that_is_in_use_says_so(inferometer: Command, demo: Demo) -> None:
    second = inferometer("demo", "--for", "1s", "--data", demo.data)
    assert second.returncode == 1
    assert str(demo.data) in second.stderr


def until_asked(is_so: Callable[[], bool], answers: Sequence[object] = ()) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while not is_so():
        assert time.monotonic() < deadline, answers[-1:]
        time.sleep(0.2)


def ask(url: str, path: str, token: str = "", body: Any = None) -> tuple[int, Any]:
    """Return the status and the body, as JSON where it is some."""
    headers = {"Content-Type": "application/json"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url + path, data=data, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            status, text = answer.status, answer.read()
    except urllib.error.HTTPError as refused:
        with refused:
            status, text = refused.code, refused.read()
    return status, json.loads(text) if text.startswith(b"{") else text
