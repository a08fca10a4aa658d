"""`inferometer dev store` as a process: what people, libraries and faults do to it."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import pyarrow as pa
import pytest
import urllib3

from inferometer.clickhouse.connect import StoreConnection
from inferometer.clickhouse.migrations import migrate
from inferometer.clickhouse.settings import StoreSettings
from inferometer.clickhouse.store import ClickHouseChunkStore
from inferometer.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Command = Callable[..., subprocess.CompletedProcess[str]]

WAIT_S = 180.0
ALIVE = datetime(2096, 1, 1, tzinfo=UTC)
"""Rows beyond the retention of their table would be gone at once."""
ONE_MILLION = "SELECT number FROM numbers(1000000)"


class Served:
    """A running `dev store`."""

    def __init__(self, data: Path, port: int = 0, *flags: str) -> None:
        command = [sys.executable, "-m", "inferometer", "dev", "store", "--port", str(port)]
        self.process = subprocess.Popen(
            [*command, "--data", str(data), *flags], stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        # Read to its end in the background would hide a start that fails; one line says it all.
        line = self.process.stdout.readline()
        assert line.startswith("ready: "), f"no ready line: {line!r}"
        self.url = line.split()[1]
        self.port = int(self.url.rpartition(":")[2])

    def ask(
        self, body: bytes | str = b"", *, method: str = "POST", **query: str
    ) -> urllib3.BaseHTTPResponse:
        """Send one request, without any retry."""
        with urllib3.PoolManager(retries=False, timeout=120) as pool:
            return pool.request(method, f"{self.url}/?{urlencode(query)}", body=body)

    def answer(self, statement: str) -> str:
        """Return the text that a statement gives."""
        response = self.ask(statement)
        assert response.status == 200, response.data
        return response.data.decode().strip()

    def end(self, number: int = signal.SIGTERM) -> int:
        """End the process by a signal; return its exit code."""
        self.process.send_signal(number)
        code = self.process.wait(timeout=120)
        if self.process.stdout is not None:
            self.process.stdout.close()
        return code


@contextmanager
def serving(data: Path, port: int = 0, *flags: str) -> Iterator[Served]:
    served = Served(data, port, *flags)
    try:
        yield served
    finally:
        if served.process.poll() is None:
            served.end(signal.SIGKILL)
        elif served.process.stdout is not None:
            served.process.stdout.close()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("store")) as running:
        yield running


@pytest.fixture
def table(served: Served) -> str:
    """Make an empty table that remembers tokens; return its name."""
    served.answer("DROP TABLE IF EXISTS t")
    served.answer(
        "CREATE TABLE t (a Int64, s String) ENGINE = MergeTree ORDER BY a "
        "SETTINGS non_replicated_deduplication_window = 100"
    )
    return "t"


def numbers(count: int, first: int = 0) -> pa.Table:
    values = range(first, first + count)
    return pa.table({"a": pa.array(values, pa.int64()), "s": [f"text {n}" for n in values]})


def arrow(rows: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, rows.schema) as writer:
        writer.write_table(rows)
    return bytes(sink.getvalue())


def test_the_commands_take_it_for_a_server(tmp_path: Path, inferometer: Command) -> None:
    with serving(tmp_path / "store") as own:
        assert inferometer("migrate", "--store", own.url).returncode == 0
        asked = inferometer(
            "sql", "SELECT count() AS n FROM requests", "--store", own.url, "--json"
        )
        assert asked.stdout == '[{"n":0}]\n'
        # The folder's owner answers beside the port.
        asked = inferometer("sql", "SELECT 1 AS n", "--data", tmp_path / "store", "--json")
        assert asked.stdout == '[{"n":1}]\n'
        busy = inferometer("dev", "store", "--port", "0", "--data", tmp_path / "store")
        assert busy.returncode == 1
        assert f"open in process {own.process.pid}" in busy.stderr
        assert own.end() == 0


def test_a_port_in_use_is_an_error_of_one_line(
    served: Served, tmp_path: Path, inferometer: Command
) -> None:
    failed = inferometer("dev", "store", "--port", str(served.port), "--data", tmp_path)
    assert failed.returncode == 1
    assert failed.stderr.strip().endswith("choose another --port")


def test_what_was_stored_survives_kill_9_and_so_do_its_tokens(tmp_path: Path) -> None:
    with serving(tmp_path) as first, StoreConnection(StoreSettings(url=first.url)) as connection:
        migrate(connection, report=lambda _: None)
        port = first.port
        store = ClickHouseChunkStore(connection)
        rows = pa.table({"event_id": ["a", "b"], "ts_end": [ALIVE, ALIVE]})
        store.insert(table="requests", rows=rows, token="kept")
        first.end(signal.SIGKILL)
        with pytest.raises(StoreError) as refused:
            store.insert(table="requests", rows=rows, token="kept")
        assert refused.value.retryable
        with serving(tmp_path, port) as second:
            store.insert(table="requests", rows=rows, token="kept")
            assert second.answer("SELECT count() FROM inferometer.requests") == "2"


def test_a_hundred_thousand_rows_are_one_block_under_one_token(served: Served, table: str) -> None:
    body = arrow(numbers(100_000))
    for _ in range(2):
        response = served.ask(
            body,
            query=f"INSERT INTO {table} FORMAT ArrowStream",
            insert_deduplication_token="once",
        )
        assert response.status == 200
    assert served.answer(f"SELECT count(), uniqExact(_part) FROM {table}") == "100000\t1"


def test_fifty_clients_at_once_are_all_served(served: Served, table: str) -> None:
    body = arrow(numbers(100_000))

    def use(client: int) -> None:
        response = served.ask(
            body if client % 10 == 0 else arrow(numbers(10, client * 10)),
            query=f"INSERT INTO {table} FORMAT ArrowStream",
            insert_deduplication_token=f"client {client}",
        )
        assert response.status == 200, response.data
        assert served.answer("SELECT count() FROM numbers(1000)") == "1000"

    with ThreadPoolExecutor(50) as threads:
        list(threads.map(use, range(50)))
    assert served.answer(f"SELECT count() FROM {table}") == str(5 * 100_000 + 45 * 10)


def test_a_body_that_is_cut_off_is_never_stored(served: Served, table: str) -> None:
    head = (
        f"POST /?query=INSERT+INTO+{table}+FORMAT+CSV HTTP/1.1\r\nHost: x\r\n"
        "Content-Length: 1000\r\n\r\n"
    )
    for end in (socket.SHUT_WR, socket.SHUT_RDWR):
        with socket.create_connection(("127.0.0.1", served.port), timeout=60) as client:
            client.sendall(head.encode() + b"1,whole\n2,whole\n3,cut")
            client.shutdown(end)
    assert served.answer(f"SELECT count() FROM {table}") == "0"


def test_clients_that_go_away_leave_their_answers(served: Served) -> None:
    request = f"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {len(ONE_MILLION)}\r\n\r\n"
    for _ in range(40):
        with socket.create_connection(("127.0.0.1", served.port), timeout=60) as client:
            client.sendall((request + ONE_MILLION).encode())
            client.recv(1000)
    assert served.answer("SELECT 1") == "1"


def test_an_error_has_clickhouse_s_number_and_status(served: Served) -> None:
    for statement, code, status in (
        ("SELECT * FROM absent", "60", 404),
        ("SELECT", "62", 400),
        ("SELECT throwIf(1)", "395", 500),
        ("INSERT INTO absent VALUES (1)", "60", 404),
        ("SELECT 1 INTO OUTFILE 'x.csv'", "48", 501),
    ):
        response = served.ask(statement)
        found = response.headers["X-ClickHouse-Exception-Code"], response.status
        assert found == (code, status), statement
        assert response.data.startswith(f"Code: {code}.".encode())


def test_an_error_in_midstream_ends_the_body_with_its_text(served: Served) -> None:
    statement = "SELECT number, throwIf(number = 500000) FROM numbers(1000000) FORMAT CSV"
    pieces: list[bytes] = []
    with urllib3.PoolManager(retries=False) as pool:
        response = pool.request("POST", served.url, body=statement, preload_content=False)
        with pytest.raises(urllib3.exceptions.ProtocolError):
            pieces.extend(response.stream(65536))
    body, tag = b"".join(pieces), response.headers["X-ClickHouse-Exception-Tag"]
    assert response.status == 200
    assert body.rstrip().endswith(f"{tag}\r\n__exception__".encode())
    assert b"Code: 395." in body
    whole = served.ask(statement, wait_end_of_query="1")
    assert whole.headers["X-ClickHouse-Exception-Code"] == "395"


def test_a_reader_does_not_make_the_next_one_a_reader(served: Served, table: str) -> None:
    for readonly in ("1", "2"):
        refused = served.ask(f"INSERT INTO {table} VALUES (1, 'x')", readonly=readonly)
        assert refused.headers["X-ClickHouse-Exception-Code"] == "164"
    refused = served.ask(method="GET", query=f"DROP TABLE {table}")
    assert refused.headers["X-ClickHouse-Exception-Code"] == "164"
    served.answer("SET max_threads = 1")
    assert served.answer(f"INSERT INTO {table} VALUES (1, 'x')") == ""
    assert served.answer("SELECT getSetting('readonly')") == "0"


def test_parameters_settings_database_and_format_come_by_the_address(served: Served) -> None:
    response = served.ask(
        "SELECT {a:UInt8} + 1 AS n, {s:String} AS s, getSetting('max_threads') AS t, "
        "currentDatabase() AS d",
        param_a="41",
        param_s="it's\\ttabbed",
        max_threads="3",
        database="system",
        default_format="JSONEachRow",
    )
    assert response.data == b'{"n":42,"s":"it\'s\\ttabbed","t":3,"d":"system"}\n'
    assert response.headers["X-ClickHouse-Format"] == "JSONEachRow"


def test_a_password_is_asked_for_in_every_way_that_clients_send_it(tmp_path: Path) -> None:
    with serving(tmp_path, 0, "--user", "ann", "--password", "sesame") as locked:
        url = locked.url + "/?query=SELECT+1"
        with urllib3.PoolManager(retries=False) as pool:
            basic = urllib3.make_headers(basic_auth="ann:sesame")
            own = {"X-ClickHouse-User": "ann", "X-ClickHouse-Key": "sesame"}
            for headers, query, status in (
                ({}, "", 401),
                (basic, "", 200),
                (own, "", 200),
                ({}, "&user=ann&password=sesame", 200),
                ({}, "&user=ann&password=wrong", 401),
                (urllib3.make_headers(basic_auth="bob:sesame"), "", 401),
            ):
                response = pool.request("GET", url + query, headers=headers)
                assert response.status == status, (headers, query)
            assert pool.request("GET", locked.url + "/ping").data == b"Ok.\n"
        with StoreConnection(
            StoreSettings(url=locked.url, user="ann", password="sesame")
        ) as connection:
            assert connection.client().command("SELECT 1") == 1
        with pytest.raises(StoreError, match="check user and password") as refused:
            StoreConnection(StoreSettings(url=locked.url, user="ann", password="no"))
        assert not refused.value.retryable


def test_pages_of_other_sites_may_not_ask(served: Served) -> None:
    with urllib3.PoolManager() as pool:
        refused = pool.request("POST", served.url, headers={"Origin": "http://evil.example"})
        own = pool.request("GET", served.url, headers={"Origin": served.url})
    assert (refused.status, own.status) == (403, 200)


def test_a_stop_lets_what_runs_end(tmp_path: Path) -> None:
    # Well below what a stop waits for.
    some_seconds = "SELECT sleepEachRow(1) FROM numbers(2) SETTINGS max_block_size = 1"
    with serving(tmp_path) as own:
        answers: list[int] = []
        asking: list[threading.Thread] = []

        def is_under_way() -> bool:
            # On a machine that stands still it may be over before it was seen; then once more.
            if not asking or not asking[-1].is_alive():
                asking.append(
                    threading.Thread(target=lambda: answers.append(own.ask(some_seconds).status))
                )
                asking[-1].start()
            return own.answer("SELECT count() FROM system.processes") == "2"

        _wait_until(is_under_way)
        assert own.end() == 0
        for each in asking:
            each.join()
        assert answers == [200] * len(asking)


def test_a_stop_does_not_wait_for_ever(tmp_path: Path) -> None:
    endless = "SELECT sleepEachRow(1) FROM numbers(600) SETTINGS max_block_size = 1"
    with serving(tmp_path) as own:

        def ask() -> None:
            with suppress(urllib3.exceptions.HTTPError):
                own.ask(endless, wait_end_of_query="1")

        slow = threading.Thread(target=ask)
        slow.start()
        _wait_until(lambda: own.answer("SELECT count() FROM system.processes") == "2")
        assert own.end() == 0
        slow.join()


def test_curl_is_served(served: Served, table: str) -> None:
    base = ["curl", "--silent", "--show-error", "--compressed", "--max-time", "120"]
    target = f"{served.url}/?query=INSERT+INTO+{table}+FORMAT+CSV"
    curl = subprocess.run(
        [*base, target, "--data-binary", "@-"],
        input=b'1,"a"\n2,b\n',
        capture_output=True,
        check=True,
    )
    assert curl.stdout == b""
    curl = subprocess.run(
        [*base, f"{served.url}/?enable_http_compression=1", "-d", f"SELECT * FROM {table}"],
        capture_output=True,
        check=True,
    )
    assert curl.stdout == b"1\ta\n2\tb\n"


def _wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_it_says_how_to_be_used(inferometer: Command) -> None:
    page = inferometer("dev", "store", "--help").stdout
    assert page.rstrip().endswith('inferometer sql "SHOW TABLES" --store http://127.0.0.1:8123')
