"""A Kafka consumer that keeps record sets as bytes: group membership is aiokafka's, records are not.

Positions are set by seeks alone (never by aiokafka from committed offsets), so that nothing is
fetched before the open intents are known, and nothing of an earlier assignment is handed on.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka import errors as kafka_errors
from aiokafka.consumer.fetcher import Fetcher

from inferometer.core.record_batches import read_record_set
from inferometer.errors import BrokerError
from inferometer.kafka.commits import Contacts, Membership
from inferometer.kafka.fetched import FetchedRecords

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

_PREFERRED_REPLICA_VERSION = 11
_MAX_CUT_OFF_FETCHES = 50
_LEAVE_TIMEOUT_S = 1.5


class InstanceReplacedError(kafka_errors.KafkaError):  # type: ignore[misc] # no annotations
    """Another worker has joined the group with this one's instance id."""


@dataclass(frozen=True, slots=True)
class CaughtUp:
    """A partition had nothing beyond an offset at an instant of our clock."""

    offset: int
    at_us: int


@dataclass(frozen=True, slots=True)
class RawFetch:
    """The bytes of one partition of a fetch response."""

    assignment: Any
    epoch: int
    start_offset: int
    data: bytes
    aborted: tuple[tuple[int, int], ...]
    log_end: int
    backoff_until: float

    def calculate_backoff(self) -> float:
        """Return how long aiokafka is to hold other partitions of the node for this one."""
        return max(0.0, self.backoff_until - time.monotonic())


@dataclass(frozen=True, slots=True)
class _Fetchable:
    """An assignment, reduced to what is to be fetched."""

    tps: list[TopicPartition]
    state_value: Callable[[TopicPartition], Any]


class RecordSetFetcher(Fetcher):  # type: ignore[misc] # aiokafka has no annotations
    """aiokafka's fetch routine with results that stay bytes until they are asked for."""

    def __init__(
        self, client: Any, subscriptions: Any, *, clock: Callable[[], datetime], **options: Any
    ) -> None:
        super().__init__(client, subscriptions, **options)
        self._clock = clock
        self._cut_off: dict[TopicPartition, int] = {}
        self._wanted: frozenset[TopicPartition] = frozenset()
        self.epoch = 0
        self.caught_up: dict[TopicPartition, CaughtUp] = {}
        """Partitions whose last fetch response was empty; read from other threads."""

    def begin(self, epoch: int) -> None:
        """Forget what earlier assignments brought."""
        self.epoch = epoch
        self.caught_up = {}
        self._cut_off = {}

    def look_again(self) -> None:
        """Have the fetch routine consider positions and wishes that have changed."""
        self._notify(self._wait_consume_future)

    def _want(self, keys: frozenset[TopicPartition]) -> None:
        if keys != self._wanted:
            self._wanted = keys
            self.look_again()

    def _get_actions_per_node(self, assignment: Any) -> Any:
        # One without a position would hold up all others of its node, and be given one.
        keys = [
            key
            for key in assignment.tps
            if key in self._wanted and assignment.state_value(key).has_valid_position
        ]
        return super()._get_actions_per_node(_Fetchable(keys, assignment.state_value))

    async def _proc_fetch_request(self, assignment: Any, node_id: Any, request: Any) -> bool:
        asked_at = self._clock()
        try:
            response = await self._client.send(node_id, request)
        except kafka_errors.KafkaError as error:
            await self._fetch_failed(node_id, request, error)
            return False
        except asyncio.CancelledError:
            return False
        if not assignment.active:
            return False
        asked = {
            TopicPartition(topic, partition): offset
            for topic, partitions in request.topics
            for partition, offset, _max_bytes in partitions
        }
        at_us = int(asked_at.timestamp() * 1_000_000)
        found = False
        for topic, partitions in response.topics:
            for partition, code, high_watermark, *fields in partitions:
                key = TopicPartition(topic, partition)
                state = assignment.state_value(key)
                if not state.has_valid_position or state.position != asked[key]:
                    continue
                if code:
                    found |= self._refused(key, asked[key], code)
                    continue
                state.highwater = high_watermark
                state.lso = fields[0]
                data = bytes(fields[-1] or b"")
                if data:
                    self.caught_up.pop(key, None)
                    self._records[key] = RawFetch(
                        assignment=assignment,
                        epoch=self.epoch,
                        start_offset=asked[key],
                        data=data,
                        aborted=_aborted(response.API_VERSION, fields),
                        log_end=_readable_end(high_watermark, fields[0]),
                        backoff_until=time.monotonic() + self._prefetch_backoff,
                    )
                    found = True
                elif high_watermark == asked[key]:
                    self.caught_up[key] = CaughtUp(offset=asked[key], at_us=at_us)
        return found

    async def _fetch_failed(self, node_id: Any, request: Any, error: Exception) -> None:
        self._invalidate_preferred_read_replica_for_node(node_id, request)
        self._client.force_metadata_update()
        await asyncio.sleep(self._retry_backoff)

    def _refused(self, key: TopicPartition, offset: int, code: int) -> bool:
        """Handle an error code; True when the reader must be told."""
        self._preferred_read_replica.pop(key, None)
        error = kafka_errors.for_code(code)
        if error is kafka_errors.OffsetOutOfRangeError:
            self._set_error(
                key,
                BrokerError(
                    f"{key.topic}/{key.partition} does not hold offset {offset} any more: records "
                    "were dropped before they were read (retention, or the limit of the embedded "
                    "broker), or the log was cut; compare the broker's log with the chunk ledger, "
                    "then reset the group's offset",
                    retryable=False,
                ),
            )
            return True
        if not error.retriable and not error.invalid_metadata:
            self._set_error(
                key,
                BrokerError(
                    f"the broker refuses to give {key.topic}/{key.partition}: {error.__name__}",
                    retryable=False,
                ),
            )
            return True
        self._client.force_metadata_update()
        return False

    def _set_error(self, key: TopicPartition, error: Exception) -> None:
        self._records.pop(key, None)
        super()._set_error(key, error)

    async def record_sets(
        self, partitions: Iterable[TopicPartition], *, timeout_s: float
    ) -> list[FetchedRecords]:
        """Return what has arrived, at most one fetch a partition; wait for the first.

        Only these are fetched until others are asked for. Raises BrokerError where the broker refuses, DecodeError for corrupt batches.
        """
        wanted = list(partitions)
        self._want(frozenset(wanted))
        with self._subscriptions.fetch_context():
            if not any(key in self._records for key in wanted):
                waiter = self._create_fetch_waiter()
                await asyncio.wait([waiter], timeout=timeout_s)
                if waiter.done():
                    waiter.result()
                else:
                    waiter.cancel()
            return [fetched for key in wanted if (fetched := self._take(key)) is not None]

    def _take(self, key: TopicPartition) -> FetchedRecords | None:
        raw = self._records.pop(key, None)
        if raw is None:
            return None
        self._notify(self._wait_consume_future)
        if not isinstance(raw, RawFetch):
            raw.check_raise()
        state = raw.assignment.state_value(key) if raw.assignment.active else None
        if state is None or not state.has_valid_position or state.position != raw.start_offset:
            return None
        read = read_record_set(raw.data, start_offset=raw.start_offset, aborted=raw.aborted)
        if read.next_offset == raw.start_offset:
            self._note_cut_off(key, raw)
            return None
        self._cut_off.pop(key, None)
        state.consumed_to(read.next_offset)
        return FetchedRecords(
            topic=key.topic,
            partition=key.partition,
            epoch=raw.epoch,
            start_offset=raw.start_offset,
            records=read.records,
            next_offset=read.next_offset,
            raw_bytes=len(raw.data),
            log_end=raw.log_end,
        )

    def _note_cut_off(self, key: TopicPartition, raw: RawFetch) -> None:
        # A response holds at least one whole batch, but only of its first partition; the order of
        # partitions changes with each request, so the turn of this one comes.
        self._cut_off[key] = self._cut_off.get(key, 0) + 1
        if self._cut_off[key] > _MAX_CUT_OFF_FETCHES:
            raise BrokerError(
                f"the batch at {key.topic}/{key.partition} offset {raw.start_offset} is larger than "
                f"a fetch of {self._max_partition_fetch_bytes} bytes: raise "
                "partition_fetch_max_bytes",
                retryable=False,
            )


def _readable_end(high_watermark: int, last_stable: int | None) -> int:
    # A broker without transactions says -1.
    if last_stable is None or last_stable < 0:
        return high_watermark
    return min(high_watermark, last_stable)


def _aborted(version: int, fields: list[Any]) -> tuple[tuple[int, int], ...]:
    # Before the data comes the preferred replica (from version 11 on), before that the list.
    place = -3 if version >= _PREFERRED_REPLICA_VERSION else -2
    return tuple(tuple(pair) for pair in fields[place] or ())


class RecordSetConsumer(AIOKafkaConsumer):  # type: ignore[misc] # aiokafka has no annotations
    """aiokafka's consumer with the fetcher above."""

    def __init__(self, *, clock: Callable[[], datetime], **options: Any) -> None:
        super().__init__(**options)
        self._clock = clock
        self._fetcher: Any = None
        self.contacts = Contacts()
        """When the group last answered this member."""

    async def start(self) -> None:
        """Connect, then put our fetcher in the place of aiokafka's, which has not begun."""
        await super().start()
        self._note_heartbeats()
        await self._fetcher.close()
        self._fetcher = RecordSetFetcher(
            self._client,
            self._subscription,
            clock=self._clock,
            fetch_min_bytes=self._fetch_min_bytes,
            fetch_max_bytes=self._fetch_max_bytes,
            fetch_max_wait_ms=self._fetch_max_wait_ms,
            max_partition_fetch_bytes=self._max_partition_fetch_bytes,
            fetcher_timeout=self._consumer_timeout,
            retry_backoff_ms=self._retry_backoff_ms,
            auto_offset_reset="none",
            isolation_level=self._isolation_level,
        )

    def _note_heartbeats(self) -> None:
        """Have each heartbeat that succeeds noted: aiokafka tells nobody.

        A static member that the group does not know any more, although it has not been silent, was
        replaced by another with its id. Joining again would throw that one out in turn, so it ends.
        """
        coordinator = self._coordinator
        beat = coordinator._do_heartbeat  # noqa: SLF001

        async def noted_beat() -> bool:
            membership = Membership(coordinator.generation, coordinator.member_id)
            sent_at_s = time.monotonic()
            succeeded: bool = await beat()
            if succeeded:
                self.contacts.note(membership, sent_at_s)
            elif self._was_replaced(membership, sent_at_s):
                raise InstanceReplacedError(self._group_instance_id)
            return succeeded

        coordinator._do_heartbeat = noted_beat  # noqa: SLF001

    def _was_replaced(self, membership: Membership, sent_at_s: float) -> bool:
        heard_at_s = self.contacts.at(membership)
        return (
            self._group_instance_id is not None
            and self.coordinator.member_id != membership.member_id
            and heard_at_s is not None
            and sent_at_s - heard_at_s < self._session_timeout_ms / 1000 / 2
        )

    async def stop(self) -> None:
        """Leave the group and disconnect.

        aiokafka would wait for the answer to a join, which a broker gives once every member has
        joined: minutes where one of them is frozen.
        """
        stopping = asyncio.ensure_future(super().stop())
        await asyncio.wait({stopping}, timeout=_LEAVE_TIMEOUT_S)
        if stopping.done():
            stopping.result()
            return
        stopping.cancel()
        self.coordinator._coordination_task.cancel()  # noqa: SLF001 - no public way to give up
        await asyncio.wait({stopping})
        await self._fetcher.close()
        await self._client.close()

    @property
    def fetcher(self) -> RecordSetFetcher:
        """The fetcher, once started."""
        fetcher: RecordSetFetcher = self._fetcher
        return fetcher

    @property
    def coordinator(self) -> Any:
        """The group coordinator's client side, once started."""
        return self._coordinator
