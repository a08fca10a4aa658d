"""From the start of a worker to its first event in the store, kernels cached, and where the time goes.

A few events wait in the topic. The clock starts before the process is made and stops when a query of
the store counts them in. The breakdown is one more start with a stopwatch inside, and one with
Python's own clock of imports.
"""

from __future__ import annotations

import json
import re
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.benchmarks.alone import run_alone
from tests.benchmarks.open_loop import Target, fill
from tests.benchmarks.parts import Part, Table
from tests.benchmarks.scene import new_scene
from tests.benchmarks.timed_worker import TIMES_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.benchmarks.parts import Surroundings
    from tests.benchmarks.scene import Scene, Worker

FLOOR_S, TARGET_S = 5.0, 2.0
EVENTS = 800
SHOWN_IMPORTS = 14
_TIMEOUT_S = 180.0
_IMPORT_LINE = re.compile(r"import time:\s+(\d+) \|\s+(\d+) \| ( *)(\S+)")


@dataclass(frozen=True, slots=True)
class StartPlan:
    """How much is measured."""

    runs: int = 5
    partitions: int = 8


QUICK = StartPlan(runs=2)


@dataclass(frozen=True, slots=True)
class OneStart:
    """What a start took."""

    wall_s: float
    cpu_s: float


@dataclass(frozen=True, slots=True)
class Step:
    """A step of a start, in seconds from the making of the process."""

    name: str
    from_s: float
    to_s: float
    cpu_s: float
    """Of all threads of the process meanwhile."""


@dataclass(frozen=True, slots=True)
class Import:
    """A module and what importing it took with all that it imports; seconds."""

    name: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Starts:
    """All that was found."""

    runs: list[OneStart]
    steps: list[Step]
    imports: list[Import]


def measure(bootstrap_servers: str, folder: Path, plan: StartPlan) -> Starts:
    """Start workers one after the other."""
    with new_scene(bootstrap_servers, folder, partitions=plan.partitions) as scene:
        # The first one fills the caches: kernels, bytecode, the file system's.
        runs = [_start(scene)[0] for _ in range(plan.runs + 1)][1:]
        times = folder / "times.jsonl"
        timed = ("-m", "tests.benchmarks.timed_worker")
        worker = _start(scene, program=timed, environ={TIMES_VARIABLE: str(times)})[1]
        lines = [json.loads(line) for line in times.read_text(encoding="utf-8").splitlines()]
        return Starts(runs, read_steps(lines, worker.spawned_at), _imports())


def _start(
    scene: Scene, *, program: Sequence[str] = (), environ: dict[str, str] | None = None
) -> tuple[OneStart, Worker]:
    held = scene.stored_events()
    scene.new_topic()
    fill(
        Target(scene.bootstrap_servers, scene.topic, scene.partitions),
        EVENTS,
        first_number=held,
    )
    worker = scene.start_worker(program=program, environ=environ)
    # The first partition counts: the others follow in their turn.
    while scene.stored_events() <= held:
        worker.require_alive()
        if time.time() - worker.spawned_at > _TIMEOUT_S:
            raise RuntimeError(f"nothing was stored in {_TIMEOUT_S:.0f} s: {worker.tail}")
        time.sleep(0.01)
    found = OneStart(time.time() - worker.spawned_at, worker.mark().cpu_s)
    scene.wait_for(held + EVENTS, [worker], timeout_s=_TIMEOUT_S)
    worker.stop()
    return found, worker


def read_steps(lines: Sequence[dict[str, object]], spawned_at: float) -> list[Step]:
    """Return the steps that a stopwatch has noted, in the order of their beginning."""
    found = [
        Step(
            str(line["step"]),
            float(str(line["from_s"])) - spawned_at,
            float(str(line["to_s"])) - spawned_at,
            float(str(line["cpu_to_s"])) - float(str(line["cpu_from_s"])),
        )
        for line in lines
    ]
    return sorted(found, key=lambda step: step.from_s)


def _imports() -> list[Import]:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", "import inferometer.runtime.worker"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return read_imports(done.stderr)


def read_imports(output: str) -> list[Import]:
    """Return the packages that took longest, each once, at its first import."""
    found: dict[str, float] = {}
    for match in _IMPORT_LINE.finditer(output):
        _own, total_us, _indent, module = match.groups()
        package = ".".join(module.split(".")[: 3 if module.startswith("inferometer") else 1])
        if package == module:
            found[package] = max(found.get(package, 0.0), int(total_us) / 1e6)
    ranked = sorted(found.items(), key=lambda item: -item[1])
    return [Import(name, seconds) for name, seconds in ranked[:SHOWN_IMPORTS]]


def tables(found: Starts) -> list[Table]:
    """Return the rows of the report."""
    walls, cpus = [run.wall_s for run in found.runs], [run.cpu_s for run in found.runs]
    return [
        Table(
            title="Start of a worker to the first event in the store",
            headers=("median s", "least - most s", "CPU s until then", "runs"),
            rows=[
                [
                    f"{statistics.median(walls):.2f}", f"{min(walls):.2f} - {max(walls):.2f}",
                    f"{statistics.median(cpus):.2f}", str(len(walls)),
                ]
            ],
            notes=[f"Goal: {FLOOR_S:g} s at most, target {TARGET_S:g} s; kernels cached."],
            facts={"wall_s": walls, "cpu_s": cpus},
        ),
        Table(
            title="Steps of one start",
            headers=("step", "from s", "to s", "CPU s of the process meanwhile"),
            rows=[
                [step.name, f"{step.from_s:.2f}", f"{step.to_s:.2f}", f"{step.cpu_s:.2f}"]
                for step in found.steps
            ],
            notes=["Steps may run at the same time; the CPU is that of all threads meanwhile."],
            facts={step.name: [step.from_s, step.to_s, step.cpu_s] for step in found.steps},
        ),
        Table(
            title="Imports that take longest, with what they import",
            headers=("package", "s"),
            rows=[[each.name, f"{each.seconds:.2f}"] for each in found.imports],
            facts={each.name: each.seconds for each in found.imports},
        ),
    ]  # fmt: skip


def _run(surroundings: Surroundings) -> list[Table]:
    plan = QUICK if surroundings.is_quick else StartPlan()
    return tables(measure(surroundings.bootstrap_servers, surroundings.folder, plan))


PART = Part(what="start of a worker to its first event in the store", run=_run)

if __name__ == "__main__":
    sys.exit(run_alone("start", PART, __doc__ or ""))
