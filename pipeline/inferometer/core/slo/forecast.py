"""What an hour of the week usually brings: the forecast that money and absence compare with.

`expected(hour) = median of the same local hour over 3 to 6 weeks * norm * level`, where `norm` makes
the weekly sum of the medians the usual weekly sum (medians of skewed amounts are too small), and
`level` is the usual ratio of the last seven days to it, clamped. Both are medians themselves, over
weeks and over days, so that one bad day moves neither.

Invariants: hours are UTC hours, named by the local hour of week at their start, so a change of
clocks leaves no hour out and none twice; untrained hours (NaN) teach nothing; the expectation is
never below a floor, so that a ratio to it is finite.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import numpy as np

from inferometer.core.slo.array_texts import packed, unpacked
from inferometer.core.slo.definitions import HOUR_S

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from inferometer.core.slo.budgets import PlannedSpending

HOURS_OF_WEEK = 168
HOURS_OF_DAY = 24
DAYS_OF_LEVEL = 7
BLOCK_HOURS = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class ForecastPolicy:
    """How much history a forecast needs and how far the level may carry it."""

    least_weeks: int = 3
    most_weeks: int = 6
    lowest_level: float = 0.5
    highest_level: float = 2.0
    floor_share: float = 0.01
    """No hour is expected to bring less than this share of the fallback."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """Expected amounts by hour of week."""

    hourly: NDArray[np.float64]
    """168 amounts, Monday 00:00 local first, never below the floor."""
    zone: str
    is_learnt: bool
    """False while there is too little history: every hour is then the fallback."""
    level: float = 1.0

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON can hold it; the zone is that of whoever keeps it."""
        return {
            "hourly": packed(self.hourly),
            "is_learnt": self.is_learnt,
            "level": self.level,
        }

    @classmethod
    def from_json(cls, kept: Mapping[str, Any], zone: str) -> Forecast:
        """Return what `to_json` kept."""
        return cls(
            hourly=unpacked(kept["hourly"], np.float64),
            zone=zone,
            is_learnt=kept["is_learnt"],
            level=kept["level"],
        )

    def curve(
        self, start_s: int, end_s: int, planned: Sequence[PlannedSpending] = ()
    ) -> ForecastCurve:
        """Return the expectation as a curve over [start, end], widened to whole hours."""
        first = start_s // HOUR_S * HOUR_S
        bounds = np.arange(first, end_s + 2 * HOUR_S, HOUR_S)
        amounts = self.hourly[hours_of_week(first, len(bounds) - 1, self.zone)]
        for change in planned:
            inside = np.minimum(bounds[1:], change.ends_at_s) - np.maximum(
                bounds[:-1], change.starts_at_s
            )
            share = np.clip(inside, 0, HOUR_S) / HOUR_S
            amounts = amounts * (1 + share * (float(change.factor) - 1))
        return ForecastCurve(bounds.astype(np.float64), np.concatenate([[0.0], amounts.cumsum()]))


@dataclass(frozen=True, slots=True)
class ForecastCurve:
    """Cumulated expectation, linear inside each hour."""

    bounds_s: NDArray[np.float64]
    cumulated: NDArray[np.float64]

    def at(self, instants_s: NDArray[np.int64] | float) -> NDArray[np.float64]:
        """Return the cumulated expectation at instants."""
        return np.asarray(np.interp(instants_s, self.bounds_s, self.cumulated))

    def between(
        self, starts_s: NDArray[np.int64] | float, ends_s: NDArray[np.int64] | float
    ) -> NDArray[np.float64]:
        """Return what is expected over [start, end)."""
        return self.at(ends_s) - self.at(starts_s)

    def reaches(self, from_s: float, amount: float) -> float | None:
        """Return the instant at which `amount` has come since `from_s`; None if not on the curve.

        The amount must be above zero.
        """
        wanted = float(self.at(from_s)) + amount
        if wanted > self.cumulated[-1]:
            return None
        return float(np.interp(wanted, self.cumulated, self.bounds_s))


def hours_of_week(first_s: int, hours: int, zone: str) -> NDArray[np.int64]:
    """Return the local hour of week (Monday 00:00 is 0) at the start of consecutive UTC hours."""
    first = first_s // HOUR_S
    blocks = range(first // BLOCK_HOURS, (first + hours - 1) // BLOCK_HOURS + 1)
    found = np.concatenate([_block(number, zone) for number in blocks])
    start = first % BLOCK_HOURS
    return found[start : start + hours]


@lru_cache(maxsize=64)
def _block(number: int, zone: str) -> NDArray[np.int64]:
    """Return the hours of week of a block of UTC hours; asking for the local time is slow."""
    place = ZoneInfo(zone)
    found = np.empty(BLOCK_HOURS, dtype=np.int64)
    for index in range(BLOCK_HOURS):
        instant_s = (number * BLOCK_HOURS + index) * HOUR_S
        local = datetime.fromtimestamp(instant_s, tz=UTC).astimezone(place)
        found[index] = local.weekday() * HOURS_OF_DAY + local.hour
    return found


def learn(
    values: NDArray[np.float64],
    *,
    end_s: int,
    zone: str,
    fallback: float,
    policy: ForecastPolicy | None = None,
) -> Forecast:
    """Return the forecast of a series of whole hours that ends at `end_s`, oldest first.

    NaN marks hours that must not teach: not seen, stale, in maintenance, or in an incident.
    `fallback` is the amount of an hour while there are fewer than `least_weeks` weeks.
    """
    policy = policy or ForecastPolicy()
    floor = policy.floor_share * fallback
    values = values[-policy.most_weeks * HOURS_OF_WEEK :]
    hours = hours_of_week(end_s // HOUR_S * HOUR_S - len(values) * HOUR_S, len(values), zone)
    medians = median_by_hour(values, hours)
    if not _is_enough(values, medians, policy):
        flat = np.full(HOURS_OF_WEEK, fallback)
        return Forecast(hourly=flat, zone=zone, is_learnt=False)
    medians = np.where(np.isnan(medians), np.nanmean(medians), medians)
    medians = medians * _usual_ratio(values, medians[hours], HOURS_OF_WEEK)
    days = DAYS_OF_LEVEL * HOURS_OF_DAY
    level = _usual_ratio(values[-days:], medians[hours[-days:]], HOURS_OF_DAY)
    level = min(max(level, policy.lowest_level), policy.highest_level)
    hourly = np.maximum(medians * level, floor)
    return Forecast(hourly=hourly, zone=zone, is_learnt=True, level=level)


def median_by_hour(values: NDArray[np.float64], hours: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the median of each hour of week over its trained samples; NaN where there is none."""
    order = np.lexsort((values, hours))  # NaN sorts last within its hour.
    sorted_values, sorted_hours = values[order], hours[order]
    starts = np.searchsorted(sorted_hours, np.arange(HOURS_OF_WEEK))
    trained = np.bincount(hours[~np.isnan(values)], minlength=HOURS_OF_WEEK)
    medians = np.full(HOURS_OF_WEEK, np.nan)
    some = trained > 0
    low = starts[some] + (trained[some] - 1) // 2
    high = starts[some] + trained[some] // 2
    medians[some] = (sorted_values[low] + sorted_values[high]) / 2
    return medians


def _is_enough(
    values: NDArray[np.float64], medians: NDArray[np.float64], policy: ForecastPolicy
) -> bool:
    trained = np.flatnonzero(~np.isnan(values))
    least = policy.least_weeks * HOURS_OF_WEEK
    return (
        len(trained) > 0
        and len(values) - int(trained[0]) >= least
        and 2 * len(trained) >= least
        and 2 * int(np.isnan(medians).sum()) <= HOURS_OF_WEEK
    )


def _usual_ratio(values: NDArray[np.float64], expected: NDArray[np.float64], hours: int) -> float:
    """Return the median, over stretches of `hours`, of what came to what was expected; else 1.

    Stretches are counted from the end; one of which less than half is trained does not count.
    """
    ratios = []
    for end in range(len(values), hours - 1, -hours):
        part, usual = values[end - hours : end], expected[end - hours : end]
        trained = ~np.isnan(part)
        if 2 * int(trained.sum()) >= hours and (base := float(usual[trained].sum())) > 0:
            ratios.append(float(part[trained].sum()) / base)
    return float(np.median(ratios)) if ratios else 1.0


def flat_hourly(amount: float, period_s: int) -> float:
    """Return the even share of an hour in an amount for a period: the fallback of a budget."""
    return amount * HOUR_S / period_s
