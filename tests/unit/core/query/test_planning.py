"""Which relation serves a question, in which windows, and what is said of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferometer.core.query.catalogue import measure
from inferometer.core.query.planning import (
    NOW_SLACK_S,
    Planned,
    plan_metrics,
    range_length_s,
    window_lengths_s,
)
from inferometer.core.query.questions import (
    Filter,
    Granularity,
    Match,
    MetricsQuery,
    QueryRefusedError,
    TimeRange,
)
from inferometer.core.query.reading import read_metrics
from inferometer.testing.query_store import KEPT_DAYS

NOW = datetime(2026, 11, 21, 17, 6, 23, tzinfo=UTC)


def planned(**texts: str) -> Planned:
    """Plan a question as it is written, `from_` for `from`."""
    query = read_metrics(
        {name.rstrip("_"): [text] for name, text in texts.items()}, workspace_id="w", now=NOW
    )
    return plan_metrics(query, kept_days=KEPT_DAYS, now=NOW)


@pytest.mark.parametrize(
    ("texts", "relation", "granularity"),
    [
        ({"from_": "now-15m"}, "service_10s_rows", "10s"),
        ({"from_": "now-15m", "granularity": "1m"}, "service_1m_rows", "1m"),
        ({"from_": "now-24h"}, "service_1m_rows", "5m"),
        ({"from_": "now-7d"}, "service_1h_rows", "1h"),
        ({"from_": "now-7d", "granularity": "15m"}, "service_1m_rows", "15m"),
        ({"from_": "now-7d", "granularity": "total"}, "service_1h_rows", "total"),
        ({"from_": "now-300d", "granularity": "1mo"}, "service_1h_rows", "1mo"),
        ({"from_": "now-7d", "group_by": "user_id"}, "usage_1h_rows", "1h"),
        ({"from_": "now-15m", "group_by": "user_id"}, "usage_1m_rows", "1m"),
        ({"from_": "now-7d", "filter": "team_id=a"}, "usage_1h_rows", "1h"),
        ({"from_": "now-7d", "group_by": "model,status_class"}, "service_1h_rows", "1h"),
        ({"from_": "now-7d", "group_by": "user_id,status_class"}, "usage_1h_rows", "1h"),
        ({"from_": "now-7d", "time_zone": "Asia/Kolkata"}, "service_1m_rows", "1h"),
        ({"from_": "now-7d", "time_zone": "Europe/Berlin"}, "service_1h_rows", "1h"),
        ({"from_": "now-7d", "time_zone": "Asia/Kathmandu", "granularity": "1d"},
         "service_1m_rows", "1d"),
        ({"from_": "now-7d", "group_by": "user_id,region"}, "requests", "1h"),
        ({"from_": "now-7d", "group_by": "metadata.tenant"}, "requests", "1h"),
        ({"from_": "now-7d", "measure": "cost_input_usd"}, "requests", "1h"),
        ({"from_": "now-7d", "group_by": "model", "order_by": "log_bytes"}, "requests", "1h"),
        ({"from_": "now-1h", "group_by": "user_id", "granularity": "10s"}, "requests", "10s"),
        ({"from_": "2026-11-01T10:30Z", "to": "2026-11-09T10:30Z", "granularity": "total"},
         "service_1m_rows", "total"),
        ({"from_": "2026-11-20T10:00:10Z", "to": "2026-11-20T10:30:50Z"},
         "service_10s_rows", "10s"),
    ],
)  # fmt: skip
def test_the_coarsest_relation_that_fits_serves(
    texts: dict[str, str], relation: str, granularity: str
) -> None:
    plan = planned(**texts).plan
    assert (plan.relation.name, plan.granularity) == (relation, granularity)


def test_the_log_is_said_to_be_the_log_and_why() -> None:
    found = planned(from_="now-7d", group_by="user_id,region")
    assert found.plan.relation.is_log
    assert any("log" in note and "user_id, region together" in note for note in found.notes)


def test_auto_takes_longer_windows_where_no_roll_up_keeps_short_ones() -> None:
    ten_days_ago = {"from_": "2026-11-11T10:00Z", "to": "2026-11-11T10:30Z"}
    found = planned(**ten_days_ago)
    assert (found.plan.relation.name, found.plan.granularity) == ("service_1m_rows", "1m")
    assert any("no roll-up that serves this range has shorter ones" in note for note in found.notes)
    chosen = planned(**ten_days_ago, granularity="10s")
    assert (chosen.plan.relation.name, chosen.plan.granularity) == ("requests", "10s")


def test_what_nothing_keeps_any_more_is_refused_with_the_parameter_and_the_remedy() -> None:
    old = {"from_": "2026-05-01T10:00Z", "to": "2026-05-01T10:30Z"}
    with pytest.raises(QueryRefusedError) as caught:
        planned(**old, granularity="10s")
    [problem] = caught.value.problems
    assert problem.parameter == "granularity"
    assert problem.remedy == "ask for auto, or for windows of an hour or more"
    with pytest.raises(QueryRefusedError, match="the request log keeps 14 days") as caught:
        planned(**old, group_by="feature")
    assert caught.value.problems[0].parameter == "from"
    with pytest.raises(QueryRefusedError, match="for 1095 days"):
        planned(from_="2020-01-01", to="2020-02-01")


@pytest.mark.parametrize("granularity", ["auto", "1d", "1h"])
def test_old_windows_of_a_zone_that_is_half_an_hour_off_are_refused_with_a_remedy_that_works(
    granularity: str,
) -> None:
    old = {"from_": "2026-05-01", "to": "2026-05-11", "granularity": granularity}
    with pytest.raises(QueryRefusedError, match="begin inside roll-ups of an hour") as caught:
        planned(**old, time_zone="Asia/Kolkata")
    [problem] = caught.value.problems
    assert problem.parameter == "time_zone"
    assert problem.remedy == "ask for time_zone=UTC, or for granularity=total"
    assert planned(**old, time_zone="UTC").coverage.is_whole
    assert planned(**{**old, "granularity": "total"}, time_zone="Asia/Kolkata").coverage.is_whole


def test_a_narrow_old_range_is_widened_to_what_is_kept_and_said_to_be() -> None:
    found = planned(from_="2026-05-01T10:20Z", to="2026-05-01T10:50Z", granularity="total")
    assert found.plan.relation.name == "service_1h_rows"
    assert found.plan.time_range.start == datetime(2026, 5, 1, 10, tzinfo=UTC)
    assert found.plan.time_range.end == datetime(2026, 5, 1, 11, tzinfo=UTC)
    assert any("widened" in note for note in found.notes)


def test_a_range_that_is_kept_in_part_says_since_when() -> None:
    found = planned(from_="now-30d", group_by="feature")
    assert not found.coverage.is_whole
    assert found.coverage.start == datetime(2026, 11, 7, 17, 7, tzinfo=UTC)
    assert found.plan.time_range.start == found.coverage.start
    assert found.plan.windows[0] < found.coverage.start
    assert "14 days" in found.coverage.reason


def test_the_sliver_by_which_a_relative_start_was_rounded_is_not_missed() -> None:
    assert planned(from_="now-14d", group_by="feature").coverage.is_whole


def test_the_newest_partial_windows_are_noted() -> None:
    notes = planned(from_="now-24h", granularity="1h").notes
    assert any("begins before the range" in note for note in notes)
    assert any("not over yet" in note for note in notes)
    past = {"from_": "2026-11-20T10:30Z", "to": "2026-11-20T12:30Z", "granularity": "1h"}
    assert any("ends after the range" in note for note in planned(**past).notes)


def test_rates_are_over_the_part_of_a_window_that_is_in_the_range() -> None:
    found = planned(from_="2026-11-20T10:30Z", to="2026-11-20T12:15Z", granularity="1h").plan
    assert window_lengths_s(found) == (1800.0, 3600.0, 900.0)
    assert range_length_s(found) == 6300.0


def test_a_window_of_a_long_day_is_as_long_as_the_day() -> None:
    found = planned(
        from_="2026-10-24", to="2026-10-27", granularity="1d", time_zone="Europe/Berlin"
    ).plan
    assert window_lengths_s(found) == (86_400.0, 90_000.0, 86_400.0)


def test_a_question_for_too_many_numbers_is_refused() -> None:
    names = ",".join(f"ttft_p{n}_ms" for n in range(1, 21))
    with pytest.raises(QueryRefusedError, match="numbers, more than 300000") as caught:
        planned(from_="now-4h", granularity="10s", group_by="model", top="200", measure=names)
    assert "smaller top" in caught.value.problems[0].remedy


def test_auto_makes_longer_windows_where_short_ones_would_be_too_many_numbers() -> None:
    names = ",".join(f"ttft_p{n}_ms" for n in range(1, 21))
    found = planned(from_="now-24h", group_by="model", top="200", measure=names).plan
    assert found.granularity is Granularity.M30
    assert len(found.windows) * 202 * 20 <= 300_000


def test_a_range_that_ended_a_moment_ago_ends_now() -> None:
    query = read_metrics({"from": ["now-7d"]}, workspace_id="w", now=NOW)
    moment = NOW + timedelta(seconds=NOW_SLACK_S)
    found = plan_metrics(query, kept_days=KEPT_DAYS, now=moment)
    assert found.plan.relation.name == "service_1h_rows"
    assert found.plan.time_range.end == NOW


def test_a_table_of_unknown_retention_counts_as_kept_for_as_long_as_the_log() -> None:
    query = read_metrics({"from": ["now-40d"]}, workspace_id="w", now=NOW)
    assert not plan_metrics(query, kept_days={}, now=NOW).coverage.is_whole


dimension_lists = st.lists(
    st.sampled_from(
        ["model", "provider", "user_id", "team_id", "status_class", "status_code", "feature"]
    ),
    max_size=3,
    unique=True,
)


@given(
    group_by=dimension_lists,
    filtered=dimension_lists,
    granularity=st.sampled_from(Granularity),
    may_coarsen=st.booleans(),
    ago_s=st.integers(60, 20 * 86_400),
    share=st.floats(0.01, 1),
    zone=st.sampled_from(["UTC", "Europe/Berlin", "Asia/Kolkata", "Australia/Lord_Howe"]),
)
def test_a_plan_reads_whole_windows_of_a_relation_that_has_all_that_is_asked(
    group_by: list[str],
    filtered: list[str],
    granularity: Granularity,
    may_coarsen: bool,
    ago_s: int,
    share: float,
    zone: str,
) -> None:
    start = NOW - timedelta(seconds=ago_s)
    query = MetricsQuery(
        workspace_id="w",
        measures=(measure("requests"),),
        time_range=TimeRange(start, start + timedelta(seconds=max(1, ago_s * share)), zone),
        granularity=granularity,
        may_coarsen=may_coarsen,
        group_by=tuple(group_by),
        filters=tuple(Filter(name, Match.IS, ("200",)) for name in filtered),
    )
    try:
        found = plan_metrics(query, kept_days=KEPT_DAYS, now=NOW)
    except QueryRefusedError as error:
        wanted = {problem.parameter for problem in error.problems}
    else:
        wanted = {"from", "granularity"}
        _check(found, query)
    assert wanted <= {"from", "granularity"}


def _check(found: Planned, query: MetricsQuery) -> None:
    plan, unit_s = found.plan, found.plan.relation.window_s
    assert len(plan.windows) == len(plan.window_ends)
    assert plan.windows[1:] == plan.window_ends[:-1]
    assert plan.time_range.start >= found.coverage.start
    assert plan.time_range.end == found.coverage.end
    assert sum(window_lengths_s(plan)) == pytest.approx(range_length_s(plan))
    if found.coverage.is_whole:
        assert plan.time_range.start <= query.time_range.start
    if unit_s:
        inner = plan.windows[1:] if plan.granularity is Granularity.TOTAL else plan.windows
        assert all(bound.timestamp() % unit_s == 0 for bound in (*inner, plan.time_range.start))
        assert {"feature"}.isdisjoint({*query.group_by, *(f.dimension for f in query.filters)})


def test_the_same_range_in_other_windows_reads_the_same_rows() -> None:
    query = read_metrics({"from": ["now-7d"]}, workspace_id="w", now=NOW)
    found: set[Any] = {
        plan_metrics(
            replace(query, granularity=granularity, may_coarsen=False),
            kept_days=KEPT_DAYS,
            now=NOW,
        ).plan.time_range
        for granularity in Granularity
        if granularity not in {Granularity.S10, Granularity.S30, Granularity.M1, Granularity.M5}
    }
    assert found == {query.time_range}
