"""Instants as they are written, in ordinary zones and where clocks change."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from inferometer.core.query.instants import read_instant
from inferometer.core.query.questions import QueryRefusedError

NOW = datetime(2026, 11, 21, 17, 6, 23, 500_000, tzinfo=UTC)


def read(text: str, zone: str = "UTC", now: datetime = NOW) -> str:
    found = read_instant("from", text, zone=ZoneInfo(zone), now=now).at
    assert found.tzinfo is UTC
    return found.isoformat().replace("+00:00", "Z")


@pytest.mark.parametrize(
    ("text", "zone", "instant"),
    [
        ("now", "UTC", "2026-11-21T17:06:23.500000Z"),
        ("now-15m", "UTC", "2026-11-21T16:51:23.500000Z"),
        ("now-90s", "UTC", "2026-11-21T17:04:53.500000Z"),
        ("now+1h", "UTC", "2026-11-21T18:06:23.500000Z"),
        ("now-7d", "UTC", "2026-11-14T17:06:23.500000Z"),
        ("now/d", "UTC", "2026-11-21T00:00:00Z"),
        ("now-1d/d", "UTC", "2026-11-20T00:00:00Z"),
        ("now/h", "UTC", "2026-11-21T17:00:00Z"),
        ("now/h", "Asia/Kolkata", "2026-11-21T16:30:00Z"),
        ("now/m", "UTC", "2026-11-21T17:06:00Z"),
        ("now/s", "UTC", "2026-11-21T17:06:23Z"),
        ("now/w", "UTC", "2026-11-16T00:00:00Z"),
        ("now/mo", "Asia/Kolkata", "2026-10-31T18:30:00Z"),
        ("now/M", "UTC", "2026-11-01T00:00:00Z"),
        ("now/y", "America/New_York", "2026-01-01T05:00:00Z"),
        ("now-1mo/mo", "UTC", "2026-10-01T00:00:00Z"),
        ("now-9mo", "UTC", "2026-02-21T17:06:23.500000Z"),
        ("now-1y", "UTC", "2025-11-21T17:06:23.500000Z"),
        ("2026-01-31", "Europe/Berlin", "2026-01-30T23:00:00Z"),
        ("2026-01-31T08:00", "Europe/Berlin", "2026-01-31T07:00:00Z"),
        ("2026-01-31T08:00:00Z", "Europe/Berlin", "2026-01-31T08:00:00Z"),
        ("2026-01-31T08:00:00+02:00", "UTC", "2026-01-31T06:00:00Z"),
        ("1767600000000", "Europe/Berlin", "2026-01-05T08:00:00Z"),
    ],
)
def test_an_instant_is_read(text: str, zone: str, instant: str) -> None:
    assert read(text, zone) == instant


def test_a_plus_sign_that_a_url_lost_is_found() -> None:
    assert read("2026-01-31T08:00:00 02:00") == "2026-01-31T06:00:00Z"


def test_a_day_ago_is_the_same_time_of_day_although_the_clocks_changed() -> None:
    noon = datetime(2026, 10, 25, 11, 0, tzinfo=UTC)  # 12:00 in Berlin, after the change
    assert read("now-1d", "Europe/Berlin", noon) == "2026-10-24T10:00:00Z"
    assert read("now-24h", "Europe/Berlin", noon) == "2026-10-24T11:00:00Z"


def test_a_time_that_clocks_skip_is_the_moment_after_the_gap() -> None:
    assert read("2026-03-29T02:30", "Europe/Berlin") == "2026-03-29T01:30:00Z"


def test_a_time_that_clocks_show_twice_is_the_first() -> None:
    assert read("2026-10-25T02:30", "Europe/Berlin") == "2026-10-25T00:30:00Z"


def test_the_last_day_of_a_short_month_stands_for_those_that_it_lacks() -> None:
    end_of_march = datetime(2026, 3, 31, 12, 0, tzinfo=UTC)
    assert read("now-1mo", "UTC", end_of_march) == "2026-02-28T12:00:00Z"


@pytest.mark.parametrize(
    "text",
    [
        "yesterday",
        "now-",
        "now-1",
        "now-1q",
        "now/x",
        "now-9999999d",
        "now-999999y",
        "2026-13-01",
        "31.01.2026",
        "-1",
        "12",
        "9999-12-31",
        "0001-01-01T00:00:00+14:00",
        "'; DROP TABLE requests --",
        "\x00",
    ],
)
def test_what_is_no_instant_is_refused_with_what_to_write(text: str) -> None:
    with pytest.raises(QueryRefusedError) as caught:
        read(text)
    [problem] = caught.value.problems
    assert problem.parameter == "from"
    assert "now-24h" in problem.remedy


def test_seconds_are_told_from_milliseconds() -> None:
    with pytest.raises(QueryRefusedError, match="milliseconds"):
        read("1767600000")
