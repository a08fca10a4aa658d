"""A store of before loses nothing by what makes rows smaller, and rows after it say the same."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from inferometer.clickhouse.connect import StoreConnection
from inferometer.clickhouse.migrations import load_migrations, migrate
from inferometer.clickhouse.settings import StoreSettings
from inferometer.clickhouse.store import ClickHouseChunkStore
from inferometer.core.chunks import Chunk, StreamPartition
from inferometer.core.cubes import CUBES, SKETCHES, bins_column, rows_table
from inferometer.core.door import SIDES
from inferometer.core.price_book import PriceBook
from inferometer.core.records import RecordColumns
from inferometer.core.resumption import GroupPosition
from inferometer.errors import StoreError
from inferometer.jobs.process_chunk import ProcessChunk
from inferometer.jobs.sink_policy import SinkPolicy
from inferometer.names import REQUESTS_TABLE
from inferometer.runtime.clock import now
from inferometer.testing.leases import CertainLease
from inferometer.testing.stores import MemoryChunkStore

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SOURCE = StreamPartition("inference.requests", 0, "run-1")
MIGRATIONS = load_migrations()
SMALLER = next(migration for migration in MIGRATIONS if migration.name == "smaller_rows")
BEFORE = MIGRATIONS[: SMALLER.version - 1]
ROLLUPS = [rows_table(cube, resolution) for cube in CUBES for resolution in cube.resolutions]
BUCKETS = [name for _, _, buckets in SIDES for name in buckets]
EVENTS = 200


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[StoreConnection]:
    with StoreConnection(StoreSettings(data_dir=tmp_path)) as opened:
        yield opened


def update(connection: StoreConnection) -> None:
    migrate(connection, report=lambda _line: None)


def remainders(number: int) -> tuple[int, int]:
    """Uncached input and text output of an event."""
    return number, 2 * number + 2


def event(number: int, end_us: int) -> dict[str, Any]:
    """Fill each bucket by another number; the door learns the total, or the remainder."""
    tokens = {name: (number * 7 + place) % 50 for place, name in enumerate(BUCKETS)}
    for (total, rest, buckets), remainder in zip(SIDES, remainders(number), strict=True):
        if number % 3:
            tokens[total] = remainder + sum(tokens[name] for name in buckets)
        else:
            tokens[rest] = remainder
    return {
        "event_id": f"e{number:03d}", "request_id": f"r{number // 2}", "model": f"m{number % 3}",
        "ts_end": end_us - number * 1_000_003, "status_code": 429 if number % 9 == 0 else 200,
        "team_ids": [f"t{number % 4}"], "metadata": {"app": f"a{number % 5}"},
        "queue_ms": 1.5 * number, "ttft_ms": 10.0 + number, "e2e_ms": 50.0 + 3 * number,
        "itl": {"count": 2, "sum_ms": 3.0, "max_ms": 2.0, "bins": [690, 1, 760, 1]},
        **tokens,
    }  # fmt: skip


def rows_of_worker() -> dict[str, pa.Table]:
    """What a worker stores of the events, table by table."""
    store, at = MemoryChunkStore(), now()
    job = ProcessChunk(
        store=store, book=PriceBook("test", ()), policy=SinkPolicy(), clock=lambda: at
    )
    job.assigned(SOURCE, GroupPosition(0, None, earliest=0), partition_count=1)
    end_us = int(at.timestamp() * 1e6)
    values = [json.dumps(event(number, end_us)).encode() for number in range(EVENTS)]
    records = RecordColumns.from_values(values, append_time_ms=end_us // 1000)
    outcome = job.run(Chunk(SOURCE, job.plan(SOURCE, records), records), CertainLease())
    assert outcome.stored == EVENTS
    return {table: store.rows(table) for table in (REQUESTS_TABLE, *ROLLUPS)}


def rows_of_before() -> dict[str, pa.Table]:
    """What a worker of the version before stored of them: remainders as columns of the log."""
    rows = rows_of_worker()
    log = rows[REQUESTS_TABLE]
    numbers = [int(event_id[1:]) for event_id in log.column("event_id").to_pylist()]
    for place, (_, rest, _) in enumerate(SIDES):
        values = [remainders(number)[place] for number in numbers]
        log = log.append_column(rest, pa.array(values, pa.uint32()))
    return {**rows, REQUESTS_TABLE: log}


def fill(connection: StoreConnection, rows: dict[str, pa.Table], token: str) -> None:
    store = ClickHouseChunkStore(connection)
    for table, added in rows.items():
        store.insert(table=table, rows=added, token=f"{token}/{table}")


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
