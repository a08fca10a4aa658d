"""Rules of traffic that should be there."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np
import pytest

from inferometer.core.alerts.conditions import Condition
from inferometer.core.slo.absence import COLLAPSE, SILENCE, AbsenceWatch, poisson_at_most
from inferometer.core.slo.definitions import DAY_S, HOUR_S, AbsenceRule, Severity, Tier
from inferometer.errors import StateError

if TYPE_CHECKING:
    from collections.abc import Callable

    from inferometer.core.slo.absence import AbsenceVerdict

START_S = int(datetime(2026, 1, 5, tzinfo=UTC).timestamp())
TAUGHT_S = 28 * DAY_S
EVENT_S = START_S + TAUGHT_S
NEEDED = -math.log(1e-6)


def _taught(
    rates: list[float],
    *,
    rate_at: Callable[[int], float] = lambda _: 1.0,
    tier: Tier = Tier.STANDARD,
) -> AbsenceWatch:
    """Return four weeks of Poisson traffic at these requests an hour, ten minutes a cell."""
    watch = AbsenceWatch(AbsenceRule(), tier=tier)
    random = np.random.default_rng(2)
    groups = np.arange(len(rates))
    for at_s in range(START_S, EVENT_S, 600):
        counts = random.poisson(np.array(rates) * rate_at(at_s) / 6)
        watch.add(groups, np.full(len(rates), at_s + 590), counts)
    return watch


def _rules(watch: AbsenceWatch, verdict: AbsenceVerdict, group: int = 0) -> dict[str, Condition]:
    return {reading.rule: reading.condition for reading in watch.readings(verdict, group)}


def _add(watch: AbsenceWatch, at_s: int, count: int, group: int = 0) -> None:
    watch.add(np.array([group]), np.array([at_s]), np.array([count]))


@pytest.mark.parametrize(
    ("rate", "minutes"), [(600.0, 5.0), (100.0, 8.3), (10.0, 83.0)], ids=["fast", "usual", "slow"]
)
def test_silence_is_found_as_soon_as_it_is_improbable(rate: float, minutes: float) -> None:
    """T12: max(5 min, -ln(1e-6) / rate), by the rate that was learnt."""
    watch = _taught([rate])
    _add(watch, EVENT_S - 10, 1)
    tick_s = EVENT_S
    while not watch.true_groups(verdict := watch.evaluate(tick_s)):
        tick_s += 10
    found = (tick_s - EVENT_S) / 60
    assert _rules(watch, verdict)[SILENCE] is Condition.TRUE
    assert found == pytest.approx(minutes, rel=0.25)
    assert found >= 5
    assert verdict.expected[0] >= NEEDED


def test_a_quiet_hour_of_the_week_is_no_absence() -> None:
    watch = _taught([600.0], rate_at=lambda at_s: 0.0 if at_s // HOUR_S % 24 < 6 else 1.0)
    for tick_s in range(EVENT_S + 10, EVENT_S + 5 * HOUR_S, 600):
        assert not watch.true_groups(watch.evaluate(tick_s))


def test_a_month_of_daily_and_weekly_rhythm_misses_nothing() -> None:
    """T12: nothing fires in thirty days at +-90 %, weekends at a fifth."""
    rates = [10.0, 30.0, 100.0, 600.0, 1e4]
    step_s = 900

    def rhythm(at_s: int) -> float:
        weekend = at_s // DAY_S % 7 in {2, 3}
        return (1 + 0.9 * math.sin(2 * math.pi * at_s / DAY_S)) / (5 if weekend else 1)

    watch = _taught(rates, rate_at=rhythm)
    random = np.random.default_rng(9)
    groups = np.arange(len(rates))
    for at_s in range(EVENT_S, EVENT_S + 30 * DAY_S, step_s):
        counts = random.poisson(np.array(rates) * rhythm(at_s) * step_s / HOUR_S)
        watch.add(groups, np.full(len(rates), at_s + step_s - 10), counts)
        assert not watch.true_groups(watch.evaluate(at_s + step_s)), at_s


def test_a_hundredth_of_the_traffic_is_a_collapse() -> None:
    """INC-22: at a hundredth absence must win over the 35.6 min that burn rates take."""
    watch = _taught([1e4])
    verdict = watch.evaluate(EVENT_S)
    at_s = EVENT_S
    for at_s in range(EVENT_S, EVENT_S + 600, 30):
        _add(watch, at_s, 1)
        verdict = watch.evaluate(at_s + 30)
        if watch.true_groups(verdict):
            break
    assert _rules(watch, verdict)[COLLAPSE] is Condition.TRUE
    assert at_s + 30 - EVENT_S <= 360


def test_what_is_missing_stays_missing_until_traffic_is_back() -> None:
    watch = _taught([600.0])
    verdict, tick_s = watch.evaluate(EVENT_S), EVENT_S
    for tick_s in range(EVENT_S, EVENT_S + 8 * 7 * DAY_S, HOUR_S):
        verdict = watch.evaluate(tick_s)
    assert watch.true_groups(verdict) == [0]
    for minute in range(5):
        _add(watch, tick_s + 60 * minute, 10)
    assert watch.true_groups(watch.evaluate(tick_s + 300)) == []


def test_a_group_without_history_is_unknown_and_quiet() -> None:
    watch = AbsenceWatch(AbsenceRule())
    _add(watch, START_S, 100)
    verdict = watch.evaluate(START_S + DAY_S)
    assert set(_rules(watch, verdict).values()) == {Condition.UNKNOWN}


def test_while_the_pipeline_is_broken_nothing_is_missing_nor_found() -> None:
    """3.7: no absence pages from stale data, and none right after it."""
    watch = _taught([600.0])
    for tick_s in range(EVENT_S, EVENT_S + HOUR_S, 10):
        verdict = watch.evaluate(tick_s, is_stale=True)
        assert set(_rules(watch, verdict).values()) == {Condition.UNKNOWN}
    assert not watch.true_groups(watch.evaluate(EVENT_S + HOUR_S))
    assert not watch.true_groups(watch.evaluate(EVENT_S + HOUR_S + 200))
    assert watch.true_groups(watch.evaluate(EVENT_S + HOUR_S + 310))


@pytest.mark.parametrize(
    ("tier", "severity"), [(Tier.STANDARD, Severity.TICKET), (Tier.CRITICAL, Severity.PAGE)]
)
def test_absence_is_as_urgent_as_the_service(tier: Tier, severity: Severity) -> None:
    watch = _taught([600.0], tier=tier)
    readings = watch.readings(watch.evaluate(EVENT_S + 600), 0)
    assert {reading.severity for reading in readings} == {severity}


def test_groups_are_judged_each_by_its_own_rate() -> None:
    watch = _taught([600.0, 10.0])
    _add(watch, EVENT_S - 10, 1, group=1)
    watch.evaluate(EVENT_S)
    assert watch.true_groups(watch.evaluate(EVENT_S + 600)) == [0]


def test_counts_may_come_in_any_order() -> None:
    cells = [(START_S + hour * HOUR_S, 50 + hour % 7) for hour in range(28 * 24)]
    told = []
    for order in (np.arange(len(cells)), np.random.default_rng(1).permutation(len(cells))):
        watch = AbsenceWatch(AbsenceRule())
        _add(watch, START_S - 10, 1)
        _add(watch, EVENT_S - 10, 1)
        for index in order.tolist():
            _add(watch, *cells[index])
        ticks = [watch.evaluate(EVENT_S + 10 * step).expected[0] for step in range(200)]
        told.append(ticks[-1])
    assert told[0] > NEEDED
    assert told[1] == pytest.approx(told[0])


def test_a_snapshot_says_what_the_original_says() -> None:
    watch = _taught([600.0, 20.0])
    watch.evaluate(EVENT_S + 100)
    restored = AbsenceWatch(AbsenceRule())
    for group in (1, 0):
        restored.restore(group, watch.snapshot(group))
    for tick_s in range(EVENT_S + 110, EVENT_S + HOUR_S, 50):
        one, other = watch.evaluate(tick_s), restored.evaluate(tick_s)
        np.testing.assert_array_equal(one.conditions, other.conditions)
        np.testing.assert_allclose(one.expected, other.expected)


def test_a_restart_within_an_hour_expects_what_was_expected_before() -> None:
    watch = _taught([600.0])
    watch.evaluate(EVENT_S + 10)
    for day in (7, 14, 21, 28):
        _add(watch, EVENT_S - day * DAY_S, 5000)
    restored = AbsenceWatch(AbsenceRule())
    restored.restore(0, watch.snapshot(0))
    expected = [one.evaluate(EVENT_S + 200).expected[0] for one in (watch, restored)]
    assert expected[0] == expected[1] == pytest.approx(34, rel=0.2)


def test_a_snapshot_of_another_version_is_refused() -> None:
    with pytest.raises(StateError, match="version 9"):
        AbsenceWatch(AbsenceRule()).restore(0, b'{"version": 9}')


@pytest.mark.parametrize(
    ("count", "expected", "probability"),
    [(0, 10.0, math.exp(-10)), (2, 25.0, math.exp(-25) * (1 + 25 + 312.5)), (5, 1000.0, 0.0)],
)
def test_the_probability_of_so_few_is_poissons(
    count: int, expected: float, probability: float
) -> None:
    assert poisson_at_most(count, expected) == pytest.approx(probability)
