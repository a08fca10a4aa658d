"""Reads the topics that tell what alerts did, and has it kept; as a group of its own.

Stores, then commits: what was stored and not committed comes again and makes the same rows.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Any

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import CommitFailedError, KafkaError

from inferometer.errors import BrokerError, StoreError
from inferometer.kafka.security import security_options

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Protocol

    from aiokafka import TopicPartition

    from inferometer.kafka.settings import KafkaSettings

    class Keep(Protocol):
        """Stores messages under a token; returns how many could not be read."""

        def __call__(self, messages: Sequence[bytes], *, token: str) -> int:
            """Raise StoreError where the store did not take them."""


POLL_MS = 1000
BATCH_MESSAGES = 5000
BACKOFF_S = 0.5
LONGEST_BACKOFF_S = 30.0

logger = logging.getLogger(__name__)


class HistoryReader:
    """Follows topics until it is stopped; a store that is away stops it, and loses nothing."""

    def __init__(self, kafka: KafkaSettings, *, group: str, keepers: Mapping[str, Keep]) -> None:
        """Give each topic to its keeper, as a member of `group`."""
        self._kafka = kafka
        self._group = group
        self._keepers = keepers
        self.kept = 0
        """Messages that are stored and committed."""
        self.unreadable = 0

    async def run(self, stopping: asyncio.Event, on_kept: Callable[[], None] | None = None) -> None:
        """Keep what comes until told to stop. Raises BrokerError, or StoreError for good."""
        consumer: Any = AIOKafkaConsumer(
            *self._keepers,
            bootstrap_servers=self._kafka.addresses,
            group_id=self._group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
            **security_options(self._kafka),
        )
        try:
            await consumer.start()
            while not stopping.is_set():
                found = await consumer.getmany(timeout_ms=POLL_MS, max_records=BATCH_MESSAGES)
                for source, records in found.items():
                    if not await self._keep(source, records, stopping):
                        return
                if found and await _commit(consumer, found):
                    self.kept += sum(map(len, found.values()))
                    if on_kept is not None:
                        on_kept()
        except (KafkaError, OSError) as error:
            raise BrokerError(
                f"the alerts' history cannot be read at {self._kafka.bootstrap_servers} "
                f"({error!r}); it goes on where it was once the broker is back",
                retryable=True,
            ) from error
        finally:
            with contextlib.suppress(KafkaError, OSError):
                await consumer.stop()

    async def _keep(
        self, source: TopicPartition, records: Sequence[Any], stopping: asyncio.Event
    ) -> bool:
        """Have messages kept, however often it takes; False if told to stop before."""
        span = f"{records[0].offset}-{records[-1].offset}"
        token = f"{source.topic}/{source.partition}/{span}"
        messages = [record.value for record in records if record.value]
        backoff_s = BACKOFF_S
        while True:
            try:
                self.unreadable += await asyncio.to_thread(
                    self._keepers[source.topic], messages, token=token
                )
                return True
            except StoreError as error:
                if not error.retryable:
                    raise
                logger.warning(
                    "the store does not take the alerts' history, trying again in %.1f s: %s",
                    backoff_s,
                    error,
                    extra={"topic": source.topic, "reason": "store_away"},
                )
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), backoff_s)
                return False
            backoff_s = min(backoff_s * 2, LONGEST_BACKOFF_S)


async def _commit(consumer: Any, found: Mapping[TopicPartition, Sequence[Any]]) -> bool:
    try:
        await consumer.commit({source: records[-1].offset + 1 for source, records in found.items()})
    except CommitFailedError:
        # Another member has the partitions now, and makes the same rows again.
        logger.info("the alerts' history changed hands", extra={"reason": "rebalance"})
        return False
    return True
