"""Silences and maintenance windows in a compacted topic, read whole before anything is sent."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Any, Self

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from inferometer.core.alerts.mute_book import MuteBook
from inferometer.core.alerts.mute_json import decode_entry, encode_entry
from inferometer.errors import BrokerError, StateError
from inferometer.kafka.security import security_options

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from inferometer.core.alerts.mute_book import Entry
    from inferometer.kafka.settings import KafkaSettings

ANSWER_TIMEOUT_S = 10.0
READ_TIMEOUT_S = 60.0
RETRY_S = 1.0
SWEEP_EVERY_S = 3600.0
KEPT_AFTER_END_S = 40 * 86_400
"""How long an entry that has ended is kept: longer than the period of a budget, of which a window
may have excluded a part."""
_POLL_MS = 500
_US_PER_S = 1_000_000

logger = logging.getLogger(__name__)


async def make_silence_topic(kafka: KafkaSettings, *, replication_factor: int) -> None:
    """Create the compacted topic where it is missing. Raises BrokerError."""
    client = AIOKafkaAdminClient(bootstrap_servers=kafka.addresses, **security_options(kafka))
    wanted = NewTopic(
        kafka.topic,
        num_partitions=1,
        replication_factor=replication_factor,
        topic_configs={"cleanup.policy": "compact"},
    )
    try:
        await client.start()
        answer = await client.create_topics([wanted])
        for name, code, *_ in answer.topic_errors:
            error = for_code(code)
            if code and error is not TopicAlreadyExistsError:
                raise _refused(kafka, f"cannot be made ({error.__name__} of {name})")
    except (KafkaError, OSError) as error:
        raise _refused(kafka, f"cannot be made ({error!r})") from error
    finally:
        await client.close()


class KafkaSilenceStore:
    """A `SilenceStore` over the topic that `kafka` names; enter it to read the topic to its end.

    Each process reads every partition, as no member of a group, so that all know all silences.
    """

    def __init__(
        self,
        kafka: KafkaSettings,
        *,
        clock: Callable[[], datetime],
        answer_timeout_s: float = ANSWER_TIMEOUT_S,
    ) -> None:
        self._kafka = kafka
        self._clock = clock
        self._answer_timeout_s = answer_timeout_s
        self._book = MuteBook()
        self._is_read = False
        self._consumer: Any = None
        self._producer: Any = None
        self._following: asyncio.Task[None] | None = None
        self.refused = 0
        """Records that could not be read; each is logged."""

    def book(self) -> MuteBook:
        """Return what is known; see `SilenceStore.book`."""
        if not self._is_read:
            raise StateError("the silences have not been read yet; try again in a moment")
        return self._book

    async def put(self, entries: Sequence[Entry]) -> None:
        """Store entries; see `SilenceStore.put`."""
        self.book()
        for entry in entries:
            await self._send(entry.id, encode_entry(entry))
            # At once, so that who asks after the answer sees it; reading it again changes nothing.
            self._book.apply(entry)

    async def sweep(self) -> None:
        """Drop, here and in the topic, what ended long ago. Raises BrokerError."""
        before_us = (int(self._clock().timestamp()) - KEPT_AFTER_END_S) * _US_PER_S
        for entry_id in self.book().outdated(before_us):
            await self._send(entry_id, None)
            self._book.forget(entry_id)

    async def start(self) -> None:
        """Return once everything that was stored before is known. Raises BrokerError."""
        options = {"bootstrap_servers": self._kafka.addresses, **security_options(self._kafka)}
        timeout_ms = int(self._answer_timeout_s * 1000)
        # Not idempotent: repeated or out of order, a record changes nothing, while such a producer
        # never gives a record up, so that it could not be stopped while the broker is away.
        self._producer = AIOKafkaProducer(**options, acks="all", request_timeout_ms=timeout_ms)
        self._consumer = AIOKafkaConsumer(
            **options,
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
            request_timeout_ms=timeout_ms,
        )
        try:
            await self._producer.start()
            await self._consumer.start()
            async with asyncio.timeout(READ_TIMEOUT_S):
                await self._read_to_end()
        except (KafkaError, OSError, TimeoutError) as error:
            await self.stop()
            raise _refused(self._kafka, f"cannot be read ({error!r})") from error
        self._is_read = True
        self._following = asyncio.create_task(self._follow(), name="silences")

    async def stop(self) -> None:
        """Disconnect; again is harmless."""
        following, self._following = self._following, None
        if following is not None:
            following.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await following
        consumer, self._consumer = self._consumer, None
        producer, self._producer = self._producer, None
        for client in filter(None, (consumer, producer)):
            await _stop_client(client)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def _read_to_end(self) -> None:
        numbers = await self._producer.partitions_for(self._kafka.topic)
        sources = [TopicPartition(self._kafka.topic, number) for number in numbers]
        self._consumer.assign(sources)
        ends = await self._consumer.end_offsets(sources)
        while [
            source for source in sources if await self._consumer.position(source) < ends[source]
        ]:
            await self._take()

    async def _take(self) -> None:
        found = await self._consumer.getmany(timeout_ms=_POLL_MS)
        for records in found.values():
            for record in records:
                self._apply(record)

    def _apply(self, record: Any) -> None:
        entry_id = (record.key or b"").decode("utf-8", "replace")
        if not record.value:
            self._book.forget(entry_id)
            return
        try:
            self._book.apply(decode_entry(record.value))
        except StateError as error:
            # A record that nobody can read mutes nothing, and must not keep others from doing so.
            self.refused += 1
            logger.error(  # noqa: TRY400 - the message says all
                "a record of silences is left out: %s",
                error,
                extra={"partition": record.partition, "offset": record.offset, "key": entry_id},
            )

    async def _follow(self) -> None:
        loop = asyncio.get_running_loop()
        sweep_at = loop.time()
        while True:
            try:
                await self._take()
                if loop.time() >= sweep_at:
                    sweep_at = loop.time() + SWEEP_EVERY_S
                    await self.sweep()
            except (KafkaError, BrokerError, OSError) as error:
                logger.warning("the silences cannot be read for now: %r", error)
                await asyncio.sleep(RETRY_S)

    async def _send(self, key: str, value: bytes | None) -> None:
        try:
            async with asyncio.timeout(self._answer_timeout_s):
                await self._producer.send_and_wait(self._kafka.topic, key=key.encode(), value=value)
        except (KafkaError, OSError, TimeoutError) as error:
            raise BrokerError(
                f"{self._kafka.topic} at {self._kafka.bootstrap_servers} did not confirm it "
                f"({type(error).__name__}); it may be stored or not: try again",
                retryable=True,
            ) from error


async def _stop_client(client: Any) -> None:
    """Stop a client of aiokafka, which while its broker is away cancels itself in the middle."""
    outcomes = await asyncio.gather(client.stop(), return_exceptions=True)
    outcome: object = outcomes[0]
    if isinstance(outcome, asyncio.CancelledError):
        await client._client.close()  # noqa: SLF001 - what it did not come to
    elif isinstance(outcome, BaseException):
        raise outcome


def _refused(kafka: KafkaSettings, why: str) -> BrokerError:
    return BrokerError(
        f"{kafka.topic} at {kafka.bootstrap_servers} {why}; is the broker running, and may this "
        "user do that?",
        retryable=True,
    )
