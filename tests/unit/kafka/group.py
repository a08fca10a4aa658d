"""A consumer group in memory, and workers of it that can be killed or frozen at any of their steps."""

from __future__ import annotations

import asyncio
import dataclasses
import threading
import time
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, TypeVar

from aiokafka import TopicPartition

from inferometer.errors import PipelineError
from inferometer.kafka.chunk_sink import ChunkSink
from inferometer.kafka.commits import CommittedPosition, FencedError, Membership
from inferometer.kafka.settings import KafkaSettings, WorkerSettings
from tests.unit.kafka.test_chunk_buffer import fetched

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    import pyarrow as pa

    from inferometer.core.chunks import PartitionSpan, StreamPartition
    from inferometer.core.resumption import StoredProgress
    from inferometer.ports import ChunkProcessor, ChunkStore

T = TypeVar("T")

KEY = TopicPartition("t", 0)
STREAM = "run-1"
PATIENCE_S = 60.0


class Fate(Enum):
    """What happens to a worker at a step."""

    KILLED = "killed"
    FROZEN = "frozen"


class KilledError(PipelineError):
    """What a dead worker raises instead of doing anything."""


@dataclass
class Trap:
    """Counts the steps of a worker, and springs at one of them, before or after it has had effect."""

    fate: Fate = Fate.KILLED
    at: int | None = None
    is_after: bool = False
    steps: list[str] = field(default_factory=list)
    sprung: threading.Event = field(default_factory=threading.Event)
    thaw: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def meet(self, step: str) -> bool:
        """Count a step; return whether this is the one. Raises KilledError once dead."""
        with self._lock:
            if self.sprung.is_set() and self.fate is Fate.KILLED:
                raise KilledError("dead")
            is_here = len(self.steps) == self.at
            self.steps.append(step)
            return is_here

    def _spring(self) -> None:
        self.sprung.set()
        if self.fate is Fate.KILLED:
            raise KilledError("killed")

    def in_thread(self, step: str, work: Callable[[], T]) -> T:
        """Do a step of a thread."""
        is_here = self.meet(step)
        if is_here and not self.is_after:
            self._spring()
            assert self.thaw.wait(PATIENCE_S)
        result = work()
        if is_here and self.is_after:
            self._spring()
            assert self.thaw.wait(PATIENCE_S)
        return result

    async def on_loop(self, step: str, work: Callable[[], None]) -> None:
        """Do a step of the event loop."""
        is_here = self.meet(step)
        if is_here and not self.is_after:
            await self._hold()
        work()
        if is_here and self.is_after:
            await self._hold()

    async def _hold(self) -> None:
        self._spring()
        await until(self.thaw.is_set)


class TrappedStore:
    """A ChunkStore each of whose calls is a step of one worker."""

    def __init__(self, store: ChunkStore, trap: Trap) -> None:
        self._store = store
        self._trap = trap

    def insert(self, *, table: str, rows: pa.Table, token: str) -> None:
        self._trap.in_thread(
            f"insert {table}", lambda: self._store.insert(table=table, rows=rows, token=token)
        )

    def progress(self, source: StreamPartition) -> StoredProgress:
        return self._trap.in_thread("progress", lambda: self._store.progress(source))

    def find_events(
        self, *, source: StreamPartition, event_ids: Sequence[str], floor: int, before: int
    ) -> set[str]:
        return self._store.find_events(
            source=source, event_ids=event_ids, floor=floor, before=before
        )

    def recent_event_ids(
        self, *, source: StreamPartition, floor: int, before: int
    ) -> pa.ChunkedArray:
        return self._store.recent_event_ids(source=source, floor=floor, before=before)

    def spans_before_resize(
        self, source: StreamPartition, *, partition_count: int, since: datetime
    ) -> tuple[PartitionSpan, ...]:
        return self._store.spans_before_resize(source, partition_count=partition_count, since=since)

    def dedupe_floor(self, source: StreamPartition, *, before: int, max_events: int) -> int:
        return self._store.dedupe_floor(source, before=before, max_events=max_events)

    def admitted_values(self, source: StreamPartition, *, before: int) -> pa.Table:
        return self._store.admitted_values(source, before=before)


class Group:
    """Who owns the partition, what is committed, and the records of the topic."""

    def __init__(self, values: list[bytes]) -> None:
        self.values = values
        self.committed: tuple[int, str] | None = None
        self.owner = Membership(0, "nobody")
        self.refusals: list[int] = []
        """Codes with which commits were refused."""
        self.fence_code = 22
        self.history: list[tuple[int, str]] = []

    @property
    def is_done(self) -> bool:
        """Whether everything is acknowledged and no chunk is open."""
        return self.committed is not None and (
            self.committed[0] == len(self.values) and '"intent":null' in self.committed[1]
        )

    async def give_to(self, worker: Worker) -> None:
        """Make a worker the owner; whoever was it does not hear of it."""
        epoch = await worker.sink.reassign()
        assert epoch == worker.sink.epoch
        self.owner = Membership(self.owner.generation + 1, worker.name)
        offset, metadata = self.committed or (None, "")
        worker.sink.assigned(
            {KEY: CommittedPosition(offset, metadata, earliest=0, partition_count=1)}, self.owner
        )

    def commit(self, membership: Membership, offset: int, metadata: str) -> None:
        """Accept a commit of the owner. Raises FencedError for one of another."""
        if membership != self.owner:
            self.refusals.append(self.fence_code)
            raise FencedError(self.fence_code)
        self.committed = (offset, metadata)
        self.history.append(self.committed)


class Worker:
    """A sink with its place in a group; implements Committer."""

    def __init__(
        self,
        name: str,
        group: Group,
        processor: ChunkProcessor,
        trap: Trap,
        *,
        chunk_events: int,
        is_lease_blind: bool = False,
    ) -> None:
        self.name = name
        self.trap = trap
        self.place: int | None = None
        self._group = group
        self._is_lease_blind = is_lease_blind
        settings = WorkerSettings(
            kafka=KafkaSettings(bootstrap_servers="unused:1"),
            chunk_max_events=chunk_events,
            chunk_max_wait_s=0.001,
            idle_interval_s=0.01,
            retry_backoff_s=0.001,
            retry_backoff_max_s=0.002,
            drain_s=0.001,
            stop_s=PATIENCE_S,
        )
        self.sink = ChunkSink(settings=settings, processor=processor, stream_id=STREAM)
        self.sink.committer = self

    @property
    def has_finished(self) -> bool:
        """Whether it has taken over, and everything is stored as far as it knows."""
        return self.place is not None and (
            self.place == len(self._group.values) or self._group.is_done
        )

    async def commit_position(
        self, membership: Membership, key: TopicPartition, offset: int, metadata: str
    ) -> None:
        await self.trap.on_loop(
            f"commit {offset}", lambda: self._group.commit(membership, offset, metadata)
        )

    async def confirm_stream(self) -> None:
        await self.trap.on_loop("confirm the topic", lambda: None)

    async def go_to(self, membership: Membership, key: TopicPartition, offset: int) -> None:
        await self.trap.on_loop("seek", lambda: self._fetch_from(offset))

    def _fetch_from(self, offset: int) -> None:
        self.place = offset
        fetch = dataclasses.replace(
            fetched(self._group.values[offset:], start=offset), epoch=self.sink.epoch
        )
        asyncio.get_running_loop().call_soon(self.sink.take, fetch)

    def last_contact(self, membership: Membership) -> float | None:
        if self._is_lease_blind or membership == self._group.owner:
            return time.monotonic()
        return None

    def caught_up_at(self, key: TopicPartition, offset: int) -> int | None:
        return None

    async def stop(self) -> None:
        """Let everything of it end."""
        self.trap.thaw.set()
        await self.sink.stop()
        if self.sink.failure.done():
            self.sink.failure.exception()


async def until(is_so: Callable[[], object]) -> None:
    """Wait for something to be so."""
    async with asyncio.timeout(PATIENCE_S):
        # Threads and tasks alike make it so, and most of them have nothing to wait on.
        while not is_so():  # noqa: ASYNC110
            await asyncio.sleep(0.0005)
