"""Where the CPU goes: the sink's job alone on records in memory, by step and by table inserted.

The job runs as it is; its steps are timed from outside, by the CPU of all threads of the process.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections import defaultdict
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from inferometer.clickhouse.connect import StoreConnection
from inferometer.clickhouse.migrations import migrate
from inferometer.clickhouse.settings import StoreSettings
from inferometer.clickhouse.store import ClickHouseChunkStore
from inferometer.core.admitted_rows import AdmittedRows
from inferometer.core.chunks import Chunk, StreamPartition
from inferometer.core.records import ContentType, RecordColumns
from inferometer.core.resumption import GroupPosition
from inferometer.jobs import process_chunk, seen_events
from inferometer.jobs.process_chunk import ProcessChunk
from inferometer.jobs.sink_policy import SinkPolicy
from inferometer.names import REQUESTS_TOPIC
from inferometer.prices import load_book
from inferometer.runtime.clock import now
from inferometer.testing.leases import CertainLease
from tests.benchmarks.envelopes import in_envelopes
from tests.benchmarks.feeder import EVENT_RATE, PARTITIONS, make_values
from tests.benchmarks.measuring import cpu_s
from tests.benchmarks.null_store import NullStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from multiprocessing.connection import Connection

    from inferometer.ports import ChunkStore
    from tests.benchmarks.contestants import Content, Shape

STEPS = (
    "admit",
    "hash_texts",
    "repeated_in_chunk",
    "select",
    "complete",
    "price_columns",
    "log_table",
    "measure",
    "aggregate",
    "coarsen",
    "to_arrow",
)
"""The names under which the job calls its steps; `select` is a method, the others functions."""

CHUNK_EVENTS = 100_000
"""What a chunk of full events holds under the worker's default settings."""


@dataclass(frozen=True, slots=True)
class Breakdown:
    """Microseconds of CPU an event, medians over chunks; the first chunk is left out."""

    shape: Shape
    chunks: int
    events_a_chunk: int
    steps_us: dict[str, float]
    in_memory_us: float
    """The whole job over a store that does nothing; the steps and what lies between them."""
    inserts_us: dict[str, float]
    rows_a_chunk: dict[str, int]


class _TimedInserts(NullStore):
    """Passes inserts on and notes what each took."""

    def __init__(self, store: ChunkStore) -> None:
        super().__init__()
        self._store = store
        self.seconds: dict[str, list[float]] = defaultdict(list)
        self.rows_a_chunk: dict[str, int] = {}

    def insert(self, *, table: str, rows: pa.Table, token: str) -> None:
        """Store rows."""
        start = cpu_s()
        self._store.insert(table=table, rows=rows, token=token)
        self.seconds[table].append(cpu_s() - start)
        self.rows_a_chunk[table] = rows.num_rows


def run(
    pipe: Connection, shape: Shape, chunks: int, events_a_chunk: int, content: Content = "json"
) -> None:
    """Answer a `Breakdown`, or the exception that prevented it."""
    try:
        pipe.send(_breakdown(shape, chunks, events_a_chunk, content))
    except BaseException as error:
        pipe.send(RuntimeError(repr(error)))
        raise


def _breakdown(shape: Shape, chunks: int, events_a_chunk: int, content: Content) -> Breakdown:
    records = _records(shape, chunks + 1, events_a_chunk, content)
    in_memory = _run_all(NullStore(), records, events_a_chunk)
    with _timed_steps() as seconds:
        _run_all(NullStore(), records, events_a_chunk)
    with tempfile.TemporaryDirectory(prefix="inferometer-bench-") as folder:
        settings = StoreSettings(data_dir=Path(folder))
        with StoreConnection(settings) as connection:
            migrate(connection, report=lambda _line: None)
            inserts = _TimedInserts(ClickHouseChunkStore(connection))
            _run_all(inserts, records, events_a_chunk)

    def us(values: list[float]) -> float:
        # The first chunk pays for what is made once.
        return statistics.median(values[1:]) / events_a_chunk * 1e6

    # A step that runs for several cubes is summed inside a chunk first.
    return Breakdown(
        shape=shape,
        chunks=chunks,
        events_a_chunk=events_a_chunk,
        steps_us={name: us(_by_chunk(seconds[name], chunks + 1)) for name in STEPS},
        in_memory_us=us(in_memory),
        inserts_us={table: us(values) for table, values in inserts.seconds.items()},
        rows_a_chunk=inserts.rows_a_chunk,
    )


def _by_chunk(values: list[float], chunks: int) -> list[float]:
    calls = len(values) // chunks
    return [sum(values[at : at + calls]) for at in range(0, calls * chunks, calls)]


def _records(
    shape: Shape, chunks: int, events_a_chunk: int, content: Content
) -> list[RecordColumns]:
    # Of one partition, so that a chunk spans as much event time as in a worker.
    values = make_values(shape, chunks * events_a_chunk, seed=2, rate=EVENT_RATE / PARTITIONS)
    kind = ContentType[content.upper()]
    parts: list[RecordColumns] = []
    for first in range(0, len(values), events_a_chunk):
        made = in_envelopes(values[first : first + events_a_chunk], content)
        in_records = [record.value for record in made]
        parts.append(
            RecordColumns.from_values(
                in_records,
                first_offset=first,
                append_time_ms=int(now().timestamp() * 1000),
                content_types=[kind] * len(in_records),
            )
        )
    return parts


def _run_all(store: ChunkStore, records: list[RecordColumns], events_a_chunk: int) -> list[float]:
    source = StreamPartition(REQUESTS_TOPIC, 0, "benchmark")
    job = ProcessChunk(store=store, book=load_book(), policy=SinkPolicy(), clock=now)
    job.assigned(source, GroupPosition(0, None, earliest=0), partition_count=1)
    seconds = []
    for part in records:
        start = cpu_s()
        outcome = job.run(Chunk(source, job.plan(source, part), part), CertainLease())
        seconds.append(cpu_s() - start)
        if outcome.stored != events_a_chunk:
            raise RuntimeError(f"{outcome.stored} of {events_a_chunk} events stored: {outcome}")
    return seconds


@contextmanager
def _timed_steps() -> Iterator[dict[str, list[float]]]:
    """Time the functions that the job calls by name, and put them back."""
    seconds: dict[str, list[float]] = defaultdict(list)
    homes: dict[str, Any] = {
        "select": AdmittedRows,
        "hash_texts": seen_events,
        "repeated_in_chunk": seen_events,
    }
    places = [(homes.get(name, process_chunk), name) for name in STEPS]
    originals = [getattr(place, name) for place, name in places]
    for (place, name), original in zip(places, originals, strict=True):
        setattr(place, name, _timed(original, seconds[name]))
    try:
        yield seconds
    finally:
        for (place, name), original in zip(places, originals, strict=True):
            setattr(place, name, original)


def _timed(function: Callable[..., Any], into: list[float]) -> Callable[..., Any]:
    def timed(*arguments: Any, **keywords: Any) -> Any:
        start = time.process_time()
        try:
            return function(*arguments, **keywords)
        finally:
            into.append(time.process_time() - start)

    return timed
