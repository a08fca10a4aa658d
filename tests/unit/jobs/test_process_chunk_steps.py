"""The sink's job, failing at each call of the store in turn: nothing of it shows afterwards."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest

from inferometer import names
from inferometer.core.arrow_events import batch_of_json, encode
from inferometer.core.chunks import Chunk, ChunkOutcome, StreamPartition
from inferometer.core.dimension_caps import CapPolicy
from inferometer.core.price_book import PriceBook
from inferometer.core.records import ContentType, RecordColumns
from inferometer.core.resumption import GroupPosition
from inferometer.errors import StoreError
from inferometer.jobs.process_chunk import ProcessChunk
from inferometer.jobs.sink_policy import SinkPolicy
from inferometer.testing.failing import FailingChunkStore
from inferometer.testing.leases import CertainLease
from inferometer.testing.stores import MemoryChunkStore

NOW = datetime(2025, 11, 21, 1, 53, 20, tzinfo=UTC)
NOW_US = 1_763_690_000_000_000
SOURCE = StreamPartition("inference.requests", 0, "run-1")
DECIDED = ["decided_at", "updated_at", "intent"]
"""Columns with the clock of whoever cut the chunk."""


def event(event_id: str, **changes: Any) -> bytes:
    return json.dumps(
        {"event_id": event_id, "request_id": "r", "model": "m", "status_code": 200,
         "ts_end": NOW_US, "input_tokens": 3, "user_id": event_id, **changes}
    ).encode()  # fmt: skip


def batch(*events: bytes, broken_row: int) -> bytes:
    """A stream of events, one of which is made an impossible one."""
    whole = batch_of_json(list(events))
    statuses = [1000 if row == broken_row else 200 for row in range(len(events))]
    at = whole.schema.get_field_index("status_code")
    return encode(whole.set_column(at, "status_code", pa.array(statuses)))


LINES = b"\n".join([event("e"), b"{", event("a")])
BATCH = batch(event("f"), event("f"), event("x"), event("g"), broken_row=2)
CHUNKS: list[list[bytes]] = [
    [event("a"), b"{", event("b", status_code=500), event("a")],
    [event("b"), event("c"), event("d", ts_end=NOW_US - 86_400_000_000), b"[]",
     event("a", resent=True), event("c", user="u")],
    [LINES, BATCH, BATCH[:-64], event("e")],
]  # fmt: skip
TYPES = {LINES: ContentType.NDJSON, BATCH: ContentType.ARROW, BATCH[:-64]: ContentType.ARROW}
RESULTS = [(4, 2, 1, 1), (6, 2, 1, 3), (4, 3, 3, 3)]
"""Records, stored, dead, duplicates of each chunk."""


@dataclass
class Shift:
    """Workers, one after another, until every chunk is acknowledged; `is_new`: a failure is a crash."""

    store: FailingChunkStore
    is_new: bool
    failures: int = 0
    outcomes: list[ChunkOutcome] = field(default_factory=list)

    def work(self) -> None:
        offset, chunks, intent = 0, list(CHUNKS), None
        job = self._hired()
        is_assigned = False
        while chunks:
            try:
                if not is_assigned:
                    group = GroupPosition(offset, intent, earliest=0)
                    found = job.assigned(SOURCE, group, partition_count=1)
                    is_assigned = True
                    if found.offset > offset:
                        # The answer of the last insert was lost: the ledger closes the chunk.
                        offset, chunks, intent = found.offset, chunks[1:], None
                        continue
                records = RecordColumns.from_values(
                    chunks[0],
                    first_offset=offset,
                    append_time_ms=NOW_US // 1000 + offset,
                    content_types=[TYPES.get(value, ContentType.JSON) for value in chunks[0]],
                )
                intent = intent or job.plan(SOURCE, records)
                self.outcomes.append(job.run(Chunk(SOURCE, intent, records), CertainLease()))
            except StoreError:
                self.failures += 1
                if self.is_new:
                    job, is_assigned = self._hired(), False
                continue
            offset, chunks, intent = offset + len(chunks[0]), chunks[1:], None
        self._idle(job)

    def _idle(self, job: ProcessChunk) -> None:
        try:
            job.idle(SOURCE, NOW_US + 60_000_000)
        except StoreError:
            self.failures += 1
            job.idle(SOURCE, NOW_US + 60_000_000)

    def _hired(self) -> ProcessChunk:
        """Return a new worker, whose clock is an hour later than its predecessor's."""
        now = NOW + timedelta(hours=self.failures)
        return ProcessChunk(
            store=self.store,
            book=PriceBook("test", ()),
            policy=SinkPolicy(caps=CapPolicy.by_name({"user_id": 3})),
            clock=lambda: now,
        )


def rows(store: MemoryChunkStore, table: str) -> list[dict[str, Any]]:
    """Return what a table holds, in no order, without what the clock of a worker decides."""
    held = store.rows(table)
    assert held is not None
    kept = held.drop_columns([name for name in DECIDED if name in held.column_names])
    return sorted(kept.to_pylist(), key=repr)


def worked(
    *, fail_at: int | None, is_applied: bool, is_new: bool
) -> tuple[Shift, MemoryChunkStore]:
    memory = MemoryChunkStore()
    store = FailingChunkStore(memory, fail_at=fail_at, is_applied=is_applied)
    shift = Shift(store, is_new)
    shift.work()
    return shift, memory


@pytest.mark.parametrize("is_new", [False, True], ids=["same worker", "another worker"])
@pytest.mark.parametrize("is_applied", [False, True], ids=["refused", "answer lost"])
def test_a_failure_at_any_call_of_the_store_leaves_what_no_failure_leaves(
    *, is_applied: bool, is_new: bool
) -> None:
    calm, calm_memory = worked(fail_at=None, is_applied=False, is_new=False)
    assert [(o.records, o.stored, o.dead, o.duplicates) for o in calm.outcomes] == RESULTS
    assert calm.failures == 0
    for number, call in enumerate(calm.store.calls):
        shift, memory = worked(fail_at=number, is_applied=is_applied, is_new=is_new)
        where = f"call {number}, {call}"
        assert shift.failures == 1, where
        assert sorted(memory.tables()) == sorted(calm_memory.tables()), where
        for table in memory.tables():
            assert rows(memory, table) == rows(calm_memory, table), f"{where}: {table}"
        if not (is_applied and is_new and call.endswith(names.LEDGER_TABLE)):
            assert shift.outcomes == calm.outcomes, where
        assert all(len(memory.blocks(table)) <= len(CHUNKS) for table in memory.tables()), where


def test_every_kind_of_call_is_among_those_that_fail() -> None:
    shift, memory = worked(fail_at=None, is_applied=False, is_new=False)
    called = set(shift.store.calls)
    assert {f"insert {table}" for table in memory.tables()} <= called
    assert {"progress", "find_events", "spans_before_resize"} <= called
    heir, _ = worked(fail_at=15, is_applied=False, is_new=True)
    assert "recent_event_ids" in heir.store.calls


def test_an_insert_whose_answer_was_lost_meets_its_own_token() -> None:
    shift, memory = worked(fail_at=None, is_applied=False, is_new=False)
    inserts = [n for n, call in enumerate(shift.store.calls) if call.startswith("insert")]
    for number in inserts[:-1]:
        _, memory = worked(fail_at=number, is_applied=True, is_new=False)
        table = shift.store.calls[number].removeprefix("insert ")
        assert any(token.endswith(f"/{table}") for token in memory.repeated_tokens)


def test_an_intent_is_decided_once() -> None:
    shift, _ = worked(fail_at=None, is_applied=False, is_new=False)
    for number in range(len(shift.store.calls)):
        _, memory = worked(fail_at=number, is_applied=False, is_new=True)
        decided = {
            table: [row["decided_at"] for row in column_rows(memory, table)]
            for table in (names.INTENTS_TABLE, names.LEDGER_TABLE)
        }
        assert decided[names.INTENTS_TABLE] == decided[names.LEDGER_TABLE]


def column_rows(store: MemoryChunkStore, table: str) -> list[dict[str, Any]]:
    held = store.rows(table)
    return [] if held is None else held.to_pylist()
