"""Offsets, open chunks and partitions survive restarts, take-overs and absent brokers."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import TYPE_CHECKING

import pytest

from inferometer.core.chunks import GroupMetadata, Intent
from inferometer.errors import BrokerError, StateError, StoreError
from inferometer.kafka.local_broker import free_port
from tests.integration.kafka_bench import (
    WAIT_S,
    broker,
    commit,
    committed,
    produce,
    running,
    until,
    worker,
)
from tests.integration.running_time import RunningTime
from tests.unit.kafka.recording import RecordingProcessor

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from inferometer.core.chunks import Chunk
    from inferometer.kafka.embedded import EmbeddedBroker
    from tests.integration.kafka_bench import Record

__all__ = ["broker"]

pytestmark = pytest.mark.integration

PROMPT_S = 8.0
"""Well below every timeout that a stop could wait for by mistake; no measurement."""


def numbered(count: int, *, first: int = 0) -> list[Record]:
    return [(index % 4, b"%d" % index, []) for index in range(first, first + count)]


async def work_off(broker: EmbeddedBroker, processor: RecordingProcessor, count: int) -> None:
    member = worker(broker, processor, gapless=True)
    async with running(member):
        await until(lambda: member.counters.records >= count)


def test_a_restart_goes_on_at_the_committed_offset(broker: EmbeddedBroker) -> None:
    first, second = RecordingProcessor(), RecordingProcessor()

    produce(broker, numbered(400))
    asyncio.run(work_off(broker, first, 400))
    assert committed(broker) == dict.fromkeys(range(4), (100, None))
    produce(broker, numbered(40, first=400))
    asyncio.run(work_off(broker, second, 40))

    assert second.offsets(3) == list(range(100, 110))
    assert ("assigned", 3, 100) in second.calls


def test_an_open_chunk_is_replayed_with_the_same_bounds(broker: EmbeddedBroker) -> None:
    produce(broker, numbered(400))
    intent = Intent(
        first_offset=10,
        last_offset=57,
        decided_at_us=123,
        dedupe_floor=4,
        price_version="then",
        cubes_version="then",
    )
    commit(broker, 2, 10, GroupMetadata(broker.run_epoch, intent).to_text())
    processor = RecordingProcessor()

    asyncio.run(work_off(broker, processor, 390))

    (replayed,) = (chunk for chunk in processor.chunks if chunk.intent == intent)
    assert replayed.records.offsets.tolist() == list(range(10, 58))
    assert intent not in processor.planned
    assert processor.offsets(2) == list(range(10, 100))
    assert committed(broker)[2] == (100, None)


def test_an_intent_of_another_version_stops_the_worker(broker: EmbeddedBroker) -> None:
    produce(broker, numbered(4))
    commit(broker, 0, 0, '{"format": 99}')

    with pytest.raises(StateError, match="format 99"):
        asyncio.run(asyncio.wait_for(worker(broker, RecordingProcessor()).run(), WAIT_S))


def test_two_workers_share_and_the_one_that_stays_takes_over(broker: EmbeddedBroker) -> None:
    processors = [RecordingProcessor(), RecordingProcessor()]
    workers = [worker(broker, processor, gapless=True) for processor in processors]

    def handled() -> int:
        return sum(member.counters.records for member in workers)

    def owned(processor: RecordingProcessor) -> set[int]:
        owned: set[int] = set()
        for what, partition, _offset in list(processor.calls):
            if what == "assigned":
                owned.add(partition)
            elif what == "revoked":
                owned.discard(partition)
        return owned

    async def share() -> None:
        stays = asyncio.create_task(workers[0].run())
        # The embedded broker does not bear two members that join at the same instant.
        await until(lambda: len(owned(processors[0])) == 4)
        leaves = asyncio.create_task(workers[1].run())
        try:
            await until(lambda: [len(owned(processor)) for processor in processors] == [2, 2])
            await asyncio.to_thread(produce, broker, numbered(2_000))
            await until(lambda: handled() >= 2_000)
            workers[1].request_stop()
            await leaves
            await asyncio.to_thread(produce, broker, numbered(2_000, first=2_000))
            await until(lambda: handled() >= 4_000)
        finally:
            workers[0].request_stop()
            await stays

    asyncio.run(share())

    tokens = [token for processor in processors for token in processor.tokens()]
    assert len(set(tokens)) == len(tokens)
    for partition in range(4):
        offsets = [offset for processor in processors for offset in processor.offsets(partition)]
        assert sorted(offsets) == list(range(1_000))
    assert processors[0].chunks
    assert processors[1].chunks
    assert committed(broker) == dict.fromkeys(range(4), (1_000, None))


def test_a_worker_waits_for_a_broker_that_is_not_there_yet(
    broker: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("inferometer.kafka.worker.BROKER_RETRY_S", 0.05)
    produce(broker, numbered(40))
    processor = RecordingProcessor()

    async def come_late() -> None:
        port = free_port()
        member = worker(broker, processor, bootstrap_servers=f"127.0.0.1:{port}")
        async with running(member):
            await until(lambda: "no broker lets us in yet" in caplog.text)
            async with forwarding(port, broker.bootstrap_servers):
                await until(lambda: member.counters.records >= 40)

    asyncio.run(come_late())

    assert caplog.text.count("no broker lets us in yet") == 1


def test_a_worker_that_waits_for_its_broker_stops_at_once(broker: EmbeddedBroker) -> None:
    async def wait_and_stop() -> float:
        member = worker(broker, RecordingProcessor(), bootstrap_servers=f"127.0.0.1:{free_port()}")
        task = asyncio.create_task(member.run())
        await asyncio.sleep(0.2)
        with RunningTime() as took:
            member.request_stop()
            await task
        return took.seconds

    assert asyncio.run(wait_and_stop()) < PROMPT_S


def test_a_stop_that_was_asked_for_before_the_start_ends_the_run(broker: EmbeddedBroker) -> None:
    processor = RecordingProcessor()
    member = worker(broker, processor)
    member.request_stop()

    with RunningTime() as took:
        asyncio.run(asyncio.wait_for(member.run(), WAIT_S))

    assert took.seconds < PROMPT_S
    assert processor.calls == []


@pytest.mark.parametrize("after_s", [0.0, 0.05, 0.2, 0.6])
def test_a_stop_is_prompt_at_any_moment(broker: EmbeddedBroker, after_s: float) -> None:
    produce(broker, numbered(400))
    processor = RecordingProcessor()

    async def stop_after() -> float:
        member = worker(broker, processor)
        task = asyncio.create_task(member.run())
        await asyncio.sleep(after_s)
        with RunningTime() as took:
            member.request_stop()
            await task
        return took.seconds

    assert asyncio.run(stop_after()) < PROMPT_S


def test_a_stop_waits_for_the_chunk_that_runs(broker: EmbeddedBroker) -> None:
    goes_on = threading.Event()
    processor = RecordingProcessor(before_run=lambda _chunk: wait_for(goes_on))
    produce(broker, [(0, b"one", [])])

    async def stop_while_it_runs() -> None:
        member = worker(broker, processor)
        task = asyncio.create_task(member.run())
        await until(lambda: ("run", 0, 0) in processor.calls)
        member.request_stop()
        await asyncio.sleep(0.2)
        assert not task.done()
        goes_on.set()
        await task

    asyncio.run(stop_while_it_runs())

    assert processor.values(0) == [b"one"]
    assert committed(broker)[0] == (1, None)


def test_a_store_that_refuses_ends_the_worker_and_leaves_the_chunk_open(
    broker: EmbeddedBroker,
) -> None:
    def refuse(_chunk: Chunk) -> None:
        raise StoreError("no such table", retryable=False)

    produce(broker, [(0, b"one", [])])

    with pytest.raises(StoreError, match="no such table"):
        asyncio.run(
            asyncio.wait_for(worker(broker, RecordingProcessor(before_run=refuse)).run(), WAIT_S)
        )

    offset, intent = committed(broker)[0]
    assert offset == 0
    assert intent is not None


def test_records_that_the_broker_forgot_are_an_error(broker: EmbeddedBroker) -> None:
    commit(broker, 0, 0, "")
    # A partition keeps five megabytes, so the first of these are gone.
    produce(broker, ((0, b"x" * 100_000, []) for _ in range(80)))

    with pytest.raises(BrokerError, match="were dropped by the broker"):
        asyncio.run(
            asyncio.wait_for(worker(broker, RecordingProcessor(), gapless=True).run(), WAIT_S)
        )


def wait_for(event: threading.Event) -> None:
    assert event.wait(WAIT_S)


@contextlib.asynccontextmanager
async def forwarding(port: int, address: str) -> AsyncIterator[None]:
    """Let a port lead to an address."""
    host, _, number = address.rpartition(":")

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65_536):
                writer.write(data)
                await writer.drain()
        finally:
            writer.close()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(host, int(number))
        await asyncio.gather(copy(reader, back), copy(there, writer), return_exceptions=True)

    server = await asyncio.start_server(accept, "127.0.0.1", port)
    try:
        yield
    finally:
        server.close()
