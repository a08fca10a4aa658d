"""The rules C1 to C7 as one computation over arrays: of groups at a tick, or of ticks of a group.

`BR_f(w)`, the burn against the forecast, is what was spent over a window by what was expected;
`BR_b(w)` is against the budget spread evenly. The projection is
`E = spent + rest of the period's forecast * clamp(BR_f(24h), 0.5, 5)`.

Invariants: what was spent in the period is compared in exact integers; a rule that compares with
the forecast, itself a float, allows for its last digits, so that exactly twice is twice; nothing
here is unknown unless the data are stale or there is nothing to divide by.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from inferometer.core.alerts.conditions import Condition
from inferometer.core.slo.budgets import CostRule, MoneyBudget
from inferometer.core.slo.definitions import DAY_S, Severity

if TYPE_CHECKING:
    from collections.abc import Mapping
    from decimal import Decimal

    from inferometer.core.slo.budgets import CostWindow

Floats: TypeAlias = NDArray[np.float64]
Flags: TypeAlias = NDArray[np.bool_]

ROUNDING = 1 - 1e-9
LEAST_PROJECTED_BURN = 0.5
MOST_PROJECTED_BURN = 5.0
SIGMAS = 4.0
"""C1 to C3 want the mean of so many requests that the threshold is so many standard errors up."""
LEAST_RETRIED_REQUESTS = 64
FORECAST_RULES = (CostRule.DOUBLING, CostRule.SUSTAINED, CostRule.DAILY)
"""Rules that volume can explain."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CostInputs:
    """What the rules compare; every array has the same length. Money is in pico-dollars."""

    spent: Mapping[int, Floats]
    """By length of the window in seconds."""
    expected: Mapping[int, Floats]
    requests: Mapping[int, NDArray[np.int64]]
    attempts: Mapping[int, NDArray[np.int64]]
    period_spent: NDArray[np.object_]
    """Python integers."""
    period_s: NDArray[np.int64]
    rest: Floats
    """Expected from the tick to the end of the period."""
    soon: Floats
    """Expected within the budget's `exhaustion_s`, or to the end of the period if that is first."""
    explained: Mapping[CostRule, Flags] = field(default_factory=dict)
    """Where volume explains what C1 to C3 see."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CostConditions:
    """What each rule says, and how urgent it is; arrays as long as the inputs'."""

    rules: tuple[str, ...]
    conditions: NDArray[np.int8]
    """[rule, item]"""
    severities: NDArray[np.int8]
    """[rule, item], `Severity.rank`; meaningful where true."""
    projected: Floats
    """E in pico-dollars."""
    projected_burn: Floats
    """What the rest of the period is expected to differ from forecast by."""


def windows_needed(budget: MoneyBudget) -> tuple[int, ...]:
    """Return the lengths of all windows that the rules of a budget look at, rising."""
    found = {DAY_S}
    for rule in CostRule:
        if rule in budget.rules and rule not in {CostRule.SPENT, CostRule.EXHAUSTION}:
            found |= {budget.window(rule).long_s, budget.window(rule).short_s}
    return tuple(sorted(found))


def rule_names(budget: MoneyBudget) -> tuple[str, ...]:
    """Return the names of a budget's rules; C6 has one for each threshold."""
    names: list[str] = []
    for rule in CostRule:
        if rule is CostRule.SPENT and rule in budget.rules:
            names += [spent_rule(share) for share in budget.spent_shares]
        elif rule in budget.rules:
            names.append(rule.value)
    return tuple(names)


@lru_cache(maxsize=64)
def spent_rule(share: Decimal) -> str:
    """Return the name of a threshold of C6, for example `c6-spent-80`."""
    percent = share * 100
    return f"{CostRule.SPENT}-{float(percent):g}"


def judge_cost(
    budget: MoneyBudget, inputs: CostInputs, *, is_stale: bool = False
) -> CostConditions:
    """Return what the rules of a budget say. While data are stale every rule is unknown."""
    projected = projection(inputs)
    verdicts: dict[str, tuple[Flags, Flags, Flags]] = {}
    nothing = np.zeros(len(inputs.rest), dtype=np.bool_)
    for rule in CostRule:
        if rule not in budget.rules:
            continue
        match rule:
            case CostRule.SPENT:
                verdicts |= _spent(budget, inputs)
            case CostRule.EXHAUSTION:
                true = _is_soon_exhausted(budget, inputs)
                verdicts[rule.value] = (true, ~nothing, nothing)
            case CostRule.RETRIES:
                continue
            case CostRule.ABSOLUTE:
                true = _is_absolute(budget, inputs)
                verdicts[rule.value] = (true, _pages(budget, rule, nothing), nothing)
            case _:
                verdicts[rule.value] = _against_forecast(budget, rule, inputs, projected)
    if CostRule.RETRIES in budget.rules:
        seen = [verdicts[rule.value][0] for rule in FORECAST_RULES if rule in budget.rules]
        verdicts[CostRule.RETRIES.value] = _retries(budget, inputs, seen)
    return _as_arrays(budget, verdicts, inputs, projected, is_stale=is_stale)


def _as_arrays(
    budget: MoneyBudget,
    verdicts: Mapping[str, tuple[Flags, Flags, Flags]],
    inputs: CostInputs,
    projected: Floats,
    *,
    is_stale: bool,
) -> CostConditions:
    names = rule_names(budget)
    shape = (len(names), len(projected))
    conditions = np.full(shape, Condition.UNKNOWN, dtype=np.int8)
    severities = np.zeros(shape, dtype=np.int8)
    for index, name in enumerate(names):
        true, page, unknown = verdicts[name]
        severities[index] = np.where(page, Severity.PAGE.rank, Severity.TICKET.rank)
        if not is_stale:
            conditions[index] = np.where(unknown, Condition.UNKNOWN, true.astype(np.int8))
    return CostConditions(
        rules=names,
        conditions=conditions,
        severities=severities,
        projected=projected,
        projected_burn=projected_burn(inputs),
    )


def burn(spent: Floats, expected: Floats) -> Floats:
    """Return spent by expected; infinite where something was spent of nothing expected."""
    empty = np.where(spent > 0, np.inf, 0.0)
    return np.divide(spent, expected, out=empty, where=expected > 0)


def projection(inputs: CostInputs) -> Floats:
    """Return what the period will have cost when it ends, in pico-dollars."""
    return inputs.period_spent.astype(np.float64) + inputs.rest * projected_burn(inputs)


def projected_burn(inputs: CostInputs) -> Floats:
    """Return the factor by which the rest of the period is expected to differ from forecast."""
    last_day = burn(inputs.spent[DAY_S], inputs.expected[DAY_S])
    return np.clip(last_day, LEAST_PROJECTED_BURN, MOST_PROJECTED_BURN)


def requests_needed(budget: MoneyBudget, window: CostWindow) -> float:
    """Return how many requests make a ratio believable: `(4 * CV / (ratio - 1))^2`."""
    return (SIGMAS * budget.cost_variation / (float(window.ratio) - 1)) ** 2


def _exceeds(inputs: CostInputs, window: CostWindow) -> Flags:
    """Return where spending is at least the ratio times the forecast over both windows."""
    ratio = float(window.ratio) * ROUNDING
    both = [
        (inputs.spent[length] >= ratio * inputs.expected[length]) & (inputs.spent[length] > 0)
        for length in (window.long_s, window.short_s)
    ]
    return both[0] & both[1]


def _against_forecast(
    budget: MoneyBudget, rule: CostRule, inputs: CostInputs, projected: Floats
) -> tuple[Flags, Flags, Flags]:
    window = budget.window(rule)
    true = _exceeds(inputs, window)
    is_over = projected > float(budget.amount_pico)
    needed = requests_needed(budget, window) * ROUNDING
    is_believable = inputs.requests[window.long_s] >= needed
    if rule is CostRule.DOUBLING:
        excess = inputs.spent[window.long_s] - inputs.expected[window.long_s]
        true = true & is_believable & (excess >= float(budget.smallest_excess_pico))
        # One dear request among 64 can double half an hour (1 in 400 for a lognormal of CV 2).
        is_believable = inputs.requests[window.short_s] >= needed
    elif rule is CostRule.SUSTAINED:
        true = true & is_over
    elif rule is CostRule.TREND:
        true = true | is_over
    explained = inputs.explained.get(rule, np.zeros(len(true), dtype=np.bool_))
    # Few requests, or more requests: somebody should look, nobody need be woken.
    page = _pages(budget, rule, explained | ~is_believable)
    return true, page, np.zeros(len(true), dtype=np.bool_)


def _pages(budget: MoneyBudget, rule: CostRule, lowered: Flags) -> Flags:
    return ~lowered & (budget.severity(rule) is Severity.PAGE)


def _is_absolute(budget: MoneyBudget, inputs: CostInputs) -> Flags:
    window = budget.window(CostRule.ABSOLUTE)
    amount = float(budget.amount_pico)
    even = amount * window.short_s / inputs.period_s
    is_large = inputs.spent[window.long_s] >= float(budget.absolute_share) * amount * ROUNDING
    is_fast: Flags = inputs.spent[window.short_s] >= float(window.ratio) * even * ROUNDING
    return is_large & is_fast


def _spent(budget: MoneyBudget, inputs: CostInputs) -> dict[str, tuple[Flags, Flags, Flags]]:
    found: dict[str, tuple[Flags, Flags, Flags]] = {}
    nothing = np.zeros(len(inputs.rest), dtype=np.bool_)
    for share in budget.spent_shares:
        exact = Fraction(share)
        limit = budget.amount_pico * exact.numerator
        true = (inputs.period_spent * exact.denominator >= limit).astype(np.bool_)
        found[spent_rule(share)] = (true, ~nothing if share >= 1 else nothing, nothing)
    return found


def _is_soon_exhausted(budget: MoneyBudget, inputs: CostInputs) -> Flags:
    """Return where what is left is gone within `exhaustion_s` and before the period ends."""
    left = float(budget.amount_pico) - inputs.period_spent.astype(np.float64)
    return (left > 0) & (inputs.soon * projected_burn(inputs) >= left)


def _retries(
    budget: MoneyBudget, inputs: CostInputs, with_cost: list[Flags]
) -> tuple[Flags, Flags, Flags]:
    window = budget.window(CostRule.RETRIES)
    exact = Fraction(window.ratio)
    true = np.ones(len(inputs.rest), dtype=np.bool_)
    unknown = np.zeros(len(inputs.rest), dtype=np.bool_)
    for length in (window.long_s, window.short_s):
        requests, attempts = inputs.requests[length], inputs.attempts[length]
        true &= attempts * exact.denominator >= requests * exact.numerator
        unknown |= requests == 0
    true &= inputs.requests[window.long_s] >= LEAST_RETRIED_REQUESTS
    costs = np.any(with_cost, axis=0) if with_cost else np.zeros(len(true), dtype=np.bool_)
    return true, costs | (budget.severity(CostRule.RETRIES) is Severity.PAGE), unknown
