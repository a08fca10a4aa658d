"""What a race has found: as tables for people, JSON for machines, Markdown for the record."""

from __future__ import annotations

import json
import statistics
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from tests.benchmarks.parts import Table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.benchmarks.contestants import Shape
    from tests.benchmarks.race import Entry

WHOLE, IN_MEMORY = "ours", "ours_in_memory"
"""The contestants that ratios are drawn to."""

HEADERS = (
    "contestant",
    "k events per CPU-second",
    "least - most",
    "ours is, whole",
    "ours is, in memory",
    "k events a second, one core",
    "of it system",
    "peak MB",
    "runs x events",
    "stored",
    "late events",
)
BRIEF = 6
"""So many of the columns say the most."""
_NONE = "-"


@dataclass(frozen=True, slots=True)
class Standing:
    """The figures of one entry that has run."""

    median: float
    least: float
    most: float
    with_beside: float | None
    """Median with the CPU of the process beside it."""
    wall: float
    system_share: float
    peak_rss_bytes: int
    dropped_share: float


def standing(entry: Entry) -> Standing:
    """Return the medians over the runs of an entry, and their spread."""
    rates = [run.rate for run in entry.runs]
    has_beside = any(run.beside_cpu_s for run in entry.runs)
    return Standing(
        median=statistics.median(rates),
        least=min(rates),
        most=max(rates),
        with_beside=statistics.median(run.rate_with_beside for run in entry.runs)
        if has_beside
        else None,
        wall=statistics.median(run.events / run.wall_s for run in entry.runs),
        system_share=sum(r.system_s for r in entry.runs) / sum(r.cpu_s for r in entry.runs),
        peak_rss_bytes=max(run.peak_rss_bytes for run in entry.runs),
        dropped_share=statistics.median(
            run.dropped / (run.counted + run.dropped) for run in entry.runs
        ),
    )


def tables(entries: Sequence[Entry]) -> list[Table]:
    """Return a table of figures a shape, and one of what each contestant is."""
    shapes = list(dict.fromkeys(entry.shape for entry in entries))
    return [*(_figures(shape, entries) for shape in shapes), _what_it_did(entries)]


def to_json(entries: Sequence[Entry], conditions: dict[str, str]) -> str:
    """Return everything, the single runs too."""
    document = {
        "conditions": conditions,
        "entries": [
            {
                "contestant": entry.contestant.name,
                "shape": entry.shape,
                "content": entry.contestant.content,
                "work": entry.contestant.work,
                "guarantee": entry.contestant.guarantee,
                "late_data": entry.contestant.late_data,
                "settings": entry.contestant.settings,
                "versions": entry.versions,
                "events": entry.events,
                "bytes_an_event": round(entry.bytes_an_event, 1),
                "reason": entry.reason,
                "events_per_cpu_s": round(standing(entry).median) if entry.runs else None,
                "runs": [asdict(run) | {"cpu_s": run.cpu_s} for run in entry.runs],
            }
            for entry in entries
        ],
    }
    return json.dumps(document, indent=1) + "\n"


def conditions_of_runs(entries: Sequence[Entry]) -> dict[str, str]:
    """Return how quiet the machine was."""
    others = [run.others_cores for entry in entries for run in entry.runs]
    if not others:
        return {}
    return {
        "cores taken by others, the broker among them": f"median {statistics.median(others):.2f}, "
        f"most {max(others):.2f}"
    }


def _figures(shape: Shape, entries: Sequence[Entry]) -> Table:
    here = [entry for entry in entries if entry.shape == shape]
    ours = {entry.contestant.name: standing(entry).median for entry in here if entry.runs}
    sizes = sorted({f"{e.bytes_an_event:,.0f} ({e.contestant.content})" for e in here if e.runs})
    return Table(
        f"{shape.capitalize()} events",
        HEADERS,
        [_row(entry, ours) for entry in here],
        notes=[
            f"Bytes an event: {', '.join(sizes) or _NONE}.",
            "A ratio says how many times as many events ours does in a CPU-second.",
            *(f"{e.contestant.title}: {_first_line(e.reason)}" for e in here if e.reason),
        ],
    )


def _row(entry: Entry, ours: dict[str, float]) -> list[str]:
    contestant = entry.contestant
    stored = "yes" if contestant.is_stored else "no"
    if not entry.runs:
        return [contestant.title, "not run", *[_NONE] * 7, stored, _NONE]
    found = standing(entry)
    median = f"{found.median / 1e3:,.1f}"
    if found.with_beside is not None:
        median += f" ({found.with_beside / 1e3:,.1f} with the store)"
    late = f"{found.dropped_share:.0%} dropped" if found.dropped_share else "none dropped"
    return [
        contestant.title + (" (failed in a later run)" if entry.reason else ""),
        median,
        f"{found.least / 1e3:,.1f} - {found.most / 1e3:,.1f}",
        *(_ratio(ours.get(name), found.median) for name in (WHOLE, IN_MEMORY)),
        f"{found.wall / 1e3:,.1f}",
        f"{found.system_share:.0%}",
        f"{found.peak_rss_bytes / 1e6:,.0f}",
        f"{len(entry.runs)} x {entry.runs[0].events:,}",
        stored,
        late,
    ]


def _ratio(ours: float | None, theirs: float) -> str:
    return _NONE if ours is None else f"{ours / theirs:,.2f} x"


def _what_it_did(entries: Sequence[Entry]) -> Table:
    rows = []
    for entry in {entry.contestant.name: entry for entry in entries}.values():
        each = entry.contestant
        versions = ", ".join(f"{name} {version}" for name, version in entry.versions.items())
        notes = "; ".join(entry.runs[-1].notes) if entry.runs else _first_line(entry.reason)
        rows.append(
            [each.title, each.work, each.guarantee, each.late_data, each.settings, versions, notes]
        )
    headers = (
        "contestant",
        "work",
        "guarantee as run",
        "late data",
        "settings",
        "versions",
        "notes",
    )
    return Table("What each did", headers, rows)


def _first_line(text: str) -> str:
    return text.strip().partition("\n")[0]
