"""Where a core's time goes in one worker: by group of work, by thread, by library.

A worker drains a backlog, its store elsewhere, while py-spy (in an environment of its own) samples
the threads that run, and `perf`, where there is one, samples native code. Shares are turned into
microseconds an event by the CPU that the kernel counts for the process meanwhile, so that what a
sampler misses falls on no group. The folded stacks are kept beside the table; `flamegraph.pl` and
speedscope read them.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.benchmarks.alone import run_alone
from tests.benchmarks.environments import CACHE, InstallError, install_python
from tests.benchmarks.open_loop import Content, Target, fill
from tests.benchmarks.parts import Part, Table
from tests.benchmarks.scene import new_scene
from tests.benchmarks.stacks import (
    by_group,
    by_thread,
    innermost,
    is_waiting,
    read_folded,
    without_machine,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.benchmarks.parts import Surroundings
    from tests.benchmarks.scene import Worker
    from tests.benchmarks.stacks import Stack

PY_SPY = ("py-spy>=0.4",)
FOLDED = "core_profile.folded"
RATE_HZ = 200
SHOWN_FRAMES = 15
_TIMEOUT_S = 900.0
_PERF_LINE = re.compile(r"^\s*(\d+\.\d+)%\s+(\S.*?)\s*$")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfilePlan:
    """How much is measured."""

    partitions: int = 8
    backlog: int = 4_500_000
    warm_up: int = 200_000
    seconds: float = 10.0
    content: Content = "json"


QUICK = ProfilePlan(backlog=1_800_000, warm_up=60_000, seconds=4.0)


@dataclass(frozen=True, slots=True)
class Profile:
    """What was found in a span."""

    events: int
    wall_s: float
    cpu_s: float
    stacks: list[Stack]
    libraries: list[tuple[str, float]]
    """(library, share of the CPU), where `perf` could be used."""
    perf_note: str


def measure(bootstrap_servers: str, folder: Path, plan: ProfilePlan) -> Profile:
    """Sample a worker that drains a backlog. Raises InstallError without py-spy."""
    install_python(CACHE / "py-spy", PY_SPY)
    with new_scene(bootstrap_servers, folder, partitions=plan.partitions) as scene:
        target = Target(bootstrap_servers, scene.topic, plan.partitions, plan.content)
        fill(target, plan.backlog)
        worker = scene.start_worker()
        scene.wait_for(plan.warm_up, [worker], timeout_s=_TIMEOUT_S)
        start, before = worker.mark(), worker.events
        began_s = time.monotonic()
        text = _spy(worker, folder, plan.seconds)
        end, after = worker.mark(), worker.events
        wall_s = time.monotonic() - began_s
        libraries, note = _perf(worker, folder, plan.seconds)
        if libraries and worker.events >= plan.backlog:
            raise RuntimeError("the backlog was drained before perf ended; give it a larger one")
    return Profile(
        events=int(after - before),
        wall_s=wall_s,
        cpu_s=end.cpu_s - start.cpu_s,
        stacks=[stack for stack in read_folded(text) if not is_waiting(stack)],
        libraries=libraries,
        perf_note=note,
    )


def _spy(worker: Worker, folder: Path, seconds: float) -> str:
    folded = folder / FOLDED
    command = [
        str(CACHE / "py-spy" / "venv" / "bin" / "py-spy"), "record", "--pid", str(worker.pid),
        "--duration", f"{seconds:.0f}", "--rate", str(RATE_HZ), "--threads", "--nonblocking",
        "--format", "raw", "--output", str(folded), "--full-filenames",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_TIMEOUT_S)
    if done.returncode or not folded.is_file():
        raise InstallError(f"py-spy cannot sample the worker: {done.stderr.strip()[-500:]}")
    return without_machine(folded.read_text(encoding="utf-8"))


def _perf(worker: Worker, folder: Path, seconds: float) -> tuple[list[tuple[str, float]], str]:
    """Return the share of each library, or nothing and why."""
    program = shutil.which("perf")
    if program is None:
        return [], "perf is not installed (Debian, Ubuntu: linux-perf)"
    data = folder / "perf.data"
    record = [
        program, "record", "--freq", str(RATE_HZ), "--event", "cpu-clock", "--pid",
        str(worker.pid), "--output", str(data), "--", "sleep", f"{seconds:.0f}",
    ]  # fmt: skip
    done = subprocess.run(record, capture_output=True, text=True, check=False, timeout=_TIMEOUT_S)
    if done.returncode:
        return [], f"perf may not sample here: {done.stderr.strip()[-200:]}"
    report = [program, "report", "--input", str(data), "--stdio", "--no-children", "--sort", "dso"]
    said = subprocess.run(report, capture_output=True, text=True, check=False, timeout=_TIMEOUT_S)
    return read_perf(said.stdout), ""


def read_perf(output: str) -> list[tuple[str, float]]:
    """Return (library, share) of a report of perf by library, the largest first."""
    found = []
    for line in output.splitlines():
        matched = _PERF_LINE.match(line)
        if matched is not None:
            found.append((_library(matched[2]), float(matched[1]) / 100))
    return found


def _library(name: str) -> str:
    if name.startswith(("[JIT]", "//anon", "[anon", "anon", "[unknown]")):
        return "compiled kernels (numba)"
    # A name in brackets would be taken for markup.
    return name.strip("[]").replace("kernel.kallsyms", "the kernel")


def tables(found: Profile) -> list[Table]:
    """Return the rows of the report."""
    us = found.cpu_s / max(found.events, 1) * 1e6
    groups, threads = by_group(found.stacks), by_thread(found.stacks)
    idle = max(0.0, 1.0 - found.cpu_s / found.wall_s)
    made = [
        Table(
            title="Where a worker's CPU goes",
            headers=("group", "share", "us an event"),
            rows=_shares(groups.most_common(), us),
            notes=[
                f"{found.events:,} events in {found.wall_s:.1f} s, {found.cpu_s:.1f} s of CPU: "
                f"{us:.2f} us an event; the worker waited for {idle:.0%} of a core's time.",
                f"py-spy, {RATE_HZ} samples a second of each running thread, "
                f"{sum(groups.values()):,} in all; merges are the store's and not here.",
            ],
            facts={"us_an_event": us, "idle": idle, "groups": dict(groups)},
        ),
        Table(
            title="By thread",
            headers=("thread", "share", "us an event"),
            rows=_shares(threads.most_common(), us),
        ),
        Table(
            title="Innermost Python frames",
            headers=("frame", "share", "us an event"),
            rows=_shares(innermost(found.stacks, SHOWN_FRAMES), us, sum(groups.values())),
            notes=["A call into compiled code counts for the Python frame that made it."],
        ),
    ]
    libraries = Table(
        title="By library, native code included",
        headers=("library", "share"),
        rows=[[name, f"{share:.1%}"] for name, share in found.libraries[:SHOWN_FRAMES]],
        notes=[found.perf_note or "perf, CPU clock, the seconds after those of py-spy."],
    )
    return [*made, libraries]


def _shares(
    counted: Sequence[tuple[str, int]], us: float, whole: int | None = None
) -> list[list[str]]:
    total = max(1, sum(count for _name, count in counted) if whole is None else whole)
    return [[name, f"{count / total:.1%}", f"{us * count / total:.2f}"] for name, count in counted]


def _run(surroundings: Surroundings) -> list[Table]:
    plan = QUICK if surroundings.is_quick else ProfilePlan()
    found = measure(surroundings.bootstrap_servers, surroundings.folder, plan)
    if not surroundings.is_quick:
        text = "".join(
            f"{';'.join((stack.thread, *stack.frames))} {stack.samples}\n" for stack in found.stacks
        )
        (surroundings.results / FOLDED).write_text(text, encoding="utf-8")
    return tables(found)


PART = Part(what="where a core's time goes in one worker", run=_run)

if __name__ == "__main__":
    sys.exit(run_alone("core_profile", PART, __doc__ or ""))
