from __future__ import annotations

import argparse
import csv
import io
import json
import os
import socket
import stat
import subprocess
import sys
import threading
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from inferometer.cli import migrate as migrate_command
from inferometer.cli import sql as sql_command
from inferometer.cli.command import OK, PROBLEMS, Context, UsageError
from inferometer.clickhouse.answers import Format, answer
from inferometer.clickhouse.asking import ask_owner, ask_store, socket_path
from inferometer.clickhouse.connect import StoreConnection
from inferometer.clickhouse.migrations import migrate
from inferometer.clickhouse.owner import FolderOwner
from inferometer.clickhouse.settings import StoreSettings
from inferometer.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import ModuleType


@pytest.fixture(scope="module")
def connection(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreConnection]:
    with StoreConnection(StoreSettings(data_dir=tmp_path_factory.mktemp("owned"))) as opened:
        migrate(opened, report=lambda _: None)
        yield opened


@pytest.fixture
def folder(connection: StoreConnection) -> Iterator[Path]:
    """A folder whose owner listens."""
    assert connection.settings.data_dir is not None
    with FolderOwner(connection):
        yield connection.settings.data_dir


def asked(folder: Path, query: str, form: Format = Format.CSV) -> str:
    pieces = ask_owner(folder, query, form)
    assert pieces is not None
    return b"".join(pieces).decode()


def run(command: ModuleType, arguments: Sequence[str], stdin: str = "") -> tuple[int, str, str]:
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    context = Context(io.StringIO(stdin), io.StringIO(), io.StringIO(), environ={})
    code = command.run(parser.parse_args(arguments), context)
    assert isinstance(context.stdout, io.StringIO)
    assert isinstance(context.stderr, io.StringIO)
    return code, context.stdout.getvalue(), context.stderr.getvalue()


def test_another_process_asks_the_owner(folder: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "inferometer",
        "sql",
        "SELECT 41 + 1 AS x",
        "--data",
        str(folder),
    ]
    done = subprocess.run([*command, "--json"], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [{"x": 42}]


def test_json_is_one_array_and_keeps_every_digit(folder: Path) -> None:
    query = (
        "SELECT 18446744073709551615 AS big, toDecimal128('1.000000000001', 12) AS usd, "
        "'a\nb' AS text, CAST(NULL, 'Nullable(Float64)') AS none FROM numbers(2)"
    )
    rows = json.loads(asked(folder, query, Format.JSON), parse_float=Decimal)
    assert (
        rows
        == [{"big": 2**64 - 1, "usd": Decimal("1.000000000001"), "text": "a\nb", "none": None}] * 2
    )


def test_no_rows_are_an_empty_array(folder: Path) -> None:
    assert json.loads(asked(folder, "SELECT 1 WHERE 0", Format.JSON)) == []


def test_csv_has_a_line_of_names(folder: Path) -> None:
    text = asked(folder, "SELECT number AS n, 'x,\"y' AS t FROM numbers(2);  -- why")
    assert list(csv.reader(io.StringIO(text))) == [["n", "t"], ["0", 'x,"y'], ["1", 'x,"y']]


def test_a_table_is_readable_and_has_no_escapes(folder: Path) -> None:
    text = asked(folder, "SELECT 12345678 AS n", Format.TABLE)
    assert "12345678" in text
    assert "\x1b" not in text
    assert len(text.splitlines()) == 3


def test_a_format_in_the_query_is_kept(folder: Path) -> None:
    assert asked(folder, "SELECT 1 AS n FORMAT TSV", Format.JSON) == "1\n"


def test_a_large_answer_arrives_whole(folder: Path) -> None:
    rows = json.loads(asked(folder, "SELECT number FROM numbers(200000)", Format.JSON))
    assert [row["number"] for row in rows] == list(range(200_000))


@pytest.mark.parametrize(
    "query",
    [
        "INSERT INTO requests (model) VALUES ('x')",
        "DROP TABLE requests",
        "CREATE TABLE t (x Int8) ENGINE = Memory",
        "ALTER TABLE requests DELETE WHERE 1",
        "SELECT 1; DROP TABLE requests",
        "SELECT 1 SETTINGS readonly = 0",
    ],
)
def test_writing_is_refused_with_a_hint(connection: StoreConnection, query: str) -> None:
    with pytest.raises(StoreError, match="only reading is allowed here"):
        b"".join(answer(connection, query, Format.TSV))
    assert connection.client().command("EXISTS TABLE requests") == 1


def test_a_file_is_never_written(connection: StoreConnection, tmp_path: Path) -> None:
    target = tmp_path / "out"
    with pytest.raises(StoreError, match="redirect the output"):
        b"".join(answer(connection, f"SELECT 1 INTO OUTFILE '{target}'", Format.TSV))
    assert not target.exists()


def test_words_inside_quotes_are_data(connection: StoreConnection) -> None:
    text = "SELECT 'into outfile; FORMAT JSON' AS t"
    assert b"into outfile; FORMAT JSON" in b"".join(answer(connection, text, Format.CSV))


@pytest.mark.parametrize(
    ("query", "step"),
    [
        ("SELECT nope FROM requests", "DESCRIBE TABLE"),
        ("SELECT * FROM nothere", "SHOW TABLES"),
        ("SELECT nothing_like(1)", "README"),
        ("", "SHOW TABLES"),
    ],
)
def test_a_mistake_names_the_next_step(folder: Path, query: str, step: str) -> None:
    with pytest.raises(StoreError, match=step) as caught:
        asked(folder, query)
    assert "\n" not in str(caught.value)


def test_only_the_same_user_may_connect(folder: Path) -> None:
    assert stat.S_IMODE(socket_path(folder).stat().st_mode) == 0o600


def test_a_socket_that_a_killed_owner_left_is_replaced(connection: StoreConnection) -> None:
    folder = connection.settings.data_dir
    assert folder is not None
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(socket_path(folder)))
    left.close()
    assert ask_owner(folder, "SELECT 1", Format.CSV) is None
    with FolderOwner(connection):
        assert asked(folder, "SELECT 1 AS n") == '"n"\n1\n'
    assert not socket_path(folder).exists()
    assert ask_owner(folder, "SELECT 1", Format.CSV) is None


def test_a_folder_too_deep_for_a_socket_gets_one_elsewhere(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 100)
    path = socket_path(deep)
    assert len(os.fsencode(path)) <= 100
    assert path == socket_path(deep)
    assert path != socket_path(tmp_path / ("e" * 100))


def test_several_ask_at_once(folder: Path) -> None:
    answers: list[str] = []
    threads = [
        threading.Thread(target=lambda: answers.append(asked(folder, "SELECT sleep(0.05) AS n")))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == ['"n"\n0\n'] * 8


def test_nonsense_on_the_socket_is_answered_and_harms_nobody(folder: Path) -> None:
    with socket.socket(socket.AF_UNIX) as asker:
        asker.connect(str(socket_path(folder)))
        asker.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert b"one line of JSON" in asker.makefile("rb").read()
    with socket.socket(socket.AF_UNIX) as asker:
        asker.connect(str(socket_path(folder)))
    assert asked(folder, "SELECT 1 AS n") == '"n"\n1\n'


def test_an_owner_that_goes_away_is_no_short_answer(connection: StoreConnection) -> None:
    folder = connection.settings.data_dir
    assert folder is not None
    owner = FolderOwner(connection).start()
    pieces = ask_owner(folder, "SELECT number FROM numbers(30000000)", Format.JSON)
    assert pieces is not None
    next(pieces)
    next(pieces)
    owner.close()
    with pytest.raises(StoreError, match="try again"):
        for _ in pieces:
            pass


def test_a_folder_held_by_somebody_who_does_not_listen_says_so(connection: StoreConnection) -> None:
    with pytest.raises(StoreError, match="is open in process"):
        b"".join(ask_store(connection.settings, "SELECT 1", Format.CSV))


def test_the_command_reads_stdin_and_needs_a_store(folder: Path) -> None:
    assert run(sql_command, ["-", "--data", str(folder), "--csv"], "SELECT 1 AS n") == (
        OK,
        '"n"\n1\n',
        "",
    )
    with pytest.raises(UsageError, match="--data DIR or --store URL"):
        run(sql_command, ["SELECT 1"])
    with pytest.raises(UsageError, match="empty"):
        run(sql_command, ["-", "--data", str(folder)], " ")


def test_migrate_makes_a_store_that_sql_then_reads(tmp_path: Path) -> None:
    # Processes of their own: an engine keeps to one folder while it is open.
    def inferometer(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "inferometer", *arguments, "--data", str(tmp_path / "s")]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    missing = inferometer("migrate", "--check")
    assert missing.returncode == PROBLEMS
    assert "no store in" in missing.stderr
    made = inferometer("migrate", "--json")
    assert made.returncode == OK
    assert "0001_requests" in json.loads(made.stdout)["applied"]
    assert inferometer("migrate", "--check").returncode == OK
    query = "SELECT model, rps, success_ratio, ttft_p99_ms FROM service_1m"
    assert json.loads(inferometer("sql", query, "--json").stdout) == []


def test_the_commands_have_a_summary_and_an_example() -> None:
    for command in (sql_command, migrate_command):
        assert command.SUMMARY
        assert "inferometer " in command.EXAMPLE
