"""What surrounds a worker for its operators: metrics, health, the endpoints, and the watches."""

from __future__ import annotations

import contextlib
import logging
import time
from typing import TYPE_CHECKING, Self

from inferometer import __version__
from inferometer.errors import PipelineError
from inferometer.kafka.log_state import LogState
from inferometer.prometheus.decorated import MeasuredProcessor, MeasuredStore
from inferometer.prometheus.http_server import OperationServer
from inferometer.prometheus.readings import Readings
from inferometer.prometheus.worker_metrics import WorkerMetrics
from inferometer.runtime.health import PROBE_EVERY_S, Health
from inferometer.runtime.log_watch import LAG_EVERY_S, LogWatch
from inferometer.runtime.ticker import Ticker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime

    from inferometer.kafka.settings import KafkaSettings
    from inferometer.kafka.worker import SinkWorker
    from inferometer.ports import ChunkProcessor, ChunkStore

TOKEN_WINDOW_EVERY_S = 60.0

COUNTERS = (
    "chunks",
    "records",
    "events",
    "stored",
    "duplicates",
    "unknown_fields",
    "retries",
    "replays",
    "fenced",
    "lost",
)
"""What the readings take from the worker's counters, under the same names."""

logger = logging.getLogger(__name__)


class Operation:
    """Enter it before anything is opened, so that a worker that waits can be asked why.

    Then `measured_store`, `measured_processor` and `observer` go into the worker, and `watching`
    surrounds its run, with the store still open.
    """

    def __init__(
        self,
        *,
        kafka: KafkaSettings,
        place: str,
        metrics_host: str,
        metrics_port: int,
        clock: Callable[[], datetime],
        monotonic: Callable[[], float] = time.monotonic,
        lag_every_s: float = LAG_EVERY_S,
        probe_every_s: float = PROBE_EVERY_S,
    ) -> None:
        """Measure a worker of `kafka`'s group with its store at `place`; no endpoints at port 0."""
        self._kafka = kafka
        self._clock = clock
        self._monotonic = monotonic
        self._lag_every_s = lag_every_s
        self._probe_every_s = probe_every_s
        self._exits = contextlib.ExitStack()
        self._worker: SinkWorker | None = None
        self._final_before_us: Callable[[], int] = lambda: 0
        self.health = Health(group=kafka.group, place=place, monotonic=monotonic)
        self.observer = WorkerMetrics(
            version=__version__, readings=self.readings, clock=clock, monotonic=monotonic
        )
        self._server = OperationServer(
            host=metrics_host,
            port=metrics_port,
            registry=self.observer.registry,
            health=self.health.problems,
            readiness=self.health.obstacles,
        )
        self._has_server = metrics_port != 0

    def __enter__(self) -> Self:
        if self._has_server:
            self._exits.enter_context(self._server)
            logger.info(
                "metrics, health and readiness at port %d", self.port, extra={"port": self.port}
            )
        return self

    def __exit__(self, *_: object) -> None:
        self._exits.close()

    @property
    def port(self) -> int:
        """The port of the endpoints; 0 where there are none."""
        return self._server.port

    def measured_store(self, store: ChunkStore) -> MeasuredStore:
        """Return the store with its calls measured."""
        return MeasuredStore(store, self.observer, self._monotonic)

    def measured_processor(
        self, processor: ChunkProcessor, store: MeasuredStore
    ) -> MeasuredProcessor:
        """Return the processor, which uses that store, with its calls measured."""
        return MeasuredProcessor(processor, store, self.observer, self._monotonic)

    @contextlib.contextmanager
    def watching(
        self,
        worker: SinkWorker,
        *,
        final_before_us: Callable[[], int],
        ask_store: Callable[[], object],
        token_windows: Callable[[], Mapping[str, float]] = dict,
    ) -> Iterator[None]:
        """Watch a worker meanwhile.

        `final_before_us` returns the event time up to which its partitions are complete,
        `ask_store` once the store answers, `token_windows` how full each table's deduplication
        window is; the last two raise StoreError where it is away.
        """
        self._worker, self._final_before_us = worker, final_before_us
        self.health.watch(status=worker.status, is_backing_off=lambda: self.observer.is_store_away)
        log = LogState(self._kafka)
        lag = LogWatch(
            log=log,
            status=worker.status,
            display=self.observer,
            clock=self._clock,
            monotonic=self._monotonic,
        )
        with (
            Ticker("lag", self._lag_every_s, lag.look, end=log.close),
            Ticker("store", self._probe_every_s, lambda: self._probe(ask_store)),
            Ticker(
                "token-windows",
                TOKEN_WINDOW_EVERY_S,
                lambda: self._show_token_windows(token_windows),
            ),
        ):
            yield

    def readings(self) -> Readings:
        """Return what the worker is at now."""
        status, worker = self.health.status, self._worker
        counters = worker.counters if worker is not None else None
        values = {name: getattr(counters, name, 0) for name in COUNTERS}
        return Readings(
            **values,
            fetched_bytes=status.fetched_bytes,
            in_flight_bytes=status.bytes_in_flight,
            in_flight_limit_bytes=status.bytes_in_flight_limit,
            partitions=len(status.partitions),
            is_member=status.is_member,
            is_store_up=self.health.is_store_up,
            watermark_us=self._final_before_us(),
        )

    def _probe(self, ask_store: Callable[[], object]) -> None:
        try:
            ask_store()
        except PipelineError:
            # Whoever needs the store says so in the log; the probe only notes it.
            self.health.store_answered(did_answer=False)
        else:
            self.health.store_answered(did_answer=True)

    def _show_token_windows(self, token_windows: Callable[[], Mapping[str, float]]) -> None:
        with contextlib.suppress(PipelineError):
            self.observer.show_token_windows(token_windows())
