"""A store of before loses nothing by what makes rows smaller, and rows after it say the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from inferometer.clickhouse.connect import StoreConnection
from inferometer.clickhouse.migrations import load_migrations, migrate
from inferometer.clickhouse.settings import StoreSettings
from inferometer.core.cubes import SKETCHES, bins_column
from inferometer.core.door import SIDES
from inferometer.errors import StoreError
from inferometer.names import REQUESTS_TABLE
from tests.integration.worker_rows import (
    EVENTS,
    ROLLUPS,
    fill,
    remainders,
    rows_of_before,
    rows_of_worker,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MIGRATIONS = load_migrations()
SMALLER = next(migration for migration in MIGRATIONS if migration.name == "smaller_rows")
BEFORE = MIGRATIONS[: SMALLER.version - 1]


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[StoreConnection]:
    with StoreConnection(StoreSettings(data_dir=tmp_path)) as opened:
        yield opened


def update(connection: StoreConnection) -> None:
    migrate(connection, report=lambda _line: None)


def optimize(connection: StoreConnection) -> None:
    for table in (REQUESTS_TABLE, *ROLLUPS):
        connection.client().command(f"OPTIMIZE TABLE {table} FINAL")


def contents(connection: StoreConnection) -> dict[str, list[Any]]:
    """Every column of every row, aliases too, of the log and the roll-ups."""
    reader = connection.reader()
    found = {}
    for table in (REQUESTS_TABLE, *ROLLUPS):
        names = ", ".join(str(row[0]) for row in reader.query(f"DESCRIBE {table}").result_rows)
        answer = reader.query(f"SELECT {names} FROM {table} ORDER BY ALL")
        found[f"{table} ({names})"] = list(answer.result_rows)
    return found


def test_a_filled_store_of_before_answers_as_before(connection: StoreConnection) -> None:
    migrate(connection, report=lambda _line: None, migrations=BEFORE)
    fill(connection, rows_of_before(), "a")
    kept = contents(connection)
    update(connection)
    assert contents(connection) == kept
    optimize(connection)
    assert contents(connection) == kept


@pytest.mark.parametrize("done", range(1, len(SMALLER.statements()) + 1))
def test_a_run_that_died_after_any_statement_is_repeated(
    connection: StoreConnection, done: int
) -> None:
    migrate(connection, report=lambda _line: None, migrations=BEFORE)
    fill(connection, rows_of_before(), "a")
    kept = contents(connection)
    for statement in SMALLER.statements()[:done]:
        connection.client().command(statement)
    update(connection)
    assert contents(connection) == kept


def test_rows_of_before_and_of_now_lie_in_one_part(connection: StoreConnection) -> None:
    migrate(connection, report=lambda _line: None, migrations=BEFORE)
    fill(connection, rows_of_before(), "a")
    update(connection)
    fill(connection, rows_of_worker(), "b")
    optimize(connection)
    for _, rest, _ in SIDES:
        text = f"SELECT event_id, groupUniqArray({rest}), count() FROM requests GROUP BY event_id"
        found = connection.reader().query(text).result_rows
        assert len(found) == EVENTS
        assert {(len(values), count) for _, values, count in found} == {(1, 2)}


def test_a_remainder_of_tokens_is_what_the_total_and_the_buckets_leave(
    connection: StoreConnection,
) -> None:
    update(connection)
    rows = rows_of_worker()
    names = [rest for _, rest, _ in SIDES]
    assert not set(names) & set(rows[REQUESTS_TABLE].column_names)
    fill(connection, rows, "a")
    text = f"SELECT {', '.join(names)} FROM requests ORDER BY event_id"
    found = [tuple(map(int, row)) for row in connection.reader().query(text).result_rows]
    assert found == [remainders(number) for number in range(EVENTS)]


def test_a_worker_of_before_that_still_runs_stores_nothing(connection: StoreConnection) -> None:
    update(connection)
    with pytest.raises(StoreError):
        fill(connection, rows_of_before(), "a")
    assert not any(contents(connection).values())


@pytest.mark.parametrize("table", ROLLUPS)
def test_sketches_are_stored_as_differences(connection: StoreConnection, table: str) -> None:
    update(connection)
    rows = connection.reader().query(
        "SELECT name, compression_codec FROM system.columns "
        "WHERE database = currentDatabase() AND table = {table:String} AND name LIKE '%\\_bins'",
        {"table": table},
    )
    found = {str(name): str(codec) for name, codec in rows.result_rows}
    assert set(found) == {bins_column(sketch) for sketch in SKETCHES}
    assert all(codec.startswith("CODEC(Delta") for codec in found.values())
