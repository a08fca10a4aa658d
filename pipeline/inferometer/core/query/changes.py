"""Which values of which dimensions made a sum differ from the one before.

All dimensions that one relation has are asked for in one pass over it, so that the answer takes two
questions, whatever the number of dimensions.
Invariant: the differences of all values of one dimension, `__other__` included, add up to the
difference of the totals.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from inferometer.core.cubes import CUBES
from inferometer.core.query.asked import Change
from inferometer.core.query.dimensions import dimension_of
from inferometer.core.query.margins import MOST_VALUES, MarginsPlan
from inferometer.core.query.planning import plan_metrics
from inferometer.core.query.plans import OTHER
from inferometer.core.query.questions import (
    Granularity,
    Match,
    MetricsQuery,
    QueryRefusedError,
)
from inferometer.core.query.ranges import previous_range
from inferometer.core.query.relations import cube_relations

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from inferometer.core.query.asked import ChangesQuery
    from inferometer.core.query.margins import Margin, Margins
    from inferometer.core.query.planning import Planned
    from inferometer.core.query.questions import TimeRange

Pair = tuple[float, float]
"""A sum in the span, and in the one before."""

NEARLY_ALL = 0.8

EXPLAINED_BY = (
    "model", "provider", "model_version", "region", "environment", "traffic_class",
    "status_class", "error_type", "virtual_model", "team_id", "user_id", "virtual_account_id",
)  # fmt: skip
"""The dimensions that are looked at, as far as roll-ups have them beside the filters."""


@dataclass(frozen=True, kw_only=True)
class ChangesPlan:
    """What to ask for, and what is to be said of it."""

    whole: Planned
    previous: TimeRange
    parts: tuple[MarginsPlan, ...]
    """One a relation, at least one; the first has the totals."""
    notes: tuple[str, ...]


def plan_changes(
    query: ChangesQuery, *, kept_days: Mapping[str, int], now: datetime
) -> ChangesPlan:
    """Return how a question is answered. Raises QueryRefusedError."""
    whole = plan_metrics(_question(query, query.time_range, ()), kept_days=kept_days, now=now)
    previous = previous_range(whole.plan.time_range)
    parts, notes = [], list(whole.notes)
    for dimensions in _by_relation(query):
        during = plan_metrics(
            _question(query, query.time_range, dimensions), kept_days=kept_days, now=now
        ).plan
        # Of its own range: one that is widened for its relation would be held against less.
        before = previous_range(during.time_range)
        relation = during.relation
        try:
            planned = plan_metrics(
                _question(query, before, dimensions), kept_days=kept_days, now=now
            )
        except QueryRefusedError:
            notes.append("The span before is not kept: all of this counts as new.")
        else:
            # The finer of two has whole windows in both spans.
            relation = min(relation, planned.plan.relation, key=lambda each: each.window_s)
            if not planned.coverage.is_whole:
                notes.append(f"The span before is not kept in full: {planned.coverage.reason}.")
        parts.append(
            MarginsPlan(
                relation=relation,
                workspace_id=query.workspace_id,
                measures=(query.measure,),
                during=during.time_range,
                before=before,
                filters=query.filters,
                dimensions=dimensions,
            )
        )
    return ChangesPlan(
        whole=whole, previous=previous, parts=tuple(parts), notes=tuple(dict.fromkeys(notes))
    )


def changes_of(found: Margins) -> list[Change]:
    """Return what each value of each dimension adds to the difference.

    A dimension with one value has all of the difference, which explains nothing.
    """
    changes: list[Change] = []
    total = pair_of(found.total)
    for dimension, values in found.values.items():
        pairs = {value: pair_of(margin) for value, margin in values.items()}
        whole = with_rest(pairs, total)
        if len(whole) > 1:
            changes += [_change(dimension, value, pair, total) for value, pair in whole.items()]
    return changes


def pair_of(margin: Margin) -> Pair:
    """Return the first measure of both spans."""
    return float(margin.now[0] or 0), float(margin.before[0] or 0)


def with_rest(values: Mapping[str, Pair], total: Pair) -> dict[str, Pair]:
    """Return values with what those left out have, under `__other__`."""
    if len(values) < MOST_VALUES:
        return dict(values)
    listed = {value: pair for value, pair in values.items() if value != OTHER}
    now = total[0] - math.fsum(pair[0] for pair in listed.values())
    before = total[1] - math.fsum(pair[1] for pair in listed.values())
    return {**listed, OTHER: (now, before)} if now or before else listed


def ranked(changes: Iterable[Change], total: Pair, limit: int) -> list[Change]:
    """Return the changes that weigh most, first those; none that is nothing or nearly all.

    What has nearly all of a sum before and after has nearly all of its difference too, whatever
    the reason: that most requests are of production explains nothing.
    """
    found = [
        change for change in changes if change.difference and not _is_nearly_all(change, total)
    ]
    found.sort(key=lambda change: (-abs(change.difference), change.dimension, change.value))
    return found[:limit]


def _is_nearly_all(change: Change, total: Pair) -> bool:
    return (
        min(total) > 0
        and change.now >= NEARLY_ALL * total[0]
        and change.before >= NEARLY_ALL * total[1]
    )


def _change(dimension: str, value: str, pair: Pair, total: Pair) -> Change:
    difference, whole = pair[0] - pair[1], total[0] - total[1]
    return Change(
        dimension=dimension,
        value=value,
        now=pair[0],
        before=pair[1],
        difference=difference,
        share_of_difference=difference / whole if whole else None,
    )


def _question(
    query: ChangesQuery, time_range: TimeRange, dimensions: tuple[str, ...]
) -> MetricsQuery:
    return MetricsQuery(
        workspace_id=query.workspace_id,
        measures=(query.measure,),
        time_range=time_range,
        granularity=Granularity.TOTAL,
        group_by=dimensions,
        filters=query.filters,
        order_by=query.measure.name,
    )


def _by_relation(query: ChangesQuery) -> list[tuple[str, ...]]:
    """Return the dimensions to look at, those that one relation has together.

    Where the filters leave the log only, it has them all.
    """
    fixed = {
        condition.dimension
        for condition in query.filters
        if condition.match is Match.IS and len(condition.values) == 1
    }
    filtered = [condition.dimension for condition in query.filters]
    names = ("workspace_id", *EXPLAINED_BY) if query.workspace_id is None else EXPLAINED_BY
    left = [name for name in names if name not in fixed]
    found = []
    for cube in CUBES:
        own = tuple(name for name in left if cube.name in dimension_of(name).cubes)
        if own and cube_relations((*own, *filtered), (query.measure,)):
            found.append(own)
            left = [name for name in left if name not in own]
    return found or [tuple(left)]
