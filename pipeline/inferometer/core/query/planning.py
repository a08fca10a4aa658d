"""Chooses the relation that serves a question, and cuts its range into windows.

Invariants: what a plan reads are whole windows of its relation, so that numbers of any two pages
agree; where the range had to be widened for that, or is not kept, a note and the coverage say so.
The coarsest roll-up that fits serves; the log only where no roll-up can, and only inside its days.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from inferometer.core.query.answers import Coverage
from inferometer.core.query.catalogue import measure
from inferometer.core.query.plans import MetricsPlan
from inferometer.core.query.questions import Granularity, Problem, QueryRefusedError
from inferometer.core.query.ranges import LENGTHS_S, coarser, widened, window_bounds
from inferometer.core.query.relations import (
    LOG_RELATION,
    Kept,
    cube_relations,
    kept_since,
    why_log,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from inferometer.core.query.measures import Measure
    from inferometer.core.query.questions import MetricsQuery, TimeRange

MOST_CELLS = 300_000
NOW_SLACK_S = 60.0
"""A range that ended so lately ends now: what came since is of its last window."""


@dataclass(frozen=True, kw_only=True)
class Planned:
    """A plan, and what is to be said of it."""

    plan: MetricsPlan
    coverage: Coverage
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Choice:
    kept: Kept
    time_range: TimeRange
    granularity: Granularity
    bounds: tuple[datetime, ...]


def plan_metrics(query: MetricsQuery, *, kept_days: Mapping[str, int], now: datetime) -> Planned:
    """Return how a question is answered. Raises QueryRefusedError."""
    order_by = measure(query.order_by)
    choice = _choose(query, order_by, kept_days, now)
    while query.may_coarsen and _cells(query, choice) > MOST_CELLS and coarser(choice.granularity):
        # Nobody chose the length of windows, so longer ones are an answer.
        query = replace(query, granularity=coarser(choice.granularity)[0])
        choice = _choose(query, order_by, kept_days, now)
    _check_cells(query, choice)
    bounds = choice.bounds
    coverage = _coverage(choice)
    plan = MetricsPlan(
        relation=choice.kept.relation,
        workspace_id=query.workspace_id,
        measures=query.measures,
        time_range=replace(choice.time_range, start=coverage.start),
        granularity=choice.granularity,
        windows=bounds[:-1],
        window_ends=bounds[1:],
        group_by=query.group_by,
        filters=query.filters,
        statuses=query.statuses,
        top=query.top,
        order_by=order_by,
    )
    return Planned(plan=plan, coverage=coverage, notes=tuple(_notes(query, choice, now)))


def ranking(plan: MetricsPlan) -> MetricsPlan:
    """Return a plan whose rows tell what its groups are ranked by, if need be behind the rest."""
    if not plan.group_by or plan.order_by in plan.measures:
        return plan
    return replace(plan, measures=(*plan.measures, plan.order_by))


def window_lengths_s(plan: MetricsPlan) -> tuple[float, ...]:
    """Return how many seconds of each window are in the range: what rates are over."""
    start, end = plan.time_range.start, plan.time_range.end
    return tuple(
        max(0.0, (min(last, end) - max(first, start)).total_seconds())
        for first, last in zip(plan.windows, plan.window_ends, strict=True)
    )


def range_length_s(plan: MetricsPlan) -> float:
    """Return how many seconds the range has that is answered."""
    return (plan.time_range.end - plan.time_range.start).total_seconds()


def dimensions_of(query: MetricsQuery) -> tuple[str, ...]:
    """Return every dimension that a question needs, each once."""
    names = (*query.group_by, *(condition.dimension for condition in query.filters))
    return tuple(dict.fromkeys(names))


def _measures_of(query: MetricsQuery, order_by: Measure) -> tuple[Measure, ...]:
    return (*query.measures, order_by) if query.group_by else query.measures


def _choose(
    query: MetricsQuery, order_by: Measure, kept_days: Mapping[str, int], now: datetime
) -> _Choice:
    cubes = cube_relations(dimensions_of(query), _measures_of(query, order_by))
    kept_cubes = [kept_since(relation, kept_days, now) for relation in cubes]
    log = kept_since(LOG_RELATION, kept_days, now)
    candidates = [query.granularity]
    if query.may_coarsen:
        candidates += coarser(query.granularity)
    for granularity in candidates:
        if (choice := next(_whole(query, granularity, kept_cubes, now), None)) is not None:
            return choice
    if (choice := next(_whole(query, query.granularity, [log], now), None)) is not None:
        return choice
    if (partial := _partial(query, candidates, [*kept_cubes, log], now)) is not None:
        return partial
    raise QueryRefusedError(_gone(query, order_by, kept_cubes, log))


def _whole(
    query: MetricsQuery, granularity: Granularity, kept: list[Kept], now: datetime
) -> Iterator[_Choice]:
    """Yield choices that keep the whole range, the best first: exact ends, then widened ones."""
    asked = query.time_range
    fitting = list(_fitting(query, granularity, kept, now))
    exact = [choice for choice in fitting if choice.time_range == asked]
    # Of those that widen the range, the finest does so least.
    for choice in (*exact, *sorted(fitting, key=lambda choice: choice.kept.relation.window_s)):
        if choice.kept.covers(choice.time_range.start, choice.time_range.end):
            yield choice


def _fitting(
    query: MetricsQuery, granularity: Granularity, kept: list[Kept], now: datetime
) -> Iterator[_Choice]:
    """Yield a choice for each relation whose windows make up those that are asked for."""
    for each in kept:
        unit_s = each.relation.window_s
        time_range = query.time_range
        if unit_s and not _is_aligned(time_range, unit_s, now):
            time_range = widened(time_range, unit_s, now=now)
        bounds = tuple(window_bounds(time_range, granularity))
        inner = bounds[1:-1] if granularity is Granularity.TOTAL else bounds
        if not unit_s or all(bound.timestamp() % unit_s == 0 for bound in inner):
            yield _Choice(each, time_range, granularity, bounds)


def _is_aligned(time_range: TimeRange, unit_s: int, now: datetime) -> bool:
    is_until_now = (now - time_range.end).total_seconds() <= NOW_SLACK_S
    ends_well = is_until_now or time_range.end.timestamp() % unit_s == 0
    return ends_well and time_range.start.timestamp() % unit_s == 0


def _partial(
    query: MetricsQuery, candidates: list[Granularity], kept: list[Kept], now: datetime
) -> _Choice | None:
    """Return what keeps the most of a range; the finest granularity of those that keep as much."""
    found = [
        choice
        for granularity in candidates
        for choice in _fitting(query, granularity, kept, now)
        if choice.kept.since < choice.time_range.end
    ]
    return min(found, key=lambda choice: choice.kept.since) if found else None


def _gone(query: MetricsQuery, order_by: Measure, kept_cubes: list[Kept], log: Kept) -> Problem:
    if not kept_cubes:
        why = why_log(dimensions_of(query), _measures_of(query, order_by), query.granularity)
        return Problem(
            "from",
            f"{why}, and the request log keeps {log.days} days",
            f"ask for a range since {log.since:%Y-%m-%dT%H:%MZ}, or for fewer dimensions",
        )
    oldest = min(kept_cubes, key=lambda each: each.since)
    fits = [each for each in kept_cubes if each.since < query.time_range.end]
    if fits:
        finest = min(fits, key=lambda each: each.relation.window_s)
        if query.may_coarsen or LENGTHS_S[query.granularity] >= finest.relation.window_s:
            # Long enough, so it is the zone: its hours begin at half past, or at a quarter.
            return Problem(
                "time_zone",
                f"windows of {query.time_range.zone} begin inside {finest.label}, and nothing "
                "shorter is kept for this range any more",
                "ask for time_zone=UTC, or for granularity=total",
            )
        return Problem(
            "granularity",
            f"nothing that fits {query.granularity} is kept for this range any more",
            f"ask for auto, or for windows of {finest.step} or more",
        )
    return Problem(
        "from",
        f"nothing of this range is kept: {oldest.label} are for {oldest.days} days",
        f"ask for a range since {oldest.since:%Y-%m-%dT%H:%MZ}",
    )


def _coverage(choice: _Choice) -> Coverage:
    start, end = choice.time_range.start, choice.time_range.end
    kept = choice.kept
    if kept.covers(start, end):
        return Coverage(start, end, is_whole=True)
    verb = "keeps" if kept.relation.is_log else "are kept for"
    reason = f"{kept.label} {verb} {kept.days} days"
    return Coverage(max(start, kept.since), end, is_whole=False, reason=reason)


def _cells(query: MetricsQuery, choice: _Choice) -> int:
    groups = query.top + 2 if query.group_by else 1
    return (len(choice.bounds) - 1) * groups * len(query.measures)


def _check_cells(query: MetricsQuery, choice: _Choice) -> None:
    cells = _cells(query, choice)
    if cells > MOST_CELLS:
        raise QueryRefusedError(
            Problem(
                "granularity",
                f"{len(choice.bounds) - 1} windows of {query.top} groups and "
                f"{len(query.measures)} measures are {cells} numbers, more than {MOST_CELLS}",
                "ask for longer windows, a smaller top, or fewer measures",
            )
        )


def _notes(query: MetricsQuery, choice: _Choice, now: datetime) -> Iterator[str]:
    kept, time_range, bounds = choice.kept, choice.time_range, choice.bounds
    if kept.relation.is_log:
        names = dimensions_of(query)
        why = why_log(names, _measures_of(query, measure(query.order_by)), choice.granularity)
        yield f"From the request log, which keeps {kept.days} days: {why}."
    if choice.granularity is not query.granularity:
        yield f"Windows of {choice.granularity}: no roll-up that serves this range has shorter ones."
    if time_range != query.time_range:
        yield (
            f"The range is widened to {time_range.start:%Y-%m-%dT%H:%M:%SZ} to "
            f"{time_range.end:%Y-%m-%dT%H:%M:%SZ}: it is answered from {kept.label}."
        )
    if bounds[0] < time_range.start:
        yield "The first window begins before the range, and shows what is inside only."
    if bounds[-1] > time_range.end:
        is_running = bounds[-1] > now
        yield (
            "The last window is not over yet."
            if is_running
            else "The last window ends after the range, and shows what is inside only."
        )
