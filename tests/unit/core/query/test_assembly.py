"""Rows of a store become an answer: filled, ranked, final."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from inferometer.core.query.answers import Freshness, MeasuredRow, MetricsAnswer
from inferometer.core.query.assembly import assemble, number
from inferometer.core.query.planning import Planned, plan_metrics
from inferometer.core.query.plans import OTHER
from inferometer.core.query.reading import read_metrics
from inferometer.testing.query_store import KEPT_DAYS

NOW = datetime(2026, 11, 21, 17, 0, tzinfo=UTC)
FIRST, SECOND, THIRD = (NOW - timedelta(hours=hours) for hours in (3, 2, 1))
MEASURES = "requests,success_ratio,rps,e2e_p99_ms,cost_usd"


def planned(**texts: str) -> Planned:
    asked = {"measure": MEASURES, "from": "now-3h", "granularity": "1h", **texts}
    query = read_metrics({name: [text] for name, text in asked.items()}, workspace_id="w", now=NOW)
    return plan_metrics(query, kept_days=KEPT_DAYS, now=NOW)


def answered(
    rows: list[MeasuredRow], watermark: datetime | None = None, **texts: str
) -> MetricsAnswer:
    return assemble(
        planned(**texts), rows, groups_total=3, freshness=Freshness(watermark, watermark)
    )


def row(
    window: datetime | None, group: tuple[str, ...] | None, requests: int | None
) -> MeasuredRow:
    return MeasuredRow(window, group, (requests, 1.0, 2.0, None, Decimal("0.5")))


def test_an_empty_window_has_counts_of_nothing_and_no_ratio() -> None:
    found = answered([row(SECOND, None, 4), row(None, None, 4)])
    assert found.windows == [FIRST, SECOND, THIRD]
    assert found.window_ends == [SECOND, THIRD, NOW]
    assert found.values == {
        "requests": [0, 4, 0],
        "success_ratio": [None, 1.0, None],
        "rps": [0, 2.0, 0],
        "e2e_p99_ms": [None, None, None],
        "cost_usd": [0, 0.5, 0],
    }
    assert found.total["cost_usd"] == 0.5
    assert found.series == []


def test_nothing_at_all_is_nothing_everywhere() -> None:
    found = answered([])
    assert found.total == {
        "requests": 0, "success_ratio": None, "rps": 0, "e2e_p99_ms": None, "cost_usd": 0,
    }  # fmt: skip


def test_a_window_of_which_nothing_is_kept_has_no_number_at_all() -> None:
    whole = planned()
    cut = replace(whole, coverage=replace(whole.coverage, start=SECOND + timedelta(minutes=1)))
    found = assemble(cut, [], groups_total=0, freshness=Freshness(None, None))
    assert found.values["requests"] == [None, 0, 0]


def test_groups_stand_by_rank_and_the_rest_is_last() -> None:
    rows = [
        row(None, (OTHER,), 90),
        row(None, ("b",), 5),
        row(None, ("a",), 5),
        row(None, ("c",), 70),
        row(THIRD, ("c",), 70),
    ]
    found = answered(rows, group_by="model")
    assert [series.group["model"] for series in found.series] == ["c", "a", "b", OTHER]
    assert [series.is_other for series in found.series] == [False, False, False, True]
    assert found.series[0].values["requests"] == [0, 0, 70]
    assert found.groups_total == 3


def test_groups_that_have_no_rank_stand_behind_those_that_have() -> None:
    rows = [row(None, ("a",), None), row(None, ("b",), 1)]
    found = answered(rows, group_by="model")
    assert [series.group["model"] for series in found.series] == ["b", "a"]


def test_groups_are_ranked_by_what_stands_behind_the_measures_that_were_asked_for() -> None:
    rows = [
        MeasuredRow(None, (model,), (1, 1.0, 2.0, None, Decimal(0), tokens))
        for model, tokens in ((OTHER, 90), ("b", 3), ("a", 7))
    ]
    found = answered(rows, group_by="model", order_by="total_tokens")
    assert [series.group["model"] for series in found.series] == ["a", "b", OTHER]
    assert "total_tokens" not in found.series[0].total


def test_only_a_group_that_is_other_in_every_dimension_is_the_rest() -> None:
    rows = [row(None, ("a", OTHER), 1), row(None, (OTHER, OTHER), 5)]
    found = answered(rows, group_by="model,provider")
    assert [series.is_other for series in found.series] == [False, True]


def test_asked_groups_have_a_series_each_in_their_order_even_if_nothing_is_of_them() -> None:
    whole = planned(group_by="model")
    plan = replace(whole.plan, groups=(("z",), ("a",)))
    rows = [row(None, ("a",), 5), row(None, (OTHER,), 6)]
    found = assemble(
        replace(whole, plan=plan), rows, groups_total=3, freshness=Freshness(None, None)
    )
    assert [(s.group["model"], s.total["requests"]) for s in found.series] == [
        ("z", 0),
        ("a", 5),
        (OTHER, 6),
    ]


def test_one_window_over_the_range_and_the_total_stand_in_for_each_other() -> None:
    by_window = answered([row(FIRST, None, 4)], granularity="total")
    by_total = answered([row(None, None, 4)], granularity="total")
    assert by_window.total["requests"] == by_total.total["requests"] == 4
    assert by_window.values["requests"] == by_total.values["requests"] == [4]


@pytest.mark.parametrize(
    ("watermark", "is_final"),
    [
        (None, [False, False, False]),
        (SECOND, [True, False, False]),
        (THIRD - timedelta(microseconds=1), [True, False, False]),
        (NOW, [True, True, True]),
    ],
    ids=["nothing stored", "at an end", "before an end", "past all"],
)
def test_a_window_is_final_once_the_watermark_has_reached_its_end(
    watermark: datetime | None, is_final: list[bool]
) -> None:
    assert answered([], watermark).is_final == is_final


def test_a_window_that_the_range_cuts_is_final_at_the_end_of_the_range() -> None:
    cut = {"from": "2026-11-21T14:00Z", "to": "2026-11-21T15:10Z"}
    watermark = datetime(2026, 11, 21, 15, 10, tzinfo=UTC)
    assert answered([], watermark, **cut).is_final == [True, True]


@pytest.mark.parametrize(
    ("value", "shown"),
    [(None, None), (3, 3), (Decimal("0.1"), 0.1), (math.nan, None), (math.inf, None)],
)
def test_a_number_is_one_that_json_can_hold(
    value: float | Decimal | None, shown: float | None
) -> None:
    assert number(value) == shown
