"""Rules of budgets over their groups: from counts to what a notice tells."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np
import pytest

from inferometer.core.alerts.conditions import Condition
from inferometer.core.alerts.notices import Family
from inferometer.core.slo.budgets import CostRule
from inferometer.core.slo.cost_evaluation import CostEvaluator
from inferometer.core.slo.cost_history import judge_cost_history
from inferometer.core.slo.cost_state import COST_NEEDS
from inferometer.core.slo.definitions import DAY_S, HOUR_S, Severity
from inferometer.core.slo.drivers import LENGTH, RETRIES
from inferometer.errors import StateError
from tests.unit.core.slo.cost_traces import BUDGET, EVENT_S, START_S, TAUGHT_DAYS, trace

if TYPE_CHECKING:
    from inferometer.core.alerts.subjects import Observation
    from inferometer.core.slo.budgets import MoneyBudget

LARGE, SMALL = ("m-large",), ("m-small",)
WHOLE = ()
"""The only group of a budget without `group_by`; its counts still come by model."""


def _add(
    evaluator: CostEvaluator, key: tuple[str, ...], cell_s: int, *, usd: float, attempts: int = 1
) -> None:
    """Add a hundred requests that cost an amount."""
    counts = {
        "cost_usd": int(usd * 10**12),
        "requests": 100,
        "attempts": 100 * attempts,
        "input_tokens": 1000 * attempts,
        "output_tokens": 0,
    }
    evaluator.add(
        [key],
        np.zeros(1, np.int32),
        np.array([cell_s]),
        {name: np.array([counts[name]]) for name in COST_NEEDS},
    )


def _taught(
    budget: MoneyBudget = BUDGET, keys: tuple[tuple[str, ...], ...] = (LARGE,)
) -> CostEvaluator:
    """Return an evaluator that has seen four weeks of ten dollars an hour in each group."""
    evaluator = CostEvaluator(budget)
    for key in keys:
        for hour in range(TAUGHT_DAYS * 24):
            _add(evaluator, key, START_S + hour * HOUR_S, usd=10.0)
    return evaluator


def _burst(
    evaluator: CostEvaluator, key: tuple[str, ...], minutes: int, *, usd: float = 4.0
) -> int:
    """Spend an amount a minute from the event on; return the tick after it."""
    for minute in range(minutes):
        _add(evaluator, key, EVENT_S + minute * 60, usd=usd)
    return EVENT_S + minutes * 60


def _conditions(seen: Observation) -> dict[str, Condition]:
    return {reading.rule: reading.condition for reading in seen.readings}


def test_the_evaluator_and_the_history_judge_alike() -> None:
    counts = trace(cost=3)
    evaluator = CostEvaluator(BUDGET)
    columns = {
        "cost_usd": counts.cost_pico,
        "requests": counts.requests,
        "attempts": counts.attempts,
        "input_tokens": counts.requests,
        "output_tokens": np.zeros_like(counts.requests),
    }
    cells_s = START_S + 10 * np.arange(len(counts.requests))
    first = TAUGHT_DAYS * 8640
    coarse, hours = first - 360, first // 360 - 1
    evaluator.add(
        [LARGE],
        np.zeros(hours, np.int32),
        cells_s[:coarse:360],
        {name: values[:coarse].reshape(hours, 360).sum(axis=1) for name, values in columns.items()},
    )
    block = next(judge_cost_history(BUDGET, counts, from_s=EVENT_S))
    checked = (60, 90, 91, 179, 360)
    place = coarse
    for tick in checked:
        until = first + tick
        evaluator.add(
            [LARGE],
            np.zeros(until - place, np.int32),
            cells_s[place:until],
            {name: values[place:until] for name, values in columns.items()},
        )
        place = until
        _, _, verdict = evaluator.judge(EVENT_S + 10 * tick)
        rules = [verdict.rules.index(CostRule.DOUBLING), verdict.rules.index("c6-spent-50")]
        for rule in rules:
            assert verdict.conditions[rule, 0] == block.verdict.conditions[rule, tick - 1], tick
            assert verdict.severities[rule, 0] == block.verdict.severities[rule, tick - 1], tick


def test_a_notice_tells_the_numbers_that_fired() -> None:
    evaluator = _taught()
    tick_s = _burst(evaluator, LARGE, 20)
    (seen,) = evaluator.evaluate(tick_s)
    assert _conditions(seen)[CostRule.DOUBLING] is Condition.TRUE
    facts = next(r.facts for r in seen.readings if r.rule == CostRule.DOUBLING)
    assert facts is not None
    assert facts.long is not None
    assert (facts.threshold, facts.unit) == (2.0, "micro-usd")
    # Twenty minutes of 4 dollars, and the last whole hour's first cell of ten dollars is before.
    assert facts.long.bad == 80_000_000
    assert facts.long.total == 5_000_000
    assert seen.details["windows"]["5m"] == {
        "spent_usd": "20.00",
        "expected_usd": "0.83",
        "requests": 500,
        "attempts": 500,
    }
    assert seen.details["forecast"] == "learnt"
    assert seen.budget is not None
    assert seen.budget.target == BUDGET.amount_usd
    assert seen.subject.family is Family.COST


def test_the_driver_of_dearer_requests_is_named() -> None:
    evaluator = _taught()
    (seen,) = evaluator.evaluate(_burst(evaluator, LARGE, 20))
    assert {"factor", "model"} == {driver.dimension for driver in seen.drivers}
    assert seen.drivers[0].dimension == "factor"


def test_a_retry_loop_is_driven_by_retries_not_by_volume() -> None:
    evaluator = CostEvaluator(BUDGET)
    for hour in range(TAUGHT_DAYS * 24):
        for part in range(12):
            _add(evaluator, LARGE, START_S + hour * HOUR_S + part * 300, usd=1.0)
    for minute in range(0, 60, 5):
        _add(evaluator, LARGE, EVENT_S + minute * 60, usd=3.0, attempts=3)
    (seen,) = evaluator.evaluate(EVENT_S + HOUR_S)
    assert seen.drivers[0].value == RETRIES
    assert seen.drivers[0].share == pytest.approx(1.0)
    assert LENGTH in {driver.value for driver in seen.drivers}


def test_each_group_has_a_budget_of_its_own() -> None:
    budget = replace(BUDGET, group_by=("model",))
    evaluator = _taught(budget, (LARGE, SMALL))
    tick_s = _burst(evaluator, SMALL, 20)
    (seen,) = evaluator.evaluate(tick_s)
    assert seen.subject.labels["model"] == "m-small"
    quiet = evaluator.evaluate(tick_s, watched={LARGE})
    assert [one.subject.labels["model"] for one in quiet] == ["m-large", "m-small"]


def test_groups_of_other_dimensions_keep_their_models_as_drivers() -> None:
    budget = replace(BUDGET, group_by=("workspace_id",))
    evaluator = _taught(budget, (("acme", "m-large"), ("acme", "m-small")))
    assert evaluator.state.group_by == ("workspace_id", "model")
    tick_s = _burst(evaluator, ("acme", "m-small"), 20)
    (seen,) = evaluator.evaluate(tick_s)
    models = [driver.value for driver in seen.drivers if driver.dimension == "model"]
    assert models[0] == "m-small"


def test_the_order_of_counts_does_not_matter() -> None:
    cells = [(START_S + hour * HOUR_S, 10.0) for hour in range(TAUGHT_DAYS * 24)]
    cells += [(EVENT_S + minute * 60, 4.0) for minute in range(20)]
    random = np.random.default_rng(3)
    told = []
    for order in (np.arange(len(cells)), random.permutation(len(cells))):
        evaluator = CostEvaluator(BUDGET)
        for index in order.tolist():
            _add(evaluator, LARGE, cells[index][0], usd=cells[index][1])
        told.append(evaluator.evaluate(EVENT_S + 1200))
    assert told[0] == told[1] != []


def test_a_snapshot_says_what_the_original_says() -> None:
    evaluator = _taught()
    tick_s = _burst(evaluator, LARGE, 20)
    evaluator.evaluate(tick_s)
    restored = CostEvaluator(BUDGET)
    restored.state.restore(evaluator.state.snapshot(0))
    assert restored.evaluate(tick_s + 10) == evaluator.evaluate(tick_s + 10) != []


def test_a_restart_within_an_hour_expects_what_was_expected_before() -> None:
    evaluator = _taught()
    evaluator.evaluate(EVENT_S + 600)
    for day in (7, 14, 21):
        _add(evaluator, LARGE, EVENT_S - day * DAY_S, usd=90.0)
    restored = CostEvaluator(BUDGET)
    restored.state.restore(evaluator.state.snapshot(0))
    told = [one.evaluate(EVENT_S + 610, watched={WHOLE}) for one in (evaluator, restored)]
    assert told[0] == told[1] != []


def test_a_snapshot_of_another_version_is_refused() -> None:
    with pytest.raises(StateError, match="version 99"):
        CostEvaluator(BUDGET).state.restore(b'{"version": 99}')


def test_while_the_pipeline_is_broken_nothing_is_known_and_nothing_learnt() -> None:
    evaluator = _taught()
    tick_s = _burst(evaluator, LARGE, 20)
    assert evaluator.evaluate(tick_s, is_stale=True) == []
    (seen,) = evaluator.evaluate(tick_s, watched={WHOLE}, is_stale=True)
    assert set(_conditions(seen).values()) == {Condition.UNKNOWN}
    assert tick_s // HOUR_S in evaluator.state.memories[0].untaught


def test_hours_of_an_incident_teach_nothing_until_an_operator_accepts_them() -> None:
    evaluator = _taught()
    evaluator.evaluate(_burst(evaluator, LARGE, 20))
    assert evaluator.state.memories[0].untaught
    evaluator.state.accept(WHOLE)
    assert not evaluator.state.memories[0].untaught


def test_a_snapshot_that_still_has_a_bill_is_read_without_it() -> None:
    evaluator, restored = _taught(), CostEvaluator(BUDGET)
    kept = json.loads(evaluator.state.snapshot(0))
    month_s, _ = evaluator.state.period_s(EVENT_S)
    restored.state.restore(json.dumps(kept | {"reconciled": [[month_s, 10**18]]}).encode())
    told = [one.evaluate(EVENT_S, watched={WHOLE}) for one in (evaluator, restored)]
    assert told[0] == told[1] != []


def test_without_history_the_budget_itself_is_the_forecast() -> None:
    evaluator = CostEvaluator(BUDGET)
    (seen,) = evaluator.evaluate(_burst(evaluator, LARGE, 20, usd=20.0))
    readings = {reading.rule: reading for reading in seen.readings}
    assert readings[CostRule.DOUBLING].condition is Condition.TRUE
    assert readings[CostRule.ABSOLUTE].condition is Condition.TRUE
    assert readings[CostRule.ABSOLUTE].severity is Severity.PAGE
    assert seen.details["forecast"] == "even share of the budget"
    assert [driver.value for driver in seen.drivers] == ["m-large"]


def test_late_counts_of_last_month_are_last_months_spending() -> None:
    evaluator = _taught()
    _add(evaluator, LARGE, EVENT_S - 3 * DAY_S, usd=500.0)
    (seen,) = evaluator.evaluate(EVENT_S, watched={WHOLE})
    # One day of March, ten dollars an hour.
    assert seen.details["spent_usd"] == "240.00"


def test_the_time_to_exhaustion_follows_the_projected_rate() -> None:
    budget = replace(BUDGET, amount_usd=Decimal(480))
    evaluator = _taught(budget)
    (seen,) = evaluator.evaluate(EVENT_S, watched={WHOLE})
    assert seen.budget is not None
    assert seen.budget.exhausts_in_s == pytest.approx(DAY_S, abs=60)
    assert seen.budget.remaining == 0.5


def test_nothing_is_told_before_anything_was_counted() -> None:
    assert CostEvaluator(BUDGET).evaluate(EVENT_S) == []
