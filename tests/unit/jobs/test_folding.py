"""Dimension caps in the sink's job: totals stay, replays agree, lists are stored where they grow."""

from __future__ import annotations

import json
import random
from collections import Counter, defaultdict
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inferometer import names
from inferometer.core.chunks import Chunk, ChunkOutcome, Intent, StreamPartition
from inferometer.core.cubes import CUBES, rows_table
from inferometer.core.dimension_caps import DEFAULT_CAPS, OTHER, CapPolicy
from inferometer.core.price_book import PriceBook
from inferometer.core.records import RecordColumns
from inferometer.core.resumption import GroupPosition
from inferometer.errors import StoreError
from inferometer.jobs.process_chunk import ProcessChunk
from inferometer.jobs.sink_policy import SinkPolicy
from inferometer.testing.leases import CertainLease
from inferometer.testing.stores import MemoryChunkStore
from tests.oracle.folding import FoldingOracle

NOW = datetime(2025, 11, 21, 1, 53, 20, tzinfo=UTC)
NOW_US = 1_763_690_000_000_000
SOURCE = StreamPartition("inference.requests", 0, "run-1")
ROLLUPS = [rows_table(cube, resolution) for cube in CUBES for resolution in cube.resolutions]


def job(store: MemoryChunkStore, caps: dict[str, int], *, now: datetime = NOW) -> ProcessChunk:
    policy = SinkPolicy(caps=CapPolicy.by_name(caps), retention=timedelta(days=60))
    return ProcessChunk(store=store, book=PriceBook("test", ()), policy=policy, clock=lambda: now)


def assign(worker: ProcessChunk, offset: int, intent: Intent | None = None) -> None:
    worker.assigned(SOURCE, GroupPosition(offset, intent, earliest=0), partition_count=1)


def begin(worker: ProcessChunk, events: list[dict[str, Any]], first_offset: int) -> Chunk:
    records = RecordColumns.from_values(
        [json.dumps(event).encode() for event in events],
        first_offset=first_offset,
        append_time_ms=NOW_US // 1000 + first_offset,
    )
    return Chunk(SOURCE, worker.plan(SOURCE, records), records)


def process(
    worker: ProcessChunk, events: list[dict[str, Any]], first_offset: int = 0
) -> ChunkOutcome:
    return worker.run(begin(worker, events, first_offset), CertainLease())


def users(*ids: str) -> list[dict[str, Any]]:
    return [
        {"event_id": f"{user}-{number}-{len(ids)}", "request_id": "r", "model": "m",
         "status_code": 200, "ts_end": NOW_US, "user_id": user}
        for number, user in enumerate(ids)
    ]  # fmt: skip


def attempts(store: MemoryChunkStore, name: str = "user_id") -> Counter[str]:
    rows = store.rows("usage_1h_rows")
    assert rows is not None
    found: Counter[str] = Counter()
    for row in rows.select([name, "attempts"]).to_pylist():
        found[row[name]] += row["attempts"]
    return found


def traffic(seed: int, count: int) -> list[dict[str, Any]]:
    rnd = random.Random(seed)
    return [
        {
            "event_id": f"{seed}-{number}",
            "request_id": f"r-{number // 2}",
            "model": rnd.choice("abcd"),
            "status_code": rnd.choice([200, 429, 500]),
            "ts_end": NOW_US - rnd.randrange(3600 * 10**6),
            "user_id": rnd.choice(["", OTHER, *(f"u{n}" for n in range(9))]),
            "team_ids": rnd.choice([[], [""], [f"t{rnd.randrange(4)}", "t9"]]),
            "region": rnd.choice(["eu", "us", ""]),
            "input_tokens": rnd.randrange(1000),
            "e2e_ms": round(rnd.lognormvariate(5, 1), 3),
            "is_final": rnd.random() < 0.8,
            "price_cost": rnd.randrange(1000) / 1000,
        }
        for number in range(count)
    ]


def totals(store: MemoryChunkStore, table: str) -> dict[Any, Any]:
    """Return every measure of every window, summed over all groups; sketches bin by bin."""
    rows = store.rows(table)
    assert rows is not None
    dimensions = {d.name for cube in CUBES for d in cube.dimensions}
    found: defaultdict[Any, Decimal] = defaultdict(Decimal)
    for row in rows.to_pylist():
        for name, value in row.items():
            if name in dimensions or name == "window_start" or value is None:
                continue
            for key, amount in value if isinstance(value, list) else [("", value)]:
                found[row["window_start"], name, key] += Decimal(amount)
    return {key: amount for key, amount in found.items() if amount}


@settings(max_examples=15)
@given(
    seed=st.integers(0, 10**6),
    cap=st.integers(1, 5),
    cuts=st.lists(st.integers(1, 20), min_size=1, max_size=3),
    restarts=st.sets(st.integers(0, 2)),
)
def test_totals_are_those_without_a_cap_and_restarts_change_nothing(
    seed: int, cap: int, cuts: list[int], restarts: set[int]
) -> None:
    small = dict.fromkeys(DEFAULT_CAPS, cap)
    free, calm, restarted = MemoryChunkStore(), MemoryChunkStore(), MemoryChunkStore()
    workers = [job(free, {}), job(calm, small), job(restarted, small)]
    for worker in workers:
        assign(worker, 0)
    offset = 0
    for number, count in enumerate(cuts):
        events = traffic(seed + number, count)
        if number in restarts:
            workers[2] = job(restarted, small)
            assign(workers[2], offset)
        outcomes = [process(worker, events, offset) for worker in workers]
        assert outcomes[1] == outcomes[2]
        offset += count
    for table in ROLLUPS:
        assert totals(calm, table) == totals(free, table)
    for table in calm.tables():
        assert [b.to_pylist() for b in restarted.blocks(table)] == [
            b.to_pylist() for b in calm.blocks(table)
        ]
    log, raw = calm.rows(names.REQUESTS_TABLE), free.rows(names.REQUESTS_TABLE)
    assert log is not None
    assert raw is not None
    assert log.to_pylist() == raw.to_pylist()


def test_groups_are_those_of_an_oracle() -> None:
    store, oracle = MemoryChunkStore(), FoldingOracle()
    worker = job(store, {"user_id": 4})
    assign(worker, 0)
    expected: Counter[str] = Counter()
    for number in range(4):
        events = traffic(number, 30)
        process(worker, events, 30 * number)
        expected.update(oracle.fold("11", "user_id", e["user_id"], 4) for e in events)
    assert attempts(store) == expected
    assert expected[OTHER] > 30


def test_a_chunk_that_admits_nothing_stores_no_list() -> None:
    store = MemoryChunkStore()
    worker = job(store, {"user_id": 2})
    assign(worker, 0)
    first = process(worker, users("a", "b", "c"))
    assert first.admitted == (("model", 1), ("user_id", 2))
    assert first.folded == (("user_id", 1),)
    second = process(worker, users("c", "b", "d", "a"), 3)
    assert (second.admitted, second.folded) == ((), (("user_id", 2),))
    assert len(store.blocks(names.DIMENSION_VALUES_TABLE)) == 1
    ledger = store.rows(names.LEDGER_TABLE)
    assert ledger is not None
    assert ledger.column("folded").to_pylist() == [[("user_id", 1)], [("user_id", 2)]]


def test_a_chunk_without_events_folds_and_admits_nothing() -> None:
    store = MemoryChunkStore()
    worker = job(store, {})
    assign(worker, 0)
    records = RecordColumns.from_values([b"{"], first_offset=0, append_time_ms=NOW_US // 1000)
    outcome = worker.run(Chunk(SOURCE, worker.plan(SOURCE, records), records), CertainLease())
    assert (outcome.dead, outcome.admitted, outcome.folded) == (1, (), ())


def test_values_of_duplicates_and_dead_letters_are_not_admitted() -> None:
    store = MemoryChunkStore()
    worker = job(store, {"user_id": 2})
    assign(worker, 0)
    process(worker, users("a"))
    again = replace_all(users("a"), user_id="b")
    dead = replace_all(users("c"), status_code="text")
    outcome = process(worker, [*again, *dead, *users("d", "e")], 1)
    assert (outcome.duplicates, outcome.dead) == (1, 1)
    assert attempts(store) == {"a": 1, "d": 1, OTHER: 1}


def replace_all(events: list[dict[str, Any]], **changes: Any) -> list[dict[str, Any]]:
    return [{**event, **changes} for event in events]


def test_an_open_chunk_keeps_the_caps_that_it_was_begun_with() -> None:
    store = MemoryChunkStore()
    first = job(store, {"user_id": 1})
    assign(first, 0)
    chunk = begin(first, users("a", "b"), 0)
    # The intent is stored, nothing else.
    store.fail_next(StoreError("away", retryable=True))
    with pytest.raises(StoreError):
        first.run(chunk, CertainLease())
    second = job(store, {"user_id": 5})
    assign(second, 0, chunk.intent)
    second.run(chunk, CertainLease())
    assert attempts(store) == {"a": 1, OTHER: 1}
    process(second, users("c", "b", "a"), 2)
    assert attempts(store) == {"a": 2, OTHER: 1, "b": 1, "c": 1}


def test_a_new_month_begins_a_new_list() -> None:
    store = MemoryChunkStore()
    november = job(store, {"user_id": 1})
    assign(november, 0)
    process(november, users("a", "b"))
    december = job(store, {"user_id": 1}, now=NOW + timedelta(days=20))
    assign(december, 2)
    process(december, users("b", "a", "b"), 2)
    assert attempts(store) == {"a": 1, OTHER: 2, "b": 2}
    # A worker whose clock is behind goes on with the month that has begun.
    behind = job(store, {"user_id": 1})
    assign(behind, 5)
    process(behind, users("a", "b", "c", "d"), 5)
    assert attempts(store) == {"a": 1, "b": 3, OTHER: 5}


def test_partitions_admit_apart_and_their_sum_is_whole() -> None:
    store = MemoryChunkStore()
    worker = job(store, {"user_id": 1})
    other = replace(SOURCE, partition=1)
    for source in (SOURCE, other):
        worker.assigned(source, GroupPosition(0, None, earliest=0), partition_count=2)
    process(worker, users("a", "b"))
    chunk = begin(worker, users("b", "a", "c"), 0)
    worker.run(replace(chunk, source=other), CertainLease())
    assert attempts(store) == {"a": 1, "b": 1, OTHER: 3}


def test_a_team_without_a_name_is_no_team_and_stands_once_in_the_dictionary() -> None:
    store = MemoryChunkStore()
    worker = job(store, {})
    assign(worker, 0)
    events = [
        {**event, "team_ids": teams}
        for event, teams in zip(users("a", "b", "c"), ([], [""], ["t"]), strict=True)
    ]
    process(worker, events)
    assert attempts(store, "team_id") == {"": 2, "t": 1}
    rows = store.rows("usage_1h_rows")
    assert rows is not None
    # The store refuses a dictionary that holds a value twice.
    texts = rows.column("team_id").chunk(0).dictionary.to_pylist()
    assert len(set(texts)) == len(texts)
