"""Bytes on disk a row after merges: the log, the service cube, the usage cube.

Full events go through the worker's own job into an embedded store; then every table is merged until
nothing is left to merge. The rate of event time is chosen so that a row of `service_10s` sums about
700 events, because the size of a sketch depends on how many bins it has.
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

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
from inferometer.testing.stores import MemoryChunkStore
from tests.benchmarks.alone import run_alone
from tests.benchmarks.feeder import make_values
from tests.benchmarks.orchestration import in_process
from tests.benchmarks.parts import Part, Table

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from inferometer.ports import ChunkStore
    from tests.benchmarks.parts import Surroundings

SERVICE_EVENTS = 700
GOALS = {
    "requests": (90.0, 60.0),
    "service_10s_rows": (1000.0, 600.0),
    "usage_1m_rows": (120.0, 80.0),
}
"""Floor and target, bytes a row."""
_TIMEOUT_S = 1800.0
_PROBE_RATE = 50_000.0


@dataclass(frozen=True, slots=True)
class DiskPlan:
    """How much is stored."""

    chunks: int = 16
    events_a_chunk: int = 100_000
    share_of_rate: float = 1.0
    """Of the rate that fills the rows of `service_10s`: the less, the fewer events any row sums."""


QUICK = DiskPlan(chunks=3)
SHARES = (1 / 32, 1 / 8, 1 / 2)
"""A usage row is often of a few events only: its size by how many."""


@dataclass(frozen=True, slots=True)
class TableSize:
    """One table after merges."""

    name: str
    rows: int
    bytes_on_disk: int
    events: int

    @property
    def bytes_a_row(self) -> float:
        """Index, marks and bookkeeping of its parts included."""
        return self.bytes_on_disk / max(self.rows, 1)

    @property
    def events_a_row(self) -> float:
        """Events that a row sums on average."""
        return self.events / max(self.rows, 1)


def measure(plan: DiskPlan) -> list[TableSize]:
    """Return the size of each table, from a process of its own."""
    found: list[TableSize] = in_process(run, plan, timeout_s=_TIMEOUT_S)
    return found


def run(pipe: Connection, plan: DiskPlan) -> None:
    """Answer the sizes, or the exception that prevented them."""
    try:
        with tempfile.TemporaryDirectory(prefix="inferometer-bench-") as folder:
            pipe.send(_sizes(Path(folder), plan))
    except BaseException as error:
        pipe.send(RuntimeError(repr(error)))
        raise


def _sizes(folder: Path, plan: DiskPlan) -> list[TableSize]:
    rate = _rate(plan.events_a_chunk) * plan.share_of_rate
    with StoreConnection(StoreSettings(data_dir=folder)) as connection:
        migrate(connection, report=lambda _line: None)
        _store(ClickHouseChunkStore(connection), plan, rate)
        client = connection.client()
        for name in GOALS | _others(connection):
            client.command(f"OPTIMIZE TABLE {name} FINAL")
        rows = connection.reader().query(
            "SELECT table, sum(rows), sum(bytes_on_disk) FROM system.parts "
            "WHERE database = currentDatabase() AND active AND rows > 0 GROUP BY table ORDER BY table"
        )
        events = plan.chunks * plan.events_a_chunk
        return [
            TableSize(str(name), int(count), int(size), events)
            for name, count, size in rows.result_rows
            if str(name) in GOALS or str(name).endswith("_rows")
        ]


def _others(connection: StoreConnection) -> dict[str, tuple[float, float]]:
    rows = connection.reader().query(
        "SELECT name FROM system.tables WHERE database = currentDatabase() AND name LIKE '%\\_rows'"
    )
    return {str(name): (0.0, 0.0) for (name,) in rows.result_rows}


def _rate(events: int) -> float:
    """Return the rate of event time at which a row of `service_10s` has `SERVICE_EVENTS`."""
    store = MemoryChunkStore()
    _store(store, DiskPlan(1, events), _PROBE_RATE)
    starts = np.concatenate(
        [rows.column("window_start").to_numpy() for rows in store.blocks("service_10s_rows")]
    )
    groups = len(starts) / len(np.unique(starts))
    return groups * SERVICE_EVENTS / 10.0


def _store(store: ChunkStore, plan: DiskPlan, rate: float) -> None:
    job = ProcessChunk(store=store, book=load_book(), policy=SinkPolicy(), clock=now)
    source = StreamPartition(REQUESTS_TOPIC, 0, "benchmark")
    job.assigned(source, GroupPosition(0, None, earliest=0), partition_count=1)
    end_s = now().timestamp()
    for number in range(plan.chunks):
        left = (plan.chunks - 1 - number) * plan.events_a_chunk / rate
        values = make_values("full", plan.events_a_chunk, number, end_s=end_s - left, rate=rate)
        records = RecordColumns.from_values(
            values,
            first_offset=number * plan.events_a_chunk,
            append_time_ms=int(end_s * 1000),
        )
        job.run(Chunk(source, job.plan(source, records), records), CertainLease())


def table(found: list[TableSize]) -> Table:
    """Return the rows of the report."""
    rows = []
    for each in found:
        floor, target = GOALS.get(each.name, (0.0, 0.0))
        rows.append(
            [
                each.name, f"{each.rows:,}", f"{each.events_a_row:,.1f}",
                f"{each.bytes_a_row:,.1f}", f"{floor:g}" if floor else "",
                f"{target:g}" if target else "",
            ]
        )  # fmt: skip
    return Table(
        title="Bytes on disk after merges, full events",
        headers=("table", "rows", "events a row", "bytes a row", "at most", "target"),
        rows=rows,
        notes=[
            "Every table merged to one part a partition (OPTIMIZE FINAL); all files of a part count.",
            "One stream partition; with more of them a group has a row in each chunk until merges "
            "have summed them, and as many rows as here afterwards.",
        ],
        facts={each.name: each.bytes_a_row for each in found},
    )


def usage_table(found: list[TableSize]) -> Table:
    """Return the usage cube's rows by how many events they sum."""
    return Table(
        title="Bytes on disk of a usage row, by the events that it sums",
        headers=("table", "rows", "events a row", "bytes a row", "bytes an event"),
        rows=[
            [
                each.name, f"{each.rows:,}", f"{each.events_a_row:,.1f}",
                f"{each.bytes_a_row:,.1f}", f"{each.bytes_a_row / each.events_a_row:,.1f}",
            ]
            for each in sorted(found, key=lambda each: each.events_a_row)
        ],
        notes=["The same events at lower rates: five sketches hold a bin for each distinct value."],
        facts={f"{each.events_a_row:.0f} events": each.bytes_a_row for each in found},
    )  # fmt: skip


def _run(surroundings: Surroundings) -> list[Table]:
    plan = QUICK if surroundings.is_quick else DiskPlan()
    found = measure(plan)
    thinner = [
        size
        for share in SHARES
        for size in measure(replace(plan, chunks=QUICK.chunks, share_of_rate=share))
    ]
    usage = [size for size in [*found, *thinner] if size.name == "usage_1m_rows"]
    return [table(found), usage_table(usage)]


PART = Part(what="bytes on disk a row after merges", run=_run, needs_kafka=False)

if __name__ == "__main__":
    sys.exit(run_alone("disk", PART, __doc__ or ""))
