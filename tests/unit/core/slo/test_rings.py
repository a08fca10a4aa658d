"""Rings: resolutions, callers, rows that wait, growth."""

from __future__ import annotations

import numpy as np
import pytest

from inferometer.core.slo.definitions import DAY_S, HOUR_S, MINUTE_S
from inferometer.core.slo.principals import NO_HIGH, NO_LOW, ONE, SEVERAL, UNKNOWN
from inferometer.core.slo.rings import CELL_S, CountRings, ring_shapes
from tests.unit.core.slo.scenes import START


@pytest.mark.parametrize(
    ("windows", "cells"),
    [
        ((300, HOUR_S, 6 * HOUR_S), [(10, 2161)]),
        ((300, DAY_S, 3 * DAY_S), [(10, 31), (600, 433)]),
        ((300, 3 * DAY_S, 30 * DAY_S), [(10, 31), (600, 433), (3600, 721)]),
        ((300, 7 * DAY_S), [(10, 31), (3600, 169)]),
        ((300, 90 * DAY_S), [(10, 31), (10_800, 721)]),
        ((15,), [(10, 3)]),
    ],
)
def test_a_window_is_read_from_the_finest_cells_that_reach_so_far(
    windows: tuple[int, ...], cells: list[tuple[int, int]]
) -> None:
    assert [(shape.cell_s, shape.slots) for shape in ring_shapes(windows)] == cells


def rings(groups: int = 1) -> CountRings:
    made = CountRings((5 * MINUTE_S, 6 * HOUR_S))
    for _ in range(groups):
        made.new_group()
    made.advance_to(START)
    return made


def callers(made: CountRings, window_s: int) -> list[int]:
    found: list[int] = made.principal_counts(np.arange(made.size), window_s).tolist()
    return found


def test_callers_are_told_apart_until_they_leave_the_window() -> None:
    made = rings(4)
    made.add(
        [0, 1, 1, 2, 3, 3],
        [START] * 6,
        [1] * 6,
        [1] * 6,
        [5, 5, 9, NO_LOW, 0, NO_LOW],
        [5, 5, 9, NO_HIGH, 0, NO_HIGH],
    )
    made.advance_to(START + CELL_S)
    assert callers(made, 5 * MINUTE_S) == [ONE, SEVERAL, UNKNOWN, ONE]
    made.advance_to(START + 6 * MINUTE_S)
    assert callers(made, 5 * MINUTE_S) == [UNKNOWN] * 4
    assert callers(made, 6 * HOUR_S) == callers(made, DAY_S) == [ONE, SEVERAL, UNKNOWN, ONE]
    made.advance_to(START + 7 * HOUR_S)
    assert callers(made, 6 * HOUR_S) == [UNKNOWN] * 4


def test_who_failed_six_hours_ago_is_left_out_when_told_late() -> None:
    made = rings()
    made.advance_to(START + 7 * HOUR_S)
    made.add([0], [START], [1], [1], [5], [5])
    assert callers(made, 6 * HOUR_S) == [UNKNOWN]


def test_without_callers_nothing_is_known_of_them() -> None:
    made = CountRings((300,), has_principals=False)
    made.new_group()
    assert callers(made, 300) == [UNKNOWN]
    made.advance_to(START)
    made.forget(0)
    assert callers(made, 300) == [UNKNOWN]


def test_rows_ahead_of_the_tick_wait_for_theirs() -> None:
    made = rings()
    made.add([0, 0], [START + 20, START], [7, 1], [0, 1])
    made.advance_to(START + 10)
    assert made.sums()[0, :, 0].tolist() == [1, 1]
    made.advance_to(START + 30)
    assert made.sums()[0, :, 0].tolist() == [8, 1]


def test_rows_of_a_group_that_is_forgotten_do_not_come_to_its_successor() -> None:
    made = rings(2)
    made.add([0, 1], [START + 20] * 2, [7, 3], [0, 0])
    made.forget(0)
    assert made.new_group() == 0
    made.advance_to(START + 30)
    assert made.sums()[0, 0].tolist() == [0, 3]


def test_growth_keeps_what_was_counted() -> None:
    made = rings()
    made.add([0], [START], [7], [2], [1], [2])
    made.advance_to(START + 10)
    assert [made.new_group() for _ in range(9)] == list(range(1, 10))
    assert made.sums()[:, 1].tolist() == [[2, *[0] * 9]] * 2
    assert callers(made, 300)[:2] == [SEVERAL, UNKNOWN]
    assert made.observed_s().tolist() == [10, *[0] * 9]


def test_nothing_is_added_by_no_rows() -> None:
    made = rings()
    made.add([], [], [], [])
    assert made.sums().sum() == 0


def test_a_far_jump_drops_who_failed_before() -> None:
    made = rings()
    made.add([0], [START], [1], [1], [1], [1])
    made.advance_to(START + 10)
    made.advance_to(START + 10 + 2 * DAY_S)
    assert made.sums().sum() == 0
    assert callers(made, 6 * HOUR_S) == [UNKNOWN]


def test_late_requests_are_counted_apart_and_in() -> None:
    made = rings()
    made.add([0, 0], [START - 20, START], [7, 1], [1, 1])
    assert made.late_requests == 7
    made.advance_to(START + 10)
    assert made.sums()[0, :, 0].tolist() == [8, 2]
    assert made.late_requests == 7


def test_a_group_is_idle_when_its_longest_window_is_empty() -> None:
    made = rings(3)
    made.add([0, 1], [START, START], [1, 1], [0, 0])
    made.advance_to(START + 10)
    assert made.idle_groups().tolist() == []
    made.add([1], [START + 7 * HOUR_S], [1], [0])
    made.advance_to(START + 7 * HOUR_S)
    # The second has something to come, the third was never seen.
    assert made.idle_groups().tolist() == [0]


def test_windows_askew_to_their_cells_are_at_most_one_cell_too_long() -> None:
    windows = (7 * HOUR_S, 7 * HOUR_S + 5 * MINUTE_S)
    made = CountRings(windows, has_principals=False)
    assert [made.new_group() for _ in range(3)] == [0, 1, 2]
    made.advance_to(START)
    made.add([2], [START], [1], [1])
    last = {}
    for tick_s in range(START + 10, START + 8 * HOUR_S, 10):
        made.advance_to(tick_s)
        last.update(dict.fromkeys(np.flatnonzero(made.sums()[:, 1, 2]).tolist(), tick_s))
    for place, window_s in enumerate(windows):
        assert 0 <= last[place] - START - window_s < 10 * MINUTE_S
    made.advance_to(START + 2 * DAY_S)
    assert made.sums().sum() == 0
