"""A plain server that swallows a retry without having its rows, as seen from a worker."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from inferometer.clickhouse.connect import StoreConnection
from inferometer.clickhouse.http_server.background import BackgroundServer
from inferometer.clickhouse.http_server.server import HttpStoreServer
from inferometer.clickhouse.lost_inserts import TABLES_WITH_OFFSETS, LostInserts
from inferometer.clickhouse.migrations import migrate
from inferometer.clickhouse.settings import StoreSettings
from inferometer.clickhouse.store import ClickHouseChunkStore
from inferometer.core.chunks import StreamPartition

if TYPE_CHECKING:
    from collections.abc import Iterator

SOURCE = StreamPartition("inference.requests", 3, "run-1")
ALIVE = datetime(2096, 1, 1, tzinfo=UTC)
"""Rows beyond the retention of their table would be gone at once."""


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreConnection]:
    with StoreConnection(StoreSettings(data_dir=tmp_path_factory.mktemp("store"))) as opened:
        migrate(opened, report=lambda _: None)
        yield opened


@pytest.fixture(scope="module")
def server(embedded: StoreConnection) -> Iterator[StoreConnection]:
    with (
        BackgroundServer(lambda: HttpStoreServer(embedded)) as running,
        StoreConnection(StoreSettings(url=running.url)) as opened,
    ):
        yield opened


def chunk(table: str) -> pa.Table:
    """Return two events of each of ten records, on two days."""
    count = 20
    instants = [ALIVE + timedelta(days=number % 2) for number in range(count)]
    time = pa.array(instants, pa.timestamp("us", tz="UTC"))
    month = pa.array([ALIVE.date()] * count, pa.date32())
    times = {
        "requests": {"ts_end": time},
        "dead_letters": {"decided_at": time},
        "dimension_values": {"month": month},
    }
    return pa.table(
        {
            **times[table],
            "stream_id": [SOURCE.stream_id] * count,
            "kafka_topic": [SOURCE.topic] * count,
            "kafka_partition": pa.array([SOURCE.partition] * count, pa.uint32()),
            "kafka_offset": pa.array([100 + number // 2 for number in range(count)], pa.uint64()),
            "kafka_index": pa.array([number % 2 for number in range(count)], pa.uint32()),
        }
    )


def count(server: StoreConnection, table: str) -> int:
    return int(str(server.client().command(f"SELECT count() FROM {table}")))


@pytest.mark.parametrize("table", TABLES_WITH_OFFSETS)
def test_what_the_server_lost_is_stored_by_the_retry(server: StoreConnection, table: str) -> None:
    store, rows = ClickHouseChunkStore(server), chunk(table)
    store.insert(table=table, rows=rows, token="first")
    assert count(server, table) == 20
    # Its token stays: what the kill of a server between note and rename leaves behind.
    server.client().command(f"DELETE FROM {table} WHERE kafka_index = 1")
    assert count(server, table) == 10
    for _ in range(2):
        store.insert(table=table, rows=rows, token="first")
        assert count(server, table) == 20


def test_a_server_that_has_run_for_long_swallows_the_retry_unasked(
    server: StoreConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Shows that the cure above is at work, and no other."""
    monkeypatch.setattr("inferometer.clickhouse.lost_inserts.SUSPICION_S", 0)
    store, rows = ClickHouseChunkStore(server), chunk("requests")
    store.insert(table="requests", rows=rows, token="second")
    stored = count(server, "requests")
    server.client().command("DELETE FROM requests WHERE kafka_index = 1")
    store.insert(table="requests", rows=rows, token="second")
    assert count(server, "requests") < stored


def test_rows_of_another_partition_do_not_stand_in(server: StoreConnection) -> None:
    rows = chunk("requests")
    place = rows.column_names.index("kafka_partition")
    other = rows.set_column(place, "kafka_partition", pa.array([4] * 20, pa.uint32()))
    assert LostInserts(server).missing(table="requests", rows=other).num_rows == 20


def test_no_rows_cannot_be_lost(server: StoreConnection) -> None:
    none = chunk("requests").slice(0, 0)
    assert LostInserts(server).missing(table="requests", rows=none).num_rows == 0


def test_a_folder_of_our_own_loses_nothing(embedded: StoreConnection) -> None:
    assert not LostInserts(embedded).are_possible()
