"""A store killed between the note of a token and the rename of its part, on the real engine."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from inferometer.clickhouse import connect
from inferometer.clickhouse.connect import ENGINE_FOLDER, StoreConnection
from inferometer.clickhouse.settings import StoreSettings
from inferometer.clickhouse.store import ClickHouseChunkStore

if TYPE_CHECKING:
    from pathlib import Path

TABLE = """CREATE TABLE IF NOT EXISTS numbers (day Date, number Int64) ENGINE = MergeTree
PARTITION BY day ORDER BY number SETTINGS non_replicated_deduplication_window = 100"""


def insert(connection: StoreConnection, token: str, numbers: dict[int, int]) -> None:
    rows = pa.table(
        {"day": pa.array([*numbers.values()], pa.uint16()), "number": [*numbers.keys()]}
    )
    ClickHouseChunkStore(connection).insert(table="numbers", rows=rows, token=token)


def stored(connection: StoreConnection) -> list[int]:
    rows = connection.reader().query("SELECT number FROM numbers ORDER BY number").result_rows
    return [row[0] for row in rows]


def opened(folder: Path) -> StoreConnection:
    return StoreConnection(StoreSettings(data_dir=folder))


def kill_before_the_rename(folder: Path, part: str) -> None:
    """Leave a folder as a kill does: the note is written, the part has its name of before."""
    (found,) = (folder / ENGINE_FOLDER).glob(f"store/*/*/{part}")
    shutil.move(found, found.with_name(f"tmp_insert_{part}"))


@pytest.fixture
def killed(tmp_path: Path) -> Path:
    """Return a folder whose second insert reached one of its two days."""
    with opened(tmp_path) as connection:
        connection.client().command(TABLE)
        insert(connection, "first", {1: 20_000})
        insert(connection, "second", {2: 20_000, 3: 20_001})
    kill_before_the_rename(tmp_path, "20241005_3_3_0")
    return tmp_path


def test_a_retry_stores_what_the_kill_left_out_and_nothing_twice(killed: Path) -> None:
    with opened(killed) as connection:
        assert stored(connection) == [1, 2]
        for _ in range(2):
            insert(connection, "first", {1: 20_000})
            insert(connection, "second", {2: 20_000, 3: 20_001})
        assert stored(connection) == [1, 2, 3]


def test_without_the_cure_the_retry_is_swallowed(
    killed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connect, "revoke_orphan_tokens", lambda _: [])
    with opened(killed) as connection:
        insert(connection, "second", {2: 20_000, 3: 20_001})
        assert stored(connection) == [1, 2]


def test_tokens_of_merged_parts_stay(tmp_path: Path) -> None:
    with opened(tmp_path) as connection:
        connection.client().command(TABLE)
        for number in range(5):
            insert(connection, f"t{number}", {number: 20_000})
        connection.client().command("OPTIMIZE TABLE numbers FINAL")
    with opened(tmp_path) as connection:
        for number in range(5):
            insert(connection, f"t{number}", {number: 20_000})
        assert stored(connection) == [0, 1, 2, 3, 4]
