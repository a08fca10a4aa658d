"""The demo as a person meets it: it runs, answers questions meanwhile, and an interrupt is orderly."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.e2e

Command = Callable[..., Any]
START_TIMEOUT_S = 90.0


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
        out, err = demo.communicate(timeout=60)
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
        assert demo.wait(timeout=60) == 0
    finally:
        demo.kill()
