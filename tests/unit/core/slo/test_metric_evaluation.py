"""Rules of thresholds on metrics."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np
import pytest

from inferometer.core.alerts.conditions import Condition
from inferometer.core.alerts.notices import Family
from inferometer.core.bins import bin_of_us
from inferometer.core.slo.counting import BinCounts
from inferometer.core.slo.definitions import DAY_S, HOUR_S, Severity
from inferometer.core.slo.gauge_counting import count_column, sum_column
from inferometer.core.slo.metric_evaluation import MetricEvaluator
from inferometer.core.slo.metric_rules import (
    AdaptiveBand,
    Comparison,
    Level,
    MetricRule,
    parse_metric,
)
from inferometer.core.slo.shipped_rules import (
    CONSUMER_LAG,
    ENQUEUED_TOKENS,
    HEARTBEAT_AGE,
    shipped_rules,
)
from inferometer.core.slo.subject_definitions import BAND_RULE, STATIC_RULE
from inferometer.errors import StateError

if TYPE_CHECKING:
    from inferometer.core.alerts.subjects import Observation

START_S = 1_767_571_200
LARGE, SMALL = ("m-large",), ("m-small",)
COLD = MetricRule(
    name="cold",
    metric=parse_metric("cold_starts / attempts"),
    levels=(Level(value=Decimal("0.01")), Level(value=Decimal("0.1"), severity=Severity.PAGE)),
    least_count=100,
    for_s=600,
    group_by=("model",),
)
TTFT = MetricRule(
    name="ttft",
    metric=parse_metric("p95(ttft)"),
    levels=(Level(value=Decimal(2000)),),
    group_by=("model",),
)


def _count(evaluator: MetricEvaluator, key: tuple[str, ...], cell_s: int, **columns: int) -> None:
    values = {name: np.array([value]) for name, value in columns.items()}
    evaluator.add([key], np.zeros(1, np.int32), np.array([cell_s]), values, {})


def _sample(
    evaluator: MetricEvaluator, key: tuple[str, ...], cell_s: int, **gauges: tuple[int, int]
) -> None:
    columns: dict[str, np.ndarray] = {}
    for name, (total, count) in gauges.items():
        columns |= {sum_column(name): np.array([total]), count_column(name): np.array([count])}
    evaluator.add([key], np.zeros(1, np.int32), np.array([cell_s]), columns, {})


def _time(evaluator: MetricEvaluator, cell_s: int, *durations_ms: float) -> None:
    bins = [bin_of_us(int(one * 1000)) for one in durations_ms]
    found, counts = np.unique(bins, return_counts=True)
    sketch = BinCounts(np.zeros(len(found), np.int32), found.astype(np.int16), counts)
    evaluator.add([LARGE], np.zeros(1, np.int32), np.array([cell_s]), {}, {"ttft_bins": sketch})


def _told(seen: list[Observation]) -> list[tuple[str, Condition, Severity, float | None]]:
    return [
        (
            reading.rule,
            reading.condition,
            reading.severity,
            reading.facts.value if reading.facts else None,
        )
        for one in seen
        for reading in one.readings
    ]


@pytest.mark.parametrize(
    ("cold", "condition", "severity"),
    [
        (10, Condition.FALSE, Severity.TICKET),
        (11, Condition.TRUE, Severity.TICKET),
        (101, Condition.TRUE, Severity.PAGE),
    ],
    ids=["at the threshold", "above the first", "above the urgent one"],
)
def test_the_most_urgent_level_that_is_passed_decides(
    cold: int, condition: Condition, severity: Severity
) -> None:
    evaluator = MetricEvaluator(COLD)
    _count(evaluator, LARGE, START_S, cold_starts=cold, attempts=1000)
    seen = evaluator.evaluate(START_S + 10, watched={LARGE})
    assert _told(seen) == [(STATIC_RULE, condition, severity, cold / 1000)]


def test_too_few_to_tell_is_unknown() -> None:
    evaluator = MetricEvaluator(COLD)
    _count(evaluator, LARGE, START_S, cold_starts=99, attempts=99)
    assert _told(evaluator.evaluate(START_S + 10, watched={LARGE}))[0][1] is Condition.UNKNOWN
    assert evaluator.evaluate(START_S + 10) == []


def test_what_leaves_the_window_counts_no_more() -> None:
    evaluator = MetricEvaluator(COLD)
    _count(evaluator, LARGE, START_S, cold_starts=500, attempts=1000)
    _count(evaluator, LARGE, START_S + 290, cold_starts=0, attempts=1000)
    assert evaluator.evaluate(START_S + 300)
    assert not evaluator.evaluate(START_S + 310)


def test_each_group_is_told_with_its_own_labels_and_numbers() -> None:
    evaluator = MetricEvaluator(COLD)
    _count(evaluator, LARGE, START_S, cold_starts=500, attempts=1000)
    _count(evaluator, SMALL, START_S, cold_starts=0, attempts=1000)
    (seen,) = evaluator.evaluate(START_S + 10)
    assert seen.subject.labels == {
        "workspace": "",
        "service": "",
        "slo": "cold",
        "model": "m-large",
    }
    assert seen.details == {"metric": "cold_starts / attempts", "window_s": 300, "count": 1000}
    assert seen.readings[0].for_s == 600


def test_a_quantile_is_that_of_the_window() -> None:
    evaluator = MetricEvaluator(TTFT)
    _time(evaluator, START_S, *([100.0] * 90 + [5000.0] * 10))
    ((_, condition, _, value),) = _told(evaluator.evaluate(START_S + 10, watched={LARGE}))
    assert condition is Condition.TRUE
    assert value == pytest.approx(5000, rel=0.005)
    _time(evaluator, START_S + 10, *([100.0] * 900))
    assert not evaluator.evaluate(START_S + 20)
    ((_, condition, _, value),) = _told(evaluator.evaluate(START_S + 320, watched={LARGE}))
    assert (condition, value) == (Condition.UNKNOWN, None)


def test_late_durations_leave_with_their_own_cell() -> None:
    evaluator = MetricEvaluator(TTFT)
    _time(evaluator, START_S + 100, 5000.0)
    _time(evaluator, START_S, 100.0)
    assert evaluator.evaluate(START_S + 310)
    ((_, condition, _, _),) = _told(evaluator.evaluate(START_S + 410, watched={LARGE}))
    assert condition is Condition.UNKNOWN


@pytest.mark.parametrize(
    ("text", "columns", "value"),
    [
        ("requests", {"requests": 30}, 30.0),
        ("rate(requests)", {"requests": 30}, 0.1),
        ("cost_usd", {"cost_usd": 25 * 10**11}, 2.5),
        ("cost_usd / requests", {"cost_usd": 25 * 10**11, "requests": 5}, 0.5),
        ("mean(e2e)", {"e2e_us_sum": 9_000_000, "e2e_count": 3}, 3000.0),
        ("output_tokens / 100", {"output_tokens": 50}, 0.5),
    ],
)
def test_a_metric_has_the_value_that_its_text_says(
    text: str, columns: dict[str, int], value: float
) -> None:
    rule = replace(
        COLD,
        metric=parse_metric(text),
        levels=(Level(value=Decimal(0)),),
        comparison=Comparison.AT_LEAST,
        least_count=0,
    )
    evaluator = MetricEvaluator(rule)
    _count(evaluator, LARGE, START_S, **columns)
    assert _told(evaluator.evaluate(START_S + 10))[0][3] == pytest.approx(value)


@pytest.mark.parametrize(
    ("tokens", "condition", "severity"),
    [
        (7_999_999_999, Condition.FALSE, Severity.TICKET),
        (8_000_000_000, Condition.TRUE, Severity.TICKET),
        (9_500_000_000, Condition.TRUE, Severity.PAGE),
    ],
)
def test_enqueued_tokens_are_told_at_80_and_paged_at_95_percent(
    tokens: int, condition: Condition, severity: Severity
) -> None:
    evaluator = MetricEvaluator(ENQUEUED_TOKENS)
    _sample(evaluator, LARGE, START_S, enqueued_tokens=(tokens, 1))
    told = _told(evaluator.evaluate(START_S + 10, watched={LARGE}))
    assert told[0][1:3] == (condition, severity)


def test_a_gauge_over_a_gauge_is_a_ratio_of_their_newest_samples() -> None:
    metric = parse_metric("enqueued_tokens / enqueued_tokens_limit")
    evaluator = MetricEvaluator(replace(ENQUEUED_TOKENS, metric=metric))
    _sample(evaluator, LARGE, START_S, enqueued_tokens=(9, 1), enqueued_tokens_limit=(10, 1))
    assert _told(evaluator.evaluate(START_S + 10))[0][3] == pytest.approx(0.9)


def test_a_source_that_falls_silent_is_told_and_one_that_left_is_not() -> None:
    evaluator = MetricEvaluator(HEARTBEAT_AGE)
    for source in ("killed", "stopped"):
        _sample(evaluator, (source,), START_S, heartbeat=(10, 1), farewell=(0, 0))
    _sample(evaluator, ("stopped",), START_S + 10, heartbeat=(0, 0), farewell=(0, 1))
    assert evaluator.evaluate(START_S + 70) == []
    (told,) = evaluator.evaluate(START_S + 80)
    assert dict(told.subject.group) == {"source": "killed"}
    _sample(evaluator, ("killed",), START_S + 90, heartbeat=(10, 1), farewell=(0, 0))
    assert evaluator.evaluate(START_S + 100) == []


def test_a_snapshot_keeps_samples_of_a_cell_that_is_not_over() -> None:
    evaluator, restored = MetricEvaluator(ENQUEUED_TOKENS), MetricEvaluator(ENQUEUED_TOKENS)
    _sample(evaluator, LARGE, START_S, enqueued_tokens=(9_000_000_000, 1))
    restored.restore(evaluator.snapshot(0))
    for one in (evaluator, restored):
        _sample(one, LARGE, START_S, enqueued_tokens=(10_000_000_000, 1))
    told = _told(restored.evaluate(START_S + 10))
    assert told == _told(evaluator.evaluate(START_S + 10))
    assert told[0][3] == pytest.approx(0.95)


def test_a_gauge_that_nobody_samples_any_more_is_unknown() -> None:
    evaluator = MetricEvaluator(CONSUMER_LAG)
    evaluator.sample((), "consumer_lag_records", START_S, 5e6)
    evaluator.sample((), "consumer_lag_records", START_S - 100, 0)
    assert _told(evaluator.evaluate(START_S + 10))[0][1] is Condition.TRUE
    assert evaluator.evaluate(START_S + 400) == []


def test_a_gauge_that_is_unknown_is_refused() -> None:
    with pytest.raises(ValueError, match="use one of consumer_lag_records, watermark_age_s"):
        MetricEvaluator(CONSUMER_LAG).sample((), "lag", START_S, 1)


def test_while_data_are_stale_only_the_rules_on_the_pipeline_speak() -> None:
    cold, lag = MetricEvaluator(COLD), MetricEvaluator(CONSUMER_LAG)
    _count(cold, LARGE, START_S, cold_starts=500, attempts=1000)
    lag.sample((), "consumer_lag_records", START_S, 5e6)
    assert cold.evaluate(START_S + 10, is_stale=True) == []
    assert _told(lag.evaluate(START_S + 10, is_stale=True))[0][1] is Condition.TRUE


def test_a_band_is_judged_at_whole_windows_and_stands_between_them() -> None:
    band = AdaptiveBand(needed=1, of=1)
    rule = replace(TTFT, levels=(), band=band, window_s=HOUR_S)
    evaluator = MetricEvaluator(rule)
    tick_s = START_S
    for hour in range(22 * 24):
        tick_s = START_S + hour * HOUR_S
        _time(evaluator, tick_s, 400.0)
        assert evaluator.evaluate(tick_s + HOUR_S) == []
    _time(evaluator, tick_s + HOUR_S, 1000.0)
    assert evaluator.evaluate(tick_s + HOUR_S + 600) == []
    (told,) = _told(evaluator.evaluate(tick_s + 2 * HOUR_S))
    assert told[:3] == (BAND_RULE, Condition.TRUE, Severity.TICKET)
    again = evaluator.evaluate(tick_s + 2 * HOUR_S + 600)
    assert [reading.condition for one in again for reading in one.readings] == [Condition.TRUE]


def test_a_band_without_history_is_unknown() -> None:
    evaluator = MetricEvaluator(replace(TTFT, levels=(), band=AdaptiveBand()))
    _time(evaluator, START_S, 400.0)
    told = _told(evaluator.evaluate(START_S + 10, watched={LARGE}))
    assert told == [(BAND_RULE, Condition.UNKNOWN, Severity.TICKET, None)]


def test_a_snapshot_says_what_the_original_says() -> None:
    for rule in (COLD, replace(TTFT, band=AdaptiveBand())):
        evaluator, restored = MetricEvaluator(rule), MetricEvaluator(rule)
        for cell in range(30):
            if rule is COLD:
                _count(evaluator, LARGE, START_S + 10 * cell, cold_starts=9, attempts=50)
            else:
                _time(evaluator, START_S + 10 * cell, 5000.0)
        evaluator.evaluate(START_S + 300)
        restored.restore(evaluator.snapshot(0))
        for tick_s in (START_S + 310, START_S + 500):
            assert restored.evaluate(tick_s) == evaluator.evaluate(tick_s) != []


def test_a_snapshot_keeps_samples_of_gauges() -> None:
    evaluator, restored = MetricEvaluator(CONSUMER_LAG), MetricEvaluator(CONSUMER_LAG)
    evaluator.sample((), "consumer_lag_records", START_S, 5e6)
    restored.restore(evaluator.snapshot(0))
    assert restored.evaluate(START_S + 10) == evaluator.evaluate(START_S + 10) != []


def test_a_snapshot_of_another_version_is_refused() -> None:
    with pytest.raises(StateError, match="version 7"):
        MetricEvaluator(COLD).restore(b'{"version": 7}')


def test_families_follow_what_a_rule_watches() -> None:
    families = {rule.name: MetricEvaluator(rule).definition.family for rule in shipped_rules()}
    assert families["consumer-lag"] is Family.SYSTEM
    assert families["unit-cost-unusual"] is Family.COST
    assert families["cold-start-rate"] is Family.SLO


def test_a_stale_window_does_not_teach_the_band() -> None:
    rule = replace(TTFT, levels=(), band=AdaptiveBand(), window_s=HOUR_S)
    evaluator = MetricEvaluator(rule)
    for hour in range(2 * DAY_S // HOUR_S):
        _time(evaluator, START_S + hour * HOUR_S, 400.0)
        evaluator.evaluate(START_S + (hour + 1) * HOUR_S - 10, is_stale=hour == 30)
        evaluator.evaluate(START_S + (hour + 1) * HOUR_S)
    assert evaluator.bands is not None
    assert np.flatnonzero(evaluator.bands.untaught[0, -48:]).tolist() == [30]
