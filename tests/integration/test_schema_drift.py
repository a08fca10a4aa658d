"""A schema that is not as migrations left it: what was dropped, changed by hand, or is of a cluster."""

from __future__ import annotations

import argparse
import io
import json
import logging
import re
import shutil
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import fields, replace
from typing import TYPE_CHECKING

import pytest

from inferometer.cli import migrate as migrate_command
from inferometer.cli.command import OK, PROBLEMS, Context
from inferometer.clickhouse.connect import StoreConnection
from inferometer.clickhouse.databases import require_room
from inferometer.clickhouse.migrations import lacks, load_migrations, migrate
from inferometer.clickhouse.retention import retention_of_tables
from inferometer.clickhouse.settings import MAX_DAYS, Retention, StoreSettings
from inferometer.errors import StateError, StoreError
from inferometer.runtime.opened_store import warn_of_retention

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tests.services.clickhouse import ClickHouseService

DEFINITIONS = """SELECT name, create_table_query FROM system.tables
WHERE database = currentDatabase()
UNION ALL
SELECT name, create_query FROM system.functions WHERE origin = 'SQLUserDefined'"""
RAISED = Retention(requests_days=30, rollup_10s_days=60, alerts_days=7)


@pytest.fixture(scope="module")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the schema of now, that nobody has open."""
    folder = tmp_path_factory.mktemp("migrated")
    with StoreConnection(StoreSettings(data_dir=folder)) as connection:
        migrate(connection, report=lambda _line: None)
    return folder


@pytest.fixture
def folder(migrated: Path, tmp_path: Path) -> Path:
    """A copy of it to change."""
    return shutil.copytree(migrated, tmp_path / "store", symlinks=True)


@contextmanager
def opened(folder: Path, retention: Retention | None = None) -> Iterator[StoreConnection]:
    with StoreConnection(
        StoreSettings(data_dir=folder, retention=retention or Retention())
    ) as connection:
        yield connection


def definitions(connection: StoreConnection) -> dict[str, str]:
    rows = connection.client().query(DEFINITIONS).result_rows
    return {str(name): str(text) for name, text in rows}


def ttl(connection: StoreConnection, table: str) -> str:
    kept = retention_of_tables(connection.reader(), connection.settings.retention)
    return {each.table: each.clause for each in kept}[table]


def merged_requests(connection: StoreConnection) -> int:
    client = connection.client()
    client.command("OPTIMIZE TABLE requests FINAL")
    return int(client.query("SELECT count() FROM requests").result_rows[0][0])


def check(
    folder: Path, *flags: str, environ: Mapping[str, str] | None = None
) -> tuple[int, list[str]]:
    parser = argparse.ArgumentParser()
    migrate_command.add_arguments(parser)
    context = Context(io.StringIO(), io.StringIO(), io.StringIO(), environ=environ or {})
    arguments = parser.parse_args(["--check", "--data", str(folder), *flags])
    code = migrate_command.run(arguments, context)
    assert isinstance(context.stdout, io.StringIO)
    return code, context.stdout.getvalue().splitlines()


def test_whatever_was_dropped_is_made_again_as_it_was(folder: Path) -> None:
    lines: list[str] = []
    with opened(folder) as connection:
        before = definitions(connection)
        client = connection.client()
        for name, text in before.items():
            if name != "schema_migrations":
                kind = re.match(r"CREATE (?:MATERIALIZED )?(TABLE|VIEW|FUNCTION) ", text)
                assert kind
                client.command(f"DROP {kind[1]} {name}")
        migrate(connection, report=lines.append)
        assert definitions(connection) == before
        assert lacks(connection).definitions == []
    names = {line.removesuffix(" was gone and is made again") for line in lines}
    assert names == set(before) - {"schema_migrations"}


def test_what_is_there_is_left_alone_with_its_rows(folder: Path) -> None:
    with opened(folder) as connection:
        client = connection.client()
        client.command("ALTER TABLE redrives ADD COLUMN ours String DEFAULT 'x'")
        client.command("INSERT INTO redrives (event_id, ours) VALUES ('a', 'y')")
        client.command("DROP FUNCTION quantile_ms")
        assert lacks(connection).definitions == ["quantile_ms"]
        migrate(connection, report=lambda _line: None)
        found = client.query("SELECT event_id, ours FROM redrives").result_rows
        assert list(found) == [("a", "y")]
        ((quantile,),) = client.query("SELECT quantile_ms(map(0, 1), 0.5)").result_rows
        assert quantile > 0


def test_a_check_names_what_would_be_changed_and_changes_nothing(folder: Path) -> None:
    assert check(folder) == (OK, [f"{folder}: 0 migrations missing"])
    with opened(folder) as connection:
        connection.client().command("DROP VIEW bills")
    environ = {"INFEROMETER_STORE_REQUESTS_RETENTION_DAYS": "30"}
    for _ in range(2):
        assert check(folder, environ=environ) == (
            PROBLEMS,
            [
                f"{folder}: 0 migrations missing",
                "bills is gone and would be made again",
                "requests keeps 14 days and would keep 30",
            ],
        )
    code, lines = check(folder, "--json", environ=environ)
    assert code == PROBLEMS
    assert json.loads(lines[0]) == {
        "store": str(folder),
        "missing": [],
        "migrations": len(load_migrations()),
        "gone": ["bills"],
        "retention_days": {"requests": 30},
        "shortened": [],
    }


def test_rows_are_removed_no_earlier_than_before_unless_somebody_says_so(folder: Path) -> None:
    lines: list[str] = []
    with opened(folder, RAISED) as connection:
        migrate(connection, report=lines.append)
        connection.client().command(
            "INSERT INTO requests (request_id, ts_end) "
            "SELECT toString(number), now() - toIntervalDay(1 + 10 * number) FROM numbers(3)"
        )

    code, told = check(folder)
    assert code == PROBLEMS
    assert "requests keeps 30 days and would keep 14 with --shorten-retention" in told
    assert "service_10s_rows keeps 60 days and would keep 7" in told, "it has no rows"
    with opened(folder) as connection:
        migrate(connection, report=lines.append)
        assert (
            "requests still keeps 30 days; --shorten-retention sets the 14 of the settings, "
            "and older rows are removed"
        ) in lines
        assert ttl(connection, "requests").endswith("toIntervalDay(30)")
        assert merged_requests(connection) == 3
        migrate(connection, report=lines.append, shortens_retention=True)
        assert lines[-1] == "requests now keeps 14 days, 30 before"
        assert merged_requests(connection) == 2


def test_a_ttl_that_somebody_else_wrote_is_told_of_and_left_alone(folder: Path) -> None:
    tiered = "toDateTime(ts_end) + toIntervalDay(3) RECOMPRESS CODEC(ZSTD(9)), toDateTime(ts_end) + toIntervalDay(60)"
    lines: list[str] = []
    with opened(folder, RAISED) as connection:
        client = connection.client()
        client.command(f"ALTER TABLE requests MODIFY TTL {tiered}")
        client.command("ALTER TABLE notifications_rows REMOVE TTL")
        migrate(connection, report=lines.append)
        assert ttl(connection, "requests") == tiered
        assert ttl(connection, "notifications_rows") == ""
        assert ttl(connection, "alerts_rows").endswith("toIntervalDay(7)")
    assert (
        f"requests has the TTL {tiered}, which is left as it is; the settings say 30 days" in lines
    )
    assert "notifications_rows has no TTL, which is left as it is; the settings say 7 days" in lines


def test_rows_of_today_live_with_the_longest_retention(folder: Path) -> None:
    longest = Retention(**{item.name: MAX_DAYS for item in fields(Retention)})
    with opened(folder, longest) as connection:
        migrate(connection, report=lambda _line: None)
        client = connection.client()
        for kept in retention_of_tables(client, longest):
            age = re.search(r"(\w+)\)? \+", kept.clause)
            assert age
            client.command(f"INSERT INTO {kept.table} ({age[1]}) SELECT now()")
            client.command(f"OPTIMIZE TABLE {kept.table} FINAL")
            ((rows,),) = client.query(f"SELECT count() FROM {kept.table}").result_rows
            assert rows > 0, kept


def test_a_worker_is_told_of_tables_that_forget_earlier_than_it_was_told(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with opened(folder) as connection:
        warn_of_retention(connection)
        assert not caplog.records
    with opened(folder, RAISED) as connection, caplog.at_level(logging.WARNING):
        warn_of_retention(connection)
        assert "(requests 14 of 30 days, service_10s_rows 7 of 60 days)" in caplog.text
        caplog.clear()
        migrate(connection, report=lambda _line: None)
        warn_of_retention(connection)
        assert not caplog.records


def test_replicated_tables_are_not_made_on_one_server(
    clickhouse_server: ClickHouseService,
) -> None:
    url = clickhouse_server.store_url(clickhouse_server.new_database())
    single = StoreSettings.from_url(url)
    replicated = replace(single, replicated=True)
    with pytest.raises(StoreError, match=r"no database .* which has to be made first"):
        StoreConnection(replicated)
    with StoreConnection(single):
        pass
    with StoreConnection(replicated) as connection:
        with pytest.raises(StateError, match="has the engine Atomic"):
            migrate(connection, report=lambda _line: None)
        assert list(connection.reader().query("SHOW TABLES").result_rows) == []


def test_the_engine_says_how_much_room_its_disk_has(folder: Path) -> None:
    with opened(folder) as connection:
        require_room(connection.reader(), "x", min_bytes=1)
        with pytest.raises(StoreError, match="make room for"):
            require_room(connection.reader(), "x", min_bytes=1 << 62)


def test_a_copy_without_its_links_says_so(folder: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(folder, tmp_path / "copy", symlinks=False)
    # In a process of its own: an engine that did not start may leave something behind.
    command = [sys.executable, "-m", "inferometer", "sql", "SELECT 1", "--data", str(copy)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == PROBLEMS
    assert f"the engine cannot open the store in {copy}" in ended.stderr
    assert "must keep symbolic links" in ended.stderr
