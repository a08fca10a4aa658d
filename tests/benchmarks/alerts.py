"""What a tick of alerting costs: ten thousand groups, counted, evaluated and watched, on one core.

Each scene evaluates every group at every tick, ten seconds of event time apart, as the evaluator's
job does with counts that have arrived: into the rings, through all rules, through the state machine.
Time is the CPU of the process, so that other work on the machine is not in it.
"""

from __future__ import annotations

import resource
import statistics
import sys
import time
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np

from inferometer.core.alerts.engine import Alerts
from inferometer.core.alerts.routing import Route
from inferometer.core.slo.burn_evaluation import SloEvaluator
from inferometer.core.slo.counting import CountTable
from inferometer.core.slo.definitions import Availability, BurnWindow, OutageRule, Severity, Slo
from inferometer.core.slo.drawn_requests import (
    BAD,
    MOST_DRAWN,
    TRAFFIC,
    DrawnRequests,
    dimensions_of,
)
from inferometer.core.slo.slo_lane import SloLane
from tests.benchmarks.alone import run_alone
from tests.benchmarks.parts import Part, Table

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tests.benchmarks.parts import Surroundings

GROUPS = 10_000
TARGET_S = 2.0
"""T15: a tick of ten thousand groups on one core."""
TARGET_BYTES = 32 * 1024
START_S = 1_767_225_600
REQUESTS = 200
"""A group and ten seconds: 72,000 an hour."""
_BEFORE = 0.0005
"""Error ratio before the scene: half of the budget."""
TICKS, QUICK_TICKS = 30, 6
_HOUR_S = 3600
VALUES = 1000
"""Of each dimension that drawn requests are told apart by."""
_TEXTS = tuple(f"value-{number}" for number in range(VALUES))


@dataclass(frozen=True, slots=True)
class Scene:
    """How many objectives share the groups, and what part of the requests fails in which."""

    title: str
    objectives: int
    error_ratio: float
    failing_share: float = 1.0


SCENES = (
    Scene("one objective, half of the budget burns", 1, 0.0005),
    Scene("100 objectives, half of the budget burns", 100, 0.0005),
    Scene("10,000 objectives, half of the budget burns", 10_000, 0.0005),
    Scene("one objective, a hundredth of the groups fails", 1, 0.5, 0.01),
    Scene("one objective, every group fails", 1, 0.5),
)


@dataclass(slots=True)
class Spent:
    """CPU seconds of each tick, by step."""

    adding: list[float] = field(default_factory=list)
    evaluating: list[float] = field(default_factory=list)
    watching: list[float] = field(default_factory=list)

    def whole(self) -> list[float]:
        """Return seconds of whole ticks."""
        steps = zip(self.adding, self.evaluating, self.watching, strict=True)
        return [sum(tick) for tick in steps]


def _window(name: str, severity: Severity, long_s: int, share: str) -> BurnWindow:
    return BurnWindow(
        name=name,
        severity=severity,
        long_s=long_s,
        short_s=long_s // 12,
        budget_share=Decimal(share),
        significance=1e-3,
    )


WINDOWS = (
    _window("page-fast", Severity.PAGE, _HOUR_S, "0.02"),
    _window("page-slow", Severity.PAGE, 6 * _HOUR_S, "0.05"),
    _window("ticket-1d", Severity.TICKET, 24 * _HOUR_S, "0.1"),
    _window("ticket-3d", Severity.TICKET, 72 * _HOUR_S, "0.1"),
)


def _objective(number: int) -> Slo:
    return Slo(
        name=f"chat-success-{number}",
        workspace="acme",
        service="chat",
        indicator=Availability(),
        objective=Decimal("0.999"),
        group_by=("model",),
        burn_windows=WINDOWS,
        outage=OutageRule(),
    )


def run_scene(scene: Scene, ticks: int, groups: int = GROUPS) -> Spent:
    """Return what the ticks of a scene cost, after one that is not measured."""
    evaluator = _Evaluator(scene, groups // scene.objectives)
    evaluator.warm_up()
    spent = Spent()
    for number in range(ticks):
        adding, evaluating, watching = evaluator.tick(START_S + 10 * number)
        spent.adding.append(adding)
        spent.evaluating.append(evaluating)
        spent.watching.append(watching)
    return spent


class _Evaluator:
    def __init__(self, scene: Scene, groups: int) -> None:
        self._lanes = [SloLane(_objective(number)) for number in range(scene.objectives)]
        definitions = [lane.definition for lane in self._lanes]
        self._alerts = Alerts(definitions, routes=Route(receiver="oncall"))
        self._source = _Source(scene, groups)

    def warm_up(self) -> None:
        for lane in self._lanes:
            lane.add(self._source.history(lane))
        self.tick(START_S - 10)

    def tick(self, cell_s: int) -> tuple[float, float, float]:
        """Return CPU seconds of adding a cell, of all rules, and of the state machine."""
        tables = [self._source.table(lane, cell_s) for lane in self._lanes]
        edges = [time.process_time()]
        for lane, table in zip(self._lanes, tables, strict=True):
            lane.add(table)
        edges.append(time.process_time())
        watched = self._alerts.watched()
        observed = [
            observation
            for lane in self._lanes
            for observation in lane.observe(cell_s + 10, watched)
        ]
        edges.append(time.process_time())
        self._alerts.step(cell_s + 10, observed, now_s=cell_s + 40)
        edges.append(time.process_time())
        adding, evaluating, watching = np.diff(edges).tolist()
        return adding, evaluating, watching


class _Source:
    def __init__(self, scene: Scene, groups: int) -> None:
        self._scene, self._groups = scene, groups
        self._random = np.random.default_rng(7)
        self._names = tuple((f"model-{number}",) for number in range(groups))

    def history(self, lane: SloLane) -> CountTable:
        """Return counts of four days, so that every window is covered when the first tick comes."""
        starts = START_S - np.arange(3 * _HOUR_S, 96 * _HOUR_S, 3 * _HOUR_S)
        group = np.tile(np.arange(self._groups, dtype=np.int32), len(starts))
        total = np.full(len(group), 3 * _HOUR_S // 10 * REQUESTS)
        columns = {
            "total": total,
            "bad": (total * _BEFORE).astype(np.int64),
            "principal_low": np.full(len(group), 1),
            "principal_high": np.full(len(group), 2),
        }
        return CountTable(
            name=lane.name,
            digest=lane.digest,
            groups=self._names,
            group=group,
            cells_s=np.repeat(starts, self._groups),
            columns=columns,
        )

    def table(self, lane: SloLane, cell_s: int) -> CountTable:
        groups = self._groups
        total = self._random.poisson(REQUESTS, groups)
        failing = np.arange(groups) < max(1, self._scene.failing_share * groups)
        bad = np.where(failing, self._random.binomial(total, self._scene.error_ratio), 0)
        hashes = self._random.integers(0, 2**32, (2, groups), dtype=np.uint32)
        none = bad == 0
        columns = {
            "total": total,
            "bad": bad,
            "principal_low": np.where(none, 0xFFFFFFFF, hashes.min(axis=0)),
            "principal_high": np.where(none, 0, hashes.max(axis=0)),
        }
        return CountTable(
            name=lane.name,
            digest=lane.digest,
            groups=self._names,
            group=np.arange(groups, dtype=np.int32),
            cells_s=np.full(groups, cell_s, np.int64),
            columns=columns,
            drawn=self._drawn(lane, bad),
        )

    def _drawn(self, lane: SloLane, bad: NDArray[np.int64]) -> DrawnRequests:
        """Return as many requests as are drawn of so many bad ones, and of all."""
        dimensions = dimensions_of(lane.slo)
        of_bad, of_all = np.minimum(bad, MOST_DRAWN), np.full(len(bad), REQUESTS // 16)
        row = np.concatenate([np.repeat(np.arange(len(bad)), each) for each in (of_bad, of_all)])
        purposes = np.repeat((BAD, TRAFFIC), (of_bad.sum(), of_all.sum())).astype(np.uint8)
        hashes = self._random.integers(0, 2**64, len(row), dtype=np.uint64)
        # Those that stand for all are the lowest of their hashes.
        hashes[purposes == TRAFFIC] //= np.uint64(16)
        return DrawnRequests(
            row=row.astype(np.int32),
            hashes=hashes,
            purposes=purposes,
            dimensions=dimensions,
            codes=self._random.integers(0, VALUES, (len(dimensions), len(row)), dtype=np.int32),
            texts=_TEXTS,
        )


def _run(surroundings: Surroundings) -> list[Table]:
    ticks = QUICK_TICKS if surroundings.is_quick else TICKS
    state_bytes = SloEvaluator(_objective(0)).rings.bytes_per_group()
    rows, facts = [], {}
    for scene in SCENES:
        spent = run_scene(scene, ticks)
        whole = spent.whole()
        facts[scene.title] = {
            "tick_s": statistics.median(whole),
            "longest_tick_s": max(whole),
            "is_reached": statistics.median(whole) < TARGET_S,
        }
        steps = (spent.adding, spent.evaluating, spent.watching)
        rows.append(
            [
                scene.title,
                *(f"{statistics.median(step) * 1e3:,.1f}" for step in steps),
                f"{statistics.median(whole) * 1e3:,.1f}",
                f"{max(whole) * 1e3:,.1f}",
                "reached" if statistics.median(whole) < TARGET_S else "not reached",
            ]
        )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return [
        Table(
            f"A tick of {GROUPS:,} groups, ms of CPU",
            (
                "scene", "counts into rings", "rules", "state machine", "median tick",
                "longest tick", f"T15: < {TARGET_S:.0f} s",
            ),
            rows,
            notes=[
                f"Counts of a group take {state_bytes:,} bytes (target: at most {TARGET_BYTES:,}); "
                f"the process held {peak / 1024:,.0f} MiB at most.",
                f"{ticks} ticks a scene, four burn windows, outage and budget, {REQUESTS} requests "
                "a group and tick.",
            ],
            facts={"scenes": facts, "bytes_per_group": state_bytes, "peak_kib": peak},
        )
    ]  # fmt: skip


PART = Part(what="what a tick of alerting costs", run=_run, needs_kafka=False)

if __name__ == "__main__":
    sys.exit(run_alone("alerts", PART, __doc__ or ""))
