"""Freshness under a burst: how long until everything is seen as soon as before.

A minute's worth of events comes within six seconds, ten times the normal rate, to a worker that can
do twice the normal rate; the normal rate goes on. By arithmetic it takes 54 s from the start of the
burst until nothing waits: 60 normal seconds' worth of events come by then and t - 6 more, two a second
are worked off. The rate is scaled to what this machine can do; events come as `application/x-ndjson`,
as a gateway sends many at a time.
Read as a whole minute at ten times the rate, the backlog is 480 normal seconds' worth, of which one a
second can be worked off: 480 s by the same arithmetic, for any pipeline with twice the capacity.
"""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tests.benchmarks.alone import run_alone
from tests.benchmarks.capacity import measure_capacity, settle
from tests.benchmarks.open_loop import Content, Phase, Target, start_sending
from tests.benchmarks.parts import Part, Table
from tests.benchmarks.scene import new_scene
from tests.benchmarks.visible import due_instants, freshness, look, watch

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.benchmarks.parts import Surroundings

FLOOR_S, TARGET_S = 120.0, 70.0
BURST = 10.0
HEADROOM = 2.0
_SLACK_S = 1.0
"""Above what freshness was before the burst; within it, all is as before."""
_DRAIN_S = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class BurstPlan:
    """How much is measured."""

    partitions: int = 8
    backlog: int = 600_000
    before_s: float = 15.0
    burst_s: float = 6.0
    after_s: float = 75.0
    content: Content = "ndjson"


QUICK = BurstPlan(backlog=200_000, before_s=6.0, burst_s=1.5, after_s=20.0)


@dataclass(frozen=True, slots=True)
class Burst:
    """What a burst did."""

    capacity: float
    normal_rate: float
    burst_s: float
    behind_before_s: float
    most_behind_s: float
    caught_up_s: float
    """From the start of the burst; infinite if not while the timetable lasted."""
    expected_s: float
    sender_behind_s: float

    @property
    def as_a_minute_s(self) -> float:
        """The same for a minute's worth of events, in proportion."""
        return self.caught_up_s * 60.0 / (BURST * self.burst_s)


def expected_s(burst_s: float, *, burst: float = BURST, headroom: float = HEADROOM) -> float:
    """Return how long arithmetic takes from the start of a burst until nothing waits."""
    return (burst - 1.0) * burst_s / (headroom - 1.0)


def caught_up_s(
    fresh: Sequence[tuple[float, float]], *, burst_at_s: float, burst_s: float, limit_s: float
) -> float:
    """Return when, after the start of the burst, freshness went under a limit and stayed there."""
    since = math.inf
    for at_s, behind_s in fresh:
        if at_s < burst_at_s + burst_s:
            continue
        if behind_s > limit_s:
            since = math.inf
        elif math.isinf(since):
            since = at_s - burst_at_s
    return since


def measure(bootstrap_servers: str, folder: Path, plan: BurstPlan) -> Burst:
    """Run the timetable."""
    with new_scene(bootstrap_servers, folder, partitions=plan.partitions) as scene:
        capacity = measure_capacity(scene, plan.backlog, content=plan.content).events_per_s
        normal = capacity / HEADROOM
        phases = (
            Phase(normal, plan.before_s),
            Phase(normal * BURST, plan.burst_s),
            Phase(normal, plan.after_s),
        )
        scene.new_topic()
        worker = scene.start_worker()
        settle(scene, [worker], content=plan.content)
        before = look(scene).total
        total = sum(phase.events for phase in phases)
        target = Target(bootstrap_servers, scene.topic, plan.partitions, plan.content)
        sending = start_sending(target, phases)
        try:
            begin_s = sending.wait_until_begun()
            sights = watch(
                scene,
                [worker],
                until=lambda sight: sight.total - before >= total,
                timeout_s=sum(phase.seconds for phase in phases) + _DRAIN_S,
            )
            sent = sending.result(_DRAIN_S)
        finally:
            sending.kill()
    fresh = freshness(sights, due_instants(phases, begin_s), before=before)
    burst_at_s = begin_s + plan.before_s
    calm = [behind for at, behind in fresh if begin_s + plan.before_s / 2 <= at < burst_at_s]
    usual_s = float(np.quantile(calm, 0.99)) if calm else 0.0
    return Burst(
        capacity=capacity,
        normal_rate=normal,
        burst_s=plan.burst_s,
        behind_before_s=usual_s,
        most_behind_s=max(behind for _at, behind in fresh),
        caught_up_s=caught_up_s(
            fresh, burst_at_s=burst_at_s, burst_s=plan.burst_s, limit_s=usual_s + _SLACK_S
        ),
        expected_s=expected_s(plan.burst_s),
        sender_behind_s=sent.most_behind_s,
    )


def table(found: Burst) -> Table:
    """Return the rows of the report."""
    return Table(
        title="A minute's events in six seconds, capacity 2x",
        headers=(
            "capacity a second", "normal rate", "burst s", "usual freshness s",
            "worst freshness s", "caught up after s", "by arithmetic s", "of a whole minute s",
            "sender late by s",
        ),
        rows=[
            [
                f"{found.capacity:,.0f}", f"{found.normal_rate:,.0f}", f"{found.burst_s:g}",
                f"{found.behind_before_s:.1f}", f"{found.most_behind_s:.1f}",
                f"{found.caught_up_s:.1f}", f"{found.expected_s:.1f}",
                f"{found.as_a_minute_s:.1f}", f"{found.sender_behind_s:.2f}",
            ]
        ],
        notes=[
            f"Goal: {FLOOR_S:g} s at most, target {TARGET_S:g} s, from the start of the burst; "
            "caught up is when freshness is within a second of what it was before.",
            "The sender shares the cores with worker, store and broker, which the capacity was "
            "measured without.",
        ],
        facts={
            "caught_up_s": found.caught_up_s,
            "of_a_minute_s": found.as_a_minute_s,
            "expected_s": found.expected_s,
        },
    )  # fmt: skip


def _run(surroundings: Surroundings) -> list[Table]:
    plan = QUICK if surroundings.is_quick else BurstPlan()
    return [table(measure(surroundings.bootstrap_servers, surroundings.folder, plan))]


PART = Part(what="freshness under a burst of ten times the rate", run=_run)

if __name__ == "__main__":
    sys.exit(run_alone("burst", PART, __doc__ or ""))
