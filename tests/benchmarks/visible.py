"""When each event of a timetable could first be seen in the store: polled, then computed.

What is asked is the ledger, whose row of a chunk is inserted after all others: an event counts as
visible once its log row, its roll-up rows and its chunk's account all are. The answer to a poll is
noted after it has come, so a latency is never too low, and too high by one poll at most.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from tests.benchmarks.open_loop import Phase
    from tests.benchmarks.scene import Scene, Worker

POLL_S = 0.05
_LEDGER = (
    "SELECT kafka_partition, sum(events) FROM chunk_ledger WHERE kafka_topic = '{}' "
    "GROUP BY kafka_partition"
)


@dataclass(frozen=True, slots=True)
class Sight:
    """What a poll saw."""

    at_s: float
    """When its answer had come, seconds since 1970."""
    events: Mapping[int, int]
    """By partition, how many of its events, from the first on."""

    @property
    def total(self) -> int:
        """Over all partitions."""
        return sum(self.events.values())


def look(scene: Scene) -> Sight:
    """Ask once."""
    rows = scene.ask(_LEDGER.format(scene.topic))
    return Sight(time.time(), {int(partition): int(events) for partition, events in rows})


def watch(
    scene: Scene,
    workers: Sequence[Worker],
    *,
    until: Callable[[Sight], bool],
    timeout_s: float,
    poll_s: float = POLL_S,
) -> list[Sight]:
    """Poll until told; return what each poll saw. Raises RuntimeError after the timeout."""
    sights: list[Sight] = []
    deadline = time.monotonic() + timeout_s
    while not sights or not until(sights[-1]):
        for worker in workers:
            worker.require_alive()
        if time.monotonic() > deadline:
            raise RuntimeError(f"{sights[-1].total} events are visible after {timeout_s:.0f} s")
        time.sleep(poll_s)
        sights.append(look(scene))
    return sights


def due_instants(phases: Sequence[Phase], begin_s: float) -> NDArray[np.float64]:
    """Return when each event of a timetable was due, seconds since 1970."""
    found, start = [], begin_s
    for phase in phases:
        found.append(start + np.arange(phase.events) / phase.rate)
        start += phase.events / phase.rate
    return np.concatenate(found) if found else np.empty(0)


def latencies(
    sights: Sequence[Sight],
    due_s: NDArray[np.float64],
    *,
    partitions: int,
    first_number: int = 0,
    before: Mapping[int, int] | None = None,
) -> NDArray[np.float64]:
    """Return how long after it was due each event was first seen; NaN for one that never was.

    `before` is how many events each partition held when the timetable began.
    """
    found = np.full(len(due_s), np.nan)
    numbers = np.arange(len(due_s)) + first_number
    for partition in range(partitions):
        mine = np.flatnonzero(numbers % partitions == partition)
        seen = 0
        held = (before or {}).get(partition, 0)
        for sight in sights:
            now = min(sight.events.get(partition, 0) - held, len(mine))
            if now > seen:
                found[mine[seen:now]] = sight.at_s - due_s[mine[seen:now]]
                seen = now
    return found


def freshness(
    sights: Sequence[Sight], due_s: NDArray[np.float64], *, before: int = 0
) -> list[tuple[float, float]]:
    """Return (instant, seconds behind) of each sight: the age of the oldest event not yet seen."""
    found = []
    for sight in sights:
        seen = min(max(sight.total - before, 0), len(due_s))
        is_behind = seen < len(due_s) and due_s[seen] < sight.at_s
        found.append((sight.at_s, sight.at_s - float(due_s[seen]) if is_behind else 0.0))
    return found
