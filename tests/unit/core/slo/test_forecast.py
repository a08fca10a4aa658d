"""Rules of what an hour of the week is expected to bring."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from inferometer.core.slo.budgets import PlannedSpending
from inferometer.core.slo.definitions import DAY_S, HOUR_S
from inferometer.core.slo.forecast import (
    HOURS_OF_WEEK,
    Forecast,
    ForecastPolicy,
    flat_hourly,
    hours_of_week,
    learn,
)

MONDAY_S = int(datetime(2026, 1, 5, tzinfo=UTC).timestamp())
FLAT = Forecast(hourly=np.full(HOURS_OF_WEEK, 10.0), zone="UTC", is_learnt=True)


def _weeks(count: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Return hours that follow a day's rhythm, weekends at half."""
    hours = np.arange(count * HOURS_OF_WEEK)
    weekend = hours % HOURS_OF_WEEK >= 5 * 24
    shape = 100 * (1 + 0.5 * np.sin(2 * np.pi * hours / 24))
    return np.where(weekend, shape / 2, shape)


def _learn(values: np.ndarray[tuple[int], np.dtype[np.float64]], zone: str = "UTC") -> Forecast:
    return learn(values, end_s=MONDAY_S + len(values) * HOUR_S, zone=zone, fallback=7.0)


def test_a_steady_rhythm_is_forecast_as_it_was() -> None:
    forecast = _learn(_weeks(6))
    np.testing.assert_allclose(forecast.hourly, _weeks(1), rtol=1e-12)
    assert forecast.is_learnt


def test_too_little_history_gives_the_even_share_of_the_budget() -> None:
    forecast = _learn(_weeks(3)[: 3 * HOURS_OF_WEEK - 1])
    assert not forecast.is_learnt
    assert set(forecast.hourly) == {7.0}


def test_three_weeks_are_enough() -> None:
    assert _learn(_weeks(3)).is_learnt


def test_one_bad_day_moves_neither_norm_nor_level() -> None:
    values = _weeks(5)
    values[-40:-16] *= 10
    np.testing.assert_allclose(_learn(values).hourly, _weeks(1), rtol=1e-12)


def test_hours_that_must_not_teach_do_not() -> None:
    values = _weeks(4)
    values[-3 * 24 :] = np.nan
    np.testing.assert_allclose(_learn(values).hourly, _weeks(1), rtol=1e-12)


@pytest.mark.parametrize(
    ("factor", "level"), [(1.5, 1.5), (5.0, 2.0), (0.1, 0.5)], ids=["grown", "clamped", "shrunk"]
)
def test_the_last_week_sets_the_level_within_bounds(factor: float, level: float) -> None:
    values = np.concatenate([_weeks(5), _weeks(1) * factor])
    assert _learn(values).level == pytest.approx(level)


def test_medians_of_skewed_hours_are_scaled_to_what_a_week_brings() -> None:
    random = np.random.default_rng(4)
    values = random.lognormal(0, 1.5, 6 * HOURS_OF_WEEK)
    week = float(_learn(values).hourly.sum())
    assert week == pytest.approx(float(values.sum()) / 6, rel=0.25)


def test_no_hour_is_expected_to_bring_nothing() -> None:
    assert float(_learn(np.zeros(4 * HOURS_OF_WEEK)).hourly.min()) == pytest.approx(0.07)


def test_hours_are_named_by_the_clock_on_the_wall() -> None:
    spring_s = int(datetime(2026, 3, 29, tzinfo=ZoneInfo("Europe/Berlin")).timestamp())
    assert hours_of_week(spring_s, 4, "Europe/Berlin").tolist() == [144, 145, 147, 148]
    autumn_s = int(datetime(2026, 10, 25, tzinfo=ZoneInfo("Europe/Berlin")).timestamp())
    assert hours_of_week(autumn_s, 5, "Europe/Berlin").tolist() == [144, 145, 146, 146, 147]


def test_hours_of_week_are_the_same_in_pieces_and_at_once() -> None:
    whole = hours_of_week(MONDAY_S, 3000, "America/New_York")
    for start in (0, 900, 1023, 2500):
        piece = hours_of_week(MONDAY_S + start * HOUR_S, 400, "America/New_York")
        assert piece.tolist() == whole[start : start + 400].tolist()


def test_a_forecast_over_the_change_of_clocks_follows_local_hours() -> None:
    hourly = np.zeros(HOURS_OF_WEEK)
    hourly[144 + 9] = 50.0
    forecast = Forecast(hourly=hourly, zone="Europe/Berlin", is_learnt=True)
    nine_s = int(datetime(2026, 3, 29, 9, tzinfo=ZoneInfo("Europe/Berlin")).timestamp())
    curve = forecast.curve(nine_s - DAY_S, nine_s + DAY_S)
    assert float(curve.between(nine_s, nine_s + HOUR_S)) == 50.0
    assert float(curve.between(nine_s - DAY_S, nine_s)) == 0.0


def test_a_part_of_an_hour_is_its_share() -> None:
    curve = FLAT.curve(MONDAY_S, MONDAY_S + DAY_S)
    assert float(curve.between(MONDAY_S + 1800, MONDAY_S + 5400)) == pytest.approx(10.0)


def test_planned_spending_raises_what_is_expected_in_its_time_only() -> None:
    sale = PlannedSpending(
        starts_at_s=MONDAY_S + 1800, ends_at_s=MONDAY_S + 2 * HOUR_S, factor=Decimal(3)
    )
    curve = FLAT.curve(MONDAY_S, MONDAY_S + DAY_S, [sale])
    assert float(curve.between(MONDAY_S, MONDAY_S + HOUR_S)) == pytest.approx(20.0)
    assert float(curve.between(MONDAY_S + HOUR_S, MONDAY_S + 2 * HOUR_S)) == pytest.approx(30.0)
    assert float(curve.between(MONDAY_S + 2 * HOUR_S, MONDAY_S + 3 * HOUR_S)) == pytest.approx(10)


def test_a_curve_says_when_an_amount_will_have_come() -> None:
    curve = FLAT.curve(MONDAY_S, MONDAY_S + DAY_S)
    assert curve.reaches(MONDAY_S, 25.0) == pytest.approx(MONDAY_S + 2.5 * HOUR_S)
    assert curve.reaches(MONDAY_S, 10_000.0) is None


def test_the_even_share_of_an_hour_is_the_amount_by_the_hours() -> None:
    assert flat_hourly(744.0, 31 * DAY_S) == 1.0


def test_only_the_last_weeks_teach() -> None:
    values = np.concatenate([_weeks(2) * 100, _weeks(4)])
    forecast = learn(
        values,
        end_s=MONDAY_S + len(values) * HOUR_S,
        zone="UTC",
        fallback=7.0,
        policy=ForecastPolicy(most_weeks=4),
    )
    np.testing.assert_allclose(forecast.hourly, _weeks(1), rtol=1e-12)
