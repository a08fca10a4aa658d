"""Rules of learnt thresholds."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np
import pytest

from inferometer.core.alerts.conditions import Condition
from inferometer.core.slo.adaptive import AdaptiveBands, row_medians
from inferometer.core.slo.definitions import DAY_S, HOUR_S
from inferometer.core.slo.metric_rules import AdaptiveBand

if TYPE_CHECKING:
    from numpy.typing import NDArray

WINDOW_S = 1800
START_S = int(datetime(2026, 1, 5, tzinfo=UTC).timestamp())
WEEK = 7 * DAY_S // WINDOW_S
BAND = AdaptiveBand()


def _daily(windows: int, groups: int = 1, *, sigma: float = 0.0) -> NDArray[np.float64]:
    """Return [window, group] values that follow the day, with lognormal noise."""
    hours = np.arange(windows) * WINDOW_S / HOUR_S
    shape = 500 * (1 + 0.4 * np.sin(2 * np.pi * hours / 24))
    noise = np.random.default_rng(8).normal(0, sigma, (windows, groups))
    return shape[:, None] * np.exp(noise)


def _flat(windows: int) -> NDArray[np.float64]:
    return np.full((windows, 1), 500.0)


def _feed(bands: AdaptiveBands, values: NDArray[np.float64], first: int = 0) -> NDArray[np.bool_]:
    """Return [window, group]: whether it fires."""
    fired = np.zeros(values.shape, dtype=np.bool_)
    for index, row in enumerate(values):
        verdict = bands.observe(START_S + (first + index + 1) * WINDOW_S, row)
        fired[index] = verdict.conditions == Condition.TRUE
    return fired


@pytest.mark.parametrize("week", [0, 1, 2])
def test_an_incident_in_training_does_not_hide_the_next_one(week: int) -> None:
    """T14: three weeks, one incident of 6 h in one of them, then a doubling for 2 h."""
    window_s, groups = 900, 24
    weekly = 7 * DAY_S // window_s
    hours = np.arange(5 * weekly) * window_s / HOUR_S
    shape = 500 * (1 + 0.4 * np.sin(2 * np.pi * hours / 24))
    random = np.random.default_rng(6)
    values = shape[:, None] * np.exp(random.normal(0, 0.1, (len(hours), groups)))
    truth = np.zeros(values.shape, dtype=np.bool_)
    shifts = []
    for group in range(groups):
        incident = week * weekly + int(random.integers(0, weekly - 48))
        shift = incident + (3 - week) * weekly + 4
        for start, length in ((incident, 24), (shift, 8)):
            values[start : start + length, group] *= 2
            truth[start : start + length + 8, group] = True
        shifts.append(shift)
    bands = AdaptiveBands(replace(BAND, most_weeks=3), window_s)
    fired = np.zeros(values.shape, dtype=np.bool_)
    for index, row in enumerate(values):
        verdict = bands.observe(START_S + (index + 1) * window_s, row)
        fired[index] = verdict.conditions == Condition.TRUE
    found = [fired[shift : shift + 8, group].any() for group, shift in enumerate(shifts)]
    starts = fired[1:] & ~fired[:-1] & ~truth[1:]
    assert np.mean(found) >= 0.95
    assert starts[3 * weekly :].sum() / groups * 30 / 14 <= 0.5


def test_a_band_is_known_only_after_its_weeks() -> None:
    bands = AdaptiveBands(BAND, WINDOW_S)
    values = _daily(3 * WEEK + 2)
    _feed(bands, values[:-2])
    before = AdaptiveBands(BAND, WINDOW_S)
    _feed(before, values[: 2 * WEEK])
    unknown = before.observe(START_S + 2 * WEEK * WINDOW_S + WINDOW_S, np.array([1e9]))
    assert unknown.conditions.tolist() == [Condition.UNKNOWN]
    median, upper = bands.limits(START_S + 3 * WEEK * WINDOW_S + WINDOW_S)
    assert upper[0] >= 1.25 * median[0]
    verdict = bands.observe(START_S + (3 * WEEK + 1) * WINDOW_S, np.array([1e9]))
    assert verdict.conditions.tolist() == [Condition.FALSE]


def test_a_rise_fires_in_the_third_window_and_clears_below_the_hysteresis() -> None:
    values = _flat(3 * WEEK + 8)
    event = values[3 * WEEK :, 0]
    event[:4] *= 2
    # Above what would fire no more, and below what clears.
    event[4] *= 1.24
    event[5:] *= 1.1
    fired = _feed(AdaptiveBands(BAND, WINDOW_S), values)[3 * WEEK :, 0]
    assert fired.tolist() == [False, False, True, True, True, False, False, False]


def test_two_of_three_windows_are_enough_where_the_band_says_so() -> None:
    band = replace(BAND, needed=2)
    values = _flat(3 * WEEK + 4)
    values[3 * WEEK, 0] *= 2
    values[3 * WEEK + 2, 0] *= 2
    fired = _feed(AdaptiveBands(band, WINDOW_S), values)[3 * WEEK :, 0]
    assert fired.tolist() == [False, False, True, False]


def test_nothing_below_the_static_floor_fires() -> None:
    band = replace(BAND, static_floor=Decimal(10_000))
    values = _daily(3 * WEEK + 8)
    values[3 * WEEK :] *= 3
    assert not _feed(AdaptiveBands(band, WINDOW_S), values).any()


def test_a_window_without_a_value_is_unknown_and_ends_nothing() -> None:
    values = _daily(3 * WEEK + 5)
    values[3 * WEEK :, 0] *= 2
    values[3 * WEEK + 3, 0] = np.nan
    bands = AdaptiveBands(BAND, WINDOW_S)
    _feed(bands, values[: 3 * WEEK + 3])
    at_s = START_S + (3 * WEEK + 4) * WINDOW_S
    gap = bands.observe(at_s, values[3 * WEEK + 3])
    assert gap.conditions.tolist() == [Condition.UNKNOWN]
    after = bands.observe(at_s + WINDOW_S, values[3 * WEEK + 4])
    assert after.conditions.tolist() == [Condition.TRUE]


def test_a_shift_that_stays_level_for_three_days_is_the_new_normal() -> None:
    values = _daily(3 * WEEK + 10 * 48)
    values[3 * WEEK :] *= 2
    fired = _feed(AdaptiveBands(BAND, WINDOW_S), values)[3 * WEEK :, 0]
    assert fired[2 : 3 * 48 - 1].all()
    assert not fired[3 * 48 + 2 :].any()


def test_a_rise_that_goes_on_is_no_new_normal() -> None:
    values = _daily(3 * WEEK + 5 * 48)
    values[3 * WEEK :, 0] *= np.linspace(2, 8, 5 * 48)
    fired = _feed(AdaptiveBands(BAND, WINDOW_S), values)[3 * WEEK :, 0]
    assert fired[2:].all()


def test_an_operator_may_accept_a_level_at_once() -> None:
    values = _daily(3 * WEEK + 20)
    values[3 * WEEK :] *= 2
    bands = AdaptiveBands(BAND, WINDOW_S)
    _feed(bands, values[: 3 * WEEK + 10])
    bands.accept(0, START_S + 3 * WEEK * WINDOW_S, START_S + (3 * WEEK + 10) * WINDOW_S)
    assert not _feed(bands, values[3 * WEEK + 10 :], 3 * WEEK + 10).any()


def test_learning_raises_the_median_by_a_fifth_a_week_at_most() -> None:
    values = np.full((6 * WEEK, 1), 100.0)
    # Noisy enough that nothing fires, and three of five weeks at the new level.
    values[2 * WEEK : 3 * WEEK] = 120.0
    band = replace(BAND, least_effect=5.0)
    bands = AdaptiveBands(band, WINDOW_S)
    _feed(bands, values[: 3 * WEEK])
    values[3 * WEEK :] = 400.0
    limits = []
    for week in (4, 5):
        _feed(bands, values[(week - 1) * WEEK : week * WEEK], (week - 1) * WEEK)
        limits.append(bands.limits(START_S + week * WEEK * WINDOW_S + WINDOW_S)[0][0])
    assert limits[0] <= 100 * 1.2
    assert limits[1] <= limits[0] * 1.2


def test_excluded_stretches_teach_nothing() -> None:
    values = _daily(4 * WEEK)
    values[3 * WEEK : 3 * WEEK + 48] *= 1.2
    taught, untaught = AdaptiveBands(BAND, WINDOW_S), AdaptiveBands(BAND, WINDOW_S)
    for bands in (taught, untaught):
        _feed(bands, values)
    start_s = START_S + 3 * WEEK * WINDOW_S
    untaught.exclude(0, start_s, start_s + DAY_S)
    at_s = START_S + 4 * WEEK * WINDOW_S + HOUR_S * 6
    assert untaught.limits(at_s)[1][0] < taught.limits(at_s)[1][0]


def test_seasons_follow_the_clock_on_the_wall() -> None:
    """In Berlin noon moves by an hour on 29 March 2026; the band moves with it."""
    berlin = replace(BAND, zone="Europe/Berlin")
    start_s = int(datetime(2026, 3, 2, tzinfo=UTC).timestamp())
    bands = AdaptiveBands(berlin, HOUR_S)
    spring_s = int(datetime(2026, 3, 29, 1, tzinfo=UTC).timestamp())
    for hour in range(31 * 24):
        at_s = start_s + hour * HOUR_S
        local = (hour + (2 if at_s >= spring_s else 1)) % 24
        verdict = bands.observe(at_s + HOUR_S, np.array([1000.0 if 9 <= local <= 17 else 10.0]))
        assert verdict.conditions[0] != Condition.TRUE


def test_a_snapshot_fires_as_the_original_does() -> None:
    values = _daily(3 * WEEK + 6, 2, sigma=0.05)
    values[3 * WEEK :] *= 2
    bands = AdaptiveBands(BAND, WINDOW_S)
    _feed(bands, values[: 3 * WEEK + 2])
    restored = AdaptiveBands(BAND, WINDOW_S)
    for group in (1, 0):
        restored.restore(group, bands.snapshot(group))
    rest = values[3 * WEEK + 2 :]
    assert _feed(restored, rest, 3 * WEEK + 2).tolist() == _feed(bands, rest, 3 * WEEK + 2).tolist()


def test_a_window_that_was_seen_changes_nothing() -> None:
    bands = AdaptiveBands(BAND, WINDOW_S)
    _feed(bands, _daily(10))
    before = bands.values.copy()
    bands.observe(START_S + 10 * WINDOW_S, np.array([9.0]))
    np.testing.assert_array_equal(bands.values, before)


@pytest.mark.parametrize(
    ("row", "median"),
    [([3.0, 1.0, 2.0], 2.0), ([4.0, np.nan, 1.0], 2.5), ([np.nan] * 3, np.nan), ([], np.nan)],
)
def test_a_median_is_of_the_numbers_that_are_there(row: list[float], median: float) -> None:
    np.testing.assert_equal(row_medians(np.array([row]))[0], median)
