"""Replays a trace through broker, worker and store, and accounts for every event of it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from inferometer.core import bins
from inferometer.sdk.refusals import EventTooLargeError
from inferometer.simulate.traces import open_trace

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    from inferometer.core.reports import Sketches, StreamTotals
    from inferometer.runtime.embedded import EmbeddedPipeline
    from inferometer.simulate.traces import TraceRecord

QUANTILES = {"p50": 0.5, "p75": 0.75, "p90": 0.9, "p99": 0.99}
FLUSH_TIMEOUT_S = 60.0
FINAL_TIMEOUT_S = 30.0
_REPORT_EVERY = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayRequest:
    """Which trace to replay, and how."""

    path: Path
    trace_format: str
    replay_id: str
    model: str = ""
    speed: float | None = None
    """Event seconds a second; None for as fast as the pipeline takes them."""
    start: datetime | None = None
    """When the first event shall have ended; None lets the last one end now."""


@dataclass(frozen=True, slots=True)
class ReplaySummary:
    """What became of a trace."""

    produced: int
    refused: list[str]
    """Records too large for the broker, each with its line and remedy; never sent."""
    totals: StreamTotals
    elapsed_s: float
    percentiles: dict[str, dict[str, float]] = field(default_factory=dict)
    """Duration to quantile, milliseconds; durations that the trace lacks are absent."""

    @property
    def is_complete(self) -> bool:
        """Whether every event of the trace is accounted for."""
        totals = self.totals
        accounted = totals.stored + totals.dead_lettered + totals.duplicates
        return accounted == self.produced and not self.refused


def replay(
    request: ReplayRequest,
    pipeline: EmbeddedPipeline,
    report: Callable[[int, int], None],
) -> ReplaySummary:
    """Send a trace, wait until all of it is stored, and return what became of it.

    `report(produced, accounted)` is called now and then. Raises TraceError for a trace that cannot
    be read, BrokerError and StoreError when the pipeline fails.
    """
    trace = open_trace(
        request.path,
        trace_format=request.trace_format,
        replay_id=request.replay_id,
        model=request.model,
    )
    if request.start is None:
        shift = trace.shift(end_at_us=pipeline.now_us())
    else:
        shift = trace.shift(start_at_us=int(request.start.timestamp() * 1e6))
    before = pipeline.reports.sketches()
    newest_us = 0
    began = time.monotonic()
    refused: list[str] = []
    pace = _SpeedPace(request.speed)
    with pipeline.failing_first(), pipeline.sender() as sender:
        for record in trace.records(shift):
            pace.wait(record.ts_end_us)
            newest_us = max(newest_us, record.ts_end_us or 0)
            try:
                sender.send_record(record.value, _key(record, request.replay_id))
            except EventTooLargeError as error:
                refused.append(f"{request.path}:{record.line}: {error}")
            if sender.produced % _REPORT_EVERY == 0:
                report(sender.produced, pipeline.accounted)
        sender.flush(FLUSH_TIMEOUT_S)
        pipeline.wait_until_accounted(
            sender.produced, lambda accounted: report(sender.produced, accounted)
        )
        # What ends far in the future is a dead letter, and no watermark waits for it.
        pipeline.wait_until_final(min(newest_us, pipeline.now_us()), FINAL_TIMEOUT_S)
    elapsed_s = time.monotonic() - began
    added = _difference(before, pipeline.reports.sketches())
    return ReplaySummary(
        produced=sender.produced,
        refused=refused,
        totals=pipeline.reports.stream_totals(pipeline.stream_id),
        elapsed_s=elapsed_s,
        percentiles=_percentiles(added),
    )


def _key(record: TraceRecord, replay_id: str) -> bytes:
    """Return the key of a record; one that names no request still needs its partition."""
    return record.key or f"{replay_id}-{record.line}".encode()


class _SpeedPace:
    """Sleeps so that event time passes at a multiple of the wall clock."""

    def __init__(self, speed: float | None) -> None:
        self._speed = speed
        self._first_us: int | None = None
        self._began = time.monotonic()

    def wait(self, ts_end_us: int | None) -> None:
        """Sleep until an event's turn has come."""
        if self._speed is None or ts_end_us is None:
            return
        if self._first_us is None:
            self._first_us = ts_end_us
        due_s = (ts_end_us - self._first_us) / 1e6 / self._speed
        early_s = due_s - (time.monotonic() - self._began)
        if early_s > 0:
            time.sleep(early_s)


def _difference(before: Sketches, after: Sketches) -> Sketches:
    """Return what a run added: sketches are sums, so it is a subtraction."""
    return {
        name: {
            index: count - before[name].get(index, 0)
            for index, count in sketch.items()
            if count > before[name].get(index, 0)
        }
        for name, sketch in after.items()
    }


def _percentiles(sketches: Sketches) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = {}
    for name, sketch in sketches.items():
        values = {label: bins.quantile_ms(sketch, q) for label, q in QUANTILES.items()}
        known = {label: value for label, value in values.items() if value is not None}
        if known:
            found[f"{name}_ms"] = known
    return found
