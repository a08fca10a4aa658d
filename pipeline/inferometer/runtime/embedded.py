"""The embedded pipeline: broker, store and worker in this process, for demo and replay."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Self

from inferometer.clickhouse.connect import StoreConnection
from inferometer.clickhouse.migrations import migrate
from inferometer.clickhouse.owner import FolderOwner
from inferometer.clickhouse.reports import StoreReports
from inferometer.clickhouse.store import ClickHouseChunkStore
from inferometer.errors import BrokerError, PipelineError
from inferometer.jobs.process_chunk import ProcessChunk
from inferometer.kafka.embedded import EmbeddedBroker
from inferometer.kafka.pace import Pace
from inferometer.kafka.settings import KafkaSettings, WorkerSettings
from inferometer.kafka.topics import MAX_MESSAGE_BYTES
from inferometer.kafka.worker import SinkWorker
from inferometer.names import REQUESTS_TOPIC, SIGNALS_TOPIC
from inferometer.runtime.alert_desk import AlertSources
from inferometer.runtime.clock import now
from inferometer.runtime.embedded_alerts import (
    EmbeddedAlerts,
    alert_settings,
    embedded_topics,
)
from inferometer.runtime.mapping import price_book, sink_policy, store_settings
from inferometer.runtime.sending import PacedSender
from inferometer.runtime.start_up import LoadingKernels
from inferometer.runtime.worker import publish_prices

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime
    from pathlib import Path

    from inferometer.config import Settings

CHUNK_MAX_BYTES = 2_000_000
"""Well below what a partition of the embedded broker keeps, or producer and worker would wait for
each other."""
STALL_TIMEOUT_S = 120.0
_POLL_S = 0.02

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Rhythm:
    """How often chunks are cut: an insert costs as much for one event as for thousands."""

    partitions: int
    chunk_max_wait_s: float
    idle_interval_s: float
    """How soon an idle partition says that it is complete."""
    is_replay: bool


REPLAY = Rhythm(partitions=4, chunk_max_wait_s=0.2, idle_interval_s=0.1, is_replay=True)
DEMO = Rhythm(partitions=2, chunk_max_wait_s=2.0, idle_interval_s=1.0, is_replay=False)


class EmbeddedPipeline:
    """Enter it to start everything; leaving it stops in order and loses nothing."""

    def __init__(
        self,
        *,
        data_dir: Path,
        settings: Settings,
        rhythm: Rhythm,
        with_alerts: bool = False,
        environ: Mapping[str, str] | None = None,
        tell: Callable[[str], None] = logger.info,
    ) -> None:
        """Work in a folder; `environ` holds the secrets that a file of receivers names.

        `tell` hears why a start takes long.
        """
        self._tell = tell
        self._settings = alert_settings(settings)
        self._with_alerts = with_alerts
        self._environ = environ or {}
        self._alerts: EmbeddedAlerts | None = None
        self._store_settings = store_settings(settings.store, data_dir=data_dir)
        self._policy = sink_policy(settings)
        if rhythm.is_replay:
            # Nothing is late in a trace that is sent in one go, so it is final as soon as it is in.
            self._policy = replace(
                self._policy, watermark_bound=timedelta(0), idle_step=timedelta(0)
            )
        self._rhythm = rhythm
        self._book = price_book(settings.prices)
        self._broker = EmbeddedBroker()
        self._pace = Pace()
        self._failure: BaseException | None = None
        self._job: ProcessChunk | None = None
        self._worker: SinkWorker | None = None
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self._connection = StoreConnection(self._store_settings)
        kernels = LoadingKernels()
        try:
            migrate(self._connection, report=logger.debug)
            self.reports = StoreReports(self._connection)
            self._owner = FolderOwner(self._connection).start()
            topics = embedded_topics(self._settings) if self._with_alerts else {}
            self._broker.start(
                {REQUESTS_TOPIC: self._rhythm.partitions, SIGNALS_TOPIC: 1, **topics}
            )
            # Whoever is sent events now would watch them wait for half a minute.
            kernels.wait(self._tell)
            self._start_worker()
            if self._with_alerts:
                alerts = EmbeddedAlerts(
                    self._settings, self._broker, self._environ, self._connection
                )
                self._alerts = alerts.__enter__()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._pace.close()
        if self._alerts is not None:
            self._alerts.__exit__()
        if self._worker is not None and self._thread is not None:
            self._worker.request_stop()
            self._thread.join()
        self._broker.close()
        owner = getattr(self, "_owner", None)
        if owner is not None:
            owner.close()
        self._connection.close()

    def _start_worker(self) -> None:
        store = ClickHouseChunkStore(self._connection)
        publish_prices(store, self._book)
        self._job = ProcessChunk(
            store=store,
            book=self._book,
            policy=self._policy,
            clock=self.now,
        )
        self._worker = SinkWorker(
            settings=WorkerSettings(
                kafka=self.kafka,
                chunk_max_bytes=CHUNK_MAX_BYTES,
                chunk_max_wait_s=self._rhythm.chunk_max_wait_s,
                idle_interval_s=self._rhythm.idle_interval_s,
                gapless=True,
            ),
            processor=self._job,
            clock=self.now,
            on_acknowledged=self._pace.acknowledged,
        )
        self._thread = threading.Thread(target=self._run_worker, name="inferometer-worker")
        self._thread.start()

    def _run_worker(self) -> None:
        if self._worker is None:
            return
        try:
            asyncio.run(self._worker.run())
        except BaseException as error:  # noqa: BLE001 - raised again by whoever asks next
            self._failure = error
        finally:
            # Whoever waits for room would wait for ever.
            self._pace.close()

    @property
    def stream_id(self) -> str:
        """Identity of this run's events in the store."""
        return self._broker.run_epoch

    @property
    def accounted(self) -> int:
        """Events that are stored, dead letters or duplicates by now."""
        return self._worker.counters.events if self._worker is not None else 0

    def alert_status(self) -> list[dict[str, Any]]:
        """Return how every group of every objective stands. Raises what ended alerting."""
        return [] if self._alerts is None else self._alerts.status()

    @property
    def kafka(self) -> KafkaSettings:
        """How the worker reaches the broker of this process, and as which group."""
        return KafkaSettings(
            bootstrap_servers=self._broker.bootstrap_servers,
            topic=REQUESTS_TOPIC,
            run_epoch=self._broker.run_epoch,
        )

    @property
    def connection(self) -> StoreConnection:
        """The open store, for those who read it while this runs."""
        return self._connection

    @property
    def alert_sources(self) -> AlertSources:
        """Whom to ask about the alerts of this pipeline."""
        return AlertSources() if self._alerts is None else self._alerts.sources

    def now(self) -> datetime:
        """Return the clock of this pipeline."""
        return now()

    def now_us(self) -> int:
        """Return the clock in microseconds since 1970."""
        return int(self.now().timestamp() * 1_000_000)

    def sender(self) -> PacedSender:
        """Return a sender of events to this pipeline."""
        return PacedSender(
            bootstrap_servers=self._broker.bootstrap_servers,
            topic=REQUESTS_TOPIC,
            partitions=self._rhythm.partitions,
            pace=self._pace,
            max_event_bytes=MAX_MESSAGE_BYTES,
        )

    @contextlib.contextmanager
    def failing_first(self) -> Iterator[None]:
        """Let what ended the worker be raised instead of what follows from it."""
        try:
            yield
        except BrokerError:
            self.raise_if_failed()
            raise

    def raise_if_failed(self) -> None:
        """Raise what ended the worker."""
        if self._failure is None:
            return
        if isinstance(self._failure, PipelineError):
            raise self._failure
        raise BrokerError(
            f"the worker ended: {self._failure!r}", retryable=False
        ) from self._failure

    def wait_until_accounted(self, events: int, report: Callable[[int], None]) -> None:
        """Wait until so many events are accounted for; `report(accounted)` now and then.

        Raises what ended the worker, or BrokerError when nothing moves any more.
        """
        last, last_at = -1, time.monotonic()
        while (accounted := self.accounted) < events or self._pace.unacknowledged():
            self.raise_if_failed()
            if accounted != last:
                last, last_at = accounted, time.monotonic()
            elif time.monotonic() - last_at > STALL_TIMEOUT_S:
                raise BrokerError(
                    f"{events - accounted} of {events} events have not been stored, and nothing has "
                    f"moved for {STALL_TIMEOUT_S:.0f} s",
                    retryable=False,
                )
            report(accounted)
            time.sleep(_POLL_S)
        report(accounted)

    def wait_until_final(self, at_us: int, timeout_s: float) -> bool:
        """Wait until every partition is stored as complete up to an event time.

        False when the time is over first: an event may end in the future. Raises what ended the
        worker.
        """
        deadline = time.monotonic() + timeout_s
        while self._job is None or self._job.final_before_us() < at_us:
            self.raise_if_failed()
            if time.monotonic() > deadline:
                return False
            time.sleep(_POLL_S)
        return True
