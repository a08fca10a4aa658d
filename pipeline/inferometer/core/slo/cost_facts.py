"""What a notice tells of a budget: the numbers that the rules compared, as readings and details.

Invariants: amounts are decimal texts in USD; in the windows of a rule `bad` is what was spent and
`total` what was expected, in millionths of a dollar, or attempts and requests, as `unit` says.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from inferometer.core.alerts.conditions import Condition, Reading
from inferometer.core.alerts.notices import BudgetFacts, ConditionFacts, WindowFacts
from inferometer.core.alerts.subjects import Definition, Observation
from inferometer.core.money import pico_to_usd
from inferometer.core.slo.budgets import CostRule, MoneyBudget
from inferometer.core.slo.cost_burn import CostConditions, CostInputs, spent_rule
from inferometer.core.slo.definitions import MINUTE_S, Severity
from inferometer.core.slo.spans import span_text

if TYPE_CHECKING:
    from inferometer.core.slo.drivers import Explanation
    from inferometer.core.slo.forecast import ForecastCurve

PICO_PER_MICRO_USD = 10**6
MICRO_USD = "micro-usd"
LONGEST_HOLD_S = 30 * MINUTE_S
CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupFigures:
    """One group of a budget at a tick; `number` is its place in the arrays."""

    budget: MoneyBudget
    key: tuple[str, ...]
    number: int
    tick_s: int
    period_s: tuple[int, int]
    inputs: CostInputs
    verdict: CostConditions
    curve: ForecastCurve
    is_learnt: bool
    explanation: Explanation

    @property
    def spent_pico(self) -> int:
        """What the period has cost so far."""
        return int(self.inputs.period_spent[self.number])

    @property
    def exhausts_in_s(self) -> int | None:
        """When the budget is gone at the projected rate; None if not before its period ends."""
        left = self.budget.amount_pico - self.spent_pico
        if left <= 0:
            return 0
        rate = float(self.verdict.projected_burn[self.number])
        at_s = self.curve.reaches(self.tick_s, left / rate)
        if at_s is None or at_s > self.period_s[1]:
            return None
        return int(at_s) - self.tick_s


def observe(definition: Definition, figures: GroupFigures) -> Observation:
    """Return what the rules say of a group, with everything that a notice of it carries."""
    budget = figures.budget
    start_s, end_s = figures.period_s
    return Observation(
        subject=definition.subject(figures.key),
        readings=tuple(_readings(figures)),
        budget=BudgetFacts(
            target=budget.amount_usd,
            period_s=end_s - start_s,
            remaining=1 - figures.spent_pico / budget.amount_pico,
            exhausts_in_s=figures.exhausts_in_s,
        ),
        drivers=figures.explanation.drivers,
        details=_details(figures),
    )


def _readings(figures: GroupFigures) -> list[Reading]:
    found = []
    for index, name in enumerate(figures.verdict.rules):
        condition = Condition(int(figures.verdict.conditions[index, figures.number]))
        is_page = figures.verdict.severities[index, figures.number] == Severity.PAGE.rank
        severity = Severity.PAGE if is_page else Severity.TICKET
        facts = _facts(figures, name, severity, is_true=condition is Condition.TRUE)
        hold_s = facts.short.window_s if facts.short else 0
        if name == CostRule.EXHAUSTION:
            hold_s = LONGEST_HOLD_S
        found.append(
            Reading(
                rule=name,
                severity=severity,
                condition=condition,
                facts=facts,
                keep_firing_s=min(hold_s, LONGEST_HOLD_S),
            )
        )
    return found


def _facts(
    figures: GroupFigures, name: str, severity: Severity, *, is_true: bool
) -> ConditionFacts:
    budget = figures.budget
    if name == CostRule.EXHAUSTION:
        return ConditionFacts(
            rule=name,
            severity=severity,
            is_true=is_true,
            threshold=float(budget.exhaustion_s),
            value=figures.exhausts_in_s,
            unit="s",
        )
    for share in budget.spent_shares:
        if name == spent_rule(share):
            return ConditionFacts(
                rule=name,
                severity=severity,
                is_true=is_true,
                threshold=float(share * budget.amount_usd),
                value=float(pico_to_usd(figures.spent_pico)),
                unit="usd",
            )
    window = budget.window(CostRule(name))
    return ConditionFacts(
        rule=name,
        severity=severity,
        is_true=is_true,
        threshold=float(window.ratio),
        long=_window(figures, CostRule(name), window.long_s),
        short=_window(figures, CostRule(name), window.short_s),
        unit="attempts" if name == CostRule.RETRIES else MICRO_USD,
    )


def _window(figures: GroupFigures, rule: CostRule, window_s: int) -> WindowFacts:
    number, inputs = figures.number, figures.inputs
    if rule is CostRule.RETRIES:
        above, below = float(inputs.attempts[window_s][number]), inputs.requests[window_s][number]
        return WindowFacts(
            window_s=window_s,
            burn=above / below if below else 0.0,
            bad=int(above),
            total=int(below),
        )
    spent, expected = inputs.spent[window_s][number], inputs.expected[window_s][number]
    if rule is CostRule.ABSOLUTE:
        start_s, end_s = figures.period_s
        expected = figures.budget.amount_pico * window_s / (end_s - start_s)
    return WindowFacts(
        window_s=window_s,
        burn=float(spent / expected) if expected else 0.0,
        bad=round(spent / PICO_PER_MICRO_USD),
        total=round(expected / PICO_PER_MICRO_USD),
    )


def _usd(pico: float) -> str:
    return str(pico_to_usd(round(pico)).quantize(CENT))


def _details(figures: GroupFigures) -> dict[str, Any]:
    inputs, number = figures.inputs, figures.number
    start_s, end_s = figures.period_s
    found: dict[str, Any] = {
        "period": {
            "name": str(figures.budget.period),
            "zone": figures.budget.zone,
            "starts_at_s": start_s,
            "ends_at_s": end_s,
        },
        "spent_usd": _usd(figures.spent_pico),
        "projected_usd": _usd(float(figures.verdict.projected[number])),
        "forecast": "learnt" if figures.is_learnt else "even share of the budget",
        "windows": {
            span_text(window_s): {
                "spent_usd": _usd(float(inputs.spent[window_s][number])),
                "expected_usd": _usd(float(inputs.expected[window_s][number])),
                "requests": int(inputs.requests[window_s][number]),
                "attempts": int(inputs.attempts[window_s][number]),
            }
            for window_s in inputs.spent
        },
    }
    if figures.is_learnt:
        found["unit_cost_ratio"] = round(figures.explanation.unit_cost_ratio, 4)
        found["explained_by_volume"] = any(
            bool(flags[number]) for flags in inputs.explained.values()
        )
    return found
