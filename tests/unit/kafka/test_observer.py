"""What the sink tells an observer, and what its status says to other threads."""

from __future__ import annotations

import asyncio
import dataclasses
import threading
from typing import TYPE_CHECKING

from inferometer.errors import StoreError
from inferometer.kafka.commits import CommittedPosition, FencedError
from inferometer.kafka.status import PartitionStatus
from tests.unit.kafka.sink_bench import KEY, OPEN, PATIENCE_S, US, Bench, opened
from tests.unit.kafka.test_chunk_buffer import fetched

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from inferometer.core.chunks import Chunk, ChunkOutcome, StreamPartition


class RecordingObserver:
    """Implements SinkObserver; keeps what it hears."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def step_took(self, step: str, seconds: float) -> None:
        assert seconds >= 0
        self.heard.append(str(step))

    def chunk_stored(
        self, source: StreamPartition, outcome: ChunkOutcome, *, is_replay: bool
    ) -> None:
        self.heard.append(f"stored {outcome.records}{' again' if is_replay else ''}")

    def store_away(self, source: StreamPartition, backoff_s: float) -> None:
        self.heard.append("away")

    def store_back(self, source: StreamPartition) -> None:
        self.heard.append("back")

    def commit_fenced(self, source: StreamPartition) -> None:
        self.heard.append("fenced")

    def rebalance_began(self) -> None:
        self.heard.append("giving up")

    def rebalance_ended(self, partitions: int) -> None:
        self.heard.append(f"assigned {partitions}")

    def records_lost(self, source: StreamPartition, records: int) -> None:
        self.heard.append(f"lost {records}")


def observed(scenario: Callable[[Bench, list[str]], Coroutine[None, None, None]]) -> None:
    async def with_bench() -> None:
        bench, observer = Bench(), RecordingObserver()
        bench.sink._observer = observer
        try:
            await scenario(bench, observer.heard)
        finally:
            await bench.sink.stop()

    asyncio.run(with_bench())


def test_a_chunk_is_heard_of_in_the_order_of_its_steps() -> None:
    async def scenario(bench: Bench, heard: list[str]) -> None:
        await bench.assign()
        bench.give(b"a", b"b")
        await bench.until(lambda: "acknowledge" in heard)
        assert heard == [
            "assigned 1", "fetch_wait", "intent_commit", "run", "stored 2", "acknowledge",
        ]  # fmt: skip

    observed(scenario)


def test_a_chunk_that_was_left_open_is_heard_of_as_a_replay() -> None:
    async def scenario(bench: Bench, heard: list[str]) -> None:
        await bench.assign(2, opened(OPEN))
        bench.give(b"c", b"d", b"e", start=2)
        await bench.until(lambda: "acknowledge" in heard)
        assert "stored 3 again" in heard

    observed(scenario)


def test_a_store_is_away_until_a_call_succeeds() -> None:
    async def scenario(bench: Bench, heard: list[str]) -> None:
        refusals = iter([True, True, False])

        def be_away_twice(_chunk: Chunk) -> None:
            if next(refusals):
                raise StoreError("away", retryable=True)

        bench.processor.before_run = be_away_twice
        await bench.assign()
        bench.give(b"a", b"b")
        await bench.until(lambda: "acknowledge" in heard)
        assert [each for each in heard if each in {"away", "back"}] == ["away", "away", "back"]

    observed(scenario)


def test_a_store_is_away_until_the_partition_is_given_up() -> None:
    async def scenario(bench: Bench, heard: list[str]) -> None:
        def be_away(_chunk: Chunk) -> None:
            raise StoreError("away", retryable=True)

        bench.processor.before_run = be_away
        await bench.assign()
        bench.give(b"a", b"b")
        await bench.until(lambda: "away" in heard)
        await bench.sink.drain()
        await bench.until(lambda: "back" in heard)
        assert heard[heard.index("giving up") :].count("back") == 1

    observed(scenario)


def test_a_fenced_commit_is_heard_of() -> None:
    async def scenario(bench: Bench, heard: list[str]) -> None:
        def fence(_metadata: str) -> None:
            raise FencedError(22)

        bench.committer.before_commit = fence
        await bench.assign()
        bench.give(b"a", b"b")
        await bench.until(lambda: "fenced" in heard)
        assert "intent_commit" not in heard

    observed(scenario)


def test_a_rebalance_begins_with_giving_up_and_ends_with_an_assignment() -> None:
    async def scenario(bench: Bench, heard: list[str]) -> None:
        await bench.assign()
        await bench.assign()
        assert heard == ["assigned 1", "giving up", "assigned 1"]

    observed(scenario)


def test_records_that_are_gone_are_heard_of() -> None:
    async def scenario(bench: Bench, heard: list[str]) -> None:
        await bench.sink.reassign()
        bench.sink.assigned({KEY: CommittedPosition(3, opened(None), 10, 2)}, US)
        await bench.until(lambda: "lost 7" in heard)

    observed(scenario)


def only(bench: Bench) -> PartitionStatus:
    (status,) = bench.sink.status().partitions
    return status


def test_the_position_is_what_is_acknowledged_while_a_chunk_runs() -> None:
    async def scenario(bench: Bench, heard: list[str]) -> None:
        begun, end = threading.Event(), threading.Event()

        def wait(_chunk: Chunk) -> None:
            begun.set()
            assert end.wait(PATIENCE_S)

        bench.processor.before_run = wait
        await bench.assign()
        bench.give(b"a", b"b")
        await bench.until(begun.is_set)
        assert (only(bench).position, only(bench).next_offset) == (0, 2)
        assert only(bench).oldest_append_ms is not None
        assert bench.sink.status().bytes_in_flight > 0
        end.set()
        await bench.until(lambda: "acknowledge" in heard)
        assert (only(bench).position, only(bench).next_offset) == (2, 2)
        assert only(bench).oldest_append_ms is None
        assert bench.sink.status().bytes_in_flight == 0

    observed(scenario)


def test_what_was_dropped_before_a_group_began_is_behind_its_position() -> None:
    async def scenario(bench: Bench, _heard: list[str]) -> None:
        asked = threading.Event()

        def wait(_source: object) -> None:
            assert asked.wait(PATIENCE_S)

        bench.processor.before_assigned = wait
        await bench.sink.reassign()
        bench.sink.assigned({KEY: CommittedPosition(None, "", 1_000_000, 2)}, US)
        assert only(bench).position == 1_000_000
        asked.set()

    observed(scenario)


def test_a_worker_is_a_member_between_assignment_and_giving_up() -> None:
    async def scenario(bench: Bench, _heard: list[str]) -> None:
        assert not bench.sink.status().is_member
        await bench.assign_all({})
        assert bench.sink.status().is_member
        await bench.sink.drain()
        assert not bench.sink.status().is_member

    observed(scenario)


def test_what_is_fetched_is_counted_as_it_lies_in_the_log() -> None:
    async def scenario(bench: Bench, _heard: list[str]) -> None:
        await bench.assign()
        fetch = dataclasses.replace(
            fetched([b"a", b"b", b"c"], start=0), epoch=bench.sink.epoch, raw_bytes=77
        )
        bench.sink.reserve(fetch)
        status = bench.sink.status()
        assert (status.fetched_records, status.fetched_bytes) == (3, 77)

    observed(scenario)
