from __future__ import annotations

import asyncio
import dataclasses
import threading
import time
from typing import TYPE_CHECKING

from inferometer.core.records import ContentType
from inferometer.errors import StoreError
from inferometer.kafka.byte_budget import computing_bytes, storing_bytes
from tests.unit.kafka.sink_bench import (
    KEY,
    OPEN,
    OTHER,
    PATIENCE_S,
    Bench,
    opened,
    run,
    wait_for,
)
from tests.unit.kafka.test_chunk_buffer import fetched

if TYPE_CHECKING:
    from inferometer.core.chunks import Chunk


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
        async with asyncio.timeout(PATIENCE_S / 3):
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


def test_a_fetch_that_comes_while_partitions_are_given_up_takes_no_room() -> None:
    async def scenario(bench: Bench) -> None:
        await bench.assign()
        bench.processor.before_run = lambda _chunk: time.sleep(0.01)
        bench.give(b"a", b"b")
        await bench.until(lambda: bench.processor.chunks)
        assigning = asyncio.create_task(bench.assign())
        await asyncio.sleep(0)
        late = dataclasses.replace(fetched([b"aaaaa", b"bbbbb"], start=2), epoch=bench.sink.epoch)
        bench.sink.reserve(late)
        await assigning
        bench.sink.take(late)
        assert bench.sink.status().bytes_in_flight == 0
        assert bench.sink.fetchable([KEY]) == [KEY]

    run(scenario, max_bytes_in_flight=10, drain_s=PATIENCE_S)


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
        bench.give(b"aaaa", log_end=9)
        bench.give(b"bbbbbb", partition=1, log_end=9)
        await bench.until(lambda: bench.processor.chunks)
        assert [chunk.source.partition for chunk in bench.processor.chunks] == [1]
        await bench.until(lambda: bench.sink.fetchable([KEY, OTHER]))
        assert bench.sink.fetchable([KEY, OTHER]) == [KEY]

    run(scenario, max_bytes_in_flight=10, chunk_max_wait_s=60.0)


def test_the_budget_covers_what_is_computed_of_a_chunk_until_it_is_stored() -> None:
    async def scenario(bench: Bench) -> None:
        computes, stores = threading.Event(), threading.Event()

        bench.processor.while_computing = lambda _chunk: wait_for(computes)
        bench.processor.before_run = lambda _chunk: wait_for(stores)
        await bench.assign()
        bench.give(b"aaaaa", b"bbbbb")
        await bench.until(lambda: bench.log("run"))
        computing = bench.sink.status().bytes_in_flight
        assert computing == 10 + computing_bytes(10, 2)
        computes.set()
        await bench.until(lambda: bench.sink.status().bytes_in_flight < computing)
        assert bench.sink.status().bytes_in_flight == 10 + storing_bytes(2)
        stores.set()
        await bench.until_acknowledged(2)
        assert bench.sink.status().bytes_in_flight == 0

    run(scenario)


def test_a_chunk_of_several_fetches_gives_back_what_they_took() -> None:
    async def scenario(bench: Bench) -> None:
        await bench.assign()
        for start in range(0, 30, 3):
            for offset in range(start, start + 3):
                bench.give(b"aaaaa", start=offset)
            await bench.until_acknowledged(start + 3)
            assert bench.sink.status().bytes_in_flight == 0

    run(scenario, chunk_max_events=3, chunk_max_wait_s=60.0)


def test_the_budget_counts_the_events_of_a_record_of_many() -> None:
    async def scenario(bench: Bench) -> None:
        stores = threading.Event()
        bench.processor.before_run = lambda _chunk: wait_for(stores)
        await bench.assign()
        bench.give(b"a\nb\nc\n" * 10, content_type=ContentType.NDJSON)
        await bench.until(lambda: bench.sink.status().bytes_in_flight == 60 + storing_bytes(30))
        stores.set()
        await bench.until_acknowledged(1)

    run(scenario)


def test_one_partition_computes_while_another_stores() -> None:
    async def scenario(bench: Bench) -> None:
        stores = threading.Event()

        def store_slowly(chunk: Chunk) -> None:
            if chunk.source.partition == 0:
                wait_for(stores)

        bench.processor.before_run = store_slowly
        await bench.assign_all({KEY: (0, ""), OTHER: (0, "")})
        bench.give(b"a", b"b")
        await bench.until(lambda: bench.log("run"))
        bench.give(b"c", b"d", partition=1)
        await bench.until(lambda: bench.processor.chunks)
        assert [chunk.source.partition for chunk in bench.processor.chunks] == [1]
        stores.set()
        await bench.until_acknowledged(2)

    run(scenario, chunk_threads=2)


def test_a_chunk_takes_along_what_came_while_it_waited_for_its_turn() -> None:
    async def scenario(bench: Bench) -> None:
        goes_on = threading.Event()
        bench.processor.before_run = lambda chunk: wait_for(goes_on)
        await bench.assign_all({KEY: (0, ""), OTHER: (0, "")})
        bench.give(b"a")
        await bench.until(lambda: bench.log("run"))
        bench.give(b"b", partition=1)
        await asyncio.sleep(0.005)
        bench.give(b"c", b"d", start=1, partition=1)
        goes_on.set()
        await bench.until(lambda: len(bench.processor.chunks) == 2)
        assert bench.processor.chunks[1].records.offsets.tolist() == [0, 1, 2]

    run(scenario, chunk_threads=1, chunk_max_events=9)


def test_over_the_budget_an_open_chunk_is_still_fetched_to_its_end() -> None:
    async def scenario(bench: Bench) -> None:
        await bench.assign_all({KEY: (0, ""), OTHER: (2, opened(OPEN))})
        bench.give(b"c" * 20, start=2, partition=1)
        assert bench.sink.fetchable([KEY, OTHER]) == [OTHER]
        bench.give(b"d", b"e", start=3, partition=1)
        await bench.until(lambda: bench.processor.chunks)
        assert bench.processor.chunks[0].intent == OPEN

    run(scenario, max_bytes_in_flight=10, chunk_max_wait_s=60.0)
