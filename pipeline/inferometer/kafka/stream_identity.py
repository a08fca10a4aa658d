"""Which incarnation of the topic a worker reads, and whether it is still the one.

Offsets restart when a topic is deleted and made anew, and a fetch does not tell. Ids of topics never
come back: an answer with the id of the assignment, asked for after a fetch, proves that everything
fetched before is of that incarnation.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from inferometer.errors import BrokerError
from inferometer.kafka.topics import TopicReader

if TYPE_CHECKING:
    from inferometer.kafka.settings import KafkaSettings

RETRY_S = 0.5

logger = logging.getLogger(__name__)


class StreamIdentity:
    """The id of the requests topic, asked for again by `confirm`; lives on one loop."""

    def __init__(self, topic: str, stream_id: str, reader: TopicReader | None) -> None:
        """Know a topic's id; without a reader it can never become another."""
        self.stream_id = stream_id
        self._topic = topic
        self._reader = reader
        self._running: asyncio.Future[None] | None = None
        self._next: asyncio.Future[None] | None = None

    @classmethod
    async def find(cls, kafka: KafkaSettings) -> StreamIdentity:
        """Ask for the id. Raises BrokerError where the topic is missing or has none."""
        if kafka.run_epoch:
            # The embedded broker has no ids; its topics live as long as the process.
            return cls(kafka.topic, kafka.run_epoch, None)
        reader = TopicReader(kafka)
        stream_id = await asyncio.to_thread(reader.topic_id, kafka.topic)
        return cls(kafka.topic, stream_id, reader)

    async def confirm(self) -> None:
        """Return once an answer that was asked for after this call names the same topic.

        Waits while the broker is away. Raises BrokerError where the topic is another or is gone.
        """
        if self._reader is None:
            return
        # A question that is under way began before this call; whoever comes shares the next one.
        if self._next is None:
            self._next = asyncio.ensure_future(self._ask_after(self._running))
        await asyncio.shield(self._next)

    async def _ask_after(self, running: asyncio.Future[None] | None) -> None:
        if running is not None:
            await asyncio.wait({running})
        self._running, self._next = self._next, None
        while True:
            try:
                found = await asyncio.to_thread(self._read)
            except BrokerError as error:
                if not error.retryable:
                    raise BrokerError(str(error), retryable=True) from error
                logger.info(
                    "the topic cannot be confirmed yet: %s",
                    error,
                    extra={"topic": self._topic, "reason": "broker_away"},
                )
                await asyncio.sleep(RETRY_S)
                continue
            if found != self.stream_id:
                raise BrokerError(
                    f"topic {self._topic} was made anew while it was read ({self.stream_id} is "
                    f"now {found}); what is left of the old one is gone, going on with the new one",
                    retryable=True,
                )
            return

    def _read(self) -> str:
        if self._reader is None:
            return self.stream_id
        return self._reader.topic_id(self._topic)
