"""The chunks of one partition, one after another: intent, processing, acknowledgement.

One task repeats, in this order:

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
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from inferometer.core.chunks import Chunk, ChunkOutcome, Intent, StreamPartition
from inferometer.errors import StoreError
from inferometer.kafka.commits import FencedError, Membership

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import ThreadPoolExecutor

    from aiokafka import TopicPartition

    from inferometer.core.records import RecordColumns
    from inferometer.kafka.byte_budget import ByteBudget
    from inferometer.kafka.chunk_buffer import ChunkBuffer
    from inferometer.kafka.fetched import FetchedRecords
    from inferometer.kafka.settings import WorkerSettings
    from inferometer.ports import ChunkProcessor

T = TypeVar("T")

logger = logging.getLogger(__name__)


class Committer(Protocol):
    """What the sink needs of the consumer."""

    async def commit_position(
        self, membership: Membership, key: TopicPartition, offset: int, metadata: str
    ) -> None:
        """Commit one offset with its metadata. Raises FencedError, BrokerError."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What all partitions of a worker share."""

    settings: WorkerSettings
    processor: ChunkProcessor
    committer: Committer
    threads: ThreadPoolExecutor
    budget: ByteBudget
    counters: SinkCounters
    on_acknowledged: Callable[[str, int, int], None]
    fail: Callable[[BaseException], None]
    monotonic: Callable[[], float] = time.monotonic


class _GivenUpError(Exception):
    """The partition was given up while its store was away."""


class PartitionChunks:
    """One assigned partition; `start` it once, then `take` fetches until `give_up`."""

    def __init__(
        self,
        *,
        key: TopicPartition,
        source: StreamPartition,
        membership: Membership,
        buffer: ChunkBuffer,
        open_intent: Intent | None,
        shared: Surroundings,
    ) -> None:
        self.key = key
        self.source = source
        self._membership = membership
        self._buffer = buffer
        self._open_intent = open_intent
        self._shared = shared
        self._changed = asyncio.Event()
        self._given_up = asyncio.Event()
        self._task: asyncio.Future[None] | None = None
        self._work: asyncio.Future[Any] | None = None

    # What the sink tells it

    def start(self, after: set[asyncio.Future[Any]]) -> None:
        """Begin, once calls of an earlier assignment of the partition have ended.

        Such a call may still write; its tokens are known, when it ends is not.
        """
        self._task = asyncio.create_task(self._work_off(after))

    def take(self, fetched: FetchedRecords) -> None:
        """Buffer a fetch. Raises BrokerError where records are missing before or in it."""
        self._buffer.add(fetched, self._shared.monotonic())
        self._changed.set()

    def give_up(self) -> set[asyncio.Future[Any]]:
        """Begin no chunk any more; return what is still to end (the call in a thread among it)."""
        self._given_up.set()
        self._changed.set()
        futures: list[asyncio.Future[Any] | None] = [self._task, self._work]
        return {future for future in futures if future is not None and not future.done()}

    def cancel(self) -> None:
        """Wait no longer; a call in a thread goes on until it ends by itself."""
        if self._task is not None:
            self._task.cancel()

    def wake(self) -> None:
        """Look again whether there is a chunk."""
        self._changed.set()

    @property
    def is_at_work(self) -> bool:
        """Whether a call runs in a thread now."""
        return self._work is not None

    @property
    def waiting_bytes(self) -> int:
        """Bytes that belong to no chunk yet."""
        return self._buffer.size_bytes

    @property
    def lacks_open_chunk(self) -> bool:
        """Whether records of the open intent are still to be fetched."""
        intent = self._open_intent
        return intent is not None and self._buffer.next_offset <= intent.last_offset

    # The task

    async def _work_off(self, after: set[asyncio.Future[Any]]) -> None:
        try:
            if after:
                await asyncio.wait(after)
            if not self._given_up.is_set():
                position = self._buffer.position
                await self._stored(self._shared.processor.assigned, self.source, position)
            while await self._has_chunk():
                await self._one_chunk()
        except _GivenUpError:
            logger.info("%s/%s is given up with its store away", self.key.topic, self.key.partition)
        except FencedError as error:
            self._shared.counters.fenced += 1
            logger.warning("%s/%s: %s", self.key.topic, self.key.partition, error)
        except Exception as error:  # noqa: BLE001 - told to whoever runs the worker
            self._shared.fail(error)

    async def _has_chunk(self) -> bool:
        """Wait for the next chunk; False once the partition is given up."""
        while not self._given_up.is_set():
            if self._is_ready():
                return True
            self._changed.clear()
            wait_s = self._buffer.ripens_in_s(self._shared.monotonic())
            if wait_s is None or self._open_intent is not None:
                wait_s = self._shared.settings.idle_interval_s
                await self._idle()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), wait_s)
        return False

    def _is_ready(self) -> bool:
        if self._open_intent is not None:
            return not self.lacks_open_chunk
        return self._buffer.is_ready(self._shared.monotonic()) or (
            self._buffer.count > 0 and self._shared.budget.wants_chunk_of(self)
        )

    async def _one_chunk(self) -> None:
        """Process one chunk and acknowledge it, unless the partition is given up before."""
        begin = self._buffer.position
        intent, records = self._next_chunk()
        await self._commit(begin, intent.to_metadata())
        if self._given_up.is_set():
            return
        chunk = Chunk(self.source, intent, records)
        self._shared.counters.add(await self._stored(self._shared.processor.run, chunk))
        if self._given_up.is_set():
            await self._commit(self._buffer.position, "")
            return
        self._shared.budget.give_back(len(records.buffer))
        if not self._is_ready():
            await self._commit(self._buffer.position, "")

    def _next_chunk(self) -> tuple[Intent, RecordColumns]:
        if self._open_intent is None:
            records = self._buffer.cut()
            return self._shared.processor.plan(self.source, records), records
        intent, self._open_intent = self._open_intent, None
        self._shared.counters.replays += 1
        return intent, self._buffer.cut_through(intent.last_offset)

    async def _commit(self, offset: int, metadata: str) -> None:
        await self._shared.committer.commit_position(self._membership, self.key, offset, metadata)
        self._shared.on_acknowledged(self.key.topic, self.key.partition, offset)

    async def _idle(self) -> None:
        at_us = self._shared.committer.caught_up_at(self.key, self._buffer.next_offset)
        if at_us is None or self._buffer.count or self._open_intent is not None:
            return
        try:
            await self._in_thread(self._shared.processor.idle, self.source, at_us)
        except StoreError as error:
            if not error.retryable:
                raise
            logger.warning("the watermark of an idle partition waits: %s", error)

    # Calls in threads

    async def _stored(self, call: Callable[..., T], *arguments: object) -> T:
        """Call until the store takes it. Raises _GivenUpError, StoreError and StateError."""
        settings = self._shared.settings
        backoff_s = settings.retry_backoff_s
        while True:
            try:
                return await self._in_thread(call, *arguments)
            except StoreError as error:
                if not error.retryable:
                    raise
                logger.warning("the store is away, trying again in %.1f s: %s", backoff_s, error)
            self._shared.counters.retries += 1
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._given_up.wait(), backoff_s)
                raise _GivenUpError
            backoff_s = min(backoff_s * 2, settings.retry_backoff_max_s)

    async def _in_thread(self, call: Callable[..., T], *arguments: object) -> T:
        loop = asyncio.get_running_loop()
        work = loop.run_in_executor(self._shared.threads, call, *arguments)
        self._work = work
        # Read here, or a call that fails after the task was cancelled is a complaint at exit.
        work.add_done_callback(lambda done: done.cancelled() or done.exception())
        try:
            # Shielded: cancelling the task must not lose sight of a thread that still writes.
            return await asyncio.shield(work)
        finally:
            if work.done():
                self._work = None
