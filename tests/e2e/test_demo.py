"""The demo as a person meets it: it runs, answers questions meanwhile, and an interrupt is orderly."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.e2e

Command = Callable[..., Any]
START_TIMEOUT_S = 400.0
STOP_TIMEOUT_S = 180.0
LINK = re.compile(r"(http://127\.0\.0\.1:\d+)/overview\S*#token=(\S+)\s")


def test_the_demo_accounts_for_every_event_and_says_where_to_look(
    inferometer: Command, tmp_path: Path
) -> None:
    data = tmp_path / "demo"
    done = inferometer("demo", "--for", "6s", "--rate", "400", "--seed", "3", "--data", data)
    assert done.returncode == 0, done.stderr
    assert "requests/s" in done.stderr
    queries = [line.strip() for line in done.stdout.splitlines() if "inferometer sql" in line]
    assert len(queries) >= 3
    for line in queries:
        query = line.split('"')[1]
        answer = inferometer("sql", query, "--data", data)
        assert answer.returncode == 0, answer.stderr
        assert answer.stdout.strip()


def test_the_store_is_asked_while_the_demo_runs_and_an_interrupt_loses_nothing(
    inferometer: Command, tmp_path: Path
) -> None:
    data = tmp_path / "demo"
    demo = subprocess.Popen(
        [sys.executable, "-m", "inferometer", "demo", "--for", "10m", "--rate", "300", "--data",
         str(data), "--json"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ,
    )  # fmt: skip
    try:
        stored = wait_for_rows(inferometer, data)
        assert stored > 0
        demo.send_signal(signal.SIGINT)
        out, err = demo.communicate(timeout=STOP_TIMEOUT_S)
    finally:
        demo.kill()
    assert demo.returncode == 0, err
    said = json.loads(out)
    assert said["produced"] == said["stored"] + said["dead_lettered"] + said["duplicates"]
    answer = inferometer("sql", "SELECT count() AS n FROM requests", "--data", data, "--json")
    assert json.loads(answer.stdout) == [{"n": said["stored"]}]


def wait_for_rows(inferometer: Command, data: Path) -> int:
    deadline = time.monotonic() + START_TIMEOUT_S
    said = ""
    while time.monotonic() < deadline:
        query = "SELECT sum(requests) AS n FROM service_10s"
        answer = inferometer("sql", query, "--data", data, "--json")
        if answer.returncode == 0 and (rows := json.loads(answer.stdout)) and rows[0]["n"]:
            return int(rows[0]["n"])
        said = answer.stderr
        time.sleep(0.5)
    raise AssertionError(f"no row within {START_TIMEOUT_S} s: {said}")


def test_the_console_is_at_the_link_and_alerts_can_be_silenced(
    inferometer: Command, tmp_path: Path
) -> None:
    data, errors = tmp_path / "demo", tmp_path / "errors"
    with errors.open("w") as log:
        demo = subprocess.Popen(
            [sys.executable, "-m", "inferometer", "demo", "--for", "10m", "--data", str(data)],
            stdout=subprocess.DEVNULL, stderr=log, env=os.environ,
        )  # fmt: skip
    try:
        wait_for_rows(inferometer, data)
        links: list[tuple[str, str]] = []

        def is_linked() -> bool:
            links.extend(LINK.findall(errors.read_text(encoding="utf-8")))
            return links != []

        until_asked(is_linked)
        url, token = links[0]
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
        demo.send_signal(signal.SIGTERM)
        assert demo.wait(timeout=STOP_TIMEOUT_S) == 0, errors.read_text(encoding="utf-8")
        assert "Traceback" not in errors.read_text(encoding="utf-8")
    finally:
        demo.kill()


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


def test_a_demo_without_the_console_opens_no_port(inferometer: Command, tmp_path: Path) -> None:
    done = inferometer("demo", "--for", "3s", "--no-serve", "--data", tmp_path / "demo")
    assert done.returncode == 0, done.stderr
    assert "http://" not in done.stderr


def test_a_folder_that_is_in_use_says_so(inferometer: Command, tmp_path: Path) -> None:
    data = tmp_path / "demo"
    demo = subprocess.Popen(
        [sys.executable, "-m", "inferometer", "demo", "--for", "10m", "--data", str(data)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=os.environ,
    )  # fmt: skip
    try:
        wait_for_rows(inferometer, data)
        second = inferometer("demo", "--for", "1s", "--data", data)
        assert second.returncode == 1
        assert str(data) in second.stderr
        demo.send_signal(signal.SIGTERM)
        assert demo.wait(timeout=STOP_TIMEOUT_S) == 0
    finally:
        demo.kill()
