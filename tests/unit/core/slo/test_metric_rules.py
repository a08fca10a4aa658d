"""Rules of how a metric is written."""

from __future__ import annotations

import pytest

from inferometer.core.cubes import MEASURES
from inferometer.core.slo.metric_rules import (
    GAUGES,
    SUMMABLE,
    Comparison,
    Metric,
    MetricKind,
    parse_metric,
)
from inferometer.core.slo.shipped_rules import shipped_rules


@pytest.mark.parametrize(
    ("text", "unit", "needs"),
    [
        ("cost_usd", "usd", ("cost_usd",)),
        ("cold_starts / attempts", "", ("cold_starts", "attempts")),
        ("cost_usd / requests", "usd", ("cost_usd", "requests")),
        ("p95(ttft)", "ms", ("ttft_bins",)),
        ("p99.9(e2e)", "ms", ("e2e_bins",)),
        ("mean(e2e)", "ms", ("e2e_us_sum", "e2e_count")),
        ("rate(requests)", "", ("requests",)),
        ("watermark_age_s", "s", ("watermark_age_s",)),
        ("enqueued_tokens / 10000000000", "", ("enqueued_tokens",)),
    ],
)
def test_a_metric_names_its_unit_and_what_must_be_counted(
    text: str, unit: str, needs: tuple[str, ...]
) -> None:
    metric = parse_metric(text)
    assert (metric.unit, metric.needs, str(metric)) == (unit, needs, text)


@pytest.mark.parametrize("name", [*SUMMABLE, *GAUGES])
def test_every_measure_of_the_views_can_be_a_metric(name: str) -> None:
    assert parse_metric(name).measure == name


def test_all_measures_but_the_sketches_can_be_summed() -> None:
    assert {name for name in MEASURES if not name.endswith("_bins")} <= set(SUMMABLE)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("cold_start / attempts", "unknown metric 'cold_start'"),
        ("p95(prefill)", "use one of ttft"),
        ("mean(nothing)", "knows no duration"),
        ("requests / 0", "above zero"),
        ("5 / requests", "divides no measure"),
        ("watermark_age_s / requests", "mixes a sampled and a counted"),
        ("ttft_bins", "unknown metric"),
        ("", "write for example"),
    ],
)
def test_a_wrong_metric_is_refused_with_what_would_be_right(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        parse_metric(text)


@pytest.mark.parametrize(
    ("comparison", "below", "same", "above"),
    [
        (Comparison.ABOVE, False, False, True),
        (Comparison.AT_LEAST, False, True, True),
        (Comparison.BELOW, True, False, False),
        (Comparison.AT_MOST, True, True, False),
    ],
)
def test_a_comparison_says_on_which_side_a_value_is_wrong(
    comparison: Comparison, *, below: bool, same: bool, above: bool
) -> None:
    assert [comparison.holds(value, 2.0) for value in (1.0, 2.0, 3.0)] == [below, same, above]


def test_shipped_rules_have_names_of_their_own_and_something_to_compare_with() -> None:
    rules = shipped_rules()
    assert len({rule.name for rule in rules}) == len(rules)
    assert all(rule.levels or rule.band for rule in rules)
    assert all(rule.description for rule in rules)


def test_a_metric_reads_the_text_that_it_writes() -> None:
    for rule in shipped_rules():
        assert parse_metric(str(rule.metric)) == rule.metric


def test_a_quantile_is_a_share_and_not_a_percentage() -> None:
    assert parse_metric("p99(itl)") == Metric(
        kind=MetricKind.QUANTILE, measure="itl", quantile=0.99
    )
