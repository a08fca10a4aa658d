"""The sink's job over a store in memory: exact whatever fails, and a pure function of the chunk."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pyarrow as pa
import pytest

from inferometer import names
from inferometer.core.chunks import (
    Chunk,
    Intent,
    PartitionSpan,
    StreamPartition,
)
from inferometer.core.records import RecordColumns
from inferometer.errors import LeaseError, StateError, StoreError
from inferometer.jobs.sink_policy import SinkPolicy
from inferometer.testing.leases import CertainLease
from inferometer.testing.stores import MemoryChunkStore
from tests.unit.jobs.sink_job import (
    NOW,
    NOW_US,
    SOURCE,
    assign,
    column,
    event,
    new_job,
    process,
)

TABLES = 9
"""Intent, log, three service and two usage resolutions, admitted values, ledger: one insert each,
dead letters besides."""


def test_a_chunk_ends_in_log_rollups_dead_letters_and_ledger() -> None:
    store = MemoryChunkStore()
    job = new_job(store)
    assign(job, 0)
    outcome = process(job, [event("a"), b"{", event("b"), event("a")])
    assert (outcome.records, outcome.events, outcome.stored) == (4, 4, 2)
    assert (outcome.dead, outcome.duplicates) == (1, 1)
    assert column(store, names.REQUESTS_TABLE, "event_id") == ["a", "b"]
    assert column(store, names.REQUESTS_TABLE, "kafka_offset") == [0, 2]
    for table in (
        "service_10s_rows",
        "service_1m_rows",
        "service_1h_rows",
        "usage_1m_rows",
        "usage_1h_rows",
    ):
        assert column(store, table, "requests") == [2]
        assert column(store, table, "input_tokens") == [6]
    assert column(store, names.DEAD_LETTERS_TABLE, "value") == [b"{"]
    assert column(store, names.LEDGER_TABLE, "duplicates") == [1]


def test_the_ledger_is_written_last() -> None:
    store = MemoryChunkStore()
    job = new_job(store)
    assign(job, 0)
    store.fail_next(*[StoreError("x", retryable=True)] * TABLES)
    for _ in range(TABLES):
        with pytest.raises(StoreError):
            process(job, [event("a")])
    assert store.rows(names.LEDGER_TABLE) is None


class _FailingStore(MemoryChunkStore):
    """Fails once, at the insert of a given number; before or after it has stored the rows."""

    def __init__(self, *, fail_at: int, is_stored: bool) -> None:
        super().__init__()
        self._countdown = fail_at
        self._is_stored = is_stored

    def insert(self, *, table: str, rows: pa.Table, token: str) -> None:
        self._countdown -= 1
        if self._countdown == -1:
            if self._is_stored:
                super().insert(table=table, rows=rows, token=token)
            raise StoreError("the store is gone", retryable=True)
        super().insert(table=table, rows=rows, token=token)


@pytest.mark.parametrize("is_stored", [False, True], ids=["before the rows", "after the rows"])
@pytest.mark.parametrize("fail_at", range(TABLES + 1))
def test_a_crash_at_any_insert_and_a_replay_leave_what_no_crash_leaves(
    fail_at: int, is_stored: bool
) -> None:
    values = [event("a"), b"{", event("b", status_code=500), event("a")]
    calm = MemoryChunkStore()
    job = new_job(calm)
    assign(job, 0)
    process(job, values)

    store = _FailingStore(fail_at=fail_at, is_stored=is_stored)
    job = new_job(store)
    assign(job, 0)
    records = RecordColumns.from_values(values, append_time_ms=NOW_US // 1000)
    intent = job.plan(SOURCE, records)
    with pytest.raises(StoreError):
        job.run(Chunk(SOURCE, intent, records), CertainLease())
    # Another worker, later, under the committed intent.
    heir = new_job(store, now=NOW + timedelta(hours=1))
    assign(heir, intent.first_offset, intent)
    heir.run(Chunk(SOURCE, intent, records), CertainLease())
    for table in (names.REQUESTS_TABLE, "service_10s_rows", "usage_1h_rows",
                  names.DEAD_LETTERS_TABLE, names.LEDGER_TABLE):  # fmt: skip
        assert store.rows(table) == calm.rows(table), table


def test_a_duplicate_is_found_across_chunks_and_after_a_restart() -> None:
    store = MemoryChunkStore()
    job = new_job(store)
    assign(job, 0)
    process(job, [event("a"), event("b")])
    assert process(job, [event("b"), event("c")], 2).duplicates == 1
    heir = new_job(store)
    assign(heir, 4)
    assert process(heir, [event("c"), event("a"), event("d")], 4).duplicates == 2
    assert sorted(column(store, names.REQUESTS_TABLE, "event_id")) == ["a", "b", "c", "d"]


def test_a_duplicate_beyond_the_horizon_is_stored_again() -> None:
    store = MemoryChunkStore()
    job = new_job(store, policy=SinkPolicy(dedupe_max_events=2))
    assign(job, 0)
    process(job, [event("a"), event("b")])
    process(job, [event("c"), event("d")], 2)
    assert process(job, [event("a"), event("d")], 4).duplicates == 1


def test_the_horizon_follows_append_time() -> None:
    store = MemoryChunkStore()
    job = new_job(store, policy=SinkPolicy(dedupe_horizon=timedelta(milliseconds=5)))
    assign(job, 0)
    floors = []
    for first_offset in range(0, 20, 2):
        records = RecordColumns.from_values(
            [event(f"{first_offset}"), event(f"{first_offset + 1}")],
            first_offset=first_offset,
            append_time_ms=NOW_US // 1000 + 60_000 + first_offset,
        )
        intent = job.plan(SOURCE, records)
        floors.append(intent.dedupe_floor)
        job.run(Chunk(SOURCE, intent, records), CertainLease())
    assert floors == [0, 0, 0, 0, 2, 4, 6, 8, 10, 12]


def test_an_event_of_another_incarnation_of_the_topic_is_no_duplicate() -> None:
    store = MemoryChunkStore()
    job = new_job(store)
    assign(job, 0)
    process(job, [event("a")])
    again = StreamPartition("inference.requests", 0, "run-2")
    assign(job, 0, source=again)
    records = RecordColumns.from_values([event("a")])
    outcome = job.run(Chunk(again, job.plan(again, records), records), CertainLease())
    assert (outcome.stored, outcome.duplicates) == (1, 0)


def test_a_chunk_of_dead_letters_alone_is_accounted_for() -> None:
    store = MemoryChunkStore()
    job = new_job(store)
    assign(job, 0)
    outcome = process(job, [b"", b"[]"])
    assert (outcome.stored, outcome.dead) == (0, 2)
    assert store.rows(names.REQUESTS_TABLE) is None
    assert column(store, names.LEDGER_TABLE, "dead") == [2]


def test_an_intent_of_another_price_book_is_refused() -> None:
    store = MemoryChunkStore()
    job = new_job(store)
    assign(job, 0)
    records = RecordColumns.from_values([event("a")])
    intent = Intent(
        first_offset=0, last_offset=0, decided_at_us=NOW_US, dedupe_floor=0,
        price_version="another", cubes_version="1",
    )  # fmt: skip
    with pytest.raises(StateError, match="finish it with the old version"):
        job.run(Chunk(SOURCE, intent, records), CertainLease())


def test_the_watermark_of_an_idle_partition_follows_the_broker_in_steps() -> None:
    store = MemoryChunkStore()
    job = new_job(store)
    assign(job, 0)
    process(job, [event("a")])
    for second in range(12):
        job.idle(SOURCE, NOW_US + second * 1_000_000)
    stored = [
        instant.timestamp() - NOW.timestamp()
        for instant in column(store, names.WATERMARKS_TABLE, "watermark")
    ]
    assert stored == [-5.0, 0.0]


def test_a_revoked_partition_is_forgotten() -> None:
    store = MemoryChunkStore()
    job = new_job(store)
    assign(job, 0)
    job.revoked(SOURCE)
    job.idle(SOURCE, NOW_US)
    assert store.rows(names.WATERMARKS_TABLE) is None


def test_what_is_final_is_the_least_of_the_assigned_partitions() -> None:
    store = MemoryChunkStore()
    job = new_job(store, policy=SinkPolicy(idle_step=timedelta(0), watermark_bound=timedelta(0)))
    other = StreamPartition("inference.requests", 1, "run-1")
    assert job.final_before_us() == 0
    for source in (SOURCE, other):
        assign(job, 0, source=source)
    process(job, [event("a")])
    assert job.final_before_us() == 0
    job.idle(other, NOW_US + 7)
    assert job.final_before_us() == NOW_US
    job.idle(SOURCE, NOW_US + 9)
    assert job.final_before_us() == NOW_US + 7


def test_nothing_is_inserted_once_the_lease_is_in_doubt() -> None:
    class Lapsing:
        def __init__(self, checks: int) -> None:
            self.left = checks

        def check(self) -> None:
            self.left -= 1
            if self.left < 0:
                raise LeaseError("silence")

    records = RecordColumns.from_values([event("a")], append_time_ms=NOW_US // 1000)
    for checks in range(TABLES):
        store = MemoryChunkStore()
        job = new_job(store)
        assign(job, 0)
        chunk = Chunk(SOURCE, job.plan(SOURCE, records), records)
        with pytest.raises(LeaseError):
            job.run(chunk, Lapsing(checks))
        assert sum(len(store.blocks(table)) for table in store.tables()) == checks
        job.run(chunk, CertainLease())
        assert column(store, names.REQUESTS_TABLE, "event_id") == ["a"]
        assert len(column(store, names.LEDGER_TABLE, "stored")) == 1


def test_the_intent_is_the_first_insert_and_tells_where_the_chunk_ends() -> None:
    store = MemoryChunkStore()
    job = new_job(store)
    assign(job, 0)
    store.fail_next(StoreError("x", retryable=True))
    with pytest.raises(StoreError):
        process(job, [event("a"), event("b")])
    assert store.tables() == []
    process(job, [event("a"), event("b")])
    assert store.tables()[0] == names.INTENTS_TABLE
    assert column(store, names.INTENTS_TABLE, "last_offset") == [1]


def test_a_half_written_chunk_is_known_after_the_group_forgot_it() -> None:
    store = _FailingStore(fail_at=3, is_stored=False)
    job = new_job(store)
    assign(job, None)
    with pytest.raises(StoreError):
        process(job, [event("a"), event("b")])
    heir = new_job(store, now=NOW + timedelta(hours=1))
    found = assign(heir, None)
    assert found.intent is not None
    assert (found.offset, found.intent.last_offset) == (0, 1)
    assert found.intent.decided_at_us == NOW_US


def test_a_resent_event_is_held_against_the_whole_log() -> None:
    store = MemoryChunkStore()
    policy = SinkPolicy(dedupe_max_events=2)
    job = new_job(store, policy=policy)
    assign(job, 0)
    process(job, [event("a"), event("b"), event("c")])
    process(job, [event("d"), event("e"), event("f")], first_offset=3)
    outcome = process(job, [event("a", resent=True), event("z", resent=True)], first_offset=6)
    assert (outcome.stored, outcome.duplicates) == (1, 1)
    assert column(store, names.REQUESTS_TABLE, "event_id") == list("abcdefz")
    forgotten = process(job, [event("b")], first_offset=8)
    assert forgotten.duplicates == 0


def test_a_key_that_moved_when_partitions_were_added_is_still_a_duplicate() -> None:
    store = MemoryChunkStore()
    old = new_job(store)
    assign(old, 0, partition_count=1)
    process(old, [event("a"), event("b")])

    added = replace(SOURCE, partition=1)
    job = new_job(store, now=NOW + timedelta(minutes=1))
    assign(job, None, source=added, partition_count=2)
    records = RecordColumns.from_values(
        [event("b"), event("c")], append_time_ms=NOW_US // 1000 + 60_000
    )
    intent = job.plan(added, records)
    assert intent.elsewhere == (PartitionSpan(0, 0, 2),)
    outcome = job.run(Chunk(added, intent, records), CertainLease())
    assert (outcome.stored, outcome.duplicates) == (1, 1)

    much_later = new_job(store, now=NOW + timedelta(hours=1))
    assign(much_later, 2, source=added, partition_count=2)
    assert much_later.plan(added, records).elsewhere == ()


def test_a_replay_looks_where_the_first_try_looked() -> None:
    store = _FailingStore(fail_at=11, is_stored=True)
    old = new_job(store)
    assign(old, 0, partition_count=1)
    process(old, [event("a"), event("b")])
    added = replace(SOURCE, partition=1)
    job = new_job(store)
    assign(job, None, source=added, partition_count=2)
    records = RecordColumns.from_values([event("b"), event("c")], append_time_ms=NOW_US // 1000)
    intent = job.plan(added, records)
    with pytest.raises(StoreError):
        job.run(Chunk(added, intent, records), CertainLease())
    heir = new_job(store, now=NOW + timedelta(hours=3))
    assign(heir, 0, intent, source=added, partition_count=2)
    assert heir.run(Chunk(added, intent, records), CertainLease()).duplicates == 1
    assert column(store, names.REQUESTS_TABLE, "event_id") == ["a", "b", "c"]
