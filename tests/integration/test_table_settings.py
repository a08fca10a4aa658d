"""The settings that spare CPU change no answer: tables with and without them hold the same."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from inferometer.clickhouse.connect import StoreConnection
from inferometer.clickhouse.migrations import migrate
from inferometer.clickhouse.settings import StoreSettings
from inferometer.clickhouse.store import ClickHouseChunkStore
from inferometer.clickhouse.table_settings import spare_cpu

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from clickhouse_connect.driver.client import Client

ALIVE_S = 4_000_000_000
"""In 2096: rows beyond the retention of their table would be gone at once."""

ROWS = 300
INSERTS = 8


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[StoreConnection]:
    with StoreConnection(StoreSettings(data_dir=tmp_path)) as opened:
        migrate(opened, report=lambda _line: None)
        yield opened


def engine(client: Client, table: str) -> str:
    text = "SELECT engine_full FROM system.tables WHERE name = {table:String}"
    return str(client.query(text, {"table": table}).result_rows[0][0])


def log_rows(seed: int) -> pa.Table:
    """Rows that use other columns at each seed, those of the key and of the indexes included."""
    dice = random.Random(seed)
    base = ALIVE_S * 1_000_000
    columns: dict[str, pa.Array] = {
        "event_id": pa.array([f"{seed}-{row}" for row in range(ROWS)]),
        "ts_end": pa.array([base + row * 1000 for row in range(ROWS)], pa.timestamp("us", "UTC")),
        "kafka_offset": pa.array(range(seed * ROWS, (seed + 1) * ROWS), pa.uint64()),
        "kafka_partition": pa.array([seed % 2] * ROWS, pa.uint32()),
    }
    makers: dict[str, pa.Array] = {
        "workspace_id": pa.array([f"w{row % 3}" for row in range(ROWS)]),
        "model": pa.array([f"m{row % 5}" for row in range(ROWS)]),
        "request_id": pa.array([f"r{row}" for row in range(ROWS)]),
        "images": pa.array([row % 2 for row in range(ROWS)], pa.uint32()),
        "ttft_ms": pa.array([None if row % 2 else row for row in range(ROWS)], pa.decimal64(18, 3)),
        "metadata": pa.array(
            [[("k", str(row))] for row in range(ROWS)], pa.map_(*[pa.string()] * 2)
        ),
        "team_ids": pa.array([["a"] if row % 4 else [] for row in range(ROWS)]),
        "cold_start": pa.array([row % 9 == 0 for row in range(ROWS)]),
    }
    return pa.table({**columns, **{n: c for n, c in makers.items() if dice.random() < 0.5}})


def rollup_rows(seed: int) -> pa.Table:
    dice = random.Random(seed)
    window = pa.array([ALIVE_S // 3600 * 3600] * ROWS, pa.timestamp("s", "UTC"))
    bins = pa.array(
        [[(row % 4, 2), (9, 1)] for row in range(ROWS)], pa.map_(pa.int16(), pa.uint64())
    )
    columns: dict[str, pa.Array] = {
        "window_start": window,
        "user_id": pa.array([f"u{row}" for row in range(ROWS)]),
        "attempts": pa.array([1] * ROWS, pa.uint64()),
    }
    makers: dict[str, pa.Array] = {
        "workspace_id": pa.array(["w"] * ROWS),
        "images": pa.array(range(ROWS), pa.uint64()),
        "cost_usd": pa.array(range(ROWS), pa.decimal128(38, 12)),
        "ttft_bins": bins,
    }
    return pa.table({**columns, **{n: c for n, c in makers.items() if dice.random() < 0.5}})


def answers(client: Client, table: str) -> Sequence[Sequence[Any]]:
    return list(client.query(f"SELECT * FROM {table} ORDER BY ALL").result_rows)


@pytest.mark.parametrize(
    ("table", "make"), [("requests", log_rows), ("usage_1h_rows", rollup_rows)]
)
def test_rows_can_be_deleted_whatever_columns_their_inserts_had(
    connection: StoreConnection, table: str, make: Any
) -> None:
    client, store = connection.client(), ClickHouseChunkStore(connection)
    for seed in range(INSERTS):
        rows = make(seed)
        # A column of the key, which was the one that made deletions fail.
        rows = rows.select([name for name in rows.column_names if name != "workspace_id"])
        store.insert(table=table, rows=rows, token=str(seed))
    client.command(f"DELETE FROM {table} WHERE images = 0")
    assert {row[0] for row in client.query(f"SELECT images > 0 FROM {table}").result_rows} <= {1}
    client.command(f"OPTIMIZE TABLE {table} FINAL")
    client.command(f"DELETE FROM {table} WHERE 1")
    assert answers(client, table) == []


def test_indexes_and_keys_of_columns_that_are_not_there_find_their_rows(
    connection: StoreConnection,
) -> None:
    client, store = connection.client(), ClickHouseChunkStore(connection)
    for seed in range(INSERTS):
        store.insert(table="requests", rows=log_rows(seed), token=str(seed))
    for condition in (
        "kafka_partition = 0 AND kafka_offset < 300",
        "workspace_id = ''",
        "workspace_id = 'w1'",
        "request_id = ''",
        "request_id = 'r17'",
        "images = 0 AND cold_start",
        "has(team_ids, 'a')",
    ):
        found, counted = client.query(
            f"SELECT countIf({condition}), (SELECT count() FROM requests WHERE {condition}) "
            "FROM requests SETTINGS use_skip_indexes = 1"
        ).result_rows[0]
        assert found == counted, condition


def test_the_log_is_wide_once_it_is_merged(connection: StoreConnection) -> None:
    client = connection.client()
    assert "min_level_for_wide_part = 1" in engine(client, "requests")
    assert "min_level_for_wide_part" not in engine(client, "usage_1m_rows")


def test_a_second_run_alters_nothing(connection: StoreConnection) -> None:
    client = connection.client()
    before = client.query(
        "SELECT name, metadata_modification_time FROM system.tables "
        "WHERE database = currentDatabase() ORDER BY name"
    ).result_rows
    spare_cpu(client)
    after = client.query(
        "SELECT name, metadata_modification_time FROM system.tables "
        "WHERE database = currentDatabase() ORDER BY name"
    ).result_rows
    assert list(before) == list(after)


class _OlderEngine:
    """Knows none of the settings."""

    def __init__(self) -> None:
        self.commands: list[str] = []

    def query(self, text: str, _parameters: object = None) -> Any:
        rows = [] if "merge_tree_settings" in text else [("requests", "MergeTree ORDER BY x")]
        return type("Result", (), {"result_rows": rows})()

    def command(self, text: str) -> None:
        self.commands.append(text)


def test_an_engine_that_knows_no_such_setting_is_left_alone() -> None:
    older: Any = _OlderEngine()
    spare_cpu(older)
    assert older.commands == []
