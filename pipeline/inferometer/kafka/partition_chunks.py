"""The chunks of one partition, one after another: intent, processing, acknowledgement.

One task finds where to go on, seeks there, and then repeats, in this order:

1. Cut a chunk and plan its intent; or take the intent that was left open.
2. Confirm that the records are of the topic that they were fetched from, not of one made anew.
3. Commit the chunk's first offset with the intent. This also acknowledges the chunk before it. A
   crash after it: the next owner finds the intent and runs the same chunk.
4. Process the chunk; a store that is away is tried again for ever.
5. Commit the next offset without an intent, unless the next chunk is already there.

A refused commit means that the partition belongs to another worker now: the chunk is dropped.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from inferometer.core.chunks import (
    Chunk,
    ChunkOutcome,
    GroupMetadata,
    Intent,
    StreamPartition,
)
from inferometer.errors import BrokerError, LeaseError, StoreError
from inferometer.kafka.chunk_buffer import ChunkBuffer
from inferometer.kafka.commits import FencedError, Membership
from inferometer.kafka.lease import PartitionLease
from inferometer.kafka.observer import Step
from inferometer.kafka.status import PartitionStatus

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiokafka import TopicPartition

    from inferometer.core.records import RecordColumns
    from inferometer.core.resumption import GroupPosition, Resumption
    from inferometer.kafka.fetched import FetchedRecords
    from inferometer.kafka.surroundings import Surroundings

T = TypeVar("T")

LEASE_RETRY_S = 0.2
MISSING_RECORDS_ALARM_S = 30.0

logger = logging.getLogger(__name__)


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
        group: GroupPosition,
        partition_count: int,
        shared: Surroundings,
    ) -> None:
        self.key = key
        self.source = source
        self._membership = membership
        self._group = group
        self._partition_count = partition_count
        self._shared = shared
        self._lease = PartitionLease(
            last_contact=lambda: shared.committer.last_contact(membership),
            lasts_s=shared.settings.lease_s,
            monotonic=shared.monotonic,
        )
        # Empty until the task has found where to go on.
        self._buffer = self._buffer_from(group.offset or 0)
        self._open_intent: Intent | None = None
        # What was dropped before this group began is nothing that it could lose.
        self._acknowledged = group.earliest if group.offset is None else group.offset
        self._running: RecordColumns | None = None
        self._changed = asyncio.Event()
        self._given_up = asyncio.Event()
        self._task: asyncio.Future[None] | None = None
        self._work: asyncio.Future[Any] | None = None

    def _buffer_from(self, offset: int) -> ChunkBuffer:
        return ChunkBuffer(
            policy=self._shared.cut,
            position=offset,
            next_offset=offset,
            gapless=self._shared.settings.gapless,
        )

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
        """Wait no longer; a call in a thread ends before its next insert, or by itself."""
        self._lease.end()
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

    def status(self) -> PartitionStatus:
        """Return where it stands; from any thread."""
        running = self._running
        return PartitionStatus(
            topic=self.key.topic,
            partition=self.key.partition,
            position=self._acknowledged,
            next_offset=self._buffer.next_offset,
            oldest_append_ms=self._buffer.oldest_append_ms
            if running is None
            else int(running.append_times_ms[0]),
        )

    # The task

    async def _work_off(self, after: set[asyncio.Future[Any]]) -> None:
        try:
            if after:
                await asyncio.wait(after)
            if not self._given_up.is_set():
                await self._find_place()
            while await self._has_chunk():
                await self._one_chunk()
        except _GivenUpError:
            logger.info("given up before its chunk was stored", extra=self._where("given_up"))
        except FencedError as error:
            self._shared.counters.fenced += 1
            self._shared.observer.commit_fenced(self.source)
            logger.warning("%s", error, extra=self._where("fenced"))
        except Exception as error:  # noqa: BLE001 - told to whoever runs the worker
            self._shared.fail(error)

    def _where(self, reason: str, intent: Intent | None = None) -> dict[str, Any]:
        """Return the fields that every log line of a partition carries."""
        fields = {"topic": self.key.topic, "partition": self.key.partition, "reason": reason}
        if intent is None:
            return fields
        return {**fields, "first_offset": intent.first_offset, "last_offset": intent.last_offset}

    async def _find_place(self) -> None:
        """Go to where the group and the store say that this partition goes on."""
        found: Resumption = await self._stored(
            self._shared.processor.assigned, self.source, self._group, self._partition_count
        )
        if found.lost_records:
            self._note_lost(found)
        elif found.intent is not None:
            logger.info(
                "finishing a chunk that was left open",
                extra=self._where("open_chunk", found.intent),
            )
        elif self._group.offset not in {None, found.offset}:
            logger.warning(
                "the group stands at offset %s, the ledger of the store at %d, which counts",
                self._group.offset, found.offset, extra=self._where("ledger_ahead"),
            )  # fmt: skip
        self._buffer = self._buffer_from(found.offset)
        self._acknowledged = found.offset
        self._open_intent = found.intent
        if found.intent is None and self._group != replace(
            self._group, offset=found.offset, intent=None
        ):
            # Or the group would show a lag, or an open chunk, until the next record comes.
            await self._commit(found.offset, None)
        await self._shared.committer.go_to(self._membership, self.key, found.offset)

    def _note_lost(self, found: Resumption) -> None:
        message = (
            f"{found.lost_records} records before offset {found.offset} were dropped by the broker "
            "before they were read (retention, or the limit of the embedded broker)"
        )
        if self._shared.settings.gapless:
            raise BrokerError(message, retryable=False)
        logger.error("%s; going on after them", message, extra=self._where("records_lost"))
        self._shared.counters.lost += found.lost_records
        self._shared.observer.records_lost(self.source, found.lost_records)

    async def _has_chunk(self) -> bool:
        """Wait for the next chunk; False once the partition is given up."""
        began_s = alarm_s = self._shared.monotonic()
        while not self._given_up.is_set():
            now_s = self._shared.monotonic()
            if self._is_ready():
                self._shared.observer.step_took(Step.FETCH_WAIT, now_s - began_s)
                return True
            self._changed.clear()
            wait_s = self._buffer.ripens_in_s(now_s)
            if wait_s is None or self._open_intent is not None:
                wait_s = self._shared.settings.idle_interval_s
                await self._idle()
            if self._open_intent is not None and now_s - alarm_s > MISSING_RECORDS_ALARM_S:
                alarm_s = now_s
                logger.error(
                    "a half-written chunk waits for records that the broker does not give",
                    extra=self._where("records_missing", self._open_intent),
                )
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
        is_replay = self._open_intent is not None
        intent, records = self._next_chunk()
        self._running = records
        # After the fetch: what was read before this answer is of the topic that the answer names.
        await self._shared.committer.confirm_stream()
        await self._commit(begin, intent)
        if self._given_up.is_set():
            return
        chunk = Chunk(self.source, intent, records)
        outcome = await self._stored(self._run, chunk)
        self._shared.counters.add(outcome)
        self._shared.counters.replays += is_replay
        self._shared.observer.chunk_stored(self.source, outcome, is_replay=is_replay)
        self._running = None
        if self._given_up.is_set():
            await self._commit(self._buffer.position, None)
            return
        self._shared.budget.give_back(len(records.buffer))
        if not self._is_ready():
            await self._commit(self._buffer.position, None)

    def _run(self, chunk: Chunk) -> ChunkOutcome:
        return self._shared.processor.run(chunk, self._lease)

    def _next_chunk(self) -> tuple[Intent, RecordColumns]:
        if self._open_intent is None:
            records = self._buffer.cut()
            return self._shared.processor.plan(self.source, records), records
        intent, self._open_intent = self._open_intent, None
        return intent, self._buffer.cut_through(intent.last_offset)

    async def _commit(self, offset: int, intent: Intent | None) -> None:
        began_s = self._shared.monotonic()
        metadata = GroupMetadata(self.source.stream_id, intent).to_text()
        await self._shared.committer.commit_position(self._membership, self.key, offset, metadata)
        step = Step.ACKNOWLEDGE if intent is None else Step.INTENT_COMMIT
        self._shared.observer.step_took(step, self._shared.monotonic() - began_s)
        self._acknowledged = offset
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
            logger.warning(
                "the watermark of an idle partition waits: %s",
                error,
                extra=self._where("store_away"),
            )

    # Calls in threads

    async def _stored(self, call: Callable[..., T], *arguments: object) -> T:
        """Call until the store takes it. Raises _GivenUpError, StoreError and StateError."""
        settings = self._shared.settings
        backoff_s = settings.retry_backoff_s
        is_away = False
        try:
            while True:
                began_s = self._shared.monotonic()
                try:
                    result = await self._in_thread(call, *arguments)
                except LeaseError as error:
                    logger.warning(
                        "nothing is written for now: %s", error, extra=self._where("lease")
                    )
                    await self._pause(LEASE_RETRY_S)
                except StoreError as error:
                    if not error.retryable:
                        raise
                    is_away = True
                    self._note_away(error, backoff_s)
                    await self._pause(backoff_s)
                    backoff_s = min(backoff_s * 2, settings.retry_backoff_max_s)
                else:
                    if call == self._run:
                        took_s = self._shared.monotonic() - began_s
                        self._shared.observer.step_took(Step.RUN, took_s)
                    return result
        finally:
            if is_away:
                self._shared.observer.store_back(self.source)

    def _note_away(self, error: StoreError, backoff_s: float) -> None:
        self._shared.counters.retries += 1
        self._shared.observer.store_away(self.source, backoff_s)
        logger.warning(
            "the store is away, trying again in %.1f s: %s",
            backoff_s,
            error,
            extra=self._where("store_away"),
        )

    async def _pause(self, seconds: float) -> None:
        """Wait before another try. Raises _GivenUpError when the partition is given up meanwhile."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._given_up.wait(), seconds)
            raise _GivenUpError

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
            # An error's traceback holds this frame: with the future in it they would hold each other,
            # and all that the call had computed, until the collector comes.
            del work
