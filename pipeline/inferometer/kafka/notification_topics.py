"""The topics of delivery: the ledger of notices, the log of attempts, and the notices to deliver.

All calls belong to one event loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Any, Protocol, Self

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import KafkaError

from inferometer.core.alerts.ledger import decode_entry, encode_attempt, encode_entry
from inferometer.core.alerts.notice_codec import decode_notice
from inferometer.errors import BrokerError, PipelineError
from inferometer.kafka.security import security_options
from inferometer.kafka.topics import MAX_MESSAGE_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from inferometer.core.alerts.ledger import AttemptRecord, LedgerEntry
    from inferometer.core.alerts.notices import Notice
    from inferometer.kafka.alert_topics import AlertTopicNames
    from inferometer.kafka.settings import KafkaSettings

ANSWER_TIMEOUT_S = 15.0
POLL_MS = 500

logger = logging.getLogger(__name__)


class NotificationTopics:
    """A `NoticeLedger` by `entries`, `write` and `remove`; its `attempts` are an `AttemptLog`."""

    def __init__(self, kafka: KafkaSettings, named: AlertTopicNames) -> None:
        self._kafka = kafka
        self.named = named
        self._options = {"bootstrap_servers": kafka.addresses, **security_options(kafka)}
        self._producer: Any = None
        self.attempts = KafkaAttemptLog(self)

    async def __aenter__(self) -> Self:
        self._producer = AIOKafkaProducer(
            **self._options,
            acks="all",
            enable_idempotence=True,
            request_timeout_ms=int(ANSWER_TIMEOUT_S * 1000),
            # A notice that the topic of notices takes must find room in the ledger as well.
            max_request_size=MAX_MESSAGE_BYTES,
        )
        try:
            await self._producer.start()
        except (KafkaError, OSError) as error:
            raise self._refused(error) from error
        return self

    async def __aexit__(self, *_: object) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            await producer.stop()

    async def entries(self) -> Sequence[LedgerEntry]:
        """Return the last entry of every notice; see `NoticeLedger.entries`."""
        found: dict[bytes, bytes] = {}
        consumer = AIOKafkaConsumer(
            **self._options,
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
        )
        try:
            await consumer.start()
            async with asyncio.timeout(ANSWER_TIMEOUT_S * 4):
                async for record in _to_the_end(consumer, self.named.ledger):
                    if record.value is None:
                        found.pop(record.key, None)
                    else:
                        found[record.key] = record.value
        except (KafkaError, OSError, TimeoutError) as error:
            raise self._refused(error) from error
        finally:
            await consumer.stop()
        return [decode_entry(value) for value in found.values()]

    async def write(self, entries: Iterable[LedgerEntry]) -> None:
        """Store entries; see `NoticeLedger.write`."""
        await self.send(
            self.named.ledger,
            [(entry.notification_id.encode(), encode_entry(entry)) for entry in entries],
        )

    async def remove(self, notification_ids: Iterable[str]) -> None:
        """Forget entries; see `NoticeLedger.remove`."""
        gone = [(one.encode(), None) for one in notification_ids]
        await self.send(self.named.ledger, gone)

    async def send(self, topic: str, records: Sequence[tuple[bytes, bytes | None]]) -> None:
        """Send records in order; return once all are durable. Raises BrokerError."""
        try:
            sent = [
                await self._producer.send(topic, value, key=key, partition=0)
                for key, value in records
            ]
            for one in sent:
                await one
        except (KafkaError, OSError) as error:
            raise self._refused(error) from error

    def _refused(self, error: Exception) -> BrokerError:
        return BrokerError(
            f"the ledger of notices at {self._kafka.bootstrap_servers} cannot be used: {error!r}",
            retryable=True,
        )


class KafkaAttemptLog:
    """An `AttemptLog` over its topic."""

    def __init__(self, topics: NotificationTopics) -> None:
        self._topics = topics

    async def write(self, records: Iterable[AttemptRecord]) -> None:
        """Store rows; see `AttemptLog.write`."""
        await self._topics.send(
            self._topics.named.attempts,
            [(record.notification_id.encode(), encode_attempt(record)) for record in records],
        )


async def _to_the_end(consumer: Any, topic: str) -> Any:
    source = TopicPartition(topic, 0)
    consumer.assign([source])
    end = (await consumer.end_offsets([source]))[source]
    while await consumer.position(source) < end:
        fetched = await consumer.getmany(source, timeout_ms=POLL_MS)
        for record in fetched.get(source, ()):
            yield record


class Delivery(Protocol):
    """What is done with notices by whoever owns them."""

    async def begin(self) -> None:
        """Restore the ledger and begin to send; notices follow."""

    async def accept(self, notices: Sequence[Notice]) -> None:
        """Take notices; once it returns they are in the ledger."""

    async def end(self) -> None:
        """Stop sending: another process owns the notices now, or soon. Again is harmless."""


class NoticeFollower(ConsumerRebalanceListener):  # type: ignore[misc] # aiokafka has no types
    """The member of the notifiers' group: at most one of them owns the notices at a time."""

    def __init__(self, kafka: KafkaSettings, delivery: Delivery) -> None:
        self._kafka = kafka
        self._delivery = delivery
        self._is_owner = False

    @property
    def is_owner(self) -> bool:
        """Whether this process delivers."""
        return self._is_owner

    async def run(self, stopping: asyncio.Event) -> None:
        """Deliver until told to stop; joins again after errors that another try may mend."""
        while not stopping.is_set():
            try:
                await self._follow(stopping)
            except (KafkaError, OSError, PipelineError) as error:
                logger.warning(
                    "delivery of notices begins again: %s", error, extra={"reason": "joining_again"}
                )
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stopping.wait(), 1.0)

    async def _follow(self, stopping: asyncio.Event) -> None:
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._kafka.addresses,
            **security_options(self._kafka),
            group_id=self._kafka.group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
            session_timeout_ms=6000,
            heartbeat_interval_ms=1000,
        )
        try:
            await consumer.start()
            consumer.subscribe([self._kafka.topic], listener=self)
            while not stopping.is_set():
                await self._take(consumer)
        finally:
            await self._give_up()
            await consumer.stop()

    async def _take(self, consumer: Any) -> None:
        fetched = await consumer.getmany(timeout_ms=POLL_MS)
        owns = bool(consumer.assignment())
        if owns and not self._is_owner:
            # Before the first notice: what was sent before must be known.
            await self._delivery.begin()
            self._is_owner = True
        for source, records in fetched.items():
            await self._delivery.accept(_readable(records))
            await consumer.commit({source: records[-1].offset + 1})

    async def _give_up(self) -> None:
        if self._is_owner:
            self._is_owner = False
            await self._delivery.end()

    async def on_partitions_revoked(self, revoked: Any) -> None:
        """Stop sending before another process may begin."""
        del revoked
        await self._give_up()

    async def on_partitions_assigned(self, assigned: Any) -> None:
        """Do nothing: it begins with the next look."""


def _readable(records: Iterable[Any]) -> list[Notice]:
    found = []
    for record in records:
        try:
            found.append(decode_notice(record.value))
        except PipelineError as error:
            logger.error(  # noqa: TRY400 - the record is to blame, its traceback tells nothing
                "a notice cannot be read and is left out: %s",
                error, extra={"offset": record.offset, "reason": "bad_notice"},
            )  # fmt: skip
    return found
