"""Peak memory of a worker at full rate, and what it consists of.

Eight partitions, ten thousand groups, a deduplication horizon of twenty million events in memory. The
horizon is written into the log first, so that the worker recalls it as it does after any restart;
then it drains a backlog. The store is another process.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.benchmarks.alone import run_alone
from tests.benchmarks.capacity import settle
from tests.benchmarks.open_loop import Target, fill
from tests.benchmarks.parts import Part, Table
from tests.benchmarks.scene import new_scene
from tests.benchmarks.watched_worker import MEMORY_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.benchmarks.open_loop import Content
    from tests.benchmarks.parts import Surroundings
    from tests.benchmarks.scene import Scene, Worker

FLOOR_MIB, TARGET_MIB = 1.2 * 1024, 700.0
MIB = 1 << 20
_TIMEOUT_S = 900.0
_SETTLED = 800
_INSERT_ROWS = 2_000_000

Sample = dict[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryPlan:
    """How much is measured."""

    partitions: int = 8
    horizon: int = 20_000_000
    backlog: int = 1_000_000
    content: Content = "json"


QUICK = MemoryPlan(horizon=2_000_000, backlog=200_000)


@dataclass(frozen=True, slots=True)
class Memory:
    """What a run found; sizes in bytes."""

    horizon: int
    groups: int
    events_per_s: float
    peak: float
    peak_recalling: float
    """The most until the first new chunk."""
    in_flight: float
    """The most that waited to be stored."""
    first: Sample
    """When the worker had imported everything and joined nothing."""
    recalled: Sample
    """Just before the backlog."""
    fullest: Sample
    """When it held most, at full rate."""


def measure(bootstrap_servers: str, folder: Path, plan: MemoryPlan) -> Memory:
    """Fill the horizon, restart the worker, drain a backlog."""
    with new_scene(bootstrap_servers, folder, partitions=plan.partitions) as scene:
        opener = scene.start_worker()
        settle(scene, [opener], content=plan.content, events=_SETTLED)
        opener.stop()
        _write_horizon(scene, plan.horizon)
        notes = folder / "memory.jsonl"
        worker = scene.start_worker(
            program=("-m", "tests.benchmarks.watched_worker"),
            environ={MEMORY_VARIABLE: str(notes)},
        )
        _wait_until_recalled(worker, notes, plan.horizon)
        recalled = _read(notes)
        target = Target(bootstrap_servers, scene.topic, plan.partitions, plan.content)
        fill(target, plan.backlog)
        began_s, in_flight = time.monotonic(), 0.0
        while scene.stored_events() < _SETTLED + plan.backlog:
            worker.require_alive()
            if time.monotonic() - began_s > _TIMEOUT_S:
                raise RuntimeError(
                    f"the backlog is not stored in {_TIMEOUT_S:.0f} s: {worker.tail}"
                )
            in_flight = max(in_flight, worker.metric("inferometer_worker_in_flight_bytes"))
            time.sleep(0.1)
        took_s = time.monotonic() - began_s
        samples = _read(notes)
        return Memory(
            horizon=plan.horizon,
            groups=_groups(scene),
            events_per_s=plan.backlog / took_s,
            peak=max(each["peak"] for each in samples),
            peak_recalling=max(each["peak"] for each in recalled),
            in_flight=in_flight,
            first=_before_recall(samples),
            recalled=recalled[-1],
            fullest=max(samples[len(recalled) :] or samples, key=lambda each: each["resident"]),
        )


def _write_horizon(scene: Scene, events: int) -> None:
    """Put other events into the log at offsets that have been read, as if records had held many."""
    ((stream_id, last_offset),) = scene.ask(
        "SELECT any(stream_id), min(last) FROM (SELECT any(stream_id) AS stream_id, "
        "max(last_offset) AS last FROM chunk_ledger GROUP BY kafka_partition)"
    )
    for first in range(0, events, _INSERT_ROWS):
        count = min(_INSERT_ROWS, events - first)
        scene.tell(
            "INSERT INTO requests (event_id, ts_end, stream_id, kafka_topic, kafka_partition, "
            f"kafka_offset, kafka_index) SELECT toString(generateUUIDv4()), now64(6), '{stream_id}', "
            f"'{scene.topic}', number % {scene.partitions}, number % {int(last_offset) + 1}, "
            f"1000 + number FROM numbers({first}, {count})"
        )


def _wait_until_recalled(worker: Worker, notes: Path, horizon: int) -> None:
    deadline = time.monotonic() + _TIMEOUT_S
    while not any(each["hashes"] >= 8 * horizon for each in _read(notes)[-1:]):
        worker.require_alive()
        if time.monotonic() > deadline:
            raise RuntimeError(f"the horizon is not recalled in {_TIMEOUT_S:.0f} s: {worker.tail}")
        time.sleep(0.25)


def _read(notes: Path) -> list[Sample]:
    if not notes.is_file():
        return []
    lines = notes.read_text(encoding="utf-8").split("\n")
    return [json.loads(line) for line in lines[:-1]]


def _before_recall(samples: Sequence[Sample]) -> Sample:
    before = [each for each in samples if not each["hashes"]]
    return before[-1] if before else samples[0]


def _groups(scene: Scene) -> int:
    """Return how many groups the usage cube had in its fullest minute."""
    ((found,),) = scene.ask(
        "SELECT max(n) FROM (SELECT count() AS n FROM usage_1m GROUP BY window_start)"
    )
    return int(found)


def composition(found: Memory) -> list[tuple[str, float]]:
    """Return what the fullest moment consisted of, bytes; the parts sum to its resident memory."""
    most, first = found.fullest, found.first
    parts = [
        ("files mapped into memory: interpreter and libraries", most["mapped_files"]),
        ("before partitions were assigned: imports, compiled kernels, prices", first["anonymous"]),
        ("hashes of the deduplication horizon", most["hashes"]),
        ("Arrow's pool", most["arrow_pool"]),
        ("freed but kept by malloc", max(0.0, most.get("malloc_free", 0.0) - first.get("malloc_free", 0.0))),
    ]  # fmt: skip
    rest = most["resident"] - sum(size for _name, size in parts)
    return [*parts, ("the rest: NumPy, fetched records, librdkafka, aiokafka", rest)]


def tables(found: Memory) -> list[Table]:
    """Return the rows of the report."""
    rows = [
        ["peak, everything", _mib(found.peak)],
        ["peak while the horizon was recalled", _mib(found.peak_recalling)],
        ["after the horizon was recalled", _mib(found.recalled["resident"])],
        ["most at full rate", _mib(found.fullest["resident"])],
        ["most values in flight (metric)", _mib(found.in_flight)],
    ]
    return [
        Table(
            title="Memory of a worker at full rate, store elsewhere",
            headers=("what", "MiB"),
            rows=rows,
            notes=[
                f"Goal: {FLOOR_MIB:,.0f} MiB at most, target {TARGET_MIB:g} MiB.",
                f"{found.horizon:,} events in the horizon, {found.groups:,} groups in the fullest "
                f"minute of the usage cube, {found.events_per_s:,.0f} events a second.",
            ],
            facts={"peak": found.peak, "peak_recalling": found.peak_recalling},
        ),
        Table(
            title="What the fullest moment at full rate consisted of",
            headers=("what", "MiB"),
            rows=[[name, _mib(size)] for name, size in composition(found)],
            facts={"fullest": found.fullest, "first": found.first, "recalled": found.recalled},
        ),
    ]


def _mib(size: float) -> str:
    return f"{size / MIB:,.0f}"


def _run(surroundings: Surroundings) -> list[Table]:
    plan = QUICK if surroundings.is_quick else MemoryPlan()
    return tables(measure(surroundings.bootstrap_servers, surroundings.folder, plan))


PART = Part(what="peak memory of a worker at full rate", run=_run)

if __name__ == "__main__":
    sys.exit(run_alone("memory", PART, __doc__ or ""))
