"""Rows from before a migration say after it what they said before, at every version there was."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inferometer.clickhouse.connect import StoreConnection
from inferometer.clickhouse.migrations import BOOKKEEPING_TABLE, load_migrations, migrate
from inferometer.clickhouse.settings import StoreSettings
from inferometer.names import INTENTS_TABLE, LEDGER_TABLE, REQUESTS_TABLE
from tests.integration.worker_rows import ROLLUPS, fill, rows_of_before, rows_of_worker

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

MIGRATIONS = load_migrations()
OF_CHUNKS = (REQUESTS_TABLE, *ROLLUPS, INTENTS_TABLE, LEDGER_TABLE)
SMALLER = next(migration.version for migration in MIGRATIONS if migration.name == "smaller_rows")
FILLED_AT = (4, SMALLER - 1, len(MIGRATIONS))
"""The first version with the tables of chunks, the last whose log had remainders, and that of now:
in between, nothing but new tables and views came."""

ALWAYS_EMPTY = {"incidents", "partly_folded_values"}
"""Views of what these rows do not hold: an incident with an id, a value that a cap kept out."""

Columns = dict[str, list[str]]
"""Of every table and view, sorted."""


def columns_of(connection: StoreConnection) -> Columns:
    rows = connection.reader().query(
        "SELECT table, arraySort(groupArray(name)) FROM system.columns "
        "WHERE database = currentDatabase() AND table != {bookkeeping:String} GROUP BY table",
        {"bookkeeping": BOOKKEEPING_TABLE},
    )
    return {str(table): list(names) for table, names in rows.result_rows}


def answers(connection: StoreConnection, columns: Columns) -> dict[str, tuple[int, int]]:
    """How many rows of these columns there are, and the sum of their digests."""
    found = {}
    for table, names in columns.items():
        text = f"SELECT count(), sum(cityHash64(toString(({', '.join(names)},)))) FROM {table}"
        ((rows, digests),) = connection.reader().query(text).result_rows
        found[table] = (int(rows), int(digests))
    return found


def fill_all(connection: StoreConnection, version: int, rows: dict[str, pa.Table]) -> None:
    """Give each table of chunks what a worker stores, and every other one a row of now."""
    fill(connection, rows, str(version))
    others = connection.reader().query(
        "SELECT table, groupArray(name) FROM system.columns "
        "WHERE database = currentDatabase() AND type LIKE '%Date%' AND table IN "
        "(SELECT name FROM system.tables WHERE database = currentDatabase() "
        "AND engine LIKE '%MergeTree')"
        "GROUP BY table"
    )
    for table, instants in others.result_rows:
        if table not in {*rows, BOOKKEEPING_TABLE}:
            values = ", ".join(["now()"] * len(instants))
            connection.client().command(
                f"INSERT INTO {table} ({', '.join(instants)}) SELECT {values}"
            )


def test_no_migration_changes_an_answer(tmp_path: Path) -> None:
    old, new = rows_of_before(OF_CHUNKS), rows_of_worker(OF_CHUNKS)
    columns: Columns = {}
    kept: dict[str, tuple[int, int]] = {}
    with StoreConnection(StoreSettings(data_dir=tmp_path)) as connection:
        for migration in MIGRATIONS:
            known = MIGRATIONS[: migration.version]
            migrate(connection, report=lambda _line: None, migrations=known)
            assert answers(connection, columns) == kept, migration
            if migration.version < FILLED_AT[0]:
                continue
            if migration.version in FILLED_AT:
                fill_all(connection, migration.version, old if migration.version < SMALLER else new)
            columns = columns_of(connection)
            kept = answers(connection, columns)
    assert {table for table, (rows, _) in kept.items() if not rows} == ALWAYS_EMPTY
