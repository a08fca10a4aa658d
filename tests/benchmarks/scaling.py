"""One worker against two of the same group, the store elsewhere: `python -m tests.benchmarks.scaling`.

Each drains the same backlog. On a machine with fewer cores than processes, broker and store take
from the workers what they need, so the wall clock says little there; what can be said is whether an
event costs a second worker more CPU than it costs one alone. Both ratios are given, with the cores
that were busy meanwhile.
"""

from __future__ import annotations

import os
import statistics
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.benchmarks.alone import run_alone
from tests.benchmarks.capacity import measure_capacity
from tests.benchmarks.parts import Part, Table
from tests.benchmarks.scene import new_scene

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.benchmarks.capacity import Capacity
    from tests.benchmarks.open_loop import Content
    from tests.benchmarks.parts import Surroundings

FLOOR, TARGET = 1.7, 1.9
WORKERS = (1, 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScalingPlan:
    """How much is measured."""

    backlog: int = 800_000
    runs: int = 3
    partitions: int = 8
    content: Content = "json"
    small_chunk: int = 2_000
    small_backlog: int = 160_000
    """By chunks so small that what a chunk costs besides its events shows."""


QUICK = ScalingPlan(backlog=160_000, runs=1, small_backlog=40_000)


def measure(bootstrap_servers: str, folder: Path, plan: ScalingPlan) -> dict[int, list[Capacity]]:
    """Return what each number of workers took, in turn, run by run."""
    found: dict[int, list[Capacity]] = {workers: [] for workers in WORKERS}
    for run in range(plan.runs):
        for workers in WORKERS:
            place = folder / f"{run}-{workers}"
            with new_scene(bootstrap_servers, place, partitions=plan.partitions) as scene:
                found[workers].append(
                    measure_capacity(scene, plan.backlog, workers=workers, content=plan.content)
                )
    return found


def measure_small(bootstrap_servers: str, folder: Path, plan: ScalingPlan) -> Capacity:
    """Return what one worker took with small chunks."""
    with new_scene(bootstrap_servers, folder / "small", partitions=plan.partitions) as scene:
        return measure_capacity(
            scene,
            plan.small_backlog,
            content=plan.content,
            settings={"WORKER_CHUNK_MAX_EVENTS": str(plan.small_chunk)},
        )


def chunk_costs_ms(
    large: Sequence[Capacity], small: Capacity, plan: ScalingPlan
) -> tuple[float, float]:
    """Return what a chunk costs worker and store besides its events, milliseconds of CPU.

    An event in a small chunk costs more than in a large one by its share of that.
    """
    events = plan.small_backlog / max(small.chunks, 1)
    worker_us = small.worker_us - statistics.median(run.worker_us for run in large)
    store_us = small.store_us - statistics.median(run.store_us for run in large)
    return max(0.0, worker_us * events / 1e3), max(0.0, store_us * events / 1e3)


def speedup_by_cpu(found: dict[int, list[Capacity]]) -> float:
    """Return how much more two workers do than one where each has a core of its own."""
    one, two = (statistics.median(run.worker_us for run in found[n]) for n in WORKERS)
    return 2 * one / two


def speedup_by_wall(found: dict[int, list[Capacity]]) -> float:
    """Return how much more two workers did than one on this machine."""
    one, two = (statistics.median(run.events_per_s for run in found[n]) for n in WORKERS)
    return two / one


def table(found: dict[int, list[Capacity]], small: Capacity, plan: ScalingPlan) -> Table:
    """Return the rows of the report."""
    rows = []
    for workers, runs in found.items():
        worker_us = [run.worker_us for run in runs]
        busy = [(run.workers_cpu_s + run.store_cpu_s) / run.wall_s for run in runs]
        rows.append(
            [
                str(workers),
                f"{statistics.median(run.events_per_s for run in runs):,.0f}",
                f"{statistics.median(worker_us):.2f}",
                f"{min(worker_us):.2f} - {max(worker_us):.2f}",
                f"{1e3 / statistics.median(worker_us):,.0f}",
                f"{statistics.median(run.store_us for run in runs):.2f}",
                f"{statistics.median(busy):.2f}",
                f"{len(runs)} x {runs[0].events:,}",
            ]
        )
    by_cpu, by_wall = speedup_by_cpu(found), speedup_by_wall(found)
    alone = found[1]
    worker_ms, store_ms = chunk_costs_ms(alone, small, plan)
    wire_bytes = statistics.median(run.wire_bytes for run in alone)
    broker_us = statistics.median(run.broker_us for run in alone)
    return Table(
        title="Workers 1 -> 2, store elsewhere",
        headers=(
            "workers", "events a second", "worker CPU us an event", "least - most",
            "k events per CPU-second of workers", "store CPU us an event",
            "busy cores (workers, store)", "runs x events",
        ),
        rows=rows,
        notes=[
            f"1 -> 2 where each worker has a core of its own, by CPU an event: {by_cpu:.2f}x "
            f"(goal {FLOOR:g}x at least, target {TARGET:g}x).",
            f"By the wall clock of this machine, {os.cpu_count()} cores for workers, store and "
            f"broker together: {by_wall:.2f}x.",
            f"A chunk costs {worker_ms:.0f} ms of the worker and {store_ms:.0f} ms of the store "
            f"besides its events (chunks of {plan.small_chunk:,} against full ones).",
            f"An event is {wire_bytes:.0f} bytes on the wire and costs the broker {broker_us:.2f} us.",
        ],
        facts={
            "by_cpu": by_cpu,
            "by_wall": by_wall,
            "worker_event_us": statistics.median(run.worker_us for run in alone),
            "store_us": statistics.median(run.store_us for run in alone),
            "worker_chunk_ms": worker_ms,
            "store_chunk_ms": store_ms,
            "worker_efficiency": min(1.0, by_cpu / 2),
            "wire_bytes": wire_bytes,
            "broker_event_us": broker_us,
        },
    )  # fmt: skip


def _run(surroundings: Surroundings) -> list[Table]:
    plan = QUICK if surroundings.is_quick else ScalingPlan()
    found = measure(surroundings.bootstrap_servers, surroundings.folder, plan)
    small = measure_small(surroundings.bootstrap_servers, surroundings.folder, plan)
    return [table(found, small, plan)]


PART = Part(what="one worker against two, store elsewhere", run=_run)

if __name__ == "__main__":
    sys.exit(run_alone("scaling", PART, __doc__ or ""))
