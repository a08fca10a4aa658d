"""The sink's job on records of many events: each counts once, and what fails is one event."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from inferometer import names
from inferometer.core.arrow_events import batch_of_json, encode
from inferometer.core.chunks import Chunk, ChunkOutcome
from inferometer.core.log_rows import log_table
from inferometer.core.records import ContentType, RecordColumns
from inferometer.jobs.process_chunk import ProcessChunk
from inferometer.jobs.sink_policy import SinkPolicy
from inferometer.testing.leases import CertainLease
from inferometer.testing.stores import MemoryChunkStore
from tests.unit.jobs.sink_job import NOW_US, SOURCE, assign, column, event, new_job

NDJSON, ARROW = ContentType.NDJSON, ContentType.ARROW


def lines(*names_: str) -> bytes:
    return b"\n".join(event(name) for name in names_)


def batch(*names_: str) -> bytes:
    return encode(batch_of_json([event(name) for name in names_]))


def in_envelope(kind: int, *names_: str) -> bytes:
    return lines(*names_) if kind == NDJSON else batch(*names_)


def chunk(job: ProcessChunk, kind: int, values: list[bytes], first_offset: int = 0) -> Chunk:
    records = RecordColumns.from_values(
        values,
        first_offset=first_offset,
        append_time_ms=NOW_US // 1000 + first_offset,
        content_types=[kind] * len(values),
    )
    return Chunk(SOURCE, job.plan(SOURCE, records), records)


def process(
    job: ProcessChunk, kind: int, values: list[bytes], first_offset: int = 0
) -> ChunkOutcome:
    return job.run(chunk(job, kind, values, first_offset), CertainLease())


@pytest.mark.parametrize("kind", [NDJSON, ARROW])
def test_repeats_inside_a_record_across_records_and_across_chunks_count_once(kind: int) -> None:
    store = MemoryChunkStore()
    job = new_job(store)
    assign(job, 0)
    first = process(job, kind, [in_envelope(kind, "a", "b", "a"), in_envelope(kind, "b", "c")])
    assert (first.records, first.events, first.stored, first.duplicates) == (2, 5, 3, 2)
    second = process(job, kind, [in_envelope(kind, "c", "d")], first_offset=2)
    assert (second.records, second.events, second.stored, second.duplicates) == (1, 2, 1, 1)
    assert column(store, names.REQUESTS_TABLE, "event_id") == list("abcd")
    assert column(store, names.REQUESTS_TABLE, "kafka_offset") == [0, 0, 1, 2]
    assert column(store, names.REQUESTS_TABLE, "kafka_index") == [0, 1, 1, 1]


@pytest.mark.parametrize("kind", [NDJSON, ARROW])
def test_a_resent_event_of_a_record_is_held_against_the_whole_log(kind: int) -> None:
    store = MemoryChunkStore()
    job = new_job(store, policy=SinkPolicy(dedupe_max_events=2))
    assign(job, 0)
    process(job, kind, [in_envelope(kind, "a", "b"), in_envelope(kind, "c", "d")])
    process(job, kind, [in_envelope(kind, "e", "f")], first_offset=2)
    resent = [event("a", resent=True), event("z", resent=True)]
    value = b"\n".join(resent) if kind == NDJSON else encode(batch_of_json(resent))
    outcome = process(job, kind, [value], first_offset=3)
    assert (outcome.stored, outcome.duplicates) == (1, 1)


@pytest.mark.parametrize("kind", [NDJSON, ARROW])
def test_what_is_remembered_is_counted_in_events(kind: int) -> None:
    store = MemoryChunkStore()
    policy = SinkPolicy(dedupe_max_events=4)
    job = new_job(store, policy=policy)
    assign(job, 0)
    for offset in range(6):
        names_ = [f"{offset}{letter}" for letter in "abc"]
        process(job, kind, [in_envelope(kind, *names_)], first_offset=offset)
    # Two chunks hold the latest four events.
    assert chunk(job, kind, [in_envelope(kind, "x")], 6).intent.dedupe_floor == 4
    heir = new_job(store, policy=policy)
    assign(heir, 6)
    assert chunk(heir, kind, [in_envelope(kind, "x")], 6).intent.dedupe_floor == 4


@pytest.mark.parametrize("kind", [NDJSON, ARROW])
def test_an_event_that_computation_fails_on_does_not_cost_its_record(
    kind: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail_on_poison(events: Any, *others: Any) -> Any:
        if "poison" in events.texts["event_id"].to_pylist():
            raise ZeroDivisionError("by this one")
        return log_table(events, *others)

    monkeypatch.setattr("inferometer.jobs.process_chunk.log_table", fail_on_poison)
    store = MemoryChunkStore()
    job = new_job(store)
    assign(job, 0)
    values = [in_envelope(kind, "a", "poison", "b"), in_envelope(kind, "c")]
    outcome = process(job, kind, values)
    assert (outcome.stored, outcome.dead_by_reason) == (3, (("failed", 1),))
    assert column(store, names.REQUESTS_TABLE, "event_id") == ["a", "b", "c"]
    assert column(store, names.DEAD_LETTERS_TABLE, "kafka_index") == [1]
    assert b"poison" in column(store, names.DEAD_LETTERS_TABLE, "value")[0]


def test_a_replay_of_mixed_envelopes_writes_the_same_rows() -> None:
    store, again = MemoryChunkStore(), MemoryChunkStore()
    job, heir = new_job(store), new_job(again)
    records = RecordColumns.from_values(
        [lines("a", "b"), batch("c", "a"), event("d"), b"{", batch("e")[:-80]],
        append_time_ms=NOW_US // 1000,
        content_types=[NDJSON, ARROW, ContentType.JSON, NDJSON, ARROW],
    )
    assign(job, 0)
    assign(heir, 0)
    whole = Chunk(SOURCE, job.plan(SOURCE, records), records)
    outcome = job.run(whole, CertainLease())
    assert heir.run(replace(whole), CertainLease()) == outcome
    assert (outcome.records, outcome.events, outcome.stored) == (5, 7, 4)
    for table in store.tables():
        first, second = store.rows(table), again.rows(table)
        assert first is not None
        assert second is not None
        assert first.equals(second), table
