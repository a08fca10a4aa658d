"""Everything that one evaluator knows of one target partition: reducer, lanes and incidents.

Invariants: a tick is taken once, in order; what comes of it depends on the counts up to it, on what
mutes, and on the state before; nothing else is remembered, see `board_snapshots`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import numpy as np

from inferometer.core.slo.counting import CountTable, table_name
from inferometer.core.slo.event_view import CELL_S
from inferometer.core.slo.measure_lanes import BY_CLOCK, WATERMARK_AGE, MetricLane
from inferometer.core.slo.reducer import TICK_S, Verdict
from inferometer.core.slo.slo_lane import SloLane
from inferometer.core.slo.steady_clock import SteadyClock

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from inferometer.core.alerts.engine import Alerts, Outcome
    from inferometer.core.alerts.mute_book import MuteBook
    from inferometer.core.alerts.notices import Driver
    from inferometer.core.alerts.routing import Intervals
    from inferometer.core.alerts.subjects import Observation, Subject
    from inferometer.core.slo.count_records import CountsRecord
    from inferometer.core.slo.reducer import CountReducer
    from inferometer.core.slo.slo_lane import ExcludedBy


class Lane(Protocol):
    """The evaluation of one objective, budget or rule."""

    name: str
    """Of the tables that it takes in."""
    digest: str
    """Of what these count."""

    def add(self, table: CountTable, excluded_by: ExcludedBy | None = None) -> None:
        """Take in released counts."""

    def observe(self, tick_s: int, watched: Iterable[Subject]) -> Iterator[Observation]:
        """Evaluate a tick; yield what is true of any group, and what is so of the watched ones."""

    def standing(self) -> Iterator[Observation]:
        """Yield how every group stands at the last tick."""

    def to_snapshot(self) -> bytes:
        """Return everything that `restore` needs."""

    def restore(self, data: bytes) -> bool:
        """Go on from `to_snapshot`; False where that is of another definition."""


@dataclass(slots=True, kw_only=True)
class Board:
    """One partition of the counts topic."""

    reducer: CountReducer
    lanes: Mapping[str, Lane]
    alerts: Alerts
    clock_alerts: Alerts
    """Of rules about the pipeline itself, by the clock: event time stands still when it breaks."""
    foreign: int = 0
    """Tables of definitions that are not, or no longer, evaluated here."""
    left_aside: list[str] = field(default_factory=list)
    """Names of which the snapshot had another definition."""
    steady_clock: SteadyClock = field(default_factory=SteadyClock)

    def __post_init__(self) -> None:
        echoes = [lane for lane in self._metric_lanes() if lane.is_echo]
        self.alerts.hush(lane.definition.key for lane in echoes)

    def own_lanes(self) -> Iterator[Lane]:
        """Yield the lanes whose results are told here, not in another partition."""
        for lane in self.lanes.values():
            if not (isinstance(lane, MetricLane) and lane.is_echo):
                yield lane

    def take(self, record: CountsRecord) -> Verdict:
        """Take a record in."""
        verdict = self.reducer.take(record)
        if verdict is Verdict.COUNTED:
            at_s = record.append_us // 1_000_000
            counts = {"records": record.last_offset - record.first_offset + 1,
                      "dead_letters": record.dead}  # fmt: skip
            for lane in self._metric_lanes():
                if lane.system_counts:
                    lane.add(_system_table(lane, at_s, counts))
        return verdict

    def _metric_lanes(self) -> Iterator[MetricLane]:
        return (lane for lane in self.lanes.values() if isinstance(lane, MetricLane))

    def take_ticks(self, *, now_s: int, mutes: MuteBook, intervals: Intervals) -> Iterator[Outcome]:
        """Evaluate every tick that is due, in order; yield what comes of each."""
        excludes = any(window.effect.excludes for window in mutes.windows())
        excluded_by = mutes.excluded_by if excludes else None
        for tick_s in self.reducer.due():
            self._add(self.reducer.release(tick_s), excluded_by)
            if accepted := mutes.acceptances():
                for metric_lane in self._metric_lanes():
                    metric_lane.accept(accepted, tick_s)
            watched = self.alerts.watched()
            observations = [
                observation
                for lane in self.lanes.values()
                if not _is_by_clock(lane)
                for observation in lane.observe(tick_s, watched)
            ]
            yield self.alerts.step(
                tick_s,
                observations,
                now_s=now_s,
                mutes=mutes,
                intervals=intervals,
                drivers_of=self._drivers,
            )

    def _drivers(self, subject: Subject) -> tuple[Driver, ...] | None:
        lane = self.lanes.get(table_name(subject.workspace, subject.name))
        return lane.drivers(subject) if isinstance(lane, SloLane) else None

    def watch(
        self,
        *,
        now_s: int,
        monotonic_s: float,
        gauges: Mapping[str, float],
        mutes: MuteBook,
        intervals: Intervals,
    ) -> Outcome | None:
        """Judge the rules about the pipeline itself, at most once in ten seconds.

        `gauges` has what else was just read of the pipeline, by name. A clock that is set does not
        page: it makes nothing older, and after it was set back the ticks go on.
        """
        lanes = [lane for lane in self._metric_lanes() if _is_by_clock(lane)]
        if not lanes or not self.reducer.watermark_us:
            return None
        watermark_s = self.reducer.watermark_us / 1_000_000
        last_s = self.clock_alerts.state.last_tick_s or 0
        steady_s = self.steady_clock.read(now_s, monotonic_s, known_s=watermark_s, last_s=last_s)
        tick_s, now_s = steady_s // TICK_S * TICK_S, min(now_s, steady_s)
        if tick_s <= last_s:
            return None
        age_s = now_s - watermark_s
        read = {**gauges, WATERMARK_AGE: age_s}
        watched = self.clock_alerts.watched()
        observations: list[Observation] = []
        for lane in lanes:
            for gauge in lane.gauges:
                if gauge in read:
                    lane.sample(gauge, tick_s, read[gauge])
            observations += lane.observe(tick_s, watched)
        return self.clock_alerts.step(
            tick_s, observations, now_s=now_s, mutes=mutes, intervals=intervals
        )

    def _add(self, tables: Sequence[CountTable], excluded_by: ExcludedBy | None) -> None:
        for table in tables:
            lane = self.lanes.get(table.name)
            if lane is None or lane.digest != table.digest:
                self.foreign += 1
            else:
                lane.add(table, excluded_by)


def _is_by_clock(lane: Lane) -> bool:
    return isinstance(lane, MetricLane) and not BY_CLOCK.isdisjoint(lane.gauges)


def _system_table(lane: MetricLane, at_s: int, counts: Mapping[str, int]) -> CountTable:
    columns = {name: np.array([counts.get(name, 0)], dtype=np.int64) for name in lane.system_counts}
    cells_s = np.array([at_s // CELL_S * CELL_S], dtype=np.int64)
    return CountTable(lane.name, lane.digest, ((),), np.zeros(1, np.int32), cells_s, columns)
