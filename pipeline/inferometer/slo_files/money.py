"""Builds budgets and metric rules from their parts, and judges them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from inferometer.core.slo.budgets import (
    SHIPPED_COST_WINDOWS,
    CostRule,
    MoneyBudget,
    PlannedSpending,
)
from inferometer.core.slo.definitions import Severity
from inferometer.core.slo.dimensions import SLO_DIMENSIONS, unknown_dimension
from inferometer.core.slo.metric_rules import (
    LONGEST_WINDOW_S,
    AdaptiveBand,
    Comparison,
    Level,
    MetricRule,
)
from inferometer.core.slo.soundness import name_problem, pattern_problem
from inferometer.slo_files.budget_parts import instant_s

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inferometer.core.slo.budgets import CostWindow
    from inferometer.slo_files.budget_parts import BudgetPart, CostWindowPart
    from inferometer.slo_files.part_types import OwnedPart
    from inferometer.slo_files.rule_parts import BandPart, RulePart

COMPARISONS = {
    "above": Comparison.ABOVE,
    "at_least": Comparison.AT_LEAST,
    "below": Comparison.BELOW,
    "at_most": Comparison.AT_MOST,
}
CELL_S = 10
Problem = tuple[tuple[str | int, ...], str]
"""Path inside the part, and what is wrong there."""


def budget_problems(part: BudgetPart) -> list[Problem]:
    """Return everything that forbids a budget."""
    found = [*_owned_problems(part, part.name)]
    if part.amount_usd <= 0:
        found.append((("amount_usd",), "an amount is over 0; write US dollars for each period"))
    if not part.rules:
        found.append((("rules",), "no rule is left that could fire; name some, or leave rules out"))
    for index, share in enumerate(part.spent_shares):
        if share <= 0 or (index and share <= part.spent_shares[index - 1]):
            found.append(
                (("spent_shares", index), "shares are ratios over 0 that rise: [0.5, 0.8, 1]")
            )
    for index, planned in enumerate(part.planned):
        start, end = instant_s(planned.start, part.zone), instant_s(planned.end, part.zone)
        if start >= end:
            found.append((("planned", index), "it ends before it starts; swap start and end"))
        if planned.factor <= 0:
            found.append((("planned", index, "factor"), "a factor is over 0; 1 changes nothing"))
    for rule in part.windows:
        found += [(("windows", str(rule)), text) for text in _cost_window_problems(part, rule)]
    return found


def _cost_window_problems(part: BudgetPart, rule: CostRule) -> Iterator[str]:
    if rule not in SHIPPED_COST_WINDOWS:
        known = ", ".join(SHIPPED_COST_WINDOWS)
        yield f"{rule} has no windows; those that have are {known}"
        return
    window = cost_window(rule, part.windows[rule])
    if not 0 < window.short_s < window.long_s or window.short_s % 60 or window.long_s % 60:
        yield "its windows are whole minutes, the short one under the long one"
    if window.ratio <= 1:
        yield f"a ratio of {window.ratio} is always reached; write one over 1"


def budget(part: BudgetPart, source: str) -> MoneyBudget:
    """Return the budget that a sound part declares."""
    return MoneyBudget(
        name=part.name,
        amount_usd=part.amount_usd,
        period=part.period,
        zone=part.zone,
        rules=frozenset(part.rules),
        windows={
            **SHIPPED_COST_WINDOWS,
            **{rule: cost_window(rule, window) for rule, window in part.windows.items()},
        },
        smallest_excess_usd=part.smallest_excess_usd,
        absolute_share=part.absolute_share,
        spent_shares=tuple(part.spent_shares),
        exhaustion_s=part.exhaustion,
        cost_variation=float(part.cost_variation),
        explained_share=float(part.explained_share),
        planned=tuple(
            PlannedSpending(
                starts_at_s=instant_s(planned.start, part.zone),
                ends_at_s=instant_s(planned.end, part.zone),
                factor=planned.factor,
                reason=planned.reason,
            )
            for planned in part.planned
        ),
        description=part.description,
        source=source,
        **_owned(part, part.name),
    )


def cost_window(rule: CostRule, part: CostWindowPart) -> CostWindow:
    """Return the shipped windows of a rule with what a file replaces in them."""
    given: dict[str, Any] = {
        "long_s": part.long,
        "short_s": part.short,
        "ratio": part.ratio,
        "severity": part.severity,
        "critical_severity": part.critical_severity,
    }
    chosen = {key: value for key, value in given.items() if value is not None}
    return replace(SHIPPED_COST_WINDOWS[rule], **chosen)


def rule_problems(part: RulePart) -> list[Problem]:
    """Return everything that forbids a rule."""
    found = [*_owned_problems(part, part.name)]
    sides = [name for name in COMPARISONS if getattr(part, name) is not None]
    if len(sides) > 1:
        found.append(((sides[1],), f"give one of {', '.join(COMPARISONS)}, not several"))
    if not sides and part.band is None:
        found.append(((), "it has no threshold; add above: 0.05, or a band"))
    if not CELL_S <= part.window <= LONGEST_WINDOW_S or part.window % CELL_S:
        found.append((("window",), "a window is a multiple of 10s, 1d at most; write 5m"))
    if part.band is not None and part.band.needed > part.band.of:
        found.append((("band", "needed"), "needed is at most `of`; write needed: 3 and of: 3"))
    if part.band is not None and part.band.least_weeks > part.band.most_weeks:
        found.append((("band", "least_weeks"), "least_weeks is at most most_weeks"))
    return found


def metric_rule(part: RulePart, source: str) -> MetricRule:
    """Return the rule that a sound part declares."""
    side = next((name for name in COMPARISONS if getattr(part, name) is not None), "above")
    levels = getattr(part, side) or {}
    return MetricRule(
        name=part.name,
        metric=part.metric,
        levels=tuple(
            Level(value=levels[severity], severity=severity)
            for severity in Severity
            if severity in levels
        ),
        comparison=COMPARISONS[side],
        band=None if part.band is None else _band(part.band),
        window_s=part.window,
        least_count=part.least_count,
        for_s=part.wait,
        keep_firing_s=part.keep_firing_for,
        is_meta=part.meta,
        description=part.description,
        source=source,
        **_owned(part, part.name),
    )


def _band(part: BandPart) -> AdaptiveBand:
    return AdaptiveBand(
        deviations=float(part.deviations),
        least_effect=float(part.least_effect),
        static_floor=part.static_floor,
        hysteresis=float(part.hysteresis),
        needed=part.needed,
        of=part.of,
        least_weeks=part.least_weeks,
        most_weeks=part.most_weeks,
        weekly_growth=float(part.weekly_growth),
        stable_days=part.stable_days,
        zone=part.zone,
        severity=part.severity,
    )


def _owned(part: OwnedPart, name: str) -> dict[str, Any]:
    return {
        "workspace": part.workspace,
        "service": part.service or name,
        "selector": tuple(part.where),
        "group_by": tuple(part.group_by),
        "owner": part.owner,
        "cost_responder": part.cost_responder,
        "tier": part.tier,
        "runbook_url": part.runbook,
        "dashboard_url": part.dashboard,
        "receivers": tuple(part.receivers),
        "labels": dict(part.labels),
        "annotations": dict(part.annotations),
    }


def _owned_problems(part: OwnedPart, name: str) -> Iterator[Problem]:
    if problem := name_problem(name):
        yield ("name",), problem
    for index, matcher in enumerate(part.where):
        if matcher.name not in SLO_DIMENSIONS:
            yield ("where", index), unknown_dimension(matcher.name)
        elif problem := pattern_problem(matcher):
            yield ("where", index), problem
    for index, dimension in enumerate(part.group_by):
        if dimension not in SLO_DIMENSIONS:
            yield ("group_by", index), unknown_dimension(dimension)
        elif dimension in part.group_by[:index]:
            yield ("group_by", index), f"{dimension} is named twice; name it once"
