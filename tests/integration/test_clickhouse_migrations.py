from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from inferometer.clickhouse.connect import StoreConnection
from inferometer.clickhouse.migrations import Migration, load_migrations, migrate, pending
from inferometer.clickhouse.settings import Retention, StoreSettings
from inferometer.core.fields import FIELDS
from inferometer.errors import ConfigError, StateError, StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[StoreConnection]:
    with StoreConnection(StoreSettings(data_dir=tmp_path / "store")) as opened:
        yield opened


def names(connection: StoreConnection) -> set[str]:
    return {str(row[0]) for row in connection.reader().query("SHOW TABLES").result_rows}


def test_a_second_run_changes_nothing(connection: StoreConnection) -> None:
    lines: list[str] = []
    assert migrate(connection, report=lines.append) == list(load_migrations())
    assert lines == [f"applied {m.version:04d}_{m.name}" for m in load_migrations()]
    assert migrate(connection, report=lines.append) == []
    assert pending(connection) == []
    assert len(lines) == len(load_migrations())


def test_a_run_that_died_in_the_middle_of_a_file_is_repeated(connection: StoreConnection) -> None:
    text = "CREATE TABLE IF NOT EXISTS a (x Int8) ENGINE = Memory;\n{}\nCREATE VIEW b AS SELECT 1;"
    broken = Migration(1, "both", text.format("CREATE TABLE broken;"))
    with pytest.raises(StoreError):
        migrate(connection, report=lambda _: None, migrations=[broken])
    assert "a" in names(connection)
    whole = Migration(1, "both", text.format(""))
    assert migrate(connection, report=lambda _: None, migrations=[whole]) == [whole]
    assert {"a", "b"} <= names(connection)


def test_two_at_once_leave_one_schema(connection: StoreConnection) -> None:
    with ThreadPoolExecutor(2) as threads:
        list(threads.map(lambda _: migrate(connection, report=lambda _: None), range(2)))
    assert pending(connection) == []


def test_an_applied_file_that_changed_is_refused(connection: StoreConnection) -> None:
    first = Migration(1, "a", "CREATE TABLE IF NOT EXISTS a (x Int8) ENGINE = Memory;")
    migrate(connection, report=lambda _: None, migrations=[first])
    changed = replace(first, text=first.text + "\n")
    with pytest.raises(StateError, match="0001_a was applied and has changed since"):
        migrate(connection, report=lambda _: None, migrations=[changed])


def test_a_store_of_a_newer_version_is_refused(connection: StoreConnection) -> None:
    newer = Migration(1, "a", "CREATE TABLE IF NOT EXISTS a (x Int8) ENGINE = Memory;")
    migrate(connection, report=lambda _: None, migrations=[newer])
    with pytest.raises(StateError, match="upgrade inferometer"):
        migrate(connection, report=lambda _: None, migrations=[])


def test_a_new_store_lacks_every_migration(connection: StoreConnection) -> None:
    assert pending(connection) == list(load_migrations())


def test_retention_follows_the_settings_and_is_changed_only_once(tmp_path: Path) -> None:
    kept = StoreSettings(data_dir=tmp_path, retention=Retention(requests_days=3, ledger_days=5))
    lines: list[str] = []
    with StoreConnection(kept) as connection:
        migrate(connection, report=lines.append)
        assert lines[-4:] == [
            "requests now keeps 3 days, 14 before",
            "chunk_ledger now keeps 5 days, 90 before",
            "chunk_intents now keeps 5 days, 90 before",
            # What the log was folded by: for as long as the log, and the month before it.
            "dimension_values now keeps 34 days, 90 before",
        ]
        lines.clear()
        migrate(connection, report=lines.append)
        assert lines == []


def test_the_log_has_a_column_for_every_field_of_the_event(connection: StoreConnection) -> None:
    migrate(connection, report=lambda _: None)
    rows = connection.reader().query("DESCRIBE TABLE requests").result_rows
    columns = [str(row[0]) for row in rows]
    expected = [
        name
        for field in FIELDS
        for name in (
            ["itl_count", "itl_sum_ms", "itl_max_ms", "itl_bins"]
            if field.name == "itl"
            else [field.name]
        )
    ]
    assert columns[: len(expected)] == expected
    assert columns[len(expected) :] == [
        "stream_id",
        "kafka_topic",
        "kafka_partition",
        "kafka_offset",
        "kafka_index",
        "cost_usd",
        "team_id",
    ]


def test_a_folder_that_is_open_says_so_to_the_second(connection: StoreConnection) -> None:
    with pytest.raises(StoreError, match="is open in process"):
        StoreConnection(connection.settings)


def test_what_is_not_there_is_not_made_by_a_reader(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no store in"):
        StoreConnection(StoreSettings(data_dir=tmp_path / "absent"), create=False)
    assert not (tmp_path / "absent").exists()


def test_settings_that_cannot_work_open_nothing() -> None:
    with pytest.raises(ConfigError, match="give one of the two"):
        StoreConnection(StoreSettings())


def test_a_closed_store_says_so(tmp_path: Path) -> None:
    connection = StoreConnection(StoreSettings(data_dir=tmp_path))
    connection.close()
    connection.close()
    with pytest.raises(StoreError, match="is closed"):
        connection.client()


def test_a_server_that_is_away_is_worth_another_try() -> None:
    settings = StoreSettings.from_url("http://u:sesame@127.0.0.1:9/db")
    with pytest.raises(StoreError, match="is it running") as caught:
        StoreConnection(settings)
    assert caught.value.retryable
    assert "sesame" not in str(caught.value)
