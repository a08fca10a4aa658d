"""Looks into the requests behind an incident: how many are bad, for whom, and what stands out.

The answer is two questions to the log, which alone has every dimension: what each value of each
dimension has, and who is affected. What is too costly is asked again of a shorter span, and a note
says so.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from inferometer.core.cubes import CLASS_MEASURES, COST_MEASURE, duration_columns
from inferometer.core.query.dimensions import UnknownDimensionError, dimension_of
from inferometer.core.query.margins import Margin, MarginOrder, MarginsPlan
from inferometer.core.query.measures import Measure, ShareBelow, Sum, Sums, Unit
from inferometer.core.query.questions import Match, TimeRange
from inferometer.core.query.relations import LOG_RELATION
from inferometer.core.query.standouts import LEAST_BAD, Part, expected_bad, standouts
from inferometer.errors import QueryTooCostlyError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from inferometer.core.query.answers import Number
    from inferometer.core.query.margins import Margins
    from inferometer.core.query.objective_facts import ObjectiveFacts
    from inferometer.core.query.questions import Filter

WHERE = (
    "model", "provider", "region", "node_id", "deployment_type", "model_version", "gpu_type",
    "traffic_class", "environment", "team_id", "user_id",
)  # fmt: skip
"""Dimensions that a problem may be confined to."""
KINDS = ("error_type", "status_code")
"""Dimensions that say how requests failed; what is well has none."""
WHO = ("user_id", "team_id", "workspace_id")
SHORTER = timedelta(minutes=15)
MOST_VALUES = 50
MOST_WHO = 10_000
"""Users that are counted one by one; those with most that is bad come first."""


@dataclass(frozen=True, slots=True)
class Amounts:
    """Requests, or money, in both spans."""

    total: float
    bad: float
    total_before: float
    bad_before: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What is to be looked into."""

    workspace: str | None
    facts: ObjectiveFacts
    filters: tuple[Filter, ...]
    """Of the selector and of the incident's group."""
    during: TimeRange
    before: TimeRange
    """A span in which it was probably well."""


class InvestigateIncident:
    """Asks what a person would ask first; blocks. Raises StoreError."""

    def __init__(self, margins: Callable[[MarginsPlan], Margins]) -> None:
        self._margins = margins

    def __call__(self, case: Case) -> dict[str, Any]:
        """Return the size of the problem, who is affected, and what stands out."""
        notes = [f"not looked at: {text}" for text in case.facts.unsaid]
        filters = tuple(each for each in case.filters if _is_known(each.dimension, notes))
        case = replace(case, filters=filters)
        try:
            return self._found(case, notes)
        except QueryTooCostlyError as error:
            minutes = SHORTER.seconds // 60
            notes.append(f"only the last {minutes} minutes were looked at: {error.limit}")
        try:
            return self._found(_shorter(case), notes)
        except QueryTooCostlyError as error:
            return {"about": about(case.facts), "notes": [*notes[:-1], str(error)]}

    def _found(self, case: Case, notes: list[str]) -> dict[str, Any]:
        kinds = KINDS if about(case.facts) == "failures" else ()
        fixed = {
            each.dimension
            for each in case.filters
            if each.match is Match.IS and len(each.values) == 1
        }
        where = tuple(name for name in WHERE if name not in fixed)
        found = self._margins(_plan(case, (*where, *kinds), MOST_VALUES))
        who = tuple(name for name in WHO if name != "workspace_id" or case.workspace is None)
        hit = None
        if about(case.facts) != "cost":
            hit = self._margins(_plan(case, who, MOST_WHO))
        return _told(case, found, hit, notes)


def about(facts: ObjectiveFacts) -> str:
    """Return what is bad: `cost`, what is `slow`, or `failures`."""
    if facts.is_about_cost:
        return "cost"
    return "slow" if facts.duration else "failures"


def _is_known(dimension: str, notes: list[str]) -> bool:
    try:
        return dimension_of(dimension) is not None
    except UnknownDimensionError as error:
        notes.append(f"not looked at: {error}")
        return False


def _shorter(case: Case) -> Case:
    during = replace(case.during, start=max(case.during.start, case.during.end - SHORTER))
    before = replace(case.before, start=max(case.before.start, case.before.end - SHORTER))
    return replace(case, during=during, before=before)


def _plan(case: Case, dimensions: tuple[str, ...], most_values: int) -> MarginsPlan:
    return MarginsPlan(
        relation=LOG_RELATION,
        workspace_id=case.workspace,
        measures=_measures(case.facts),
        during=case.during,
        before=case.before,
        filters=case.filters,
        dimensions=dimensions,
        order=MarginOrder.NOW,
        most_values=most_values,
    )


def _measures(facts: ObjectiveFacts) -> tuple[Measure, ...]:
    """Return what is asked; the first ranks the values of a dimension."""
    if facts.is_about_cost:
        return (Measure("spent", "Spent", Unit.USD, "What was spent.", Sum(COST_MEASURE)),)
    if facts.duration:
        _, count = duration_columns(facts.duration)
        below = ShareBelow(facts.duration, facts.slow_over_ms or 0.0)
        return (
            Measure("measured", "Measured", Unit.COUNT, "What carries the duration.", Sum(count)),
            Measure("fast", "Fast", Unit.RATIO, "The share at or below the limit.", below),
        )
    bad = tuple(CLASS_MEASURES[each] for each in sorted(facts.bad_classes))
    valid = tuple(
        column for each, column in CLASS_MEASURES.items() if each not in facts.excluded_classes
    )
    return (
        Measure("bad", "Bad", Unit.COUNT, "Requests that are bad.", Sums(bad)),
        Measure("valid", "Valid", Unit.COUNT, "Requests that count.", Sums(valid)),
    )


def _amounts(facts: ObjectiveFacts, margin: Margin) -> Amounts:
    total, bad = _judged(facts, margin.now)
    total_before, bad_before = _judged(facts, margin.before)
    return Amounts(total, bad, total_before, bad_before)


def _judged(facts: ObjectiveFacts, values: tuple[Number, ...]) -> tuple[float, float]:
    """Return how much there is, and how much of it is bad."""
    first = float(values[0] or 0)
    if facts.is_about_cost:
        return first, first
    second = values[1]
    if facts.duration:
        return first, 0.0 if second is None else first * (1 - float(second))
    return float(second or 0), first


def _told(case: Case, found: Margins, hit: Margins | None, notes: list[str]) -> dict[str, Any]:
    facts, whole = case.facts, _amounts(case.facts, found.total)
    scale = _length_s(case.during) / max(1.0, _length_s(case.before))
    values = {
        dimension: {value: _amounts(facts, margin) for value, margin in margins.items()}
        for dimension, margins in found.values.items()
    }
    parts = _parts(values, whole, about(facts), scale)
    least_bad = 0.0 if facts.is_about_cost else LEAST_BAD
    return {
        "about": about(facts),
        "duration": facts.duration,
        "slow_over_ms": facts.slow_over_ms,
        "during": _span(case.during),
        "before": _span(case.before) if whole.total_before else None,
        "total": whole.total,
        "bad": whole.bad,
        "bad_ratio": _ratio(whole.bad, whole.total),
        "bad_ratio_before": _ratio(whole.bad_before, whole.total_before),
        "bad_before_scaled": whole.bad_before * scale,
        "affected": [] if hit is None else _affected(facts, hit),
        "stands_out": [asdict(each) for each in standouts(parts, least_bad=least_bad)],
        "examined": [name for name in WHERE if parts.get(name)],
        "kinds": _kinds(values, whole) if about(facts) == "failures" else [],
        "filters": [
            {"dimension": each.dimension, "match": str(each.match), "values": list(each.values)}
            for each in case.filters
        ],
        "bad_classes": sorted(facts.bad_classes) if about(facts) == "failures" else [],
        "notes": notes,
    }


def _affected(facts: ObjectiveFacts, hit: Margins) -> list[dict[str, Any]]:
    """Return how many have requests, and of how many more is bad than was promised."""
    is_failing = about(facts) == "failures" or facts.objective is None
    allowed = 0.0 if is_failing else float(1 - (facts.objective or 1))
    found = []
    for dimension, margins in hit.values.items():
        judged = [_judged(facts, each.now) for value, each in margins.items() if value]
        seen = [each for each in judged if each[0] > 0]
        # A share is a sum of bins, so a hair of rounding is no slow request.
        affected = sum(1 for total, bad in seen if bad > allowed * total + 1e-6)
        if seen:
            found.append(
                {
                    "dimension": dimension,
                    "affected": affected,
                    "seen": len(seen),
                    "share": affected / len(seen),
                    "is_partial": len(margins) >= MOST_WHO,
                }
            )
    return found


def _parts(
    values: Mapping[str, Mapping[str, Amounts]], whole: Amounts, what: str, scale: float
) -> dict[str, list[Part]]:
    """Return what stands beside each other, by dimension; what has no value has no part."""
    overall_before = _ratio(whole.bad_before, whole.total_before) or 0.0
    return {
        dimension: [
            _part(value, amounts, what, overall_before, scale)
            for value, amounts in values.get(dimension, {}).items()
            if value
        ]
        for dimension in WHERE
    }


def _part(value: str, amounts: Amounts, what: str, overall_before: float, scale: float) -> Part:
    if what == "cost":
        spent_before = amounts.total_before * scale
        return Part(value, total=spent_before, bad=amounts.bad, expected=spent_before)
    expected = expected_bad(amounts.total, amounts.total_before, amounts.bad_before, overall_before)
    return Part(value, total=amounts.total, bad=amounts.bad, expected=expected)


def _kinds(values: Mapping[str, Mapping[str, Amounts]], whole: Amounts) -> list[dict[str, Any]]:
    """Return how requests failed, as shares of the failures, now and before."""
    return [
        {
            "dimension": dimension,
            "value": value,
            "count": int(amounts.bad),
            "share": amounts.bad / whole.bad,
            "share_before": _ratio(amounts.bad_before, whole.bad_before),
        }
        for dimension in KINDS
        for value, amounts in _ranked(values.get(dimension, {}))
        if amounts.bad
    ]


def _ranked(values: Mapping[str, Amounts]) -> list[tuple[str, Amounts]]:
    return sorted(values.items(), key=lambda item: (-item[1].bad, item[0]))


def _ratio(bad: float, total: float) -> float | None:
    return bad / total if total else None


def _length_s(span: TimeRange) -> float:
    return (span.end - span.start).total_seconds()


def _span(span: TimeRange) -> dict[str, str]:
    return {"from": span.start.isoformat(), "to": span.end.isoformat()}
