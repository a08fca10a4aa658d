"""The sink's job over a store in memory, as tests of it begin."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from inferometer.core.chunks import Chunk, ChunkOutcome, Intent, StreamPartition
from inferometer.core.price_book import PriceBook
from inferometer.core.records import RecordColumns
from inferometer.core.resumption import GroupPosition, Resumption
from inferometer.jobs.process_chunk import ProcessChunk
from inferometer.jobs.sink_policy import SinkPolicy
from inferometer.testing.leases import CertainLease
from inferometer.testing.stores import MemoryChunkStore

NOW = datetime(2025, 11, 21, 1, 53, 20, tzinfo=UTC)
NOW_US = 1_763_690_000_000_000
SOURCE = StreamPartition("inference.requests", 0, "run-1")


def event(event_id: str, **changes: Any) -> bytes:
    return json.dumps(
        {"event_id": event_id, "request_id": "r", "model": "m", "status_code": 200,
         "ts_end": NOW_US, "input_tokens": 3, **changes}
    ).encode()  # fmt: skip


def new_job(
    store: MemoryChunkStore, *, now: datetime = NOW, policy: SinkPolicy | None = None
) -> ProcessChunk:
    return ProcessChunk(
        store=store,
        book=PriceBook("test", ()),
        policy=policy or SinkPolicy(),
        clock=lambda: now,
    )


def assign(
    job: ProcessChunk,
    offset: int | None,
    intent: Intent | None = None,
    *,
    source: StreamPartition = SOURCE,
    partition_count: int = 1,
) -> Resumption:
    return job.assigned(source, GroupPosition(offset, intent, earliest=0), partition_count)


def process(job: ProcessChunk, values: list[bytes], first_offset: int = 0) -> ChunkOutcome:
    records = RecordColumns.from_values(
        values, first_offset=first_offset, append_time_ms=NOW_US // 1000 + first_offset
    )
    return job.run(Chunk(SOURCE, job.plan(SOURCE, records), records), CertainLease())


def column(store: MemoryChunkStore, table: str, name: str) -> list[Any]:
    rows = store.rows(table)
    return [] if rows is None else rows.column(name).to_pylist()
