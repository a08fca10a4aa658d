"""Budgets and rules on metrics as lanes: what they need counted, and what they keep."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest

from inferometer.core.slo.budgets import CalendarPeriod, MoneyBudget
from inferometer.core.slo.counting import CountTable
from inferometer.core.slo.definitions import Severity
from inferometer.core.slo.measure_lanes import (
    CostLane,
    MetricLane,
    counts_of_budget,
    counts_of_rule,
)
from inferometer.core.slo.metric_rules import Level, MetricRule, parse_metric

START_S = 1_767_225_600
BUDGET = MoneyBudget(name="month", amount_usd=Decimal(100), period=CalendarPeriod.MONTH, zone="UTC")


def rule(metric: str, **changes: object) -> MetricRule:
    levels = (Level(value=Decimal("0.5"), severity=Severity.TICKET),)
    return MetricRule(name="r", metric=parse_metric(metric), levels=levels, **changes)  # type: ignore[arg-type]


def spending(cells: int, pico: int) -> CountTable:
    wanted = counts_of_budget(BUDGET)
    count = np.full(cells, 1, np.int64)
    columns = dict.fromkeys(wanted.needs, count) | {"cost_usd": np.full(cells, pico, np.int64)}
    return CountTable(
        name="/month", digest=wanted.digest, groups=(("m",),), group=np.zeros(cells, np.int32),
        cells_s=START_S + 10 * np.arange(cells, dtype=np.int64), columns=columns,
    )  # fmt: skip


def test_a_budget_counts_its_money_by_model() -> None:
    assert "model" in counts_of_budget(BUDGET).group_by
    assert "cost_usd" in counts_of_budget(BUDGET).needs


def test_a_spent_budget_is_said_and_goes_on_from_its_snapshot() -> None:
    lane = CostLane(BUDGET)
    lane.add(spending(12, 10**13))
    tick_s = START_S + 120
    found = list(lane.observe(tick_s, ()))
    assert found
    again = CostLane(BUDGET)
    assert again.restore(lane.to_snapshot())
    assert [one.subject for one in again.observe(tick_s, ())] == [one.subject for one in found]
    assert [one.subject for one in again.standing()] == [found[0].subject]


def test_a_snapshot_of_another_selection_is_left_aside() -> None:
    other = MoneyBudget(
        name="month", amount_usd=Decimal(100), period=CalendarPeriod.MONTH, zone="UTC",
        group_by=("team_id",),
    )  # fmt: skip
    assert not CostLane(other).restore(CostLane(BUDGET).to_snapshot())


@pytest.mark.parametrize(
    ("metric", "gauges", "system"),
    [("watermark_age_s", ("watermark_age_s",), ()), ("dead_letters / records", (), ("dead_letters", "records"))],
)  # fmt: skip
def test_what_the_pipeline_knows_of_itself_is_not_counted_from_requests(
    metric: str, gauges: tuple[str, ...], system: tuple[str, ...]
) -> None:
    assert counts_of_rule(rule(metric)) is None
    lane = MetricLane(rule(metric))
    assert (lane.gauges, lane.system_counts) == (gauges, system)


def test_a_rule_on_a_ratio_is_true_over_its_window_and_survives_its_snapshot() -> None:
    declared = rule("cold_starts / attempts", group_by=("model",))
    wanted = counts_of_rule(declared)
    assert wanted is not None
    lane = MetricLane(declared)
    lane.add(
        CountTable(
            name="/r", digest=wanted.digest, groups=(("m",),), group=np.zeros(1, np.int32),
            cells_s=np.array([START_S]),
            columns={"cold_starts": np.array([6]), "attempts": np.array([10])},
        )
    )  # fmt: skip
    again = MetricLane(declared)
    assert again.restore(lane.to_snapshot())
    for one in (lane, again):
        (seen,) = one.observe(START_S + 10, ())
        assert dict(seen.subject.group) == {"model": "m"}
