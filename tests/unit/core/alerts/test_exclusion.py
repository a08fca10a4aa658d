"""Maintenance windows that exclude: their events burn no budget, all others do."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest

from inferometer.core.alerts.conditions import Condition
from inferometer.core.alerts.maintenance import Effect, Maintenance
from inferometer.core.alerts.matchers import Matcher
from inferometer.core.alerts.mute_book import MuteBook
from inferometer.core.slo.counting import BinCounts, CountTable
from inferometer.core.slo.definitions import Cost, CostPer, Severity
from inferometer.core.slo.exclusion import without_excluded
from inferometer.core.slo.measure_lanes import MetricLane, counts_of_rule
from inferometer.core.slo.metric_rules import Level, MetricRule, parse_metric
from inferometer.core.slo.slo_lane import SloLane
from tests.unit.jobs.alert_pipeline import START_S, chat_slo

S = 1_000_000
CELLS = 12
"""Two minutes, the second of which is maintained."""
MIDDLE_S = START_S + 60


def counts() -> CountTable:
    """Return ten requests each ten seconds, all failing in the second minute."""
    cells = START_S + 10 * np.arange(CELLS, dtype=np.int64)
    bad = np.where(cells >= MIDDLE_S, 10, 0).astype(np.int64)
    return CountTable(
        name="chat-success",
        digest="",
        groups=(("m",),),
        group=np.zeros(CELLS, dtype=np.int32),
        cells_s=cells,
        columns={
            "total": np.full(CELLS, 10, dtype=np.int64),
            "bad": bad,
            "principal_low": np.zeros(CELLS, dtype=np.int64),
            "principal_high": np.full(CELLS, 1, dtype=np.int64),
        },
    )


def window(effect: Effect, model: str = "m", slo: str = "chat-success") -> Maintenance:
    return Maintenance(
        id="w",
        matchers=(Matcher("slo", slo), Matcher("model", model)),
        effect=effect,
        reason="upgrade",
        created_by="ci",
        updated_at_us=START_S * S,
        starts_at_us=MIDDLE_S * S,
        ends_at_us=(MIDDLE_S + 600) * S,
    )


@pytest.mark.parametrize(
    ("effect", "model", "excluded", "condition"),
    [
        (Effect.BOTH, "m", 60, Condition.FALSE),
        (Effect.EXCLUDE_FROM_BUDGET, "m", 60, Condition.FALSE),
        (Effect.MUTE, "m", 0, Condition.TRUE),
        (Effect.BOTH, "other", 0, Condition.TRUE),
    ],
)
def test_only_a_window_that_excludes_keeps_its_events_from_the_budget(
    effect: Effect, model: str, excluded: int, condition: Condition
) -> None:
    lane = SloLane(chat_slo())
    lane.add(counts(), MuteBook([window(effect, model)]).excluded_by)
    assert lane.excluded == excluded
    subject = lane.definition.subject(("m",))
    (seen,) = lane.observe(START_S + 120, [subject])
    readings = {reading.rule: reading for reading in seen.readings}
    assert readings["page-fast"].condition is condition


def cold_starts() -> MetricRule:
    levels = (Level(value=Decimal("0.5"), severity=Severity.TICKET),)
    metric = parse_metric("cold_starts / attempts")
    return MetricRule(name="cold", metric=metric, levels=levels, group_by=("model",))


@pytest.mark.parametrize(
    ("effect", "model", "is_true"),
    [(Effect.BOTH, "m", False), (Effect.MUTE, "m", True), (Effect.BOTH, "other", True)],
)
def test_a_rule_on_a_metric_does_not_count_what_a_window_excludes(
    effect: Effect, model: str, is_true: bool
) -> None:
    rule = cold_starts()
    wanted = counts_of_rule(rule)
    assert wanted is not None
    base = counts()
    columns = {"cold_starts": base.columns["bad"] * 3, "attempts": base.columns["total"]}
    lane = MetricLane(rule)
    table = replace(base, name="/cold", digest=wanted.digest, columns=columns)
    lane.add(table, MuteBook([window(effect, model, "cold")]).excluded_by)
    found = [
        reading.condition
        for seen in lane.observe(START_S + 120, [lane.definition.subject(("m",))])
        for reading in seen.readings
    ]
    assert (Condition.TRUE in found) is is_true


def test_cost_by_the_minute_does_not_count_what_a_window_excludes() -> None:
    slo = chat_slo(indicator=Cost(per=CostPer.MINUTE, threshold_usd=Decimal(1)))
    base = counts()
    dear = np.where(base.cells_s >= MIDDLE_S, 10**12, 0).astype(np.int64)
    table = replace(base, columns={**base.columns, "cost_usd": dear})
    bad = []
    for effect in (Effect.MUTE, Effect.BOTH):
        lane = SloLane(slo)
        lane.add(table, MuteBook([window(effect)]).excluded_by)
        for tick_s in range(START_S, START_S + 300, 10):
            list(lane.observe(tick_s, ()))
        [seen] = lane.standing()
        facts = next(reading.facts for reading in seen.readings if reading.rule == "page-fast")
        assert facts is not None
        assert facts.long is not None
        bad.append(facts.long.bad)
    assert bad == [1, 0]


def test_what_is_excluded_leaves_no_bin_behind() -> None:
    bins = BinCounts(
        np.array([0, 5, 6, 11], np.int32), np.array([1, 2, 3, 4], np.int16),
        np.array([1, 1, 7, 7], np.int64),
    )  # fmt: skip
    table = replace(counts(), bins={"ttft_bins": bins})
    definition = SloLane(chat_slo()).definition
    kept = without_excluded(table, definition, MuteBook([window(Effect.BOTH)]).excluded_by)
    assert len(kept) == 6
    assert kept.groups == table.groups
    assert kept.bins["ttft_bins"].row.tolist() == [0, 5]
    assert kept.bins["ttft_bins"].counts.tolist() == [1, 1]
    assert without_excluded(table, definition, None) is table
