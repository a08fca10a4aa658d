from __future__ import annotations

import pytest

from inferometer.core.slo.steady_clock import SteadyClock

NOON_S = 1_767_225_600
HOUR_S = 3600


def read(clock: SteadyClock, passed_s: float, *, set_by_s: float = 0, known_s: float = 0) -> float:
    """Return how far the time is that a clock tells, which somebody has set."""
    wall_s = int(NOON_S + passed_s + set_by_s)
    told_s = clock.read(wall_s, 5.0 + passed_s, known_s=NOON_S + known_s, last_s=0)
    return told_s - NOON_S


@pytest.mark.parametrize("set_by_s", [-HOUR_S, HOUR_S, 11])
def test_time_goes_on_when_a_clock_is_set(set_by_s: float) -> None:
    clock = SteadyClock()
    assert read(clock, 0) == 0
    assert read(clock, 20, set_by_s=set_by_s) == 20
    assert read(clock, 40, set_by_s=set_by_s) == 40
    assert read(clock, 60) == 60


def test_a_small_correction_is_followed() -> None:
    clock = SteadyClock()
    read(clock, 0)
    assert read(clock, 10, set_by_s=-3) == 7
    assert read(clock, 20, set_by_s=3) == 23


def test_a_clock_that_was_set_forward_is_believed_as_far_as_events_reach() -> None:
    clock = SteadyClock()
    read(clock, 0)
    assert read(clock, 10, set_by_s=HOUR_S) == 10
    assert read(clock, 20, set_by_s=HOUR_S, known_s=HOUR_S) == HOUR_S
    assert read(clock, 30, set_by_s=HOUR_S, known_s=HOUR_S) == HOUR_S + 10
    assert read(clock, 40, set_by_s=HOUR_S, known_s=2 * HOUR_S) == HOUR_S + 40


def test_it_goes_on_where_another_process_was() -> None:
    clock = SteadyClock()
    assert clock.read(NOON_S, 5.0, known_s=NOON_S, last_s=NOON_S + HOUR_S) == NOON_S + HOUR_S
    assert clock.read(NOON_S + 10, 15.0, known_s=NOON_S, last_s=0) == NOON_S + HOUR_S + 10
