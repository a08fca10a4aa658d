"""The assigned partitions of a worker: takes them over, hands them fetches, gives them up."""

from __future__ import annotations

import asyncio
import contextlib
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from aiokafka import TopicPartition

from inferometer.core.chunks import GroupMetadata, StreamPartition
from inferometer.core.resumption import GroupPosition
from inferometer.errors import BrokerError
from inferometer.kafka.byte_budget import ByteBudget
from inferometer.kafka.fill_order import FillOrder
from inferometer.kafka.observer import NoObserver, SinkObserver
from inferometer.kafka.partition_chunks import PartitionChunks
from inferometer.kafka.status import WorkerStatus
from inferometer.kafka.surroundings import Committer, SinkCounters, Surroundings
from inferometer.kafka.turns import Turns

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from inferometer.kafka.commits import CommittedPosition, Membership
    from inferometer.kafka.fetched import FetchedRecords
    from inferometer.kafka.settings import WorkerSettings
    from inferometer.ports import ChunkProcessor

ROOM_TIMEOUT_S = 1.0


class ChunkSink:
    """Chunks of the partitions that this worker owns; lives on the loop of the Faust app."""

    def __init__(
        self,
        *,
        settings: WorkerSettings,
        processor: ChunkProcessor,
        stream_id: str,
        counters: SinkCounters | None = None,
        observer: SinkObserver | None = None,
        on_acknowledged: Callable[[str, int, int], None] = lambda _topic, _partition, _offset: None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._processor = processor
        self._stream_id = stream_id
        self._observer: SinkObserver = observer or NoObserver()
        self._on_acknowledged = on_acknowledged
        self._monotonic = monotonic
        self._turns = Turns(
            at_work=settings.chunk_threads, computing=(settings.chunk_threads + 1) // 2
        )
        self._fill_order: FillOrder[TopicPartition] = FillOrder(settings.chunk_max_bytes)
        self._threads = ThreadPoolExecutor(settings.chunk_threads, "inferometer-chunk")
        self._partitions: dict[TopicPartition, PartitionChunks] = {}
        self._unfinished: dict[TopicPartition, set[asyncio.Future[Any]]] = {}
        self._budget = ByteBudget(
            settings.max_bytes_in_flight,
            self._partitions.values,
            chunk_bytes=settings.chunk_max_bytes,
        )
        self._stopping = False
        self._is_member = False
        self._fetched_records = 0
        self._fetched_bytes = 0
        self.committer: Committer | None = None
        self.epoch = 0
        """Counts assignments; fetches of an earlier one are dropped."""
        self.counters = counters or SinkCounters()
        self.failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Raises what makes it useless to go on."""

    # Assignment

    async def reassign(self) -> int:
        """Give up what is held, before an assignment; return the epoch that it begins."""
        await self.drain()
        self.epoch += 1
        return self.epoch

    def assigned(
        self, committed: Mapping[TopicPartition, CommittedPosition], membership: Membership
    ) -> None:
        """Take over partitions; each finds its place by itself and seeks there.

        Raises StateError for an intent of another version.
        """
        if self._stopping:
            return
        shared = self._surroundings()
        partitions = {
            key: self._taken_over(key, position, membership, shared)
            for key, position in committed.items()
        }
        self._partitions.update(partitions)
        for key, partition in partitions.items():
            partition.start(set(self._unfinished.get(key, ())))
        self._is_member = True
        self._observer.rebalance_ended(len(partitions))

    def _surroundings(self) -> Surroundings:
        if self.committer is None:
            raise BrokerError("no consumer to commit with", retryable=False)
        return Surroundings(
            settings=self._settings,
            processor=self._processor,
            committer=self.committer,
            threads=self._threads,
            budget=self._budget,
            counters=self.counters,
            policy=self._settings.chunk_policy,
            turns=self._turns,
            share=self._share,
            served=self._fill_order.served,
            observer=self._observer,
            on_acknowledged=self._on_acknowledged,
            fail=self.fail,
            monotonic=self._monotonic,
        )

    def _share(self) -> float:
        return self._settings.chunk_threads / max(1, len(self._partitions))

    def _taken_over(
        self,
        key: TopicPartition,
        position: CommittedPosition,
        membership: Membership,
        shared: Surroundings,
    ) -> PartitionChunks:
        kept = GroupMetadata.from_text(position.metadata)
        # Offsets of a topic that was made anew mean other records.
        is_ours = kept is None or kept.stream_id == self._stream_id
        return PartitionChunks(
            key=key,
            source=StreamPartition(key.topic, key.partition, self._stream_id),
            membership=membership,
            group=GroupPosition(
                offset=position.offset if is_ours else None,
                intent=kept.intent if kept is not None and is_ours else None,
                earliest=position.earliest,
            ),
            partition_count=position.partition_count,
            log_end=position.log_end,
            shared=shared,
        )

    async def drain(self) -> None:
        """Let running chunks end, for at most `drain_s`; called before partitions are given up."""
        await self._give_up(self._settings.drain_s)

    async def stop(self) -> None:
        """Let running chunks end, for at most `stop_s`, and give every partition up."""
        self._stopping = True
        await self._give_up(self._settings.stop_s)
        self._threads.shutdown(wait=False)

    def status(self) -> WorkerStatus:
        """Return what is held now; from any thread."""
        return WorkerStatus(
            is_member=self._is_member,
            bytes_in_flight=self._budget.bytes_in_flight,
            bytes_in_flight_limit=self._settings.max_bytes_in_flight,
            fetched_records=self._fetched_records,
            fetched_bytes=self._fetched_bytes,
            # A copy first: the loop changes it meanwhile.
            partitions=tuple(held.status() for held in tuple(self._partitions.values())),
        )

    async def _give_up(self, timeout_s: float) -> None:
        if self._is_member:
            self._is_member = False
            self._observer.rebalance_began()
        partitions = list(self._partitions.values())
        self._partitions.clear()
        self._budget.reset()
        self._fill_order.forget()
        tasks: set[asyncio.Future[Any]] = set()
        for partition in partitions:
            unfinished = partition.give_up()
            tasks |= unfinished
            self._watch_unfinished(partition, unfinished)
        try:
            if tasks:
                await asyncio.wait(tasks, timeout=timeout_s)
        finally:
            for partition in partitions:
                partition.cancel()

    def _watch_unfinished(
        self, partition: PartitionChunks, unfinished: set[asyncio.Future[Any]]
    ) -> None:
        """Have the processor forget a partition once nothing of it runs any more."""
        if not unfinished:
            self._processor.revoked(partition.source)
            return
        waiting = set(unfinished)
        together = self._unfinished.setdefault(partition.key, set())
        together |= waiting

        def ended(future: asyncio.Future[Any]) -> None:
            waiting.discard(future)
            together.discard(future)
            if not waiting:
                self._processor.revoked(partition.source)

        for future in unfinished:
            future.add_done_callback(ended)

    # Records

    def fetchable(self, keys: Iterable[TopicPartition]) -> list[TopicPartition]:
        """Return which partitions to fetch now; see `FillOrder`."""
        held = ((key, self._partitions.get(key)) for key in keys)
        return self._fill_order.choose(
            [partition.holding for _key, partition in held if partition is not None],
            self._budget.room_bytes,
        )

    async def wait_for_room(self, *, at_least_s: float = 0.0) -> None:
        """Return once less than the budget is in flight, or after a while."""
        if self._budget.has_room:
            await asyncio.sleep(at_least_s)
            return
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._budget.wait_for_room(), ROOM_TIMEOUT_S)

    def reserve(self, fetched: FetchedRecords) -> None:
        """Count a fetch that is about to be delivered; one that will be dropped takes no room."""
        if self._holder_of(fetched) is not None:
            self._budget.take(fetched.size)
        self._fetched_records += len(fetched.records)
        self._fetched_bytes += fetched.raw_bytes

    def take(self, fetched: FetchedRecords) -> None:
        """Buffer a fetch; called by the agent."""
        partition = self._holder_of(fetched)
        if partition is None:
            return
        try:
            partition.take(fetched)
        except BrokerError as error:
            self.fail(error)

    def _holder_of(self, fetched: FetchedRecords) -> PartitionChunks | None:
        """Return whom a fetch is for; None where it is of an assignment that is no more."""
        if fetched.epoch != self.epoch:
            return None
        return self._partitions.get(TopicPartition(fetched.topic, fetched.partition))

    def fail(self, error: BaseException) -> None:
        """Have whoever runs the worker hear of an error; the first one counts."""
        if not self.failure.done():
            self.failure.set_exception(error)
