from __future__ import annotations

import asyncio
import dataclasses
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from aiokafka import TopicPartition

from inferometer.core.chunks import Chunk, GroupMetadata, Intent
from inferometer.core.resumption import StoredProgress
from inferometer.errors import BrokerError, LeaseError, StateError, StoreError
from inferometer.kafka.chunk_sink import ChunkSink
from inferometer.kafka.commits import CommittedPosition, FencedError, Membership
from inferometer.kafka.settings import KafkaSettings, WorkerSettings
from tests.unit.kafka.recording import RecordingProcessor
from tests.unit.kafka.test_chunk_buffer import fetched

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from inferometer.ports import Lease

KEY = TopicPartition("t", 0)
OTHER = TopicPartition("t", 1)
US = Membership(1, "me")
PATIENCE_S = 5.0
OPEN = Intent(
    first_offset=2,
    last_offset=4,
    decided_at_us=9,
    dedupe_floor=0,
    price_version="then",
    cubes_version="then",
)


def opened(intent: Intent | None) -> str:
    return GroupMetadata("s", intent).to_text()


class RecordingCommitter:
    """Implements Committer; `before_commit` may wait or raise."""

    def __init__(self, log: list[tuple[str, int, int]]) -> None:
        self.commits: list[tuple[int, int, Intent | None]] = []
        self.places: dict[TopicPartition, int] = {}
        self.confirm: Callable[[], None] = lambda: None
        self.contact: Callable[[], float | None] = time.monotonic
        self.caught_up: dict[tuple[TopicPartition, int], int] = {}
        self.before_commit: Callable[[str], None] = lambda _metadata: None
        self._log = log

    async def commit_position(
        self, membership: Membership, key: TopicPartition, offset: int, metadata: str
    ) -> None:
        assert membership == US
        await asyncio.sleep(0)
        self.before_commit(metadata)
        kept = GroupMetadata.from_text(metadata)
        assert kept is not None
        assert kept.stream_id == "s"
        self.commits.append((key.partition, offset, kept.intent))
        self._log.append(("intent" if kept.intent else "ack", key.partition, offset))

    async def confirm_stream(self) -> None:
        self.confirm()

    async def go_to(self, membership: Membership, key: TopicPartition, offset: int) -> None:
        self.places[key] = offset

    def last_contact(self, membership: Membership) -> float | None:
        return self.contact()

    def caught_up_at(self, key: TopicPartition, offset: int) -> int | None:
        return self.caught_up.get((key, offset))


class Bench:
    """A sink over a recording processor and committer."""

    def __init__(self, **changes: Any) -> None:
        settings = WorkerSettings(
            kafka=KafkaSettings(bootstrap_servers="unused:1"),
            **{
                "chunk_max_events": 2,
                "chunk_max_wait_s": 0.002,
                "idle_interval_s": 0.002,
                "retry_backoff_s": 0.001,
                "retry_backoff_max_s": 0.002,
                "drain_s": 0.02,
                "stop_s": PATIENCE_S,
                **changes,
            },
        )
        self.processor = RecordingProcessor()
        self.committer = RecordingCommitter(self.processor.calls)
        self.acknowledged: list[int] = []
        self.sink = ChunkSink(
            settings=settings,
            processor=self.processor,
            stream_id="s",
            on_acknowledged=lambda _topic, _partition, offset: self.acknowledged.append(offset),
        )
        self.sink.committer = self.committer

    async def assign(self, offset: int = 0, metadata: str = "") -> None:
        await self.assign_all({KEY: (offset, metadata)})

    async def assign_all(
        self, positions: dict[TopicPartition, tuple[int, str]], *, is_waiting: bool = True
    ) -> None:
        await self.sink.reassign()
        self.committer.places.clear()
        self.sink.assigned(
            {
                key: CommittedPosition(offset, metadata, earliest=0, partition_count=2)
                for key, (offset, metadata) in positions.items()
            },
            US,
        )
        if is_waiting:
            await self.until(lambda: self.committer.places.keys() == positions.keys())

    def give(self, *values: bytes, start: int = 0, partition: int = 0) -> None:
        fetch = dataclasses.replace(
            fetched(list(values), start=start), epoch=self.sink.epoch, partition=partition
        )
        self.sink.reserve(fetch)
        self.sink.take(fetch)

    async def until(self, is_so: Callable[[], object]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not is_so():
                await asyncio.sleep(0.001)
                if self.sink.failure.done():
                    self.sink.failure.result()

    async def until_acknowledged(self, offset: int) -> None:
        await self.until(lambda: any(each[1:] == (offset, None) for each in self.committer.commits))

    def log(self, *what: str) -> list[tuple[str, int]]:
        return [
            (each, offset)
            for each, _partition, offset in list(self.processor.calls)
            if each in (what or ("intent", "run", "ack"))
        ]


def run(scenario: Callable[..., Coroutine[Any, Any, None]], **changes: Any) -> None:
    async def with_bench() -> None:
        bench = Bench(**changes)
        try:
            await scenario(bench)
        finally:
            await bench.sink.stop()

    asyncio.run(with_bench())


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


def test_a_chunk_that_ends_while_the_partition_is_given_up_is_acknowledged() -> None:
    async def scenario(bench: Bench) -> None:
        goes_on = threading.Event()
        bench.processor.before_run = lambda _chunk: wait_for(goes_on)
        await bench.assign()
        bench.give(b"a", b"b", b"c", b"d")
        await bench.until(lambda: bench.log("run"))
        draining = asyncio.create_task(bench.sink.drain())
        await asyncio.sleep(0.002)
        assert bench.log("revoked") == []
        goes_on.set()
        await draining
        assert bench.log() == [("intent", 0), ("run", 0), ("ack", 2)]
        await bench.until(lambda: bench.log("revoked"))

    run(scenario, drain_s=PATIENCE_S)


def test_a_chunk_that_does_not_end_is_abandoned_and_waited_for_at_the_next_take_over() -> None:
    async def scenario(bench: Bench) -> None:
        goes_on = threading.Event()
        bench.processor.before_run = lambda _chunk: wait_for(goes_on)
        await bench.assign()
        bench.give(b"a", b"b")
        await bench.until(lambda: bench.log("run"))
        await bench.sink.drain()
        assert bench.log() == [("intent", 0), ("run", 0)]

        intent = bench.committer.commits[0][2]
        await bench.assign_all({KEY: (0, opened(intent))}, is_waiting=False)
        await asyncio.sleep(0.005)
        assert len(bench.log("assigned")) == 1
        goes_on.set()
        await bench.until(lambda: bench.committer.places)
        bench.give(b"a", b"b")
        await bench.until_acknowledged(2)
        assert bench.log("assigned", "run", "revoked") == [
            ("assigned", 0), ("run", 0), ("revoked", 0), ("assigned", 0), ("run", 0),
        ]  # fmt: skip
        first, second = bench.processor.tokens()
        assert first == second

    run(scenario, chunk_threads=2)


def test_giving_up_does_not_wait_for_a_store_that_is_away() -> None:
    async def scenario(bench: Bench) -> None:
        def be_away(_chunk: Chunk) -> None:
            raise StoreError("away", retryable=True)

        bench.processor.before_run = be_away
        await bench.assign()
        bench.give(b"a", b"b")
        await bench.until(lambda: bench.sink.counters.retries)
        async with asyncio.timeout(1.0):
            await bench.sink.drain()
        assert bench.log("ack") == []

    run(scenario, drain_s=PATIENCE_S, retry_backoff_s=60.0)


def test_a_fetch_of_an_earlier_assignment_is_dropped() -> None:
    async def scenario(bench: Bench) -> None:
        await bench.assign()
        old = dataclasses.replace(fetched([b"a", b"b"], start=0), epoch=bench.sink.epoch)
        await bench.assign()
        bench.sink.take(old)
        bench.sink.take(dataclasses.replace(old, partition=7))
        await asyncio.sleep(0.005)
        assert bench.log() == []

    run(scenario)


def test_a_partition_is_idle_only_where_nothing_is_left_to_read() -> None:
    async def scenario(bench: Bench) -> None:
        await bench.assign()
        await asyncio.sleep(0.006)
        assert bench.processor.idle_at_us == []
        bench.committer.caught_up[KEY, 2] = 77
        bench.give(b"a", b"b")
        await bench.until(lambda: bench.processor.idle_at_us)
        assert bench.log("run", "idle")[0] == ("run", 0)
        assert set(bench.processor.idle_at_us) == {77}

    run(scenario)


def test_over_the_budget_nothing_is_fetched_until_a_chunk_is_stored() -> None:
    async def scenario(bench: Bench) -> None:
        goes_on = threading.Event()
        bench.processor.before_run = lambda _chunk: wait_for(goes_on)
        await bench.assign()
        assert bench.sink.fetchable([KEY]) == [KEY]
        bench.give(b"aaaaa", b"bbbbb")
        assert bench.sink.fetchable([KEY]) == []
        goes_on.set()
        await bench.until_acknowledged(2)
        assert bench.sink.fetchable([KEY]) == [KEY]
        await bench.sink.wait_for_room()

    run(scenario, max_bytes_in_flight=10)


def test_over_the_budget_the_fullest_partition_cuts_before_its_time() -> None:
    async def scenario(bench: Bench) -> None:
        await bench.assign_all({KEY: (0, ""), OTHER: (0, "")})
        bench.give(b"aaaa")
        bench.give(b"bbbbbb", partition=1)
        await bench.until(lambda: bench.processor.chunks)
        assert [chunk.source.partition for chunk in bench.processor.chunks] == [1]
        assert bench.sink.fetchable([KEY, OTHER]) == [KEY, OTHER]

    run(scenario, max_bytes_in_flight=10, chunk_max_wait_s=60.0)


def test_over_the_budget_an_open_chunk_is_still_fetched_to_its_end() -> None:
    async def scenario(bench: Bench) -> None:
        await bench.assign_all({KEY: (0, ""), OTHER: (2, opened(OPEN))})
        bench.give(b"c" * 20, start=2, partition=1)
        assert bench.sink.fetchable([KEY, OTHER]) == [OTHER]
        bench.give(b"d", b"e", start=3, partition=1)
        await bench.until(lambda: bench.processor.chunks)
        assert bench.processor.chunks[0].intent == OPEN

    run(scenario, max_bytes_in_flight=10, chunk_max_wait_s=60.0)


def wait_for(event: threading.Event) -> None:
    assert event.wait(PATIENCE_S)
