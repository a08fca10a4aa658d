"""Rules of calendar periods and of what a budget declares."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferometer.core.slo.budgets import (
    CalendarPeriod,
    CostRule,
    MoneyBudget,
    period_bounds_s,
)
from inferometer.core.slo.definitions import DAY_S, HOUR_S, Severity, Tier

BERLIN = "Europe/Berlin"
BUDGET = MoneyBudget(name="llm", amount_usd=Decimal(1000))


def _at(text: str, zone: str = "UTC") -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp())


@pytest.mark.parametrize(
    ("period", "start", "end"),
    [
        (CalendarPeriod.DAY, "2026-05-13", "2026-05-14"),
        (CalendarPeriod.WEEK, "2026-05-11", "2026-05-18"),
        (CalendarPeriod.MONTH, "2026-05-01", "2026-06-01"),
        (CalendarPeriod.QUARTER, "2026-04-01", "2026-07-01"),
        (CalendarPeriod.YEAR, "2026-01-01", "2027-01-01"),
    ],
)
def test_a_period_begins_and_ends_at_local_midnight(
    period: CalendarPeriod, start: str, end: str
) -> None:
    now_s = _at("2026-05-13T00:30", BERLIN)
    assert period_bounds_s(now_s, period, BERLIN) == (_at(start, BERLIN), _at(end, BERLIN))


@pytest.mark.parametrize(
    ("day", "hours"),
    [("2026-03-29", 23), ("2026-10-25", 25), ("2026-06-01", 24)],
    ids=["clocks go forward", "clocks go back", "any other day"],
)
def test_a_day_has_the_hours_that_its_zone_gives_it(day: str, hours: int) -> None:
    start_s, end_s = period_bounds_s(_at(f"{day}T12:00", BERLIN), CalendarPeriod.DAY, BERLIN)
    assert end_s - start_s == hours * HOUR_S


def test_december_is_followed_by_january() -> None:
    bounds = period_bounds_s(_at("2026-12-31T23:59"), CalendarPeriod.MONTH, "UTC")
    assert bounds == (_at("2026-12-01"), _at("2027-01-01"))


@given(
    st.integers(1_600_000_000, 2_000_000_000),
    st.sampled_from(CalendarPeriod),
    st.sampled_from(["UTC", BERLIN, "America/New_York", "Asia/Kolkata", "Pacific/Auckland"]),
)
def test_every_instant_lies_in_its_period_and_periods_follow_each_other(
    now_s: int, period: CalendarPeriod, zone: str
) -> None:
    start_s, end_s = period_bounds_s(now_s, period, zone)
    assert start_s <= now_s < end_s
    assert period_bounds_s(start_s, period, zone) == (start_s, end_s)
    assert period_bounds_s(end_s, period, zone)[0] == end_s
    assert datetime.fromtimestamp(start_s, tz=UTC).astimezone(ZoneInfo(zone)).hour == 0


def test_a_day_at_twice_the_forecast_pages_only_where_the_service_is_critical() -> None:
    assert BUDGET.severity(CostRule.DAILY) is Severity.TICKET
    assert replace(BUDGET, tier=Tier.CRITICAL).severity(CostRule.DAILY) is Severity.PAGE


def test_a_window_that_is_not_replaced_is_the_shipped_one() -> None:
    budget = replace(BUDGET, windows={})
    assert budget.window(CostRule.TREND).long_s == 3 * DAY_S


def test_the_smallest_excess_follows_the_amount_unless_it_is_given() -> None:
    assert BUDGET.smallest_excess_pico == 5 * 10**11
    given_excess = replace(BUDGET, smallest_excess_usd=Decimal(7))
    assert given_excess.smallest_excess_pico == 7 * 10**12
