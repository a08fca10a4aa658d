"""Calls of one partition into the processor: in threads, and again until the store takes them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Any, TypeVar

from inferometer.errors import LeaseError, StoreError

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiokafka import TopicPartition

    from inferometer.core.chunks import Intent, StreamPartition
    from inferometer.kafka.surroundings import Surroundings

T = TypeVar("T")

LEASE_RETRY_S = 0.2

logger = logging.getLogger(__name__)


class GivenUpError(Exception):
    """The partition was given up while its store was away."""


def where(key: TopicPartition, reason: str, intent: Intent | None = None) -> dict[str, Any]:
    """Return the fields that every log line of a partition carries."""
    fields = {"topic": key.topic, "partition": key.partition, "reason": reason}
    if intent is None:
        return fields
    return {**fields, "first_offset": intent.first_offset, "last_offset": intent.last_offset}


class StoreCalls:
    """One call at a time, on a thread of the worker."""

    def __init__(
        self,
        *,
        key: TopicPartition,
        source: StreamPartition,
        given_up: asyncio.Event,
        before_pause: Callable[[], None],
        shared: Surroundings,
    ) -> None:
        self._key = key
        self._source = source
        self._given_up = given_up
        self._before_pause = before_pause
        self._shared = shared
        self.work: asyncio.Future[Any] | None = None
        """The call that runs in a thread now."""

    async def until_taken(self, call: Callable[..., T], *arguments: object) -> T:
        """Call until the store takes it. Raises GivenUpError, StoreError and StateError."""
        settings = self._shared.settings
        backoff_s = settings.retry_backoff_s
        is_away = False
        try:
            while True:
                try:
                    return await self.once(call, *arguments)
                except LeaseError as error:
                    logger.warning(
                        "nothing is written for now: %s", error, extra=where(self._key, "lease")
                    )
                    await self._pause(LEASE_RETRY_S)
                except StoreError as error:
                    if not error.retryable:
                        raise
                    is_away = True
                    self._note_away(error, backoff_s)
                    await self._pause(backoff_s)
                    backoff_s = min(backoff_s * 2, settings.retry_backoff_max_s)
        finally:
            if is_away:
                self._shared.observer.store_back(self._source)

    def _note_away(self, error: StoreError, backoff_s: float) -> None:
        self._shared.counters.retries += 1
        self._shared.observer.store_away(self._source, backoff_s)
        logger.warning(
            "the store is away, trying again in %.1f s: %s",
            backoff_s,
            error,
            extra=where(self._key, "store_away"),
        )

    async def _pause(self, seconds: float) -> None:
        """Wait before another try. Raises GivenUpError when the partition is given up meanwhile."""
        self._before_pause()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._given_up.wait(), seconds)
            raise GivenUpError

    async def once(self, call: Callable[..., T], *arguments: object) -> T:
        """Call once; raises what the call raises."""
        loop = asyncio.get_running_loop()
        work = loop.run_in_executor(self._shared.threads, call, *arguments)
        self.work = work
        # Read here, or a call that fails after the task was cancelled is a complaint at exit.
        work.add_done_callback(lambda done: done.cancelled() or done.exception())
        try:
            # Shielded: cancelling the task must not lose sight of a thread that still writes.
            return await asyncio.shield(work)
        finally:
            if work.done():
                self.work = None
            # An error's traceback holds this frame: with the future in it they would hold each other,
            # and all that the call had computed, until the collector comes.
            del work
