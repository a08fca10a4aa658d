"""What the partitions of a worker share, and what they need of its consumer."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import ThreadPoolExecutor

    from aiokafka import TopicPartition

    from inferometer.core.chunks import ChunkOutcome
    from inferometer.kafka.byte_budget import ByteBudget
    from inferometer.kafka.chunk_policy import ChunkPolicy
    from inferometer.kafka.commits import Membership
    from inferometer.kafka.observer import SinkObserver
    from inferometer.kafka.settings import WorkerSettings
    from inferometer.kafka.turns import Turns
    from inferometer.ports import ChunkProcessor


class Committer(Protocol):
    """What the sink needs of the consumer."""

    async def commit_position(
        self, membership: Membership, key: TopicPartition, offset: int, metadata: str
    ) -> None:
        """Commit one offset with its metadata. Raises FencedError, BrokerError."""

    async def confirm_stream(self) -> None:
        """Return once the topic is known to be still the one that was assigned.

        Raises BrokerError where it was made anew or is gone.
        """

    async def go_to(self, membership: Membership, key: TopicPartition, offset: int) -> None:
        """Begin to fetch a partition at an offset, unless the assignment is over."""

    def last_contact(self, membership: Membership) -> float | None:
        """Return when a request was sent by which the group took us for this member.

        On the monotonic clock, in seconds; None before the first. Called from any thread.
        """

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
    lost: int = 0
    """Records that the broker dropped before they were read."""

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
    policy: ChunkPolicy
    turns: Turns
    share: Callable[[], float]
    """Threads a partition that this worker holds."""
    served: Callable[[TopicPartition], None]
    """Told that a partition has cut a chunk."""
    observer: SinkObserver
    on_acknowledged: Callable[[str, int, int], None]
    fail: Callable[[BaseException], None]
    monotonic: Callable[[], float] = time.monotonic
