"""Drives chunks of every assigned partition: intent, processing, acknowledgement.

For each partition one task repeats, in this order:

1. Cut a chunk and plan its intent; or take the open intent that the group's metadata holds.
2. Commit the chunk's first offset with the intent. This also acknowledges the chunk before it. A
   crash after it: the next owner finds the intent and runs the same chunk.
3. Process the chunk; a store that is away is tried again for ever.
4. Commit the next offset without an intent, unless the next chunk is already there.

A refused commit means that the partition belongs to another worker now: the chunk is dropped.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from inferometer.core.chunks import Chunk, ChunkOutcome, Intent, StreamPartition
from inferometer.errors import BrokerError, StoreError
from inferometer.kafka.chunk_buffer import ChunkBuffer, CutPolicy
from inferometer.kafka.commits import Fenced, Membership

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from aiokafka import TopicPartition

    from inferometer.core.records import RecordColumns
    from inferometer.kafka.fetched import FetchedRecords
    from inferometer.kafka.settings import WorkerSettings
    from inferometer.ports import ChunkProcessor

logger = logging.getLogger(__name__)


class Committer(Protocol):
    """What the sink needs of the consumer."""

    async def commit_position(
        self, membership: Membership, key: TopicPartition, offset: int, metadata: str
    ) -> None:
        """Commit one offset with its metadata. Raises Fenced, BrokerError."""

    def caught_up_at(self, key: TopicPartition, offset: int) -> int | None:
        """Return when the broker last had nothing beyond an offset, microseconds."""


@dataclass(slots=True)
class SinkCounters:
    """What the worker has done since it started."""

    chunks: int = 0
    records: int = 0
    events: int = 0
    stored: int = 0
    dead: int = 0
    duplicates: int = 0
    unknown_fields: int = 0
    retries: int = 0
    replays: int = 0
    fenced: int = 0

    def add(self, outcome: ChunkOutcome) -> None:
        """Count a chunk."""
        self.chunks += 1
        self.records += outcome.records
        self.events += outcome.events
        self.stored += outcome.stored
        self.dead += outcome.dead
        self.duplicates += outcome.duplicates
        self.unknown_fields += outcome.unknown_fields


@dataclass(slots=True)
class _Partition:
    key: TopicPartition
    source: StreamPartition
    membership: Membership
    buffer: ChunkBuffer
    open_intent: Intent | None
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None
    work: asyncio.Future[Any] | None = None
    """The call that runs in a thread now."""


class ChunkSink:
    """Chunks of the partitions that this worker owns; lives on the loop of the Faust app."""

    def __init__(
        self,
        *,
        settings: WorkerSettings,
        processor: ChunkProcessor,
        stream_id: str,
        on_acknowledged: Callable[[str, int, int], None] = lambda _topic, _partition, _offset: None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._processor = processor
        self._stream_id = stream_id
        self._on_acknowledged = on_acknowledged
        self._monotonic = monotonic
        self._cut = CutPolicy(
            settings.chunk_max_events, settings.chunk_max_bytes, settings.chunk_max_wait_s
        )
        self._threads = ThreadPoolExecutor(settings.chunk_threads, "inferometer-chunk")
        self._partitions: dict[TopicPartition, _Partition] = {}
        self._abandoned: set[asyncio.Future[Any]] = set()
        self._bytes_in_flight = 0
        self._has_room = asyncio.Event()
        self._has_room.set()
        self._stopping = False
        self.committer: Committer | None = None
        self.epoch = 0
        """Counts assignments; fetches of an earlier one are dropped."""
        self.counters = SinkCounters()
        self.failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Raises what makes it useless to go on."""

    # Assignment

    async def assigned(
        self,
        committed: Mapping[TopicPartition, tuple[int, str]],
        membership: Membership,
    ) -> dict[TopicPartition, int]:
        """Take over partitions at their committed offsets; return where each is to be read from.

        Raises StateError for an intent of another version, StoreError from the processor.
        """
        await self._release()
        # A call of an earlier assignment may still write; its tokens are known, its clock is not.
        if self._abandoned:
            await asyncio.wait(self._abandoned)
        self.epoch += 1
        for key, (offset, metadata) in committed.items():
            self._partitions[key] = await self._take_over(key, offset, metadata, membership)
        for partition in self._partitions.values():
            partition.task = asyncio.create_task(self._pump(partition))
        return {key: offset for key, (offset, _) in committed.items()}

    async def _take_over(
        self, key: TopicPartition, offset: int, metadata: str, membership: Membership
    ) -> _Partition:
        source = StreamPartition(key.topic, key.partition, self._stream_id)
        intent = Intent.from_metadata(metadata)
        await self._in_thread(None, self._processor.assigned, source, offset)
        buffer = ChunkBuffer(
            policy=self._cut, position=offset, next_offset=offset, gapless=self._settings.gapless
        )
        logger.info(
            "took over %s/%s at offset %s%s", key.topic, key.partition, offset,
            f", with an open chunk up to {intent.last_offset}" if intent else "",
        )  # fmt: skip
        return _Partition(key, source, membership, buffer, intent)

    async def drain(self) -> None:
        """Let running chunks end, for at most `drain_s`; called before partitions are given up."""
        await self._release()

    async def stop(self) -> None:
        """Let running chunks end, for at most `stop_s`, and give every partition up."""
        self._stopping = True
        await self._release(self._settings.stop_s)
        self._threads.shutdown(wait=False)

    async def _release(self, timeout_s: float | None = None) -> None:
        partitions, self._partitions = list(self._partitions.values()), {}
        tasks = {partition.task for partition in partitions if partition.task is not None}
        for partition in partitions:
            # Waiting tasks end at once; one with a chunk in a thread ends after its acknowledgement.
            partition.open_intent = None
            partition.changed.set()
            if partition.work is None and partition.task is not None:
                partition.task.cancel()
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=timeout_s or self._settings.drain_s)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        for partition in partitions:
            if partition.work is not None and not partition.work.done():
                self._abandon(partition.work)
            self._processor.revoked(partition.source)
        self._bytes_in_flight = 0
        self._has_room.set()

    def _abandon(self, work: asyncio.Future[Any]) -> None:
        self._abandoned.add(work)
        work.add_done_callback(self._abandoned.discard)

    # Records

    async def wait_for_room(self) -> None:
        """Return once less than the budget is in flight."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._has_room.wait(), 1.0)

    def reserve(self, fetched: FetchedRecords) -> None:
        """Count a fetch that is about to be delivered."""
        self._bytes_in_flight += fetched.size
        if self._bytes_in_flight >= self._settings.max_bytes_in_flight:
            self._has_room.clear()

    def take(self, fetched: FetchedRecords) -> None:
        """Buffer a fetch; called by the agent."""
        for partition in self._partitions.values():
            if (partition.key.topic, partition.key.partition) == (fetched.topic, fetched.partition):
                break
        else:
            return
        if fetched.epoch != self.epoch:
            return
        try:
            partition.buffer.add(fetched, self._monotonic())
        except BrokerError as error:
            self._fail(error)
        partition.changed.set()

    def _release_bytes(self, records: RecordColumns) -> None:
        self._bytes_in_flight = max(0, self._bytes_in_flight - len(records.buffer))
        if self._bytes_in_flight < self._settings.max_bytes_in_flight:
            self._has_room.set()

    # Chunks

    async def _pump(self, partition: _Partition) -> None:
        try:
            while await self._has_chunk(partition):
                if not await self._one_chunk(partition):
                    return
        except asyncio.CancelledError:
            raise
        except Fenced as error:
            self.counters.fenced += 1
            logger.warning("%s/%s: %s", partition.key.topic, partition.key.partition, error)
        except BaseException as error:  # noqa: BLE001 - told to whoever runs the worker
            self._fail(error)

    async def _has_chunk(self, partition: _Partition) -> bool:
        """Wait for the next chunk; False once the partition is given up."""
        while self._owns(partition):
            if self._is_ready(partition):
                return True
            partition.changed.clear()
            ripens_in_s = partition.buffer.ripens_in_s(self._monotonic())
            if ripens_in_s is None:
                ripens_in_s = self._settings.idle_interval_s
                await self._idle(partition)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(partition.changed.wait(), ripens_in_s)
        return False

    def _owns(self, partition: _Partition) -> bool:
        return self._partitions.get(partition.key) is partition

    def _is_ready(self, partition: _Partition) -> bool:
        if partition.open_intent is not None:
            return partition.buffer.next_offset > partition.open_intent.last_offset
        return partition.buffer.is_ready(self._monotonic())

    async def _one_chunk(self, partition: _Partition) -> bool:
        """Process one chunk and acknowledge it; False once the partition is given up."""
        begin = partition.buffer.position
        intent, records = self._next_chunk(partition)
        await self._commit(partition, begin, intent.to_metadata())
        outcome = await self._run(partition, Chunk(partition.source, intent, records))
        self.counters.add(outcome)
        self._release_bytes(records)
        is_ours = self._owns(partition)
        if not is_ours or not self._is_ready(partition):
            await self._commit(partition, partition.buffer.position, "")
        return is_ours

    def _next_chunk(self, partition: _Partition) -> tuple[Intent, RecordColumns]:
        now_s = self._monotonic()
        if partition.open_intent is None:
            records = partition.buffer.cut(now_s)
            return self._processor.plan(partition.source, records), records
        intent, partition.open_intent = partition.open_intent, None
        self.counters.replays += 1
        return intent, partition.buffer.cut_through(intent.last_offset, now_s)

    async def _commit(self, partition: _Partition, offset: int, metadata: str) -> None:
        if self.committer is None:
            raise BrokerError("no consumer to commit with", retryable=False)
        await self.committer.commit_position(
            partition.membership, partition.key, offset, metadata
        )
        self._on_acknowledged(partition.key.topic, partition.key.partition, offset)

    async def _run(self, partition: _Partition, chunk: Chunk) -> ChunkOutcome:
        backoff_s = self._settings.retry_backoff_s
        while True:
            try:
                outcome: ChunkOutcome = await self._in_thread(
                    partition, self._processor.run, chunk
                )
                return outcome
            except StoreError as error:
                if not error.retryable:
                    raise
                self.counters.retries += 1
                logger.warning("the store is away, trying again in %.1f s: %s", backoff_s, error)
            await asyncio.sleep(backoff_s)
            backoff_s = min(backoff_s * 2, self._settings.retry_backoff_max_s)

    async def _idle(self, partition: _Partition) -> None:
        at_us = (
            self.committer.caught_up_at(partition.key, partition.buffer.next_offset)
            if self.committer is not None
            else None
        )
        if at_us is None:
            return
        try:
            await self._in_thread(partition, self._processor.idle, partition.source, at_us)
        except StoreError as error:
            if not error.retryable:
                raise
            logger.warning("the watermark of an idle partition waits: %s", error)

    async def _in_thread(self, partition: _Partition | None, call: Any, *arguments: Any) -> Any:
        work = asyncio.get_running_loop().run_in_executor(self._threads, call, *arguments)
        if partition is None:
            return await work
        partition.work = work
        try:
            # Shielded: cancelling the task must not lose sight of a thread that still writes.
            return await asyncio.shield(work)
        finally:
            if work.done():
                partition.work = None

    def _fail(self, error: BaseException) -> None:
        if not self.failure.done():
            self.failure.set_exception(error)
