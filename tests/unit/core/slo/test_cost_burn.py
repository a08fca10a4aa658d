"""C1 to C7 against their closed forms: step to m times the forecast fires after L(r-1)/(m-1)."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest

from inferometer.core.alerts.conditions import Condition
from inferometer.core.slo.budgets import CostRule, CostWindow, PlannedSpending
from inferometer.core.slo.cost_burn import judge_cost, requests_needed, rule_names, spent_rule
from inferometer.core.slo.cost_history import CostTrace, judge_cost_history
from inferometer.core.slo.definitions import DAY_S, HOUR_S, Severity, Tier
from tests.unit.core.slo.cost_traces import (
    BUDGET,
    CELLS_OF_DAY,
    EVENT_S,
    START_S,
    TAUGHT_DAYS,
    ever_pages,
    first_true,
    trace,
)

TIGHT = replace(BUDGET, amount_usd=BUDGET.amount_usd * Decimal("0.99"))
"""A budget that any rise threatens, so that C2 depends on its windows alone."""
TICK_MINUTES = 1 / 6


def _detect_minutes(window: CostWindow, factor: int) -> float:
    """Return the closed form, rounded up to the tick."""
    ticks = Fraction(window.long_s) * (Fraction(window.ratio) - 1) / (factor - 1) / 10
    return -(-ticks.numerator // ticks.denominator) / 6


@pytest.mark.parametrize("factor", [2, 3, 10])
@pytest.mark.parametrize("rule", [CostRule.DOUBLING, CostRule.SUSTAINED])
def test_a_step_in_spending_pages_at_the_tick_of_the_closed_form(
    factor: int, rule: CostRule
) -> None:
    expected = _detect_minutes(BUDGET.window(rule), factor)
    minutes, severity = first_true(TIGHT, trace(cost=factor))[rule]
    assert severity is Severity.PAGE
    assert minutes == pytest.approx(expected, abs=TICK_MINUTES)


def test_targets_of_t13_are_met() -> None:
    assert first_true(BUDGET, trace(cost=3))[CostRule.DOUBLING][0] <= 16
    assert first_true(BUDGET, trace(cost=10))[CostRule.DOUBLING][0] <= 5
    assert first_true(BUDGET, trace(cost=2.5))[CostRule.DAILY][0] <= 16.5 * 60


@pytest.mark.parametrize(
    ("tier", "severity"), [(Tier.STANDARD, Severity.TICKET), (Tier.CRITICAL, Severity.PAGE)]
)
def test_a_day_above_twice_the_forecast_is_urgent_as_its_tier_is(
    tier: Tier, severity: Severity
) -> None:
    fired = first_true(replace(BUDGET, tier=tier), trace(cost=3))
    minutes, found = fired[CostRule.DAILY]
    assert found is severity
    assert minutes == pytest.approx(12 * 60, abs=10)


def test_twice_the_forecast_needs_the_whole_window() -> None:
    assert first_true(BUDGET, trace(cost=2, minutes=29)).get(CostRule.DOUBLING) is None
    assert first_true(BUDGET, trace(cost=2, minutes=31))[CostRule.DOUBLING][0] == 30


def test_spending_below_the_ratio_never_pages() -> None:
    assert CostRule.DOUBLING not in first_true(BUDGET, trace(cost=1.9))


def test_a_slow_rise_is_a_ticket_by_its_projection() -> None:
    """INC-35: 1.3 times over ten days."""
    counts = trace(days=10)
    first = TAUGHT_DAYS * CELLS_OF_DAY
    drift = np.linspace(1, 1.3, 10 * CELLS_OF_DAY)
    counts.cost_pico[first:] = (counts.cost_pico[first:] * drift).astype(np.int64)
    budget = replace(BUDGET, rules=frozenset({CostRule.TREND, CostRule.DOUBLING}))
    fired = first_true(budget, counts)
    assert fired[CostRule.TREND][1] is Severity.TICKET
    assert CostRule.DOUBLING not in fired


def test_a_retry_loop_that_costs_is_a_page() -> None:
    """INC-36: attempts per request go from 1 to 3, and cost with them."""
    fired = first_true(BUDGET, trace(cost=3, attempts=3))
    assert fired[CostRule.DOUBLING][1] is Severity.PAGE
    assert ever_pages(BUDGET, trace(cost=3, attempts=3)) >= {CostRule.RETRIES, CostRule.DOUBLING}


def test_a_retry_loop_that_costs_nothing_is_a_ticket() -> None:
    fired = first_true(BUDGET, trace(attempts=3))
    assert fired[CostRule.RETRIES] == (15.0, Severity.TICKET)
    assert CostRule.RETRIES not in ever_pages(BUDGET, trace(attempts=3))


def test_one_dear_request_among_few_says_nothing() -> None:
    """INC-37: a request of a hundred times the usual cost, at twenty an hour."""
    cells = (TAUGHT_DAYS + 1) * CELLS_OF_DAY
    requests = np.zeros(cells, dtype=np.int64)
    requests[::18] = 1
    cost = requests * 5 * 10**11
    cost[TAUGHT_DAYS * CELLS_OF_DAY + 18] *= 100
    counts = CostTrace(start_s=START_S, cost_pico=cost, requests=requests, attempts=requests)
    budget = replace(BUDGET, amount_usd=BUDGET.amount_usd * 2)
    assert first_true(budget, counts) == {}


def test_a_planned_price_change_is_no_alert() -> None:
    """INC-38: twice the price from the middle of the month; planned, it is expected."""
    sale = PlannedSpending(
        starts_at_s=EVENT_S, ends_at_s=EVENT_S + 30 * DAY_S, factor=Decimal(2), reason="new prices"
    )
    rules = frozenset({CostRule.DOUBLING, CostRule.DAILY})
    planned = replace(BUDGET, planned=(sale,), rules=rules)
    assert first_true(planned, trace(cost=2)) == {}
    assert first_true(replace(planned, planned=()), trace(cost=2))[CostRule.DOUBLING][0] == 30


def test_neither_a_new_month_nor_a_change_of_clocks_is_an_alert() -> None:
    """INC-39: 28 March to 2 April in Berlin."""
    budget = replace(BUDGET, zone="Europe/Berlin", rules=BUDGET.rules - {CostRule.SPENT})
    budget = replace(budget, amount_usd=BUDGET.amount_usd * Decimal("1.1"))
    fired = first_true(budget, trace(days=32), from_s=EVENT_S + 26 * DAY_S)
    assert fired == {}


def test_five_times_the_traffic_at_the_usual_cost_is_at_most_a_ticket() -> None:
    """INC-40: a sale day; volume explains what C1 to C3 see."""
    critical = replace(BUDGET, tier=Tier.CRITICAL, amount_usd=BUDGET.amount_usd * 3)
    counts = trace(cost=5, requests=5, attempts=5)
    fired = first_true(critical, counts)
    assert fired[CostRule.DOUBLING][1] is Severity.TICKET
    assert ever_pages(critical, counts) == set()


def test_five_times_the_cost_without_the_traffic_pages() -> None:
    roomy = replace(BUDGET, amount_usd=BUDGET.amount_usd * 3)
    assert CostRule.DOUBLING in ever_pages(roomy, trace(cost=5))


def test_noise_with_a_heavy_tail_never_pages() -> None:
    """T13: cost per request has a standard deviation of twice its mean, 64 in half an hour."""
    random = np.random.default_rng(5)
    cells = (TAUGHT_DAYS + 15) * CELLS_OF_DAY
    requests = random.poisson(64 / 180, cells)
    sigma = float(np.sqrt(np.log(5)))
    costs = random.lognormal(-sigma * sigma / 2, sigma, int(requests.sum())) * 10**11
    by_cell = np.bincount(np.repeat(np.arange(cells), requests), weights=costs, minlength=cells)
    counts = CostTrace(
        start_s=START_S, cost_pico=by_cell.astype(np.int64), requests=requests, attempts=requests
    )
    amount = round(float(by_cell.sum()) / 10**12 * 31 / 43 * 1.3, 2)
    budget = replace(
        BUDGET,
        amount_usd=Decimal(str(amount)),
        rules=frozenset({CostRule.DOUBLING, CostRule.SUSTAINED, CostRule.ABSOLUTE}),
    )
    assert ever_pages(budget, counts) == set()


def test_a_fiftieth_of_the_budget_in_an_hour_pages_without_any_forecast() -> None:
    cells = CELLS_OF_DAY
    cost = np.full(cells, 10**9, dtype=np.int64)
    cost[-360:] = 2 * BUDGET.amount_pico // 100 // 300
    requests = np.ones(cells, dtype=np.int64)
    counts = CostTrace(start_s=EVENT_S, cost_pico=cost, requests=requests, attempts=requests)
    fired = first_true(BUDGET, counts)
    assert fired[CostRule.ABSOLUTE] == (23 * 60 + 50, Severity.PAGE)


def test_each_threshold_of_the_budget_is_reached_at_its_exact_amount() -> None:
    half = replace(BUDGET, amount_usd=Decimal(10 * 24))
    fired = first_true(replace(half, rules=frozenset({CostRule.SPENT})), trace(days=3))
    # A day and an hour of March 2026 are over when the event begins.
    before = 24 * 60
    minutes = {name: fired[name][0] + before for name in fired}
    for share in half.spent_shares:
        assert minutes[spent_rule(share)] >= float(share) * 24 * 60
    assert fired["c6-spent-100"][1] is Severity.PAGE
    assert fired["c6-spent-90"][1] is Severity.TICKET


def test_a_budget_that_is_gone_within_a_day_pages_only_if_its_period_lasts_longer() -> None:
    rules = frozenset({CostRule.EXHAUSTION})
    # 10 days of spending are budgeted; on day 9 one is left.
    short = replace(BUDGET, amount_usd=Decimal(10 * 24 * 10), rules=rules)
    fired = first_true(short, trace(days=12))
    # One day of March is over at the event.
    assert fired[CostRule.EXHAUSTION][0] == pytest.approx(8 * 24 * 60, abs=1)
    assert fired[CostRule.EXHAUSTION][1] is Severity.PAGE
    enough = replace(BUDGET, amount_usd=Decimal(10 * 24 * 31 + 1), rules=rules)
    assert first_true(enough, trace(days=30), from_s=EVENT_S + 27 * DAY_S) == {}


def test_stale_data_leave_every_rule_unknown() -> None:
    block = next(judge_cost_history(BUDGET, trace(cost=10), from_s=EVENT_S))
    verdict = judge_cost(BUDGET, block.inputs, is_stale=True)
    assert set(np.unique(verdict.conditions)) == {Condition.UNKNOWN}


def test_the_requests_that_make_a_ratio_believable_follow_the_variation() -> None:
    assert requests_needed(BUDGET, BUDGET.window(CostRule.DOUBLING)) == 64
    steady_cost = replace(BUDGET, cost_variation=0.5)
    assert requests_needed(steady_cost, BUDGET.window(CostRule.DOUBLING)) == 4


def test_rules_that_a_budget_leaves_out_are_not_judged() -> None:
    some = replace(BUDGET, rules=frozenset({CostRule.SPENT, CostRule.RETRIES}))
    assert rule_names(some) == (
        "c6-spent-50", "c6-spent-80", "c6-spent-90", "c6-spent-100", "c7-retries",
    )  # fmt: skip
    block = next(judge_cost_history(some, trace(), from_s=EVENT_S))
    assert block.verdict.conditions.shape == (5, HOUR_S // 10)


def test_what_lasts_for_days_becomes_the_new_normal() -> None:
    budget = replace(BUDGET, amount_usd=BUDGET.amount_usd * 10)
    last_day = EVENT_S + 13 * DAY_S
    assert first_true(budget, trace(days=14, cost=1.9), from_s=last_day) == {}
