"""One ClickHouse server for a test session: a container, or `inferometer dev store`."""

from __future__ import annotations

import subprocess
import sys
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tests.services import choice

if TYPE_CHECKING:
    from collections.abc import Iterator

HTTP_PORT = 8123
STOP_TIMEOUT_S = 30.0
READY = "ready: "


@dataclass(frozen=True)
class ClickHouseService:
    """A server that many tests share: each takes a database of its own name."""

    url: str
    """http://host:port"""
    user: str = "default"
    password: str = ""

    def store_url(self, database: str) -> str:
        """Return the address of a database as `--store` takes it."""
        scheme, _, host = self.url.partition("://")
        who = f"{self.user}:{self.password}@" if self.password else ""
        return f"{scheme}://{who}{host}/{database}"

    def new_database(self) -> str:
        """Return a name that no other test has."""
        return f"test_{uuid.uuid4().hex[:12]}"


@pytest.fixture(scope="session")
def clickhouse_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickHouseService]:
    """ClickHouse's HTTP interface, shared by the session."""
    if choice.chosen() == choice.CONTAINERS:
        yield from _container()
        return
    folder = tmp_path_factory.mktemp("dev-store")
    command = [sys.executable, "-m", "inferometer", "dev", "store", "--port", "0"]
    with (folder / "stderr").open("w") as errors:
        process = subprocess.Popen(
            [*command, "--data", str(folder / "data")],
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
    try:
        line = process.stdout.readline() if process.stdout else ""
        assert line.startswith(READY), (folder / "stderr").read_text(encoding="utf-8")
        yield ClickHouseService(url=line.removeprefix(READY).split()[0])
    finally:
        process.terminate()
        try:
            process.communicate(timeout=STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


def _container() -> Iterator[ClickHouseService]:
    from testcontainers.community.clickhouse import ClickHouseContainer

    with ClickHouseContainer(
        choice.image("clickhouse"), username="tester", password=uuid.uuid4().hex
    ) as container:
        host, port = container.get_container_host_ip(), container.get_exposed_port(HTTP_PORT)
        yield ClickHouseService(
            url=f"http://{host}:{port}", user=container.username, password=container.password
        )
