from __future__ import annotations

import asyncio
import threading
import time
from typing import TYPE_CHECKING

import pytest

from inferometer.core.chunks import Chunk, GroupMetadata
from inferometer.core.resumption import StoredProgress
from inferometer.errors import BrokerError, LeaseError, StateError, StoreError
from inferometer.kafka.commits import CommittedPosition, FencedError
from tests.unit.kafka.sink_bench import (
    KEY,
    OPEN,
    US,
    Bench,
    opened,
    run,
    wait_for,
)

if TYPE_CHECKING:
    from inferometer.ports import Lease


def test_intent_then_work_then_acknowledgement() -> None:
    async def scenario(bench: Bench) -> None:
        await bench.assign()
        bench.give(b"a", b"b")
        await bench.until_acknowledged(2)
        assert bench.log("assigned", "plan", "intent", "run", "ack") == [
            ("assigned", 0), ("plan", 0), ("intent", 0), ("run", 0), ("ack", 2),
        ]  # fmt: skip
        assert bench.acknowledged == [0, 2]
        assert bench.committer.commits[0][2] == bench.processor.planned[0]

    run(scenario)


def test_an_acknowledgement_travels_with_the_intent_of_the_next_chunk() -> None:
    async def scenario(bench: Bench) -> None:
        await bench.assign()
        bench.give(b"a", b"b", b"c", b"d")
        await bench.until_acknowledged(4)
        assert bench.log() == [
            ("intent", 0), ("run", 0), ("intent", 2), ("run", 2), ("ack", 4),
        ]  # fmt: skip

    run(scenario)


def test_an_open_chunk_is_run_first_with_its_bounds_and_not_planned_again() -> None:
    async def scenario(bench: Bench) -> None:
        await bench.assign(2, opened(OPEN))
        bench.give(b"c", start=2)
        await asyncio.sleep(0.005)
        assert bench.log() == []
        bench.give(b"d", b"e", b"f", start=3)
        await bench.until_acknowledged(6)
        first, second = bench.processor.chunks
        assert first.intent == OPEN
        assert first.records.offsets.tolist() == [2, 3, 4]
        assert bench.processor.planned == [second.intent]
        assert second.records.offsets.tolist() == [5]
        assert bench.sink.counters.replays == 1

    run(scenario)


def test_offsets_that_went_back_go_on_at_the_end_of_the_ledger() -> None:
    async def scenario(bench: Bench) -> None:
        bench.processor.progress = StoredProgress(next_offset=8, open_intent=None)
        await bench.assign(2, opened(OPEN))
        assert bench.committer.places == {KEY: 8}
        bench.give(b"i", b"j", start=8)
        await bench.until_acknowledged(10)
        assert bench.log("intent", "run") == [("intent", 8), ("run", 8)]
        assert bench.sink.counters.replays == 0

    run(scenario)


def test_the_offset_of_a_topic_that_was_made_anew_counts_for_nothing() -> None:
    async def scenario(bench: Bench) -> None:
        await bench.assign(2, GroupMetadata("an earlier topic", OPEN).to_text())
        assert bench.committer.places == {KEY: 0}

    run(scenario)


def test_a_topic_that_is_made_anew_while_it_is_read_ends_the_work_before_any_write() -> None:
    async def scenario(bench: Bench) -> None:
        def be_another() -> None:
            raise BrokerError("made anew", retryable=True)

        bench.committer.confirm = be_another
        await bench.assign()
        bench.give(b"a", b"b")
        with pytest.raises(BrokerError, match="made anew"):
            await bench.until_acknowledged(2)
        assert bench.log("intent", "run") == []

    run(scenario)


def test_records_that_the_broker_dropped_are_counted_and_the_rest_goes_on() -> None:
    async def scenario(bench: Bench) -> None:
        await bench.sink.reassign()
        bench.sink.assigned({KEY: CommittedPosition(3, "", earliest=7, partition_count=1)}, US)
        await bench.until(lambda: bench.committer.places)
        assert bench.committer.places == {KEY: 7}
        assert bench.sink.counters.lost == 4

    run(scenario)


def test_nothing_is_written_while_the_group_is_silent_and_all_of_it_after() -> None:
    async def scenario(bench: Bench) -> None:
        is_heard = threading.Event()
        bench.committer.contact = lambda: time.monotonic() if is_heard.is_set() else -1e6
        await bench.assign()
        bench.give(b"a", b"b")
        await bench.until(lambda: bench.log("run"))
        await asyncio.sleep(0.01)
        assert bench.processor.chunks == []
        is_heard.set()
        await bench.until_acknowledged(2)
        assert bench.sink.counters.retries == 0

    run(scenario)


def test_a_call_that_is_abandoned_writes_nothing_more() -> None:
    async def scenario(bench: Bench) -> None:
        goes_on, ended = threading.Event(), threading.Event()

        def wait_then_look(lease: Lease) -> None:
            wait_for(goes_on)
            try:
                lease.check()
            except LeaseError:
                ended.set()
                raise

        bench.processor.before_run_under = lambda _chunk, lease: wait_then_look(lease)
        await bench.assign()
        bench.give(b"a", b"b")
        await bench.until(lambda: bench.log("run"))
        await bench.sink.drain()
        goes_on.set()
        await bench.until(ended.is_set)
        assert bench.processor.chunks == []

    run(scenario)


def test_a_store_that_is_away_is_tried_again_with_the_same_chunk() -> None:
    async def scenario(bench: Bench) -> None:
        tried: list[Chunk] = []

        def be_away_twice(chunk: Chunk) -> None:
            tried.append(chunk)
            if len(tried) <= 2:
                raise StoreError("away", retryable=True)

        bench.processor.before_run = be_away_twice
        await bench.assign()
        bench.give(b"a", b"b")
        await bench.until_acknowledged(2)
        assert tried[0] is tried[1] is tried[2]
        assert bench.log("intent", "ack") == [("intent", 0), ("ack", 2)]
        assert bench.sink.counters.retries == 2

    run(scenario)


def test_a_store_that_is_away_at_take_over_is_tried_again() -> None:
    async def scenario(bench: Bench) -> None:
        answers = iter([StoreError("away", retryable=True), None])

        def be_away_once(_source: object) -> None:
            answer = next(answers)
            if answer is not None:
                raise answer

        bench.processor.before_assigned = be_away_once
        await bench.assign()
        bench.give(b"a", b"b")
        await bench.until_acknowledged(2)
        assert bench.log("assigned") == [("assigned", 0), ("assigned", 0)]

    run(scenario)


def test_a_store_that_refuses_is_a_failure_and_leaves_the_chunk_open() -> None:
    async def scenario(bench: Bench) -> None:
        def refuse(_chunk: Chunk) -> None:
            raise StoreError("no such table", retryable=False)

        bench.processor.before_run = refuse
        await bench.assign()
        bench.give(b"a", b"b")
        with pytest.raises(StoreError, match="no such table"):
            await bench.until_acknowledged(2)
        assert bench.log("intent", "ack") == [("intent", 0)]

    run(scenario)


def test_a_fenced_intent_drops_the_chunk() -> None:
    async def scenario(bench: Bench) -> None:
        def fence(_metadata: str) -> None:
            raise FencedError(22)

        bench.committer.before_commit = fence
        await bench.assign()
        bench.give(b"a", b"b")
        await bench.until(lambda: bench.sink.counters.fenced)
        assert bench.log("run") == []
        assert not bench.sink.failure.done()

    run(scenario)


def test_an_intent_of_another_version_is_refused() -> None:
    async def scenario(bench: Bench) -> None:
        with pytest.raises(StateError, match="format 99"):
            await bench.assign(0, '{"format": 99}')

    run(scenario)


def test_a_hole_in_what_is_fetched_is_a_failure() -> None:
    async def scenario(bench: Bench) -> None:
        await bench.assign()
        bench.give(b"a", start=1)
        with pytest.raises(BrokerError, match="expected was 0"):
            bench.sink.failure.result()

    run(scenario)
