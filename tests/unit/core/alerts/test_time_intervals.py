"""Times in a place: by the clock on the wall there, over changes of clocks, and as texts."""

from __future__ import annotations

from datetime import datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from inferometer.core.alerts.instant_texts import instant_us
from inferometer.core.alerts.interval_texts import interval_from, interval_to
from inferometer.core.alerts.time_intervals import IntervalBook, TimeInterval

HOUR_US = 3600 * 1_000_000
BERLIN = "Europe/Berlin"
NIGHT = TimeInterval(times=((120, 180),), location=BERLIN)
ZONES = [
    "UTC",
    BERLIN,
    "America/New_York",
    "Australia/Lord_Howe",
    "America/Sao_Paulo",
    "Asia/Kolkata",
]


def utc(text: str) -> int:
    return instant_us(f"{text}Z")


def test_an_ordinary_night_is_an_hour_long() -> None:
    spans = NIGHT.spans(utc("2026-01-10T00:00:00"), utc("2026-01-11T00:00:00"))
    assert spans == [(utc("2026-01-10T01:00:00"), utc("2026-01-10T02:00:00"))]


def test_an_hour_that_spring_skips_is_in_no_interval() -> None:
    assert NIGHT.spans(utc("2026-03-28T22:00:00"), utc("2026-03-29T12:00:00")) == []


def test_an_hour_that_autumn_repeats_is_in_twice() -> None:
    spans = NIGHT.spans(utc("2026-10-24T12:00:00"), utc("2026-10-25T12:00:00"))
    assert spans == [(utc("2026-10-25T00:00:00"), utc("2026-10-25T02:00:00"))]


def test_a_working_day_keeps_its_hours_over_a_change_of_clocks() -> None:
    office = TimeInterval(times=((540, 1020),), weekdays=((1, 5),), location=BERLIN)
    before = office.spans(utc("2026-03-27T00:00:00"), utc("2026-03-28T00:00:00"))
    after = office.spans(utc("2026-03-30T00:00:00"), utc("2026-03-31T00:00:00"))
    assert before == [(utc("2026-03-27T08:00:00"), utc("2026-03-27T16:00:00"))]
    assert after == [(utc("2026-03-30T07:00:00"), utc("2026-03-30T15:00:00"))]


def test_a_day_of_a_month_may_be_counted_from_its_end() -> None:
    last = TimeInterval(days_of_month=((-1, -1),))
    assert last.contains(utc("2028-02-29T12:00:00"))
    assert not last.contains(utc("2028-02-28T12:00:00"))
    assert last.contains(utc("2026-02-28T12:00:00"))


@pytest.mark.parametrize(
    ("weekday", "is_in"), [("2026-01-04", True), ("2026-01-05", False), ("2026-01-10", True)]
)
def test_the_week_begins_on_sunday(weekday: str, is_in: bool) -> None:
    weekend = TimeInterval(weekdays=((0, 0), (6, 6)))
    assert weekend.contains(utc(f"{weekday}T12:00:00")) is is_in


def test_the_end_of_a_time_is_outside() -> None:
    assert NIGHT.contains(utc("2026-01-10T01:59:59.999999"))
    assert not NIGHT.contains(utc("2026-01-10T02:00:00"))


def test_an_interval_without_parts_always_holds() -> None:
    start = utc("2026-01-10T00:00:00")
    assert TimeInterval().spans(start, start + 100 * HOUR_US) == [(start, start + 100 * HOUR_US)]


def test_a_name_stands_for_any_of_its_intervals() -> None:
    book = IntervalBook({"quiet": (NIGHT, TimeInterval(weekdays=((0, 0),)))})
    assert book.is_active("quiet", utc("2026-01-10T01:30:00") // 1_000_000)
    assert book.is_active("quiet", utc("2026-01-11T12:00:00") // 1_000_000)
    assert not book.is_active("quiet", utc("2026-01-12T12:00:00") // 1_000_000)
    assert not book.is_active("unknown", utc("2026-01-11T12:00:00") // 1_000_000)


ranges_of_minutes = st.tuples(st.integers(0, 1439), st.integers(1, 1440)).filter(
    lambda found: found[0] < found[1]
)


@st.composite
def intervals(draw: st.DrawFn) -> TimeInterval:
    weekday, month = draw(st.integers(0, 6)), draw(st.integers(1, 12))
    first = draw(st.integers(1, 28))
    return TimeInterval(
        times=tuple(draw(st.lists(ranges_of_minutes, max_size=2))),
        weekdays=draw(st.sampled_from([(), ((weekday, 6),)])),
        days_of_month=draw(st.sampled_from([(), ((first, 31),), ((-first, -1),)])),
        months=draw(st.sampled_from([(), ((month, 12),)])),
        location=draw(st.sampled_from(ZONES)),
    )


@given(
    intervals(),
    st.integers(utc("2026-01-01T00:00:00"), utc("2026-12-31T00:00:00")),
    st.integers(0, 10 * 24 * 3600),
    st.lists(st.floats(0, 1), min_size=1, max_size=30),
)
@example(NIGHT, utc("2026-10-24T12:00:00"), 86_400, [0.5, 0.55, 0.52])
def test_spans_hold_exactly_the_instants_of_the_interval(
    interval: TimeInterval, start: int, length_s: int, places: list[float]
) -> None:
    end = start + length_s * 1_000_000
    spans = interval.spans(start, end)
    assert all(begin < finish for begin, finish in spans)
    assert all(one[1] < two[0] for one, two in pairwise(spans))
    edges = {edge + step for span in spans for edge in span for step in (-1, 0)}
    for at in edges | {start + int(place * (end - start)) for place in places}:
        if start <= at < end:
            assert any(begin <= at < finish for begin, finish in spans) is interval.contains(at)


@given(intervals(), st.integers(utc("2026-01-01T00:00:00"), utc("2026-12-31T00:00:00")))
def test_an_instant_belongs_by_what_the_clock_there_shows(interval: TimeInterval, at: int) -> None:
    at -= at % 1_000_000
    wall = datetime.fromtimestamp(at // 1_000_000, ZoneInfo(interval.location))
    minute = wall.hour * 60 + wall.minute
    on_time = not interval.times or any(a <= minute < b for a, b in interval.times)
    on_day = not interval.weekdays or any(
        a <= wall.isoweekday() % 7 <= b for a, b in interval.weekdays
    )
    in_month = not interval.months or any(a <= wall.month <= b for a, b in interval.months)
    if not interval.days_of_month:
        assert interval.contains(at) is (on_time and on_day and in_month)


@given(intervals())
def test_an_interval_survives_being_written(interval: TimeInterval) -> None:
    assert interval_from(interval_to(interval)) == (interval, [])


def test_alertmanagers_words_are_understood() -> None:
    read, problems = interval_from(
        {
            "times": [{"start_time": "22:00", "end_time": "24:00"}],
            "weekdays": ["Monday:Friday", "sunday"],
            "days_of_month": ["1:5", "-3:-1"],
            "months": ["january:march", "12"],
            "years": ["2026:2030"],
            "location": "Europe/Berlin",
        }
    )
    assert problems == []
    assert read == TimeInterval(
        times=((1320, 1440),),
        weekdays=((1, 5), (0, 0)),
        days_of_month=((1, 5), (-3, -1)),
        months=((1, 3), (12, 12)),
        years=((2026, 2030),),
        location="Europe/Berlin",
    )


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ({"times": [{"start_time": "22:00", "end_time": "06:00"}]}, "midnight"),
        ({"times": [{"start_time": 1320, "end_time": "23:00"}]}, "quotes"),
        ({"times": [{"start_time": "22:60", "end_time": "23:00"}]}, "time of day"),
        ({"times": [{"start_time": "22:00"}]}, "end_time"),
        ({"times": "22:00"}, "list"),
        ({"weekdays": ["friday:monday"]}, "two ranges"),
        ({"weekdays": ["someday"]}, "weekday"),
        ({"days_of_month": ["0"]}, "day of the month"),
        ({"days_of_month": ["-3:2"]}, "two ranges"),
        ({"days_of_month": ["5:1"]}, "before it begins"),
        ({"months": ["13"]}, "month"),
        ({"years": ["x"]}, "year"),
        ({"years": ["2026"] * 101}, "101"),
        ({"location": "Mars/Base"}, "IANA"),
        ({"location": "../etc/passwd"}, "IANA"),
        ({"location": 7}, "IANA"),
        ({"hours": ["2"]}, "unknown"),
    ],
)
def test_a_wrong_interval_says_what_to_write(raw: dict[str, object], said: str) -> None:
    _, problems = interval_from(raw)
    assert len(problems) == 1
    assert said in problems[0]
