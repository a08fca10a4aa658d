"""Windows of tokens on the real engine: what they lose, and how that is noticed beforehand."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from inferometer import config
from inferometer.clickhouse.connect import StoreConnection
from inferometer.clickhouse.migrations import migrate
from inferometer.clickhouse.settings import StoreSettings
from inferometer.clickhouse.store import ClickHouseChunkStore
from inferometer.clickhouse.token_windows import CHUNK_TABLES, TokenWindowReports
from inferometer.core.token_windows import TokenLoad, TokenWindow, token_window_problems
from inferometer.errors import ConfigError
from inferometer.runtime.token_windows import TokenWindowWatch, check_token_windows

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOW = datetime(2030, 1, 1, tzinfo=UTC)
SETTINGS = config.Settings()


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[StoreConnection]:
    with StoreConnection(StoreSettings(data_dir=tmp_path)) as opened:
        migrate(opened, report=lambda _: None)
        yield opened


def set_window(connection: StoreConnection, table: str, size: int) -> None:
    connection.client().command(
        f"ALTER TABLE {table} MODIFY SETTING non_replicated_deduplication_window = {size}"
    )


def write_ledger(connection: StoreConnection, *, chunks: int, days: int, at: datetime) -> None:
    connection.client().command(
        "INSERT INTO chunk_ledger (decided_at, days) "
        "SELECT {at:DateTime64(6, 'UTC')}, {days:UInt32} FROM numbers({chunks:UInt64})",
        {"at": at, "days": days, "chunks": chunks},
    )


def insert_days(connection: StoreConnection, days: int, token: str) -> int:
    """Insert one row of each of some days under one token; return how many rows there are."""
    instants = [NOW + timedelta(days=day) for day in range(days)]
    rows = pa.table(
        {
            "event_id": [f"{token}-{day}" for day in range(days)],
            "ts_end": pa.array(instants, pa.timestamp("us", tz="UTC")),
        }
    )
    ClickHouseChunkStore(connection).insert(table="requests", rows=rows, token=token)
    return int(str(connection.client().command("SELECT count() FROM requests")))


def test_an_insert_of_more_days_than_the_window_pushes_its_own_token_out(
    connection: StoreConnection,
) -> None:
    assert [insert_days(connection, 5, "fits") for _ in range(2)] == [5, 5]
    set_window(connection, "requests", 3)
    stored = [insert_days(connection, 5, "spills") for _ in range(2)]
    assert stored[1] > stored[0], "the engine counts tokens in another way: see token_windows.py"
    load = TokenLoad(
        partitions=1,
        inserts_per_s=0.001,
        days_an_insert=5,
        most_days_an_insert=5,
        longest_outage_s=1,
    )
    (problem,) = token_window_problems(TokenWindowReports(connection).windows(), load)
    assert problem.is_fatal
    assert problem.message.startswith("requests remembers 3 tokens")


def test_every_table_of_chunks_says_how_many_tokens_it_remembers(
    connection: StoreConnection,
) -> None:
    windows = TokenWindowReports(connection).windows()
    assert {window.table for window in windows} == set(CHUNK_TABLES)
    assert {window.size for window in windows} == {30_000}


def test_a_table_without_a_window_remembers_nothing(connection: StoreConnection) -> None:
    connection.client().command("CREATE TABLE t (x Int8) ENGINE = MergeTree ORDER BY x")
    assert TokenWindowReports(connection).windows(["t"]) == [TokenWindow("t", 0)]


def test_a_changed_window_is_seen(connection: StoreConnection) -> None:
    set_window(connection, "requests", 77)
    assert TokenWindowReports(connection).windows(["requests"]) == [TokenWindow("requests", 77)]


def test_tokens_are_counted_by_days_from_an_instant_on(connection: StoreConnection) -> None:
    write_ledger(connection, chunks=3, days=2, at=NOW)
    write_ledger(connection, chunks=4, days=0, at=NOW)
    write_ledger(connection, chunks=50, days=1, at=NOW - timedelta(hours=1))
    reports = TokenWindowReports(connection)
    assert reports.tokens_written(NOW) == 10
    assert reports.tokens_written(NOW + timedelta(seconds=1)) == 0
    assert reports.busiest_span(NOW - timedelta(days=1), 900) == 50
    assert reports.busiest_span(NOW + timedelta(days=1), 900) == 0


def test_a_worker_with_the_defaults_starts_in_silence(
    connection: StoreConnection, caplog: pytest.LogCaptureFixture
) -> None:
    check_token_windows(connection, SETTINGS, partitions=12, now=NOW)
    assert not caplog.records


def test_a_worker_warns_of_more_partitions_than_the_windows_last_for(
    connection: StoreConnection, caplog: pytest.LogCaptureFixture
) -> None:
    check_token_windows(connection, SETTINGS, partitions=96, now=NOW)
    worker = SETTINGS.worker
    tokens = 96 * worker.longest_outage_s / worker.chunk_min_wait_s
    assert "requests remembers 30000 tokens" in caplog.text
    assert f"may need {tokens:.0f}" in caplog.text


def test_a_worker_refuses_a_table_that_remembers_nothing(connection: StoreConnection) -> None:
    set_window(connection, "service_1m_rows", 0)
    with pytest.raises(ConfigError, match="service_1m_rows remembers 0 tokens"):
        check_token_windows(connection, SETTINGS, partitions=1, now=NOW)


def test_a_window_half_in_use_is_told_once(
    connection: StoreConnection, caplog: pytest.LogCaptureFixture
) -> None:
    watch = TokenWindowWatch(connection, longest_outage_s=900)
    write_ledger(connection, chunks=15_000, days=1, at=NOW)
    with caplog.at_level(logging.WARNING):
        uses = [watch.measure(NOW) for _ in range(2)]
    assert [use.ratio if use else None for use in uses] == [0.5, 0.5]
    assert len(caplog.records) == 1
