"""What a month will have cost."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferometer.core.query.answers import Forecast
from inferometer.core.query.forecasting import SpendHistory, forecast
from inferometer.core.query.local_times import local_day

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
HOURS_OF_SIX_WEEKS = 6 * 168


def history(
    hourly: list[float], *, zone: str = "UTC", now: datetime = NOW, first: datetime | None = None
) -> SpendHistory:
    """Return a history of whole hours that ends now."""
    days: dict[date, Decimal] = {}
    start = now - timedelta(hours=len(hourly))
    for number, amount in enumerate(hourly):
        day = local_day(start + timedelta(hours=number), ZoneInfo(zone))
        days[day] = days.get(day, Decimal(0)) + Decimal(str(amount))
    padded = [0.0] * (HOURS_OF_SIX_WEEKS - len(hourly)) + hourly[-HOURS_OF_SIX_WEEKS:]
    return SpendHistory(now=now, zone=zone, days=days, hours=padded, first_spend_at=first or start)


def by_weekday(start: datetime, hours: int) -> list[float]:
    """Ten dollars an hour by day on workdays, one otherwise."""
    found = []
    for number in range(hours):
        at = start + timedelta(hours=number)
        found.append(10.0 if at.weekday() < 5 and 8 <= at.hour < 18 else 1.0)
    return found


def check(found: Forecast) -> None:
    days = sum((amount for _, amount, _ in found.days), Decimal(0))
    if found.projected_usd is None or found.low_usd is None or found.high_usd is None:
        assert days == found.spent_usd
    else:
        assert found.spent_usd <= found.low_usd <= found.projected_usd <= found.high_usd
        assert days == found.projected_usd
    measured = [is_measured for *_, is_measured in found.days]
    assert measured == sorted(measured, reverse=True)


def projected(found: Forecast) -> float:
    assert found.projected_usd is not None
    return float(found.projected_usd)


def width(found: Forecast) -> float:
    assert found.low_usd is not None
    assert found.high_usd is not None
    return float(found.high_usd - found.low_usd)


def test_weeks_that_repeat_are_projected_exactly() -> None:
    start = NOW - timedelta(hours=HOURS_OF_SIX_WEEKS)
    found = forecast(history(by_weekday(start, HOURS_OF_SIX_WEEKS)))
    month = datetime(2026, 11, 1, tzinfo=UTC)
    assert projected(found) == pytest.approx(sum(by_weekday(month, 30 * 24)), rel=1e-6)
    assert width(found) == pytest.approx(0, abs=1e-3)
    assert found.method == "what each hour of the week usually costs, by 6 weeks"
    sunday, monday = found.days[21], found.days[22]
    assert (sunday[0], monday[0]) == ("2026-11-22", "2026-11-23")
    assert [float(sunday[1]), float(monday[1])] == pytest.approx([24, 114])
    check(found)


def test_a_month_that_grows_is_projected_at_its_new_level() -> None:
    start = NOW - timedelta(hours=HOURS_OF_SIX_WEEKS)
    hourly = by_weekday(start, HOURS_OF_SIX_WEEKS)
    hourly[-7 * 24 :] = [1.5 * amount for amount in hourly[-7 * 24 :]]
    found = forecast(history(hourly))
    assert float(found.days[22][1]) == pytest.approx(1.5 * 114, rel=0.01)
    assert width(found) > 0
    check(found)


def test_less_than_three_weeks_are_projected_by_complete_days() -> None:
    hourly = [1.0, 3.0] * (24 * 10 // 2)
    found = forecast(history(hourly))
    assert found.method == "the mean of 9 complete days"
    assert found.spent_usd == 480
    assert projected(found) == pytest.approx(480 + 48 * 9.5)
    check(found)


def test_days_that_differ_widen_the_interval() -> None:
    steady = forecast(history([2.0] * 240))
    hourly = [4.0 if (number + 12) // 24 % 2 else 0.5 for number in range(240)]
    unsteady = forecast(history(hourly))
    assert width(steady) == 0
    assert width(unsteady) > projected(unsteady) / 5
    check(unsteady)


def test_one_complete_day_says_that_it_is_one() -> None:
    found = forecast(history([1.0] * 40))
    assert found.method == "one complete day"
    assert found.low_usd == found.spent_usd
    check(found)


def test_a_day_that_no_calendar_day_holds_is_a_day() -> None:
    begun = NOW - timedelta(hours=26)
    found = forecast(history([2.0] * 26, first=begun))
    assert found.method == "the last 24 hours"
    assert projected(found) == pytest.approx(52 + 48 * 9.5)
    check(found)


def test_hours_say_nothing_of_a_month_and_when_they_will() -> None:
    found = forecast(history([3.0] * 10))
    assert (found.projected_usd, found.low_usd, found.high_usd) == (None, None, None)
    assert found.spent_usd == 30
    assert found.method == "it takes a whole day of spend; ask again at 2026-11-22 03:00Z"
    assert found.days[-1] == ("2026-11-21", Decimal(30), False)
    check(found)


def test_nothing_spent_is_nothing_projected() -> None:
    found = forecast(SpendHistory(now=NOW, zone="UTC", days={}))
    assert (found.spent_usd, found.projected_usd) == (Decimal(0), None)
    assert found.method == "nothing has been spent yet"
    check(found)


def test_the_month_and_its_days_are_those_of_the_zone() -> None:
    at = datetime(2026, 10, 31, 20, 0, tzinfo=UTC)  # 1 November in Kolkata
    found = forecast(history([1.0] * HOURS_OF_SIX_WEEKS, zone="Asia/Kolkata", now=at))
    assert found.month == "2026-11"
    assert projected(found) == pytest.approx(720, rel=0.01)
    check(found)


def test_a_month_with_a_long_day_has_an_hour_more() -> None:
    at = datetime(2026, 10, 20, 12, 0, tzinfo=UTC)
    found = forecast(history([1.0] * HOURS_OF_SIX_WEEKS, zone="Europe/Berlin", now=at))
    assert projected(found) == pytest.approx(31 * 24 + 1, rel=1e-6)
    assert [float(amount) for day, amount, _ in found.days if day == "2026-10-25"] == [25.0]


@given(
    hourly=st.lists(st.floats(0, 1000), min_size=1, max_size=HOURS_OF_SIX_WEEKS),
    days=st.integers(0, 40),
)
def test_low_and_high_hold_the_projection(hourly: list[float], days: int) -> None:
    check(forecast(history(hourly, now=NOW + timedelta(days=days))))


def test_the_last_moment_of_a_month_projects_what_was_spent() -> None:
    at = datetime(2026, 11, 30, 23, 59, 59, tzinfo=UTC)
    found = forecast(history([1.0] * 700, now=at))
    assert projected(found) - float(found.spent_usd) < 0.01
