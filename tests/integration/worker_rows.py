"""The rows that a worker stores of two hundred events, now and before its log became smaller."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from inferometer.clickhouse.store import ClickHouseChunkStore
from inferometer.core.chunks import Chunk, StreamPartition
from inferometer.core.cubes import CUBES, rows_table
from inferometer.core.door import SIDES
from inferometer.core.price_book import PriceBook
from inferometer.core.records import RecordColumns
from inferometer.core.resumption import GroupPosition
from inferometer.jobs.process_chunk import ProcessChunk
from inferometer.jobs.sink_policy import SinkPolicy
from inferometer.names import REQUESTS_TABLE
from inferometer.runtime.clock import now
from inferometer.testing.leases import CertainLease
from inferometer.testing.stores import MemoryChunkStore

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inferometer.clickhouse.connect import StoreConnection

SOURCE = StreamPartition("inference.requests", 0, "run-1")
ROLLUPS = [rows_table(cube, resolution) for cube in CUBES for resolution in cube.resolutions]
BUCKETS = [name for _, _, buckets in SIDES for name in buckets]
EVENTS = 200


def remainders(number: int) -> tuple[int, int]:
    """Uncached input and text output of an event."""
    return number, 2 * number + 2


def _event(number: int, end_us: int) -> dict[str, Any]:
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


def rows_of_worker(
    tables: Sequence[str] = (REQUESTS_TABLE, *ROLLUPS),
) -> dict[str, pa.Table]:
    """What a worker stores of the events, table by table."""
    store, at = MemoryChunkStore(), now()
    job = ProcessChunk(
        store=store, book=PriceBook("test", ()), policy=SinkPolicy(), clock=lambda: at
    )
    job.assigned(SOURCE, GroupPosition(0, None, earliest=0), partition_count=1)
    end_us = int(at.timestamp() * 1e6)
    values = [json.dumps(_event(number, end_us)).encode() for number in range(EVENTS)]
    records = RecordColumns.from_values(values, append_time_ms=end_us // 1000)
    outcome = job.run(Chunk(SOURCE, job.plan(SOURCE, records), records), CertainLease())
    assert outcome.stored == EVENTS
    return {table: store.rows(table) for table in tables}


def rows_of_before(
    tables: Sequence[str] = (REQUESTS_TABLE, *ROLLUPS),
) -> dict[str, pa.Table]:
    """What a worker from before the migration 0012 stored of them: remainders as columns too."""
    rows = rows_of_worker(tables)
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
