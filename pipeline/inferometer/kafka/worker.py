"""Runs the sink's Faust app on a loop of our own: waits for the broker, stops in order."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Any, TypeVar

from inferometer.core.record_batches import compile_reader
from inferometer.errors import BrokerError, ConfigError
from inferometer.kafka.app import build_app
from inferometer.kafka.chunk_sink import ChunkSink
from inferometer.kafka.security import check_access
from inferometer.kafka.status import WorkerStatus
from inferometer.kafka.stream_identity import StreamIdentity
from inferometer.kafka.surroundings import SinkCounters

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from datetime import datetime

    from inferometer.kafka.app import SinkApp
    from inferometer.kafka.observer import SinkObserver
    from inferometer.kafka.settings import WorkerSettings
    from inferometer.kafka.surroundings import Committer
    from inferometer.ports import ChunkProcessor

WATCH_INTERVAL_S = 0.1
BROKER_RETRY_S = 2.0
CONFIRM_INTERVAL_S = 5.0
RESTART_MIN_S = 1.0
RESTART_MAX_S = 10.0

T = TypeVar("T")

logger = logging.getLogger(__name__)


class SinkWorker:
    """One member of the sink's consumer group; `run` it once, on any loop."""

    def __init__(
        self,
        *,
        settings: WorkerSettings,
        processor: ChunkProcessor,
        clock: Callable[[], datetime],
        observer: SinkObserver | None = None,
        on_acknowledged: Callable[[str, int, int], None] = lambda _topic, _partition, _offset: None,
        decorate_committer: Callable[[Committer], Committer] = lambda committer: committer,
    ) -> None:
        problems = settings.problems()
        if problems:
            raise ConfigError([f"worker: {problem}" for problem in problems])
        self._settings = settings
        self._processor = processor
        self._clock = clock
        self._observer = observer
        self._on_acknowledged = on_acknowledged
        self._decorate_committer = decorate_committer
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping = asyncio.Event()
        self._is_stopped = False
        self._sink: ChunkSink | None = None
        self._counters = SinkCounters()

    @property
    def counters(self) -> SinkCounters:
        """What has been done so far; read from any thread."""
        return self._counters

    def status(self) -> WorkerStatus:
        """Return what is held now; from any thread."""
        return self._sink.status() if self._sink is not None else WorkerStatus()

    def request_stop(self) -> None:
        """Ask for an orderly end, from any thread, before `run` as well; `run` returns soon after."""
        self._is_stopped = True
        loop = self._loop
        if loop is not None:
            # A loop that is closed by now has nothing left to stop.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(self._stopping.set)

    async def run(self) -> None:
        """Work until a stop is requested.

        Waits for the broker as long as it is away, and joins the group anew after errors that
        another try may mend. Raises BrokerError, StoreError and StateError where it is no use to go
        on.
        """
        self._loop = asyncio.get_running_loop()
        pause_s = RESTART_MIN_S
        while not self._is_stopped:
            stored = self._counters.chunks
            try:
                await self._run_once()
            except BrokerError as error:
                if not error.retryable:
                    raise
                pause_s = RESTART_MIN_S if self._counters.chunks > stored else pause_s
                logger.warning(
                    "joining the group again in %.0f s: %s",
                    pause_s, error, extra={"reason": "joining_again"},
                )  # fmt: skip
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._stopping.wait(), pause_s)
                pause_s = min(2 * pause_s, RESTART_MAX_S)

    async def _run_once(self) -> None:
        """Be a member of the group until a stop is requested or something fails."""
        stream = await self._unless_stopped(self._find_stream())
        if stream is None:
            return
        self._sink = sink = ChunkSink(
            settings=self._settings,
            processor=self._processor,
            stream_id=stream.stream_id,
            counters=self._counters,
            observer=self._observer,
            on_acknowledged=self._on_acknowledged,
        )
        # A first compilation takes seconds, in which the consumer would send no heartbeat.
        await asyncio.to_thread(compile_reader)
        app = build_app(
            settings=self._settings,
            sink=sink,
            stream=stream,
            clock=self._clock,
            decorate=self._decorate_committer,
        )
        # It ends with the first assignment, for which the group may take its time.
        starting = asyncio.ensure_future(app.start())
        # A topic that is gone gives no record, so no chunk would ask for it.
        confirming = asyncio.ensure_future(_confirm_now_and_then(stream))
        try:
            await self._watch(app, sink, starting, confirming)
        finally:
            for task in (starting, confirming):
                task.cancel()
            await asyncio.wait({starting, confirming})
            await app.batch_consumer.settle()
            await app.stop()
            # Faust stops a consumer that has been started, and no other.
            await sink.stop()
        if sink.failure.done():
            sink.failure.result()

    async def _unless_stopped(self, work: Coroutine[Any, Any, T]) -> T | None:
        """Return what work returns; None, and work is cancelled, when a stop comes first."""
        task = asyncio.ensure_future(work)
        stop = asyncio.ensure_future(self._stopping.wait())
        try:
            await asyncio.wait({task, stop}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stop.cancel()
            task.cancel()
            await asyncio.wait({task})
        return None if task.cancelled() else task.result()

    async def _find_stream(self) -> StreamIdentity:
        """Wait for the broker; return what identifies the stream."""
        await self._wait_for_broker()
        try:
            return await StreamIdentity.find(self._settings.kafka)
        except BrokerError as error:
            if self._sink is None:
                raise
            # It was there before: someone is making it anew.
            raise BrokerError(str(error), retryable=True) from error

    async def _wait_for_broker(self) -> None:
        kafka = self._settings.kafka
        is_first = True
        while True:
            try:
                await check_access(kafka)
            except BrokerError as error:
                if not error.retryable:
                    raise
                if is_first:
                    logger.warning(
                        "%s; trying every %.0f s",
                        error, BROKER_RETRY_S, extra={"reason": "broker_away"},
                    )  # fmt: skip
                is_first = False
            else:
                return
            await asyncio.sleep(BROKER_RETRY_S)

    async def _watch(
        self,
        app: SinkApp,
        sink: ChunkSink,
        starting: asyncio.Future[None],
        confirming: asyncio.Future[None],
    ) -> None:
        while not (self._stopping.is_set() or sink.failure.done()):
            if confirming.done():
                confirming.result()
            if starting.done():
                _raise_ended(starting.exception())
            _raise_ended(app.crash_reason)
            await app.batch_consumer.check_membership()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), WATCH_INTERVAL_S)


async def _confirm_now_and_then(stream: StreamIdentity) -> None:
    while True:
        await asyncio.sleep(CONFIRM_INTERVAL_S)
        await stream.confirm()


def _raise_ended(reason: BaseException | None) -> None:
    if reason is not None:
        raise BrokerError(
            f"the consumer ended: {reason!r}; start the worker again", retryable=True
        ) from reason
