"""Runs the sink's Faust app on a loop of our own: waits for the broker, stops in order."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError

from inferometer.errors import BrokerError, ConfigError
from inferometer.kafka.app import build_app
from inferometer.kafka.chunk_sink import ChunkSink, SinkCounters
from inferometer.kafka.topics import topic_id
from inferometer.kafka.transport import security_options

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from inferometer.kafka.app import SinkApp
    from inferometer.kafka.settings import WorkerSettings
    from inferometer.ports import ChunkProcessor

WATCH_INTERVAL_S = 0.1
BROKER_RETRY_S = 2.0

logger = logging.getLogger(__name__)


class SinkWorker:
    """One member of the sink's consumer group; `run` it once, on any loop."""

    def __init__(
        self,
        *,
        settings: WorkerSettings,
        processor: ChunkProcessor,
        clock: Callable[[], datetime],
        on_acknowledged: Callable[[str, int, int], None] = lambda _topic, _partition, _offset: None,
    ) -> None:
        problems = settings.problems()
        if problems:
            raise ConfigError([f"worker: {problem}" for problem in problems])
        self._settings = settings
        self._processor = processor
        self._clock = clock
        self._on_acknowledged = on_acknowledged
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping = asyncio.Event()
        self._sink: ChunkSink | None = None

    @property
    def counters(self) -> SinkCounters:
        """What has been done so far; read from any thread."""
        return self._sink.counters if self._sink is not None else SinkCounters()

    def request_stop(self) -> None:
        """Ask for an orderly end, from any thread; `run` returns soon after."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._stopping.set)

    async def run(self) -> None:
        """Work until a stop is requested.

        Waits for the broker as long as it is away. Raises BrokerError, StoreError and StateError
        where it is no use to go on.
        """
        self._loop = asyncio.get_running_loop()
        if not await self._wait_for_broker():
            return
        settings = self._settings
        stream_id = settings.kafka.run_epoch or await asyncio.to_thread(topic_id, settings.kafka)
        self._sink = ChunkSink(
            settings=settings,
            processor=self._processor,
            stream_id=stream_id,
            on_acknowledged=self._on_acknowledged,
        )
        app = build_app(settings=settings, sink=self._sink, clock=self._clock)
        await asyncio.wait_for(app.start(), settings.start_timeout_s)
        try:
            await self._watch(app, self._sink)
        finally:
            await app.stop()

    async def _wait_for_broker(self) -> bool:
        """Return True once the broker answers, False when a stop came first."""
        kafka = self._settings.kafka
        is_first = True
        while not self._stopping.is_set():
            client = AIOKafkaClient(
                bootstrap_servers=kafka.bootstrap_servers.split(","), **security_options(kafka)
            )
            try:
                await client.bootstrap()
            except (KafkaError, OSError) as error:
                if is_first:
                    logger.warning(
                        "no broker at %s yet (%s); trying every %.0f s",
                        kafka.bootstrap_servers, error, BROKER_RETRY_S,
                    )  # fmt: skip
                is_first = False
                await asyncio.sleep(BROKER_RETRY_S)
            else:
                return True
            finally:
                await client.close()
        return False

    async def _watch(self, app: SinkApp, sink: ChunkSink) -> None:
        while not self._stopping.is_set():
            if sink.failure.done():
                sink.failure.result()
            if app.crash_reason is not None:
                raise BrokerError(
                    f"the consumer ended: {app.crash_reason!r}; start the worker again",
                    retryable=True,
                ) from app.crash_reason
            await asyncio.sleep(WATCH_INTERVAL_S)
