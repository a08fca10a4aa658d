"""Traces of spending for the tests of budgets: four steady weeks, then something happens."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np

from inferometer.core.alerts.conditions import Condition
from inferometer.core.slo.budgets import MoneyBudget
from inferometer.core.slo.cost_history import CostTrace, judge_cost_history
from inferometer.core.slo.definitions import DAY_S, MINUTE_S, Severity

if TYPE_CHECKING:
    from numpy.typing import NDArray

START_S = int(datetime(2026, 2, 2, tzinfo=UTC).timestamp())
TAUGHT_DAYS = 28
EVENT_S = START_S + TAUGHT_DAYS * DAY_S
"""Monday, 2 March: what happens begins here."""
CELLS_OF_DAY = DAY_S // 10
CELL_PICO = 10**12 // 36
"""Ten dollars an hour."""
CELL_REQUESTS = 28
"""About 10,000 an hour."""
BUDGET = MoneyBudget(name="llm", amount_usd=Decimal(10 * 24 * 31))
"""What March costs when nothing happens."""


def steady(days: int) -> dict[str, NDArray[np.int64]]:
    """Return the counts of days on which nothing happens."""
    cells = days * CELLS_OF_DAY
    return {
        "cost": np.full(cells, CELL_PICO, dtype=np.int64),
        "requests": np.full(cells, CELL_REQUESTS, dtype=np.int64),
        "attempts": np.full(cells, CELL_REQUESTS, dtype=np.int64),
    }


def trace(
    days: int = 1, *, cost: float = 1, requests: float = 1, attempts: float = 1, minutes: int = 0
) -> CostTrace:
    """Return a trace whose counts are multiplied from the event on, for minutes or to the end."""
    counts = steady(TAUGHT_DAYS + days)
    first = TAUGHT_DAYS * CELLS_OF_DAY
    last = first + minutes * 6 if minutes else len(counts["cost"])
    factors = {"cost": cost, "requests": requests, "attempts": attempts}
    for name, factor in factors.items():
        part = counts[name][first:last]
        counts[name][first:last] = np.round(part * factor).astype(np.int64)
    return CostTrace(
        start_s=START_S,
        cost_pico=counts["cost"],
        requests=counts["requests"],
        attempts=counts["attempts"],
    )


def first_true(
    budget: MoneyBudget, counts: CostTrace, *, from_s: int = EVENT_S
) -> dict[str, tuple[float, Severity]]:
    """Return for each rule that fires the minutes from the event to its first true tick."""
    found: dict[str, tuple[float, Severity]] = {}
    for block in judge_cost_history(budget, counts, from_s=from_s):
        verdict = block.verdict
        for index, name in enumerate(verdict.rules):
            ticks = np.flatnonzero(verdict.conditions[index] == Condition.TRUE)
            if len(ticks) and name not in found:
                tick = int(ticks[0])
                rank = int(verdict.severities[index, tick])
                minutes = (int(block.ticks_s[tick]) - EVENT_S) / MINUTE_S
                found[name] = (minutes, list(Severity)[rank])
    return found


def ever_pages(budget: MoneyBudget, counts: CostTrace, *, from_s: int = EVENT_S) -> set[str]:
    """Return the rules that are true at severity page at some tick."""
    found: set[str] = set()
    for block in judge_cost_history(budget, counts, from_s=from_s):
        verdict = block.verdict
        pages = (verdict.conditions == Condition.TRUE) & (verdict.severities == Severity.PAGE.rank)
        found |= {name for name, page in zip(verdict.rules, pages.any(axis=1), strict=True) if page}
    return found
