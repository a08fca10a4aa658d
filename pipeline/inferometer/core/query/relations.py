"""Which relations have what a question is made of, coarsest first, and since when they keep it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from inferometer.core.cubes import CUBES, rows_table
from inferometer.core.query.dimensions import dimension_of
from inferometer.core.query.local_times import ceiling_of_seconds
from inferometer.core.query.plans import LOG, Relation

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from inferometer.core.query.measures import Measure

LOG_UNIT_S = 60
DEFAULT_KEPT_DAYS = 14
_TOLERATED = timedelta(hours=1)
_TOLERATED_SHARE = 0.01
"""A page of the last 14 days begins at a whole hour, a little before what is kept for 14 days."""

LOG_RELATION = Relation(LOG, 0)


@dataclass(frozen=True, slots=True)
class Kept:
    """A relation and since when its rows are kept."""

    relation: Relation
    since: datetime
    days: int

    def covers(self, start: datetime, end: datetime) -> bool:
        """Return whether a range is kept, but for a sliver that no page would miss."""
        missing = self.since - start
        return missing <= min(_TOLERATED, (end - start) * _TOLERATED_SHARE)

    @property
    def label(self) -> str:
        """What notes call it."""
        return "the request log" if self.relation.is_log else f"roll-ups of {self.step}"

    @property
    def step(self) -> str:
        """How long a window of it is, in words."""
        return {10: "10 s", 60: "a minute", 3600: "an hour"}.get(
            self.relation.window_s, "an instant"
        )


def kept_since(relation: Relation, kept_days: Mapping[str, int], now: datetime) -> Kept:
    """Return since when a relation is kept."""
    days = kept_days.get(relation.name, DEFAULT_KEPT_DAYS)
    since = ceiling_of_seconds(now - timedelta(days=days), relation.window_s or LOG_UNIT_S)
    return Kept(relation, since, days)


def cube_relations(dimensions: Iterable[str], measures: Iterable[Measure]) -> list[Relation]:
    """Return the roll-ups that have all of some dimensions and measures, the coarsest first.

    Of equally coarse ones, the smaller cube is first: that without callers.
    """
    if any(measure.is_from_log_only for measure in measures):
        return []
    needed = [dimension_of(name).cubes for name in dimensions]
    found = [
        Relation(rows_table(cube, resolution), resolution.seconds)
        for cube in CUBES
        if all(cube.name in cubes for cubes in needed)
        for resolution in cube.resolutions
    ]
    return sorted(found, key=lambda relation: -relation.window_s)


def why_log(dimensions: Iterable[str], measures: Iterable[Measure], granularity: str) -> str:
    """Return the reason why no roll-up serves."""
    dimensions = tuple(dict.fromkeys(dimensions))
    if names := [measure.name for measure in measures if measure.is_from_log_only]:
        return f"no roll-up has {', '.join(names)}"
    if names := [name for name in dimensions if not dimension_of(name).cubes]:
        return f"no roll-up has {', '.join(names)}"
    if not cube_relations(dimensions, ()):
        return f"no roll-up has {', '.join(dimensions)} together"
    return f"no roll-up that is kept has windows for {granularity} in this time zone"
