"""What a calendar month will have cost at its end, and between which amounts, 8 times in 10.

With three weeks of history the remaining hours cost what their hour of the week usually does
(`core.slo.forecast`), else what complete days did on average; without a complete day nothing is
projected.
The interval is that of the sum: `z * sqrt(n s^2 + n^2 s^2 / m)` for `n` days to come, where `s` is
how much a day strayed from what was expected of it, and `m` the number of days that the level was
learnt from.

Invariants: spent <= low <= projected <= high; the days add up to the projection, or to what was
spent where there is none.
"""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import numpy as np

from inferometer.core.query.answers import Forecast
from inferometer.core.query.local_times import day_start, local_day, shifted_months
from inferometer.core.slo.forecast import DAYS_OF_LEVEL, HOURS_OF_DAY, HOURS_OF_WEEK, learn

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Between = Callable[[datetime, datetime], float]

Z_OF_8_IN_10 = 1.2816
HOUR_S = 3600
DAY_S = 86_400.0
_MICRO_USD = Decimal("0.000001")


@dataclass(frozen=True, kw_only=True)
class SpendHistory:
    """What is known when a month is projected."""

    now: datetime
    zone: str
    days: dict[date, Decimal]
    """Spend of each local day up to now, today's included; none before anything was kept."""
    hours: Sequence[float] = field(default=())
    """Spend of whole UTC hours, oldest first, up to the hour of now."""
    first_spend_at: datetime | None = None
    """About when the first spend was that is known; None for no spend."""


@dataclass(frozen=True, slots=True)
class _Expectation:
    between: Between
    """What is expected from an instant to another."""
    stray_usd: float
    """How much a day strays from it."""
    learnt_days: float
    method: str


def first_of_month(now: datetime, zone: str) -> date:
    """Return the first day of the month that an instant is in."""
    return local_day(now, ZoneInfo(zone)).replace(day=1)


def forecast(history: SpendHistory) -> Forecast:
    """Return the projection of the month of now."""
    zone = ZoneInfo(history.zone)
    first = first_of_month(history.now, history.zone)
    today = local_day(history.now, zone)
    expected = _expectation(history, zone)
    measured = [
        (day, history.days.get(day, Decimal(0))) for day in _days(first, today + timedelta(days=1))
    ]
    spent = sum((amount for _, amount in measured), Decimal(0))
    if isinstance(expected, str):
        days = [(day.isoformat(), amount, day < today) for day, amount in measured]
        return Forecast(f"{first:%Y-%m}", spent, None, None, None, expected, days)
    return _projected(history, expected, dict(measured), spent)


def _projected(
    history: SpendHistory, expected: _Expectation, measured: dict[date, Decimal], spent: Decimal
) -> Forecast:
    zone = ZoneInfo(history.zone)
    first, after = min(measured), shifted_months(min(measured), 1)
    today = max(measured)
    days: list[tuple[str, Decimal, bool]] = []
    for day in _days(first, after):
        start, end = day_start(day, zone), day_start(day + timedelta(days=1), zone)
        rest = expected.between(max(start, history.now), end) if day >= today else 0.0
        days.append((day.isoformat(), measured.get(day, Decimal(0)) + _money(rest), day < today))
    margin = _margin(expected, (day_start(after, zone) - history.now).total_seconds() / DAY_S)
    projected = sum((amount for _, amount, _ in days), Decimal(0))
    return Forecast(
        month=f"{first:%Y-%m}",
        spent_usd=spent,
        projected_usd=projected,
        low_usd=max(spent, projected - _money(margin)),
        high_usd=projected + _money(margin),
        method=expected.method,
        days=days,
    )


def _days(first: date, after: date) -> list[date]:
    return [first + timedelta(days=number) for number in range((after - first).days)]


def _margin(expected: _Expectation, days: float) -> float:
    variance = expected.stray_usd**2 * (days + days**2 / expected.learnt_days)
    return Z_OF_8_IN_10 * math.sqrt(variance)


def _expectation(history: SpendHistory, zone: ZoneInfo) -> _Expectation | str:
    """Return what is expected, or why nothing can be."""
    complete = _complete_days(history, zone)
    if (learnt := _by_hour_of_week(history, complete, zone)) is not None:
        return learnt
    if complete:
        return _run_rate_of_days(complete)
    return _run_rate_of_hours(history)


def _complete_days(history: SpendHistory, zone: ZoneInfo) -> dict[date, float]:
    """Return the whole days since the first spend."""
    if history.first_spend_at is None:
        return {}
    today, first = local_day(history.now, zone), local_day(history.first_spend_at, zone)
    # The day of the first spend may have begun before anybody counted.
    return {day: float(usd) for day, usd in sorted(history.days.items()) if first < day < today}


def _by_hour_of_week(
    history: SpendHistory, complete: dict[date, float], zone: ZoneInfo
) -> _Expectation | None:
    hours = np.array(history.hours, dtype=np.float64)
    if history.first_spend_at is None or not len(hours):
        return None
    end_s = int(history.now.timestamp()) // HOUR_S * HOUR_S
    starts_s = end_s - HOUR_S * np.arange(len(hours), 0, -1)
    hours[starts_s < history.first_spend_at.timestamp() - HOUR_S] = np.nan
    known = hours[~np.isnan(hours)]
    fallback = float(known.mean()) if len(known) else 0.0
    usual = learn(hours, end_s=end_s, zone=history.zone, fallback=fallback)
    if not usual.is_learnt:
        return None

    def between(start: datetime, end: datetime) -> float:
        curve = usual.curve(int(start.timestamp()), int(end.timestamp()))
        return float(curve.between(start.timestamp(), end.timestamp()))

    strays = [
        usd - between(day_start(day, zone), day_start(day + timedelta(days=1), zone))
        for day, usd in list(complete.items())[-28:]
    ]
    stray = math.sqrt(statistics.fmean(each**2 for each in strays)) if strays else 0.0
    weeks = len(known) // HOURS_OF_WEEK
    method = f"what each hour of the week usually costs, by {weeks} weeks"
    return _Expectation(between, stray, float(DAYS_OF_LEVEL), method)


def _run_rate_of_days(complete: dict[date, float]) -> _Expectation:
    amounts = list(complete.values())[-28:]
    mean = statistics.fmean(amounts)
    # One day says nothing of how days differ: then anything up to twice as much is likely.
    stray = statistics.stdev(amounts) if len(amounts) > 1 else mean / Z_OF_8_IN_10
    count = len(amounts)
    method = f"the mean of {count} complete days" if count > 1 else "one complete day"
    return _Expectation(_evenly(mean / DAY_S), stray, float(count), method)


def _run_rate_of_hours(history: SpendHistory) -> _Expectation | str:
    if history.first_spend_at is None:
        return "nothing has been spent yet"
    # The hour of the first spend may have begun before anybody counted.
    known_at = history.first_spend_at + timedelta(hours=1 + HOURS_OF_DAY)
    if history.now < known_at:
        return f"it takes a whole day of spend; ask again at {known_at:%Y-%m-%d %H:%MZ}"
    usd = math.fsum(history.hours[-HOURS_OF_DAY:])
    return _Expectation(_evenly(usd / DAY_S), usd / Z_OF_8_IN_10, 1.0, "the last 24 hours")


def _evenly(usd_per_s: float) -> Between:
    return lambda start, end: usd_per_s * (end - start).total_seconds()


def _money(amount: float) -> Decimal:
    return Decimal(amount).quantize(_MICRO_USD)
