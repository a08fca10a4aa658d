"""The Faust transport that hands an agent one event per (partition, fetch) instead of per record.

Faust keeps what it is good at: group membership, rebalance, flow control, services. Its own offset
tracking is switched off: `ChunkSink` commits offsets together with intents.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, ClassVar

from aiokafka import TopicPartition
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from aiokafka.helpers import create_ssl_context
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from faust.types.tuples import ConsumerMessage

from inferometer.kafka.commits import Membership, commit_offset
from inferometer.kafka.fetcher import RecordSetConsumer

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable

    from inferometer.kafka.fetched import FetchedRecords
    from inferometer.kafka.settings import KafkaSettings, WorkerSettings

FETCH_TIMEOUT_S = 1.0
NO_METADATA = ""

logger = logging.getLogger(__name__)


class BatchConsumerThread(driver.AIOKafkaConsumerThread):
    """Faust's consumer thread with a consumer that keeps record sets as bytes."""

    def _create_worker_consumer(self, transport: Any) -> RecordSetConsumer:
        settings: WorkerSettings = self.app.worker_settings
        kafka = settings.kafka
        return RecordSetConsumer(
            clock=self.app.clock,
            client_id="inferometer",
            group_id=kafka.group,
            group_instance_id=kafka.instance_id or None,
            bootstrap_servers=kafka.bootstrap_servers.split(","),
            partition_assignment_strategy=[RoundRobinPartitionAssignor],
            enable_auto_commit=False,
            auto_offset_reset="none",
            isolation_level="read_committed",
            fetch_max_wait_ms=settings.fetch_max_wait_ms,
            fetch_max_bytes=settings.fetch_max_bytes,
            max_partition_fetch_bytes=settings.partition_fetch_max_bytes,
            session_timeout_ms=int(settings.session_timeout_s * 1000),
            heartbeat_interval_ms=int(settings.heartbeat_interval_s * 1000),
            **security_options(kafka),
        )

    async def on_own_loop(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Run a coroutine on this thread's loop: Faust's method queue would queue it behind fetches."""
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self.thread_loop))

    @property
    def records(self) -> RecordSetConsumer:
        """The consumer, once started."""
        consumer: RecordSetConsumer = self._ensure_consumer()
        return consumer


class BatchConsumer(driver.Consumer):
    """Faust's consumer, reading record sets; offsets are the business of `ChunkSink`."""

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
        """Let running chunks end before the partitions are given up."""
        await self.app.sink.drain()

    async def verify_all_partitions_active(self) -> None:
        """Look for no livelock in streams that hold a fetch for microseconds."""

    async def on_stop(self) -> None:
        """Drain while the consumer still stands."""
        await self.app.sink.stop()

    # What replaces it

    async def perform_seek(self) -> None:
        """Read committed offsets and intents of a new assignment, and go there."""
        await self._thread.on_own_loop(self._begin_assignment())
        offsets = await self.app.sink.assigned(self._committed_metadata, self._membership)
        await self._thread.on_own_loop(self._seek_all(offsets))

    async def _begin_assignment(self) -> None:
        consumer = self._thread.records
        coordinator = consumer.coordinator
        keys = [TopicPartition(*tp) for tp in sorted(self.assignment())]
        # Pinned now: what aiokafka would send later may be another generation's.
        self._membership = Membership(coordinator.generation, coordinator.member_id)
        committed = await coordinator.fetch_committed_offsets(keys)
        unknown = [key for key in keys if key not in committed or committed[key].offset < 0]
        earliest = await consumer.beginning_offsets(unknown) if unknown else {}
        self._committed_metadata = {
            key: (earliest[key], NO_METADATA)
            if key in earliest
            else (committed[key].offset, committed[key].metadata or NO_METADATA)
            for key in keys
        }

    async def _seek_all(self, offsets: dict[TopicPartition, int]) -> None:
        consumer = self._thread.records
        consumer.fetcher.begin(self.app.sink.epoch)
        for key, offset in offsets.items():
            consumer.seek(key, offset)

    async def commit_position(
        self, membership: Membership, key: TopicPartition, offset: int, metadata: str
    ) -> None:
        """Commit one offset with its metadata. Raises Fenced, BrokerError."""
        await self._thread.on_own_loop(
            commit_offset(self._thread.records.coordinator, membership, key, offset, metadata)
        )

    def caught_up_at(self, key: TopicPartition, offset: int) -> int | None:
        """Return when the broker last had nothing beyond an offset, microseconds; None if it has."""
        found = self._thread.records.fetcher.caught_up.get(key)
        return found.at_us if found is not None and found.offset == offset else None

    async def _drain_messages(self, fetcher: Any) -> None:
        while not (self.should_stop or fetcher.should_stop):
            if not self.flow_active:
                await self.wait(self.can_resume_flow)
                continue
            await self.app.sink.wait_for_room()
            keys = [TopicPartition(*tp) for tp in self._get_active_partitions()]
            if not keys:
                await self.sleep(0.05)
                continue
            fetched = await self._thread.on_own_loop(
                self._thread.records.fetcher.record_sets(keys, timeout_s=FETCH_TIMEOUT_S)
            )
            await self._deliver(fetched)

    async def _deliver(self, fetches: Iterable[FetchedRecords]) -> None:
        for fetched in fetches:
            if not self.flow_active or fetched.epoch != self.app.sink.epoch:
                return
            self.app.sink.reserve(fetched)
            message = self._as_message(fetched)
            await self.wait_first(self.callback(message), self.suspend_flow.wait())

    def _as_message(self, fetched: FetchedRecords) -> ConsumerMessage:
        return ConsumerMessage(
            fetched.topic, fetched.partition, fetched.start_offset, 0.0, 0, None, None, fetched,
            None, None, None, TP(fetched.topic, fetched.partition),
            # Streams drop messages of another generation.
            generation_id=self.app.consumer_generation_id,
        )  # fmt: skip


class Transport(driver.Transport):
    """The entry point `inferometer://` of the group `faust.transports`."""

    Consumer: ClassVar[type[BatchConsumer]] = BatchConsumer


def security_options(kafka: KafkaSettings) -> dict[str, Any]:
    """Return how aiokafka's clients connect and prove who they are."""
    options: dict[str, Any] = {"security_protocol": kafka.security_protocol}
    if "SSL" in kafka.security_protocol:
        options["ssl_context"] = create_ssl_context(cafile=kafka.ca_file or None)
    if kafka.uses_sasl:
        options["sasl_mechanism"] = kafka.sasl_mechanism
        options["sasl_plain_username"] = kafka.username
        options["sasl_plain_password"] = kafka.password
    return options
