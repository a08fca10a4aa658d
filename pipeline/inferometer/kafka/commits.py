"""Offset commits that carry the generation and member pinned at assignment.

aiokafka binds the generation when it sends; after a lost membership that is "none", which a broker
accepts for an empty group, so that a worker that lost its partitions could still move their offsets.
A commit that carries what was valid at assignment is refused instead.
"""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aiokafka import errors as kafka_errors
from aiokafka.protocol.commit import OffsetCommitRequest

from inferometer.errors import BrokerError

if TYPE_CHECKING:
    from aiokafka import TopicPartition

FENCED_CODES = frozenset({22, 25, 27, 82})
"""Illegal generation, unknown member, rebalance in progress, fenced instance."""
_COORDINATOR_MOVED_CODES = frozenset({7, 15, 16})
_BACKOFF_S = 0.1

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Membership:
    """Which member of which generation of the group an assignment belongs to."""

    generation: int
    member_id: str


@dataclass(frozen=True, slots=True)
class CommittedPosition:
    """A partition as the group and its broker have it."""

    offset: int | None
    """None where the group has none, or none any more."""
    metadata: str
    earliest: int
    """The first offset that the broker still holds."""
    partition_count: int
    """Partitions of the topic."""
    log_end: int = 0
    """Where the broker's log ends; 0 where nobody has asked."""


class Contacts:
    """When the group last took us for the member that we believe to be; written by one thread."""

    def __init__(self) -> None:
        self._last: tuple[Membership, float] | None = None

    def note(self, membership: Membership, sent_at_s: float) -> None:
        """Note that a request sent at an instant of the monotonic clock succeeded."""
        if self._last is None or self._last[0] != membership or self._last[1] < sent_at_s:
            self._last = (membership, sent_at_s)

    def at(self, membership: Membership) -> float | None:
        """Return the latest instant for a membership; from any thread."""
        last = self._last
        return last[1] if last is not None and last[0] == membership else None


class FencedError(BrokerError):
    """The group has moved on without this member; what it had open belongs to another now."""

    def __init__(self, code: int) -> None:
        name = kafka_errors.for_code(code).__name__
        super().__init__(f"the commit is fenced ({name}); the chunk is dropped", retryable=False)


async def commit_offset(
    coordinator: Any,
    membership: Membership,
    key: TopicPartition,
    offset: int,
    metadata: str,
    contacts: Contacts,
) -> None:
    """Commit one offset with its metadata; tries again while the coordinator is away.

    Runs on the loop of the coordinator. Raises FencedError, or BrokerError where trying again is no use.
    """
    while True:
        await coordinator.ensure_coordinator_known()
        request = OffsetCommitRequest(
            coordinator.group_id,
            membership.generation,
            membership.member_id,
            OffsetCommitRequest.DEFAULT_RETENTION_TIME,
            [(key.topic, [(key.partition, offset, metadata)])],
        )
        sent_at_s = time.monotonic()
        try:
            response = await coordinator._send_req(request)  # noqa: SLF001 - no public way to send
        except kafka_errors.KafkaError as error:
            if not error.retriable:
                raise BrokerError(f"a commit cannot be sent: {error!r}", retryable=True) from error
            await asyncio.sleep(_BACKOFF_S)
            continue
        ((_topic, ((_partition, code),)),) = response.topics
        if code == 0:
            contacts.note(membership, sent_at_s)
            return
        await _refused(coordinator, code, key)


async def _refused(coordinator: Any, code: int, key: TopicPartition) -> None:
    """Wait before another try. Raises where there must be none."""
    if code in FENCED_CODES:
        raise FencedError(code)
    error = kafka_errors.for_code(code)
    if code in _COORDINATOR_MOVED_CODES:
        coordinator.coordinator_dead()
    elif not error.retriable:
        raise BrokerError(
            f"the broker refuses the commit of {key.topic}/{key.partition}: {error.__name__}",
            retryable=False,
        )
    logger.info(
        "a commit waits: %s",
        error.__name__,
        extra={"topic": key.topic, "partition": key.partition, "reason": "coordinator"},
    )
    await asyncio.sleep(_BACKOFF_S)
