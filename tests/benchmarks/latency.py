"""Event to visible: from the end of a request until a query of the store counts it in.

First the capacity of one worker is measured on a backlog, then events come at 70 % of it, then at a
trickle. The worker, the store (`inferometer dev store`), the broker and the sender are processes of
their own that share this machine. The clock starts at the instant when an event was due.
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
from tests.benchmarks.visible import due_instants, latencies, look, watch

if TYPE_CHECKING:
    from pathlib import Path

    from tests.benchmarks.parts import Surroundings
    from tests.benchmarks.scene import Scene, Worker

FLOOR_P99_S, TARGET_P99_S = 5.0, 2.0
LOADED = 0.7
_DRAIN_S = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencyPlan:
    """How much is measured."""

    partitions: int = 8
    backlog: int = 600_000
    """Events by which capacity is measured; half of them are warm-up."""
    seconds: float = 40.0
    settle_s: float = 10.0
    """Left out at the start of a load."""
    idle_rate: float = 50.0
    content: Content = "json"


QUICK = LatencyPlan(backlog=200_000, seconds=12.0, settle_s=4.0)


@dataclass(frozen=True, slots=True)
class LoadLatency:
    """What one load found; seconds."""

    name: str
    rate: float
    p50_s: float
    p99_s: float
    most_s: float
    events: int
    sender_behind_s: float
    chunk_events: float
    """Events a chunk on average."""
    busy: float
    """Cores that worker and store kept busy."""


def measure(bootstrap_servers: str, folder: Path, plan: LatencyPlan) -> list[LoadLatency]:
    """Return what each load found, the heavy one first."""
    with new_scene(bootstrap_servers, folder, partitions=plan.partitions) as scene:
        # Several chunks a partition: of a backlog that is one chunk, the second half comes at once.
        chunk_events = max(100, plan.backlog // (4 * plan.partitions))
        capacity = measure_capacity(
            scene,
            plan.backlog,
            content=plan.content,
            settings={"WORKER_CHUNK_MAX_EVENTS": str(chunk_events)},
        )
        scene.new_topic()
        worker = scene.start_worker()
        settle(scene, [worker], content=plan.content)
        return [
            _under(scene, worker, plan, name, rate)
            for name, rate in (
                (f"{LOADED:.0%} of {capacity.events_per_s:,.0f}/s", LOADED * capacity.events_per_s),
                ("idle", plan.idle_rate),
            )
        ]


def _under(scene: Scene, worker: Worker, plan: LatencyPlan, name: str, rate: float) -> LoadLatency:
    before = look(scene)
    phases = (Phase(rate, plan.settle_s + plan.seconds),)
    # Numbers that no load before had, and the first partition first.
    first = math.ceil(before.total / plan.partitions) * plan.partitions
    target = Target(scene.bootstrap_servers, scene.topic, plan.partitions, plan.content)
    sending = start_sending(target, phases, first_number=first)
    try:
        begin_s = sending.wait_until_begun()
        marks = worker.mark(), scene.store_mark()
        sights = watch(
            scene,
            [worker],
            until=lambda sight: sight.total - before.total >= phases[0].events,
            timeout_s=plan.settle_s + plan.seconds + _DRAIN_S,
        )
        sent = sending.result(_DRAIN_S)
    finally:
        sending.kill()
    ends = worker.mark(), scene.store_mark()
    found = latencies(
        sights,
        due_instants(phases, begin_s),
        partitions=plan.partitions,
        first_number=first,
        before=before.events,
    )
    kept = found[int(rate * plan.settle_s) :]
    busy = sum(end.cpu_s - start.cpu_s for start, end in zip(marks, ends, strict=True))
    chunks = float(
        scene.ask(
            f"SELECT avg(events) FROM chunk_ledger WHERE kafka_topic = '{scene.topic}' "
            f"AND decided_at >= fromUnixTimestamp64Micro({int(begin_s * 1e6)})"
        )[0][0]
    )
    return LoadLatency(
        name=name,
        rate=rate,
        p50_s=float(np.quantile(kept, 0.5)),
        p99_s=float(np.quantile(kept, 0.99)),
        most_s=float(kept.max()),
        events=len(kept),
        sender_behind_s=sent.most_behind_s,
        chunk_events=chunks,
        busy=busy / (ends[0].wall_s - marks[0].wall_s),
    )


def table(found: list[LoadLatency]) -> Table:
    """Return the rows of the report."""
    return Table(
        title="Event to visible",
        headers=(
            "load", "events a second", "p50 s", "p99 s", "most s", "events", "sender late by s",
            "events a chunk", "busy cores",
        ),
        rows=[
            [
                load.name, f"{load.rate:,.0f}", f"{load.p50_s:.2f}", f"{load.p99_s:.2f}",
                f"{load.most_s:.2f}", f"{load.events:,}", f"{load.sender_behind_s:.2f}",
                f"{load.chunk_events:,.0f}", f"{load.busy:.2f}",
            ]
            for load in found
        ],
        notes=[
            f"Goal at 70 % load: p99 {FLOOR_P99_S:g} s at most, target {TARGET_P99_S:g} s.",
            "From the instant an event was due until the ledger, which is inserted last, counts it; "
            "polled every 50 ms. Worker, store, broker and sender share this machine.",
        ],
        facts={
            load.name: {"rate": load.rate, "p50_s": load.p50_s, "p99_s": load.p99_s}
            for load in found
        },
    )  # fmt: skip


def _run(surroundings: Surroundings) -> list[Table]:
    plan = QUICK if surroundings.is_quick else LatencyPlan()
    return [table(measure(surroundings.bootstrap_servers, surroundings.folder, plan))]


PART = Part(what="event to visible, at 70 % load and idle", run=_run)

if __name__ == "__main__":
    sys.exit(run_alone("latency", PART, __doc__ or ""))
