"""Ranges: how they are read, held against the one before, and cut into windows."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferometer.core.query.local_times import day_start, local_day, shifted_months, zone_of
from inferometer.core.query.questions import Granularity, QueryRefusedError, TimeRange
from inferometer.core.query.ranges import (
    LENGTHS_S,
    MOST_AUTO_WINDOWS,
    MOST_WINDOWS,
    auto_granularity,
    coarser,
    previous_range,
    read_time_range,
    widened,
    window_bounds,
)

NOW = datetime(2026, 11, 21, 17, 6, 23, tzinfo=UTC)
ODD_ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Asia/Kolkata",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "Africa/Cairo",
    "America/Havana",
    "Asia/Beirut",
    "America/Sao_Paulo",
    "Atlantic/Azores",
    "Pacific/Apia",
)
instants = st.datetimes(
    min_value=datetime(2015, 1, 1),  # noqa: DTZ001 - strategies add the zone
    max_value=datetime(2027, 1, 1),  # noqa: DTZ001
    timezones=st.just(UTC),
)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def spoken(bounds: list[datetime], zone: str) -> list[str]:
    return [f"{bound.astimezone(ZoneInfo(zone)):%d %H:%M}" for bound in bounds]


@pytest.mark.parametrize(
    ("first", "last", "start", "end"),
    [
        ("now-24h", "now", "2026-11-20T17:06:00Z", "2026-11-21T17:06:23Z"),
        ("now-7d", "now", "2026-11-14T17:00:00Z", "2026-11-21T17:06:23Z"),
        ("now-5m", "now", "2026-11-21T17:01:20Z", "2026-11-21T17:06:23Z"),
        ("now-7d", "now-1h", "2026-11-14T17:00:00Z", "2026-11-21T16:00:00Z"),
        ("now-1d/d", "now/d", "2026-11-20T00:00:00Z", "2026-11-21T00:00:00Z"),
        ("2026-11-01T10:07:11Z", "now", "2026-11-01T10:07:11Z", "2026-11-21T17:06:23Z"),
        ("now-1h", "now+1d", "2026-11-21T16:06:00Z", "2026-11-21T17:06:23Z"),
        ("2026-11-01", "2026-12-01", "2026-11-01T00:00:00Z", "2026-11-21T17:06:23Z"),
    ],
)
def test_a_relative_start_is_rounded_down_by_the_span_and_an_absolute_one_is_kept(
    first: str, last: str, start: str, end: str
) -> None:
    found = read_time_range(first, last, "UTC", now=NOW)
    assert (found.start, found.end) == (at(start), at(end))


@pytest.mark.parametrize(
    ("first", "last", "says"),
    [
        ("now-1h", "now-2h", "swap from and to"),
        ("2026-11-02", "2026-11-02", "swap from and to"),
        ("now+1h", "now+2h", "not in the past"),
        ("2027-01-01", "now", "not in the past"),
    ],
)
def test_a_reversed_empty_or_coming_range_is_refused(first: str, last: str, says: str) -> None:
    with pytest.raises(QueryRefusedError, match=says):
        read_time_range(first, last, "UTC", now=NOW)


def test_every_problem_of_a_range_is_told_at_once() -> None:
    with pytest.raises(QueryRefusedError) as caught:
        read_time_range("x", "y", "berlin", now=NOW)
    found = [problem.parameter for problem in caught.value.problems]
    assert found == ["time_zone", "from", "to"]


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("berlin", "did you mean Europe/Berlin?"),
        ("europe/berlin", "did you mean Europe/Berlin?"),
        ("New York", "did you mean America/New_York?"),
        ("Europe/Berln", "did you mean Europe/Berlin?"),
        ("../../etc/passwd", "write it like"),
        ("America", "time zone"),
        ("x" * 300, "write it like"),
    ],
)
def test_an_unknown_zone_is_answered_with_what_was_meant(name: str, says: str) -> None:
    with pytest.raises(QueryRefusedError, match="no time zone is called") as caught:
        zone_of(name)
    assert says in str(caught.value)


def test_the_day_on_which_clocks_go_forward_has_23_hours() -> None:
    day = TimeRange(at("2026-03-28T23:00Z"), at("2026-03-29T22:00Z"), "Europe/Berlin")
    bounds = window_bounds(day, Granularity.H1)
    assert len(bounds) - 1 == 23
    assert spoken(bounds[:4], day.zone) == ["29 00:00", "29 01:00", "29 03:00", "29 04:00"]
    assert window_bounds(day, Granularity.DAY) == [day.start, day.end]


def test_the_day_on_which_clocks_go_back_has_25_hours() -> None:
    day = TimeRange(at("2026-10-24T22:00Z"), at("2026-10-25T23:00Z"), "Europe/Berlin")
    bounds = window_bounds(day, Granularity.H1)
    assert len(bounds) - 1 == 25
    assert spoken(bounds[:5], day.zone) == [
        "25 00:00",
        "25 01:00",
        "25 02:00",
        "25 02:00",
        "25 03:00",
    ]


def test_windows_of_hours_begin_when_clocks_say_so_although_one_is_longer() -> None:
    day = TimeRange(at("2026-10-24T22:00Z"), at("2026-10-25T23:00Z"), "Europe/Berlin")
    bounds = window_bounds(day, Granularity.H6)
    assert spoken(bounds, day.zone) == ["25 00:00", "25 06:00", "25 12:00", "25 18:00", "26 00:00"]
    assert bounds[1] - bounds[0] == timedelta(hours=7)


def test_weeks_begin_on_monday_and_months_on_their_first() -> None:
    span = TimeRange(at("2026-02-25T12:00Z"), at("2026-04-02T12:00Z"), "America/New_York")
    assert spoken(window_bounds(span, Granularity.WEEK), span.zone)[:2] == ["23 00:00", "02 00:00"]
    assert spoken(window_bounds(span, Granularity.MONTH), span.zone) == ["01 00:00"] * 4


def test_an_hour_of_a_zone_that_is_half_an_hour_off_begins_at_its_own_hour() -> None:
    span = TimeRange(at("2026-11-21T10:10Z"), at("2026-11-21T12:10Z"), "Asia/Kolkata")
    assert spoken(window_bounds(span, Granularity.H1), span.zone) == [
        "21 15:00",
        "21 16:00",
        "21 17:00",
        "21 18:00",
    ]


def test_a_day_without_midnight_begins_after_the_gap() -> None:
    cairo = ZoneInfo("Africa/Cairo")
    start = day_start(date(2026, 4, 24), cairo)
    assert start.astimezone(cairo).hour == 1
    assert local_day(start, cairo) == date(2026, 4, 24)


def test_a_day_that_a_zone_never_had_leaves_no_gap() -> None:
    # Samoa went over the date line: there was no 30 December 2011.
    span = TimeRange(at("2011-12-29T00:00Z"), at("2012-01-02T00:00Z"), "Pacific/Apia")
    bounds = window_bounds(span, Granularity.DAY)
    assert bounds == sorted(set(bounds))


@given(
    start=instants,
    span_s=st.integers(10, 60 * 86_400),
    granularity=st.sampled_from([each for each in Granularity if each is not Granularity.TOTAL]),
    zone=st.sampled_from(ODD_ZONES),
)
def test_windows_cover_the_range_without_gap_or_overlap(
    start: datetime, span_s: int, granularity: Granularity, zone: str
) -> None:
    span_s = min(span_s, LENGTHS_S[granularity] * (MOST_WINDOWS - 1))
    asked = TimeRange(start, start + timedelta(seconds=span_s), zone)
    bounds = window_bounds(asked, granularity)
    assert bounds == sorted(set(bounds))
    assert bounds[0] <= asked.start < bounds[1]
    assert bounds[-2] < asked.end <= bounds[-1]
    assert len(bounds) - 1 <= MOST_WINDOWS + 60


@given(start=instants, zone=st.sampled_from(ODD_ZONES))
def test_every_instant_is_in_the_day_that_holds_it(start: datetime, zone: str) -> None:
    place = ZoneInfo(zone)
    day = local_day(start, place)
    assert day_start(day, place) <= start < day_start(day + timedelta(days=1), place)


@given(span_s=st.integers(1, 400 * 86_400))
def test_auto_makes_at_most_300_windows_and_few_only_where_none_are_shorter(span_s: int) -> None:
    asked = TimeRange(NOW - timedelta(seconds=span_s), NOW)
    granularity = auto_granularity(asked)
    windows = len(window_bounds(asked, granularity)) - 1
    assert windows <= MOST_AUTO_WINDOWS
    assert windows >= 40 or granularity is Granularity.S10


@pytest.mark.parametrize(
    ("span", "granularity"),
    [
        (timedelta(minutes=15), Granularity.S10),
        (timedelta(hours=1), Granularity.S30),
        (timedelta(hours=6), Granularity.M5),
        (timedelta(days=1), Granularity.M5),
        (timedelta(days=7), Granularity.H1),
        (timedelta(days=30), Granularity.H3),
        (timedelta(days=365), Granularity.WEEK),
        (timedelta(days=50 * 365), Granularity.MONTH),
    ],
)
def test_auto_is_what_one_would_choose(span: timedelta, granularity: Granularity) -> None:
    assert auto_granularity(TimeRange(NOW - span, NOW)) is granularity


def test_too_many_windows_are_refused_with_what_fits() -> None:
    with pytest.raises(QueryRefusedError, match="ask for 15m or auto") as caught:
        window_bounds(TimeRange(NOW - timedelta(days=7), NOW), Granularity.S10)
    assert caught.value.problems[0].parameter == "granularity"


def test_coarser_granularities_are_all_that_are_longer() -> None:
    assert coarser(Granularity.WEEK) == (Granularity.MONTH,)
    assert coarser(Granularity.TOTAL) == ()


@pytest.mark.parametrize(
    ("zone", "start", "end", "before"),
    [
        ("UTC", "2026-11-20T17:06Z", "2026-11-21T17:06Z", "2026-11-19T17:06Z"),
        ("UTC", "2026-11-14T17:00Z", "2026-11-21T17:06:23Z", "2026-11-07T17:00Z"),
        ("UTC", "2026-11-20T17:06Z", "2026-11-21T17:06:23Z", "2026-11-19T17:06Z"),
        ("Europe/Berlin", "2026-10-25T23:00Z", "2026-11-01T23:00Z", "2026-10-18T22:00Z"),
        ("Europe/Berlin", "2026-10-31T23:00Z", "2026-11-30T23:00Z", "2026-09-30T22:00Z"),
        ("UTC", "2026-03-01T00:00Z", "2026-04-01T00:00Z", "2026-02-01T00:00Z"),
        ("UTC", "2026-03-01T00:00:07Z", "2026-03-01T00:00:09Z", "2026-03-01T00:00:05Z"),
    ],
    ids=[
        "a day",
        "a week up to now, without the hour that runs",
        "a day up to now, without the minute that runs",
        "a week of days although clocks changed in the one before",
        "a month before a month",
        "February before March",
        "two seconds",
    ],
)
def test_the_span_before_is_as_long_and_ends_where_this_begins(
    zone: str, start: str, end: str, before: str
) -> None:
    found = previous_range(TimeRange(at(start), at(end), zone))
    assert found == TimeRange(at(before), at(start), zone)


@given(day=st.dates(date(2000, 1, 1), date(2100, 1, 1)), months=st.integers(-600, 600))
def test_shifted_months_stay_in_the_month_that_is_meant(day: date, months: int) -> None:
    found = shifted_months(day, months)
    wanted = day.year * 12 + day.month - 1 + months
    assert found.year * 12 + found.month - 1 == wanted
    assert found.day <= day.day


def test_a_widened_range_never_ends_after_now() -> None:
    asked = TimeRange(at("2026-11-21T10:00:07Z"), at("2026-11-21T17:06:20Z"))
    found = widened(asked, 60, now=NOW)
    assert (found.start, found.end) == (at("2026-11-21T10:00Z"), NOW)
