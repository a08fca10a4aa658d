"""Calls are measured and otherwise left alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pyarrow as pa
import pytest

from inferometer.errors import StoreError
from inferometer.prometheus.decorated import MeasuredProcessor, MeasuredStore
from inferometer.testing.leases import CertainLease
from inferometer.testing.stores import MemoryChunkStore
from tests.unit.prometheus.scraping import SOURCE, Bench, outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inferometer.core.chunks import Chunk, ChunkOutcome, StreamPartition
    from inferometer.ports import ChunkProcessor, ChunkStore, Lease

ROWS = pa.table({"x": [1, 2, 3]})


class SlowStore(MemoryChunkStore):
    """Each call takes a second of the bench's clock."""

    def __init__(self, bench: Bench) -> None:
        super().__init__()
        self._bench = bench

    def insert(self, *, table: str, rows: pa.Table, token: str) -> None:
        self._bench.elapsed_s += 1.0
        super().insert(table=table, rows=rows, token=token)

    def find_events(
        self, *, source: StreamPartition, event_ids: Sequence[str], floor: int, before: int
    ) -> set[str]:
        self._bench.elapsed_s += 1.0
        return super().find_events(source=source, event_ids=event_ids, floor=floor, before=before)


class TwoInserts:
    """A job that computes for two seconds, asks for one within, and inserts twice."""

    def __init__(self, bench: Bench, store: ChunkStore) -> None:
        self._bench = bench
        self._store = store

    def run(self, _chunk: Chunk, lease: Lease) -> ChunkOutcome:
        self._bench.elapsed_s += 1.0
        self._store.find_events(source=SOURCE, event_ids=["a"], floor=0, before=9)
        self._bench.elapsed_s += 1.0
        for table in ("requests", "chunk_ledger"):
            lease.check()
            self._store.insert(table=table, rows=ROWS, token=f"token/{table}")
        return outcome(stored=3)


def test_an_insert_reaches_the_store_and_is_timed() -> None:
    bench = Bench()
    inner = SlowStore(bench)
    MeasuredStore(inner, bench.metrics, bench.monotonic).insert(
        table="requests", rows=ROWS, token="t"
    )
    assert [block.num_rows for block in inner.blocks("requests")] == [3]
    assert bench.sample("inferometer_worker_insert_seconds_sum", table="requests") == 1.0


def test_an_insert_that_fails_is_counted_and_not_timed() -> None:
    bench = Bench()
    inner = SlowStore(bench)
    inner.fail_next(StoreError("away", retryable=True))
    store = MeasuredStore(inner, bench.metrics, bench.monotonic)
    with pytest.raises(StoreError):
        store.insert(table="requests", rows=ROWS, token="t")
    assert bench.sample("inferometer_worker_insert_errors_total", table="requests") == 1
    assert bench.sample("inferometer_worker_insert_seconds_count", table="requests") is None


def test_what_the_log_holds_is_asked_of_the_store() -> None:
    bench = Bench()
    store = MeasuredStore(MemoryChunkStore(), bench.metrics, bench.monotonic)
    assert store.find_events(source=SOURCE, event_ids=["a"], floor=0, before=9) == set()
    assert len(store.recent_event_ids(source=SOURCE, floor=0, before=9)) == 0
    assert bench.sample("inferometer_worker_chunk_step_seconds_count", step="lookup") == 2


def test_computing_is_what_comes_before_the_inserts_without_questions() -> None:
    bench = Bench()
    store = MeasuredStore(SlowStore(bench), bench.metrics, bench.monotonic)
    job = cast("ChunkProcessor", TwoInserts(bench, store))
    processor = MeasuredProcessor(job, store, bench.metrics, bench.monotonic)
    found = processor.run(cast("Chunk", None), CertainLease())
    assert found.stored == 3
    assert bench.sample("inferometer_worker_chunk_step_seconds_sum", step="compute") == 2.0
