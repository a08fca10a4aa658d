"""Log rows and roll-ups go to the store at the same time, between the intent and the ledger."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import orjson
import pytest

from inferometer import names
from inferometer.core.chunks import Chunk, StreamPartition
from inferometer.core.price_book import PriceBook
from inferometer.core.records import RecordColumns
from inferometer.core.resumption import GroupPosition
from inferometer.errors import StoreError
from inferometer.jobs.process_chunk import ProcessChunk
from inferometer.jobs.sink_policy import SinkPolicy
from inferometer.testing.leases import CertainLease
from inferometer.testing.stores import MemoryChunkStore

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
SOURCE = StreamPartition("t", 0, "s")
DEADLINE_S = 60.0


@pytest.fixture
def beside() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as threads:
        yield threads


class MeetingStore(MemoryChunkStore):
    """Log rows wait for a roll-up and the first roll-up for log rows; keeps the order of ends."""

    def __init__(self) -> None:
        super().__init__()
        self.ended: list[str] = []
        self._meeting = threading.Barrier(2, timeout=DEADLINE_S)

    def insert(self, *, table: str, rows: pa.Table, token: str) -> None:
        if table in {names.REQUESTS_TABLE, "service_10s_rows"}:
            self._meeting.wait()
        super().insert(table=table, rows=rows, token=token)
        self.ended.append(table)


class LogRefusingStore(MemoryChunkStore):
    """Refuses log rows at once, and takes its first roll-up only when it is let."""

    def __init__(self) -> None:
        super().__init__()
        self.is_refusing = True
        self.go_on = threading.Event()
        self.refused = threading.Event()

    def insert(self, *, table: str, rows: pa.Table, token: str) -> None:
        if self.is_refusing and table == names.REQUESTS_TABLE:
            self.refused.set()
            raise StoreError("the store is gone", retryable=True)
        if self.is_refusing and table == "service_10s_rows":
            assert self.go_on.wait(DEADLINE_S)
        super().insert(table=table, rows=rows, token=token)


def chunk_of(job: ProcessChunk) -> Chunk:
    job.assigned(SOURCE, GroupPosition(0, None, earliest=0), partition_count=1)
    value = orjson.dumps(
        {
            "event_id": "a", "request_id": "a", "model": "m", "status_code": 200,
            "ts_end": int(NOW.timestamp() * 1e6),
        }
    )  # fmt: skip
    records = RecordColumns.from_values([value], append_time_ms=int(NOW.timestamp() * 1e3))
    return Chunk(SOURCE, job.plan(SOURCE, records), records)


def new_job(store: MemoryChunkStore, beside: ThreadPoolExecutor | None) -> ProcessChunk:
    book = PriceBook("test", ())
    return ProcessChunk(
        store=store, book=book, policy=SinkPolicy(), clock=lambda: NOW, beside=beside
    )


def test_log_rows_and_roll_ups_are_inserted_at_the_same_time(beside: ThreadPoolExecutor) -> None:
    store = MeetingStore()
    job = new_job(store, beside)
    job.run(chunk_of(job), CertainLease())
    first, *_, last = store.ended
    assert (first, last) == (names.INTENTS_TABLE, names.LEDGER_TABLE)


def test_a_chunk_fails_only_when_none_of_its_inserts_is_under_way(
    beside: ThreadPoolExecutor,
) -> None:
    store = LogRefusingStore()
    job = new_job(store, beside)
    chunk = chunk_of(job)
    with ThreadPoolExecutor(1) as caller:
        running = caller.submit(job.run, chunk, CertainLease())
        assert store.refused.wait(DEADLINE_S)
        assert not running.done()
        store.go_on.set()
        with pytest.raises(StoreError, match="gone"):
            running.result(DEADLINE_S)
    assert store.rows(names.LEDGER_TABLE) is None
    store.is_refusing = False
    job.run(chunk, CertainLease())
    calm = MemoryChunkStore()
    alone = new_job(calm, None)
    alone.run(chunk_of(alone), CertainLease())
    for table in (names.REQUESTS_TABLE, "service_10s_rows", "usage_1h_rows", names.LEDGER_TABLE):
        assert store.rows(table) == calm.rows(table), table
