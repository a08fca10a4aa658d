"""`inferometer serve` as a process: over real HTTP, on the embedded store, from start to stop."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from inferometer.clickhouse.connect import StoreConnection
from inferometer.clickhouse.settings import StoreSettings
from inferometer.kafka.local_broker import free_port
from tests.integration.clickhouse_seed import seeded_store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import Command

pytestmark = pytest.mark.integration

START_S = 180.0
STOP_S = 180.0


@dataclass
class Served:
    """A process that serves, and what it printed."""

    process: subprocess.Popen[str]
    link: str

    @property
    def token(self) -> str:
        return self.link.partition("#token=")[2]

    def ask(self, method: str, path: str, token: str = "") -> tuple[int, Any]:
        parts = urlsplit(self.link)
        connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=60)
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        with contextlib.closing(connection):
            connection.request(method, path, headers=headers)
            answer = connection.getresponse()
            body = answer.read()
            kind = answer.headers["content-type"] or ""
            return answer.status, json.loads(body) if "json" in kind else body.decode()


@contextlib.contextmanager
def serving(folder: Path, *arguments: str | Path) -> Iterator[Served]:
    """Run `inferometer serve` on a free port until it has printed its link; end it in order."""
    errors = folder / "serve.err"
    command = [sys.executable, "-m", "inferometer", "serve", "--port", "0", *map(str, arguments)]
    with errors.open("w") as log:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=log, text=True, env=os.environ
        )
    try:
        assert process.stdout is not None
        link = process.stdout.readline().strip()
        assert link.startswith("http://127.0.0.1:"), errors.read_text(encoding="utf-8")
        yield Served(process, link)
        process.send_signal(signal.SIGTERM)
        assert process.wait(STOP_S) == 0, errors.read_text(encoding="utf-8")
        assert "Traceback" not in errors.read_text(encoding="utf-8")
    finally:
        process.kill()
        process.communicate()


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("served") / "data"
    with seeded_store(folder):
        pass
    return folder


def test_it_serves_api_and_console_with_the_token_of_its_link(
    data: Path, tmp_path: Path, inferometer: Command
) -> None:
    with serving(tmp_path, "--data", data) as served:
        status, answer = served.ask(
            "GET", "/api/v1/metrics?measure=requests&from=now-1d&granularity=total", served.token
        )
        assert status == 200
        asked = inferometer(
            "sql", "SELECT countIf(is_final) AS n FROM requests", "--data", data, "--json"
        )
        assert [{"n": answer["total"]["requests"]}] == json.loads(asked.stdout)
        assert served.ask("GET", "/api/v1/me")[0] == 401
        assert served.ask("GET", "/readyz") == (200, "ok\n")
        assert served.ask("GET", "/")[0] == 200
        status, metrics = served.ask("GET", "/metrics", served.token)
        assert 'route="/api/v1/metrics",status="200"' in metrics
        status, incidents = served.ask("GET", "/api/v1/incidents?from=now-1d", served.token)
        assert [row["incident_id"] for row in incidents["rows"]] == ["q7c"]
        assert served.ask("GET", "/api/v1/alerts/status", served.token)[1]["is_configured"] is False


def test_a_token_of_the_file_works_at_once_and_ends_at_once(
    data: Path, tmp_path: Path, inferometer: Command
) -> None:
    tokens = tmp_path / "tokens.json"
    with serving(tmp_path, "--data", data, "--tokens", tokens) as served:
        assert served.token == ""
        made = inferometer("token", "create", "ann", "--workspace", "acme", "--tokens", tokens,
                           "--json")  # fmt: skip
        issued = json.loads(made.stdout)
        assert served.ask("GET", "/api/v1/me", issued["text"])[1]["workspace"] == "acme"
        inferometer("token", "revoke", issued["id"], "--tokens", tokens)
        assert served.ask("GET", "/api/v1/me", issued["text"])[0] == 401
        tokens.chmod(0o666)
        status, problem = served.ask("GET", "/api/v1/me", issued["text"])
        assert status == 503
        assert "chmod 600" in problem["detail"]


def test_a_folder_that_a_process_owns_is_told_with_what_to_do(
    data: Path, inferometer: Command
) -> None:
    with StoreConnection(StoreSettings(data_dir=data)):
        refused = inferometer("serve", "--data", data, "--port", "0")
    assert refused.returncode == 1
    assert f"is open in process {os.getpid()}" in refused.stderr
    assert "inferometer demo" in refused.stderr


def test_a_port_that_is_taken_is_told(data: Path, inferometer: Command) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        refused = inferometer("serve", "--data", data, "--port", str(port))
    assert refused.returncode == 1
    assert f"127.0.0.1:{port} is taken by another process" in refused.stderr


def test_a_store_without_its_schema_is_told(tmp_path: Path, inferometer: Command) -> None:
    with StoreConnection(StoreSettings(data_dir=tmp_path / "empty")):
        pass
    refused = inferometer("serve", "--data", tmp_path / "empty", "--port", "0")
    assert refused.returncode == 1
    assert "inferometer migrate" in refused.stderr


def test_a_folder_that_is_none_is_told(tmp_path: Path, inferometer: Command) -> None:
    refused = inferometer("serve", "--data", tmp_path / "nowhere", "--port", "0")
    assert refused.returncode == 1
    assert "no store in" in refused.stderr


def test_other_machines_are_let_in_by_tokens_only(data: Path, inferometer: Command) -> None:
    refused = inferometer("serve", "--data", data, "--host", "0.0.0.0", "--port", "0")
    assert refused.returncode == 1
    assert "inferometer token create" in refused.stderr


def test_a_server_that_is_away_is_waited_for_with_the_port_open(tmp_path: Path) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        with serving(tmp_path, "--store", address) as served:
            assert served.ask("GET", "/healthz")[0] == 200
            assert served.ask("GET", "/readyz")[0] == 503
            status, problem = served.ask("GET", "/api/v1/models", served.token)
            assert status == 503
            assert address.removeprefix("http://") in problem["detail"]


def test_it_mends_itself_once_the_store_is_there(tmp_path: Path, inferometer: Command) -> None:
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    with serving(tmp_path, "--store", address) as served:
        assert served.ask("GET", "/readyz")[0] == 503
        store = subprocess.Popen(
            [sys.executable, "-m", "inferometer", "dev", "store", "--port", str(port), "--data",
             str(tmp_path / "server")],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        try:
            assert store.stdout is not None
            assert store.stdout.readline().startswith("ready: ")
            # It is there and empty: that is told apart from being away.
            await_status(served, "/readyz", 503, "migrate")
            assert inferometer("migrate", "--store", address).returncode == 0
            await_status(served, "/readyz", 200, "ok")
            assert served.ask("GET", "/api/v1/models", served.token)[0] == 200
        finally:
            store.terminate()
            store.communicate()
        await_status(served, "/readyz", 503, address)
        assert served.ask("GET", "/api/v1/models?from=now-2h", served.token)[0] == 503


def await_status(served: Served, path: str, status: int, said: str) -> None:
    deadline = time.monotonic() + START_S
    answer: tuple[int, Any] = (0, "")
    while time.monotonic() < deadline:
        answer = served.ask("GET", path)
        if answer[0] == status and said in answer[1]:
            return
        time.sleep(0.2)
    raise AssertionError(answer)


def test_two_kinds_of_use_share_a_folder(data: Path, tmp_path: Path, inferometer: Command) -> None:
    with serving(tmp_path, "--data", data):
        deadline = time.monotonic() + START_S
        asked = inferometer("sql", "SELECT 1 AS n", "--data", data, "--json")
        assert time.monotonic() < deadline
    assert json.loads(asked.stdout) == [{"n": 1}]


def test_who_only_asks_waits_for_no_kernels_and_no_broker() -> None:
    code = (
        "import sys, inferometer.runtime.serve; "
        "print(*sorted({'numba', 'faust', 'aiokafka', 'confluent_kafka', 'duckdb'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
