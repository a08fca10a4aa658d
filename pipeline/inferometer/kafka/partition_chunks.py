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
from typing import TYPE_CHECKING, Any

from inferometer.core.chunks import (
    Chunk,
    ChunkOutcome,
    GroupMetadata,
    Intent,
    StreamPartition,
)
from inferometer.errors import BrokerError, StoreError
from inferometer.kafka.byte_budget import computing_bytes, storing_bytes
from inferometer.kafka.chunk_buffer import ChunkBuffer
from inferometer.kafka.chunk_policy import ChunkRhythm
from inferometer.kafka.commits import FencedError, Membership
from inferometer.kafka.fill_order import Holding
from inferometer.kafka.lease import NotedLease, PartitionLease
from inferometer.kafka.observer import Step
from inferometer.kafka.status import PartitionStatus
from inferometer.kafka.store_calls import GivenUpError, StoreCalls, where

if TYPE_CHECKING:
    from aiokafka import TopicPartition

    from inferometer.core.records import RecordColumns
    from inferometer.core.resumption import GroupPosition, Resumption
    from inferometer.kafka.fetched import FetchedRecords
    from inferometer.kafka.surroundings import Surroundings

MISSING_RECORDS_ALARM_S = 30.0

logger = logging.getLogger(__name__)


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
        log_end: int,
        shared: Surroundings,
    ) -> None:
        self.key = key
        self.source = source
        self._membership = membership
        self._group = group
        self._partition_count = partition_count
        self._log_end = log_end
        self._shared = shared
        self._rhythm = ChunkRhythm(shared.policy)
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
        self._running_events = 0
        """Of the chunk at work, about."""
        self._changed = asyncio.Event()
        self._given_up = asyncio.Event()
        self._task: asyncio.Future[None] | None = None
        self._calls = StoreCalls(
            key=key, source=source, given_up=self._given_up, shared=shared, before_pause=self._rest
        )
        self._loop = asyncio.get_running_loop()
        self._run_s = 0.0
        """How long the last call took that stored a chunk."""
        self._beside_bytes = 0
        """What the chunk at work holds beside its records, as far as the budget knows."""

    def _buffer_from(self, offset: int) -> ChunkBuffer:
        return ChunkBuffer(
            policy=self._shared.policy,
            position=offset,
            next_offset=offset,
            log_end=self._log_end,
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
        self._shared.turns.give_back(self)
        futures: list[asyncio.Future[Any] | None] = [self._task, self._calls.work]
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
        return self._calls.work is not None

    @property
    def waiting_bytes(self) -> int:
        """Bytes that belong to no chunk yet."""
        return self._buffer.size_bytes

    @property
    def holding(self) -> Holding[TopicPartition]:
        """What it holds, for whoever decides whom to fetch for."""
        waiting = self._buffer.waiting(self._shared.monotonic())
        return Holding(
            self.key,
            waiting_bytes=waiting.size_bytes,
            coming_bytes=waiting.coming_bytes,
            lacks_open_chunk=self.lacks_open_chunk,
        )

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
        except GivenUpError:
            logger.info("given up before its chunk was stored", extra=where(self.key, "given_up"))
        except FencedError as error:
            self._shared.counters.fenced += 1
            self._shared.observer.commit_fenced(self.source)
            logger.warning("%s", error, extra=where(self.key, "fenced"))
        except Exception as error:  # noqa: BLE001 - told to whoever runs the worker
            self._shared.fail(error)

    async def _find_place(self) -> None:
        """Go to where the group and the store say that this partition goes on."""
        found: Resumption = await self._calls.until_taken(
            self._shared.processor.assigned, self.source, self._group, self._partition_count
        )
        if found.lost_records:
            self._note_lost(found)
        elif found.intent is not None:
            logger.info(
                "finishing a chunk that was left open",
                extra=where(self.key, "open_chunk", found.intent),
            )
        elif self._group.offset not in {None, found.offset}:
            logger.warning(
                "the group stands at offset %s, the ledger of the store at %d, which counts",
                self._group.offset, found.offset, extra=where(self.key, "ledger_ahead"),
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
        logger.error("%s; going on after them", message, extra=where(self.key, "records_lost"))
        self._shared.counters.lost += found.lost_records
        self._shared.observer.records_lost(self.source, found.lost_records)

    async def _has_chunk(self) -> bool:
        """Wait for the next chunk and the turn to run it; False once the partition is given up."""
        began_s = alarm_s = self._shared.monotonic()
        while not self._given_up.is_set():
            now_s = self._shared.monotonic()
            self._changed.clear()
            is_ready, wait_s = self._is_ready(now_s)
            if is_ready and self._shared.turns.take(self):
                self._shared.observer.step_took(Step.FETCH_WAIT, now_s - began_s)
                return True
            if not is_ready:
                self._shared.turns.give_back(self)
                if wait_s is None:
                    await self._idle()
            if self._open_intent is not None and now_s - alarm_s > MISSING_RECORDS_ALARM_S:
                alarm_s = now_s
                logger.error(
                    "a half-written chunk waits for records that the broker does not give",
                    extra=where(self.key, "records_missing", self._open_intent),
                )
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(
                    self._changed.wait(),
                    self._shared.settings.idle_interval_s if wait_s is None else wait_s,
                )
        return False

    def _is_ready(self, now_s: float) -> tuple[bool, float | None]:
        """Return whether there is a chunk, and after what time to look again; None: any."""
        if self._open_intent is not None:
            return not self.lacks_open_chunk, None
        decision = self._rhythm.decide(self._buffer.waiting(now_s))
        is_ready = decision.is_cut or (
            self._buffer.records > 0 and self._shared.budget.wants_chunk_of(self)
        )
        return is_ready, decision.look_again_in_s

    async def _one_chunk(self) -> None:
        """Process one chunk and acknowledge it, unless the partition is given up before."""
        try:
            size_bytes = await self._store_chunk()
        finally:
            self._shared.turns.give_back(self)
        if size_bytes is None:
            return
        self._running = None
        if self._given_up.is_set():
            await self._commit(self._buffer.position, None)
            return
        self._shared.budget.give_back(size_bytes)
        goes_on, _wait_s = self._is_ready(self._shared.monotonic())
        if not (goes_on and self._shared.turns.are_free):
            await self._commit(self._buffer.position, None)

    async def _store_chunk(self) -> int | None:
        """Store one chunk and return its bytes; None where the partition is given up before."""
        begin, waiting_events = self._buffer.position, self._buffer.events
        is_replay = self._open_intent is not None
        intent, records = self._next_chunk()
        self._running = records
        self._running_events = waiting_events - self._buffer.events
        self._hold_beside(computing_bytes(records.size_bytes, self._running_events))
        # After the fetch: what was read before this answer is of the topic that the answer names.
        await self._shared.committer.confirm_stream()
        await self._commit(begin, intent)
        if self._given_up.is_set():
            return None
        began_s = self._shared.monotonic()
        chunk = Chunk(self.source, intent, records)
        outcome = await self._calls.until_taken(self._run, chunk)
        self._hold_beside(0)
        took_s = self._shared.monotonic() - began_s
        self._shared.observer.step_took(Step.RUN, self._run_s)
        self._rhythm.chunk_took(took_s, events=outcome.events, share=self._shared.share())
        self._shared.counters.add(outcome)
        self._shared.counters.replays += is_replay
        self._shared.observer.chunk_stored(self.source, outcome, is_replay=is_replay)
        return records.size_bytes

    def _rest(self) -> None:
        """Let others try while the store is away for this partition."""
        self._shared.turns.give_back(self)

    def _run(self, chunk: Chunk) -> ChunkOutcome:
        def computed() -> None:
            self._loop.call_soon_threadsafe(self._computed, chunk)

        began_s = self._shared.monotonic()
        outcome = self._shared.processor.run(chunk, NotedLease(self._lease, computed))
        self._run_s = self._shared.monotonic() - began_s
        return outcome

    def _computed(self, chunk: Chunk) -> None:
        """Let another partition compute while this one stores."""
        if self._running is chunk.records and not self._given_up.is_set():
            self._shared.turns.computed(self)
            self._hold_beside(min(self._beside_bytes, storing_bytes(self._running_events)))

    def _hold_beside(self, size_bytes: int) -> None:
        """Tell the budget what the chunk at work holds beside its records."""
        if not self._given_up.is_set():
            self._shared.budget.hold_beside(size_bytes - self._beside_bytes)
        self._beside_bytes = size_bytes

    def _next_chunk(self) -> tuple[Intent, RecordColumns]:
        if self._open_intent is None:
            records = self._buffer.cut(self._shared.monotonic())
            self._shared.served(self.key)
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
        if at_us is None or self._buffer.records or self._open_intent is not None:
            return
        try:
            await self._calls.once(self._shared.processor.idle, self.source, at_us)
        except StoreError as error:
            if not error.retryable:
                raise
            logger.warning(
                "the watermark of an idle partition waits: %s",
                error,
                extra=where(self.key, "store_away"),
            )
