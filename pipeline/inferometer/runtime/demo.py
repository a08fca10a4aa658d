"""The demo: a simulated fleet through the embedded pipeline, with what a viewer needs to see."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from inferometer.core import codec
from inferometer.simulate.fleet import Fleet
from inferometer.simulate.scenario import Outage

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from inferometer.core.reports import ModelRow, StreamTotals
    from inferometer.runtime.embedded import EmbeddedPipeline

SPAN_S = 60
"""The live view shows the last minute."""
RATE_SPAN_S = 600
FLUSH_TIMEOUT_S = 30.0
_STOP_CHECK_S = 0.2
_LEAST_NAP_S = 0.02


@dataclass(frozen=True, slots=True)
class DemoView:
    """What the demo shows at one moment."""

    elapsed_s: float
    produced: int
    accounted: int
    models: list[ModelRow]
    rates: list[float] = field(default_factory=list)
    """Requests a second by window of 10 s, the oldest first."""


class Demo:
    """Feeds the pipeline from a thread of its own, and answers for the view."""

    def __init__(
        self,
        *,
        pipeline: EmbeddedPipeline,
        rate: float,
        seed: int,
        outage_s: tuple[float, float] | None = None,
    ) -> None:
        """Send `rate` requests a second; between the seconds `outage_s` of its life all fail."""
        self._pipeline = pipeline
        self._outage = None if outage_s is None else Outage(*outage_s)
        self._rate = rate
        self._seed = seed
        self._stopping = threading.Event()
        self._began = time.monotonic()
        self._failure: BaseException | None = None
        self._produced = 0
        self._thread = threading.Thread(target=self._feed, name="inferometer-fleet", daemon=True)

    def start(self) -> None:
        """Let the fleet send."""
        self._thread.start()

    def view(self) -> DemoView:
        """Return the last minute. Raises what made fleet or pipeline fail."""
        self._raise_if_failed()
        elapsed_s = time.monotonic() - self._began
        now = self._pipeline.now()
        # Whole windows only, so the first one in view begins up to ten seconds earlier.
        since = _window_start(now - timedelta(seconds=SPAN_S))
        span_s = min(elapsed_s, (now - since).total_seconds())
        reports = self._pipeline.reports
        rates = reports.rates_since(now - timedelta(seconds=RATE_SPAN_S))
        return DemoView(
            elapsed_s=elapsed_s,
            produced=self._produced,
            accounted=self._pipeline.accounted,
            models=reports.models_since(since, max(span_s, 1.0)),
            rates=[rps for _, rps in rates],
        )

    def finish(self, report: Callable[[int], None]) -> StreamTotals:
        """Stop the fleet, wait until all that it sent is stored, and return the totals."""
        self._stopping.set()
        self._thread.join()
        self._raise_if_failed()
        self._pipeline.wait_until_accounted(self._produced, report)
        return self._pipeline.reports.stream_totals(self._pipeline.stream_id)

    @property
    def produced(self) -> int:
        """Events sent so far."""
        return self._produced

    def _feed(self) -> None:
        try:
            self._send_until_stopped()
        except BaseException as error:  # noqa: BLE001 - raised again in the thread that views
            self._failure = error

    def _send_until_stopped(self) -> None:
        fleet = Fleet(
            seed=self._seed,
            start_us=self._pipeline.now_us(),
            rate=self._rate,
            source="demo",
            outage=self._outage,
        )
        with self._pipeline.sender() as sender:
            for fields in fleet.events():
                event = codec.event_of(fields)
                if not self._wait_for(event.ts_end):
                    break
                sender.send_event(event)
                self._produced = sender.produced
            sender.flush(FLUSH_TIMEOUT_S)

    def _wait_for(self, ts_end_us: int) -> bool:
        """Wait until an event has ended; False when the demo stops before."""
        while not self._stopping.is_set():
            early_s = (ts_end_us - self._pipeline.now_us()) / 1e6
            if early_s <= 0:
                return True
            # Not once an event: who wakes up often keeps others from their work.
            self._stopping.wait(min(max(early_s, _LEAST_NAP_S), _STOP_CHECK_S))
        return False

    def _raise_if_failed(self) -> None:
        # A worker that ended takes the fleet with it, so its reason comes first.
        self._pipeline.raise_if_failed()
        if self._failure is not None:
            raise self._failure


def _window_start(instant: datetime) -> datetime:
    return instant.replace(second=instant.second // 10 * 10, microsecond=0)
