"""Lets the contestants run in turn, several rounds, so that the machine's mood meets all of them."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tests.benchmarks.contest import ContestError, run_once
from tests.benchmarks.contestants import Place
from tests.benchmarks.feeder import PARTITIONS
from tests.benchmarks.pinning import all_but_measured, pinned
from tests.benchmarks.topic_filling import TopicKind, fill

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from tests.benchmarks.contest import Run
    from tests.benchmarks.contestants import Contestant, Shape
    from tests.benchmarks.topic_filling import FilledTopic

WARM_UP, UNTIL = 1 / 6, 2 / 3
"""Shares of the events between which is measured; see `contestants`."""


@dataclass(slots=True)
class Entry:
    """A contestant over one shape of events, and how it fared."""

    contestant: Contestant
    shape: Shape
    events: int
    bytes_an_event: float = 0.0
    runs: list[Run] = field(default_factory=list)
    versions: dict[str, str] = field(default_factory=dict)
    reason: str = ""
    """Why there are no runs, or not all."""
    has_failed: bool = False
    """It could have run, and did not to the end."""

    @property
    def kind(self) -> TopicKind:
        """Which topic it reads."""
        return TopicKind(self.shape, self.contestant.content, self.events)


def entries(
    contestants: Iterable[Contestant], shapes: Sequence[Shape], events: Mapping[Shape, int]
) -> list[Entry]:
    """Return who runs over what; slow ones over a part of the events."""
    return [
        Entry(each, shape, events[shape] // each.one_in)
        for shape in shapes
        for each in contestants
        if shape in each.shapes
    ]


def prepare(starters: Sequence[Entry], cache: Path, report: Callable[[str], None]) -> None:
    """Install all that can run here; the others keep the reason why they can't."""
    reasons: dict[str, str] = {}
    for each in {entry.contestant.name: entry.contestant for entry in starters}.values():
        reasons[each.name] = each.unavailable() or _prepared(each, cache / each.name, report)
    for entry in starters:
        entry.reason = reasons[entry.contestant.name]
        if not entry.reason:
            entry.versions = entry.contestant.versions(cache / entry.contestant.name)


def _prepared(contestant: Contestant, folder: Path, report: Callable[[str], None]) -> str:
    report(f"preparing {contestant.title}")
    folder.mkdir(parents=True, exist_ok=True)
    try:
        contestant.prepare(folder)
    except Exception as error:  # noqa: BLE001 - whatever keeps a peer from being installed is shown
        return f"cannot be installed: {error}"
    return ""


def race(
    starters: Sequence[Entry],
    bootstrap_servers: str,
    cache: Path,
    *,
    rounds: int,
    report: Callable[[str], None],
) -> None:
    """Fill the topics and run everybody; one who fails once runs no more.

    Interrupted by its user, it keeps the runs that have ended.
    """
    able = [entry for entry in starters if not entry.reason]
    report(f"filling {len({entry.kind for entry in able})} topics")
    with pinned(all_but_measured()):
        topics = fill(bootstrap_servers, (entry.kind for entry in able))
        try:
            for number in range(rounds):
                for entry in able:
                    if not entry.reason:
                        _run(entry, topics[entry.kind], bootstrap_servers, cache)
                        report(f"round {number + 1} of {rounds}: {_fared(entry)}")
        except KeyboardInterrupt:
            report("interrupted: what has run is kept")
            for entry in able:
                entry.reason = entry.reason or ("" if entry.runs else "interrupted before its turn")


def _run(entry: Entry, topic: FilledTopic, bootstrap_servers: str, cache: Path) -> None:
    entry.bytes_an_event = topic.bytes_an_event
    contestant = entry.contestant
    with tempfile.TemporaryDirectory(
        prefix="inferometer-bench-", ignore_cleanup_errors=True
    ) as folder:
        place = Place(
            bootstrap_servers=bootstrap_servers,
            topic=topic.name,
            partitions=PARTITIONS,
            shape=entry.shape,
            events=entry.events,
            warm_up=int(entry.events * WARM_UP),
            until=int(entry.events * UNTIL),
            group=f"{contestant.name}-{time.time_ns()}",
            folder=Path(folder),
            installed=cache / contestant.name,
            content=contestant.content,
        )
        try:
            entry.runs.append(run_once(contestant, place))
        except ContestError as error:
            entry.reason, entry.has_failed = str(error), True


def _fared(entry: Entry) -> str:
    what = f"{entry.contestant.title}, {entry.shape}"
    if entry.reason:
        return f"{what}: {entry.reason}"
    run = entry.runs[-1]
    return (
        f"{what}: {run.rate / 1e3:,.1f} k events per CPU-second, {run.events:,} in "
        f"{run.wall_s:.1f} s, all {run.counted + run.dropped:,} accounted for"
    )
