"""A sink over a recording processor and committer."""

from __future__ import annotations

import asyncio
import dataclasses
import threading
import time
from typing import TYPE_CHECKING, Any

from aiokafka import TopicPartition

from inferometer.core.chunks import GroupMetadata, Intent
from inferometer.kafka.chunk_sink import ChunkSink
from inferometer.kafka.commits import CommittedPosition, Membership
from inferometer.kafka.settings import KafkaSettings, WorkerSettings
from tests.unit.kafka.recording import RecordingProcessor
from tests.unit.kafka.test_chunk_buffer import fetched

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine


KEY = TopicPartition("t", 0)
OTHER = TopicPartition("t", 1)
US = Membership(1, "me")
PATIENCE_S = 30.0
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

    def give(
        self,
        *values: bytes,
        start: int = 0,
        partition: int = 0,
        log_end: int = 0,
        content_type: int = 0,
    ) -> None:
        types = [content_type] * len(values)
        fetch = dataclasses.replace(
            fetched(list(values), start=start, log_end=log_end, content_types=types),
            epoch=self.sink.epoch,
            partition=partition,
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


def wait_for(event: threading.Event) -> None:
    assert event.wait(PATIENCE_S)
