"""What the store costs: CPU of inserts and of background merges, table by table, over many chunks.

Merges run as they do in a worker, while the next chunks come; their threads' own CPU clocks tell
what all of them took. Which table they worked for is told by the parts: a part of a merge covers the
parts that it was made of. What one rewrite of a row takes is measured apart, on a copy of the table
that holds `PASS_PARTS` chunks and is merged once.
"""

from __future__ import annotations

import os
import re
import tempfile
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from inferometer.clickhouse.connect import StoreConnection
from inferometer.clickhouse.migrations import migrate
from inferometer.clickhouse.settings import StoreSettings
from inferometer.clickhouse.store import ClickHouseChunkStore
from inferometer.core.chunks import Chunk, StreamPartition
from inferometer.core.records import RecordColumns
from inferometer.core.resumption import GroupPosition
from inferometer.jobs.process_chunk import ProcessChunk
from inferometer.jobs.sink_policy import SinkPolicy
from inferometer.names import REQUESTS_TOPIC
from inferometer.prices import load_book
from inferometer.runtime.clock import now
from inferometer.testing.leases import CertainLease
from tests.benchmarks.feeder import EVENT_RATE, PARTITIONS, make_values
from tests.benchmarks.measuring import cpu_s

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    import pyarrow as pa

    from tests.benchmarks.contestants import Shape

PASS_PARTS = 16
"""As many as the tables' own settings merge at least."""

_TASKS = Path("/proc/self/task")
_MERGE_THREAD = "MergeMutate"
_QUIET_S = 3.0
_QUIET_AFTER_S = 120.0
_PART = re.compile(r"(?P<partition>[^_]+)_(?P<first>\d+)_(?P<last>\d+)_(?P<level>\d+)")


@dataclass(frozen=True, slots=True)
class TableCost:
    """What one table takes."""

    rows_a_chunk: float
    insert_us: float
    """CPU an event, merges aside."""
    rewrites: float
    """How often a row was rewritten by merges so far: rows read by merges / rows inserted."""
    rewrite_us: float
    """CPU a row of one rewrite, of `PASS_PARTS` parts."""
    bytes_a_row: float
    """On disk, after the run's merges."""


@dataclass(frozen=True, slots=True)
class StoreCost:
    """What the store takes, microseconds of CPU an event."""

    shape: Shape
    chunks: int
    events_a_chunk: int
    merges_us: float
    """All merges of all tables, measured by the clocks of their threads."""
    tables: dict[str, TableCost]


class _WatchedStore(ClickHouseChunkStore):
    """Notes what each insert takes, and keeps the rows of the first chunks."""

    def __init__(self, connection: StoreConnection) -> None:
        super().__init__(connection)
        self.seconds: dict[str, float] = defaultdict(float)
        self.rows: dict[str, int] = defaultdict(int)
        self.kept: dict[str, list[pa.Table]] = defaultdict(list)

    def insert(self, *, table: str, rows: pa.Table, token: str) -> None:
        """Store rows."""
        start = cpu_s() - _merge_cpu_s()
        super().insert(table=table, rows=rows, token=token)
        self.seconds[table] += cpu_s() - _merge_cpu_s() - start
        self.rows[table] += rows.num_rows
        if len(self.kept[table]) < PASS_PARTS:
            self.kept[table].append(rows)


def run(pipe: Connection, shape: Shape, chunks: int, events_a_chunk: int) -> None:
    """Answer a `StoreCost`, or the exception that prevented it."""
    # One core, as for the worker: two hardware threads of one core slow each other down.
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    try:
        with tempfile.TemporaryDirectory(prefix="inferometer-bench-") as folder:
            pipe.send(_cost(Path(folder), shape, chunks, events_a_chunk))
    except BaseException as error:
        pipe.send(RuntimeError(repr(error)))
        raise


def _cost(folder: Path, shape: Shape, chunks: int, events_a_chunk: int) -> StoreCost:
    with StoreConnection(StoreSettings(data_dir=folder)) as connection:
        migrate(connection, report=lambda _line: None)
        store = _WatchedStore(connection)
        parts: dict[str, dict[str, int]] = defaultdict(dict)
        merged_before_s = _merge_cpu_s()
        _store_chunks(connection, store, parts, shape, chunks, events_a_chunk)
        _wait_for_quiet(connection)
        _note_parts(connection, parts)
        merges_s = _merge_cpu_s() - merged_before_s
        sizes = _bytes_a_row(connection)
        events = chunks * events_a_chunk
        return StoreCost(
            shape=shape,
            chunks=chunks,
            events_a_chunk=events_a_chunk,
            merges_us=merges_s / events * 1e6,
            tables={
                table: TableCost(
                    rows_a_chunk=rows / chunks,
                    insert_us=store.seconds[table] / events * 1e6,
                    rewrites=_merged_rows(parts[table]) / rows,
                    rewrite_us=_rewrite_us(connection, store, table),
                    bytes_a_row=sizes[table],
                )
                for table, rows in store.rows.items()
            },
        )


def _store_chunks(
    connection: StoreConnection,
    store: _WatchedStore,
    parts: dict[str, dict[str, int]],
    shape: Shape,
    chunks: int,
    events_a_chunk: int,
) -> None:
    """Process chunks of all partitions in turn, as a worker does."""
    job = ProcessChunk(store=store, book=load_book(), policy=SinkPolicy(), clock=now)
    sources = [StreamPartition(REQUESTS_TOPIC, part, "benchmark") for part in range(PARTITIONS)]
    for source in sources:
        job.assigned(source, GroupPosition(0, None, earliest=0), partition_count=PARTITIONS)
    start_s = time.time() - chunks * events_a_chunk / EVENT_RATE
    for turn in range(-(-chunks // PARTITIONS)):
        values = make_values(
            shape,
            PARTITIONS * events_a_chunk,
            seed=turn,
            end_s=start_s + (turn + 1) * PARTITIONS * events_a_chunk / EVENT_RATE,
        )
        for place, source in enumerate(sources[: chunks - turn * PARTITIONS]):
            records = RecordColumns.from_values(
                values[place::PARTITIONS],
                first_offset=turn * events_a_chunk,
                append_time_ms=int(now().timestamp() * 1000),
            )
            job.run(Chunk(source, job.plan(source, records), records), CertainLease())
            _note_parts(connection, parts)


def _merge_cpu_s() -> float:
    """Return the CPU time of the store's threads that merge."""
    found = 0
    for task in _TASKS.iterdir():
        try:
            if (task / "comm").read_text().strip() == _MERGE_THREAD:
                found += int((task / "schedstat").read_text().split()[0])
        except (FileNotFoundError, ProcessLookupError):
            # A thread that ended since it was listed; those of the merges stay.
            continue
    return found / 1e9


def _wait_for_quiet(connection: StoreConnection) -> None:
    deadline = time.monotonic() + _QUIET_AFTER_S
    quiet_since = time.monotonic()
    while time.monotonic() - quiet_since < _QUIET_S:
        if connection.reader().query("SELECT count() FROM system.merges").result_rows[0][0]:
            quiet_since = time.monotonic()
        if time.monotonic() > deadline:
            raise RuntimeError(f"the merges have not ended in {_QUIET_AFTER_S:.0f} s")
        time.sleep(_QUIET_S / 10)


def _note_parts(connection: StoreConnection, parts: dict[str, dict[str, int]]) -> None:
    # Again and again, because parts that were merged into others are deleted after minutes.
    rows = connection.reader().query(
        "SELECT table, name, rows FROM system.parts WHERE database = currentDatabase()"
    )
    for table, name, count in rows.result_rows:
        parts[table][name] = count


def _bytes_a_row(connection: StoreConnection) -> dict[str, float]:
    rows = connection.reader().query(
        "SELECT table, sum(bytes_on_disk) / sum(rows) FROM system.parts "
        "WHERE database = currentDatabase() AND active AND rows > 0 GROUP BY table"
    )
    return {str(table): float(size) for table, size in rows.result_rows}


def _merged_rows(parts: dict[str, int]) -> int:
    """Return how many rows the merges have read that made these parts."""
    places = []
    for name, rows in parts.items():
        matched = _PART.fullmatch(name)
        if matched:
            span = (int(matched["first"]), int(matched["last"]), int(matched["level"]))
            places.append((matched["partition"], *span, rows))
    return sum(_rows_merged_into(place, places) for place in places if place[3])


def _rows_merged_into(
    made: tuple[str, int, int, int, int], places: list[tuple[str, int, int, int, int]]
) -> int:
    partition, first, last, level, _rows = made
    inside = [
        place
        for place in places
        if place[0] == partition and first <= place[1] and place[2] <= last and place[3] < level
    ]
    read, covered = 0, first - 1
    # The widest of those that begin at a block is what the merge has read; the rest went into it.
    for place in sorted(inside, key=lambda place: (place[1], -place[2], -place[3])):
        if place[1] > covered:
            read += place[4]
            covered = place[2]
    return read


def _rewrite_us(connection: StoreConnection, store: _WatchedStore, table: str) -> float:
    client = connection.client()
    copy = f"{table}_merged_once"
    client.command(f"CREATE TABLE {copy} AS {table}")
    client.command(f"SYSTEM STOP MERGES {copy}")
    for place, rows in enumerate(store.kept[table]):
        ClickHouseChunkStore.insert(store, table=copy, rows=rows, token=str(place))
    client.command(f"SYSTEM START MERGES {copy}")
    start = cpu_s()
    client.command(f"OPTIMIZE TABLE {copy} FINAL")
    seconds = cpu_s() - start
    rows_merged: int = sum(rows.num_rows for rows in store.kept[table])
    client.command(f"DROP TABLE {copy} SYNC")
    return seconds / rows_merged * 1e6
