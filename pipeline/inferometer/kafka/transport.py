"""The Faust transport that hands an agent one event per (partition, fetch) instead of per record.

Faust keeps what it is good at: group membership, rebalance, flow control, services. Its own offset
tracking is switched off: `ChunkSink` commits offsets together with intents.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, cast

from aiokafka import TopicPartition
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from aiokafka.errors import (
    GroupAuthorizationFailedError,
    InconsistentGroupProtocolError,
    InvalidGroupIdError,
    InvalidSessionTimeoutError,
    KafkaError,
    TopicAuthorizationFailedError,
)
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from faust.types.tuples import ConsumerMessage

from inferometer.errors import BrokerError, PipelineError
from inferometer.kafka.commits import CommittedPosition, Membership, commit_offset
from inferometer.kafka.fetcher import InstanceReplacedError, RecordSetConsumer
from inferometer.kafka.security import security_options

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable

    from inferometer.kafka.app import SinkApp
    from inferometer.kafka.fetched import FetchedRecords

FETCH_TIMEOUT_S = 1.0
SEEK_TIMEOUT_S = 60.0
CHECK_TIMEOUT_S = 5.0
METADATA_MAX_AGE_MS = 60_000
"""After so long new partitions of the topic are noticed."""
NO_PARTITIONS_PAUSE_S = 0.05
THREAD_START_TIMEOUT_S = 5.0
THREAD_START_POLL_S = 0.01
REFUSALS = (
    GroupAuthorizationFailedError,
    InconsistentGroupProtocolError,
    InvalidGroupIdError,
    InvalidSessionTimeoutError,
    TopicAuthorizationFailedError,
)
"""Errors of the group's protocol that another try does not mend."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Assignment:
    """Partitions, and the membership under which the group gave them."""

    membership: Membership
    keys: frozenset[TopicPartition]


class PinningListener(driver.ConsumerRebalanceListener):
    """Notes each assignment on the consumer's own loop, before anything else can happen to it."""

    _thread: BatchConsumerThread

    async def on_partitions_assigned(self, assigned: Iterable[Any]) -> None:
        """Pin what aiokafka would read anew when it sends, when it may be another generation's."""
        thread = self._thread
        coordinator = thread.records.coordinator
        thread.pinned = Assignment(
            Membership(coordinator.generation, coordinator.member_id),
            frozenset(TopicPartition(*tp) for tp in assigned),
        )
        await super().on_partitions_assigned(assigned)


class BatchConsumerThread(driver.AIOKafkaConsumerThread):
    """Faust's consumer thread with a consumer that keeps record sets as bytes."""

    app: SinkApp
    pinned: Assignment | None = None
    """The latest assignment."""

    def _create_worker_consumer(self, transport: Any) -> RecordSetConsumer:
        settings = self.app.worker_settings
        kafka = settings.kafka
        return RecordSetConsumer(
            clock=self.app.clock,
            client_id="inferometer",
            group_id=kafka.group,
            group_instance_id=kafka.instance_id or None,
            bootstrap_servers=kafka.addresses,
            partition_assignment_strategy=[RoundRobinPartitionAssignor],
            enable_auto_commit=False,
            auto_offset_reset="none",
            isolation_level="read_committed",
            fetch_max_wait_ms=settings.fetch_max_wait_ms,
            fetch_max_bytes=settings.fetch_max_bytes,
            max_partition_fetch_bytes=settings.partition_fetch_max_bytes,
            session_timeout_ms=int(settings.session_timeout_s * 1000),
            heartbeat_interval_ms=int(settings.heartbeat_interval_s * 1000),
            metadata_max_age_ms=METADATA_MAX_AGE_MS,
            **security_options(kafka),
        )

    async def on_own_loop(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Run a coroutine on this thread's loop: Faust's method queue would queue it behind fetches."""
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self.thread_loop))

    @property
    def is_begun(self) -> bool:
        """Whether the thread runs, or is about to."""
        return self._thread is not None

    @property
    def is_connected(self) -> bool:
        """Whether the consumer knows its group."""
        return self._consumer is not None and self._consumer.coordinator is not None

    @property
    def records(self) -> RecordSetConsumer:
        """The consumer, once started."""
        consumer: RecordSetConsumer = self._ensure_consumer()
        return consumer


class BatchConsumer(driver.Consumer):
    """Faust's consumer, reading record sets; offsets are the business of `ChunkSink`."""

    app: SinkApp
    RebalanceListener: ClassVar[type[PinningListener]] = PinningListener
    _thread: BatchConsumerThread

    def _new_consumer_thread(self) -> BatchConsumerThread:
        return BatchConsumerThread(self, loop=self.loop, beacon=self.beacon)

    # Faust's own bookkeeping of offsets

    def track_message(self, message: Any) -> None:
        """Track nothing: a rebalance waits for chunks, not for messages."""

    def ack(self, message: Any) -> bool:
        """Count nothing: an offset is acknowledged once its chunk is stored."""
        message.acked = True
        return False

    async def commit(self, topics: Any = None, start_new_transaction: bool = True) -> bool:
        """Commit nothing; see `commit_position`."""
        return False

    async def force_commit(self, topics: Any = None, start_new_transaction: bool = True) -> bool:
        """Commit nothing; see `commit_position`."""
        return False

    async def wait_empty(self) -> None:
        """Let running chunks end before the partitions are given up: the generation still holds."""
        if self.app.should_stop:
            await self.app.sink.stop()
        else:
            await self.app.sink.drain()

    async def verify_all_partitions_active(self) -> None:
        """Look for no livelock in streams that hold a fetch for microseconds."""

    async def on_stop(self) -> None:
        """Drain while the consumer still stands."""
        await self.app.sink.stop()

    async def settle(self) -> None:
        """Wait for our thread to be on its way: stopped before, it would go on for ever."""
        thread = self._thread
        if not thread.is_begun:
            thread.thread_loop.close()
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(THREAD_START_TIMEOUT_S):
                while not thread.started:
                    await self.sleep(THREAD_START_POLL_S)

    # What replaces it

    async def perform_seek(self) -> None:
        """Read the group's offsets for a new assignment; the sink finds its place from them.

        What fails here is told to the sink: Faust would go on without positions.
        """
        assignment = self._thread.pinned
        if assignment is None:
            return
        sink = self.app.sink
        try:
            async with asyncio.timeout(SEEK_TIMEOUT_S):
                epoch = await sink.reassign()
                await self._thread.on_own_loop(self._begin(epoch))
                committed = await self._thread.on_own_loop(self._committed(assignment))
                sink.assigned(committed, assignment.membership)
        except PipelineError as error:
            sink.fail(error)
        except (KafkaError, TimeoutError) as error:
            sink.fail(BrokerError(f"committed offsets cannot be read: {error!r}", retryable=True))

    async def _begin(self, epoch: int) -> None:
        self._thread.records.fetcher.begin(epoch)

    async def _committed(self, assignment: Assignment) -> dict[TopicPartition, CommittedPosition]:
        consumer = self._thread.records
        keys = sorted(assignment.keys)
        if not keys:
            return {}
        committed = await consumer.coordinator.fetch_committed_offsets(keys)
        earliest = await consumer.beginning_offsets(keys)
        ends = await consumer.end_offsets(keys)
        counts = {key.topic: len(consumer.partitions_for_topic(key.topic) or ()) for key in keys}
        positions = {}
        for key in keys:
            found = committed.get(key)
            is_known = found is not None and found.offset >= 0
            positions[key] = CommittedPosition(
                offset=found.offset if is_known else None,
                # librdkafka, with which people move offsets by hand, sends its closing zero along.
                metadata=(found.metadata or "").rstrip("\0") if is_known else "",
                earliest=earliest[key],
                partition_count=counts[key.topic],
                log_end=ends[key],
            )
        return positions

    # What the sink asks for

    async def go_to(self, membership: Membership, key: TopicPartition, offset: int) -> None:
        """Begin to fetch a partition at an offset, unless the assignment is over."""
        await self._thread.on_own_loop(self._go_to(membership, key, offset))

    async def _go_to(self, membership: Membership, key: TopicPartition, offset: int) -> None:
        pinned, consumer = self._thread.pinned, self._thread.records
        is_current = pinned is not None and pinned.membership == membership
        if is_current and key in consumer.assignment():
            consumer.seek(key, offset)
            consumer.fetcher.look_again()

    async def commit_position(
        self, membership: Membership, key: TopicPartition, offset: int, metadata: str
    ) -> None:
        """Commit one offset with its metadata. Raises FencedError, BrokerError."""
        records = self._thread.records
        await self._thread.on_own_loop(
            commit_offset(records.coordinator, membership, key, offset, metadata, records.contacts)
        )

    def last_contact(self, membership: Membership) -> float | None:
        """Return when a request was sent by which the group took us for this member."""
        return self._thread.records.contacts.at(membership)

    async def confirm_stream(self) -> None:
        """Return once the topic is known to be still the one that was assigned."""
        await self.app.stream_identity.confirm()

    async def check_membership(self) -> None:
        """Let the group's protocol go on after an error: aiokafka holds still until it is heard.

        Raises BrokerError where going on is no use.
        """
        if not self._thread.is_connected:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CHECK_TIMEOUT_S):
                await self._thread.on_own_loop(self._check_membership())

    async def _check_membership(self) -> None:
        coordinator = self._thread.records.coordinator
        try:
            coordinator.check_errors()
        except InstanceReplacedError as error:
            raise _replaced(error) from error
        except KafkaError as error:
            has_ended = coordinator._coordination_task.done()  # noqa: SLF001 - told nowhere else
            if has_ended or isinstance(error, REFUSALS):
                raise BrokerError(
                    f"the broker does not let this worker be a member of its group: {error!r}",
                    retryable=has_ended,
                ) from error
            logger.warning(
                "the group's coordinator answered %r; joining again",
                error,
                extra={"reason": "joining_again"},
            )

    def caught_up_at(self, key: TopicPartition, offset: int) -> int | None:
        """Return when the broker last had nothing beyond an offset, microseconds; None if it has."""
        found = self._thread.records.fetcher.caught_up.get(key)
        return found.at_us if found is not None and found.offset == offset else None

    async def _drain_messages(self, fetcher: Any) -> None:
        try:
            while not (self.should_stop or fetcher.should_stop):
                if self.flow_active:
                    await self._fetch_once()
                else:
                    await self.wait(self.can_resume_flow.wait())
        except PipelineError as error:
            self.app.sink.fail(await self._explained(error))
        except InstanceReplacedError as error:
            self.app.sink.fail(_replaced(error))
        except KafkaError as error:
            self.app.sink.fail(BrokerError(f"a fetch failed: {error!r}", retryable=True))

    async def _explained(self, error: PipelineError) -> PipelineError:
        """Return what is behind a failed fetch: a topic made anew lacks the old one's offsets."""
        try:
            await self.confirm_stream()
        except BrokerError as changed:
            return changed
        return error

    async def _fetch_once(self) -> None:
        active = sorted(TopicPartition(*tp) for tp in self._get_active_partitions())
        keys = self.app.sink.fetchable(active)
        if not keys:
            await self.app.sink.wait_for_room(at_least_s=NO_PARTITIONS_PAUSE_S)
        else:
            await self._deliver(
                await self._thread.on_own_loop(
                    self._thread.records.fetcher.record_sets(keys, timeout_s=FETCH_TIMEOUT_S)
                )
            )

    async def _deliver(self, fetches: Iterable[FetchedRecords]) -> None:
        for fetched in fetches:
            if not self.flow_active or fetched.epoch != self.app.sink.epoch:
                return
            self.app.sink.reserve(fetched)
            message = self._as_message(fetched)
            await self.wait_first(self.callback(message), self.suspend_flow.wait())

    def _as_message(self, fetched: FetchedRecords) -> ConsumerMessage:
        return ConsumerMessage(
            fetched.topic, fetched.partition, fetched.start_offset, 0.0, 0, None, None,
            # Typed as bytes; streams hand on whatever it is.
            cast("bytes", fetched),
            None, None, None, TP(fetched.topic, fetched.partition),
            # Streams drop messages of another generation.
            generation_id=self.app.consumer_generation_id,
        )  # fmt: skip


def _replaced(error: InstanceReplacedError) -> BrokerError:
    return BrokerError(
        f"another worker has joined with the instance id {error.args[0]!r}; give each worker its "
        "own --instance-id (setting kafka.instance_id)",
        retryable=False,
    )


class Transport(driver.Transport):
    """The entry point `inferometer://` of the group `faust.transports`."""

    Consumer: ClassVar[type[BatchConsumer]] = BatchConsumer
