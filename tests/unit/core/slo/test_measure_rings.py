"""Rules of sums over windows."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferometer.core.slo.measure_rings import MeasureRings, RingSize

SIZES = (RingSize(10, 60), RingSize(60, 600))
START_S = 1_000_000_020
_EVENTS = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 700), st.integers(0, 10**15)), max_size=40
)


def _rings(events: list[tuple[int, int, int]]) -> MeasureRings:
    rings = MeasureRings(("cost",), SIZES)
    rings.ensure(3)
    for group, after_s, value in events:
        rings.add(group, START_S + after_s, {"cost": value})
    return rings


@given(_EVENTS, st.sampled_from([10, 30, 60, 120, 600]), st.randoms(use_true_random=False))
def test_a_window_holds_the_events_in_it_in_any_order(
    events: list[tuple[int, int, int]], window_s: int, random: object
) -> None:
    shuffled = list(events)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    rings = _rings(shuffled)
    rings.advance(START_S + 700)
    end_s = START_S + 710
    start_s = rings.window_start_s(end_s - window_s, end_s)
    for group in range(3):
        inside = sum(
            value
            for owner, after_s, value in events
            if owner == group and (START_S + after_s) // 10 * 10 >= start_s
        )
        assert rings.exact_sum("cost", group, end_s - window_s, end_s) == inside
        assert rings.sums("cost", end_s - window_s, end_s)[group] == pytest.approx(inside)


def test_a_long_window_is_widened_to_a_whole_cell() -> None:
    rings = _rings([])
    assert rings.window_start_s(START_S - 30, START_S) == START_S - 30
    assert rings.window_start_s(START_S - 110, START_S) == (START_S - 110) // 60 * 60


def test_sums_of_money_do_not_overflow() -> None:
    rings = MeasureRings(("cost",), SIZES)
    for cell in range(6):
        rings.add(0, START_S + 10 * cell, {"cost": 9 * 10**18})
    assert rings.exact_sum("cost", 0, START_S, START_S + 60) == 54 * 10**18
    rings.add(0, START_S, {"cost": 9 * 10**18})
    assert rings.exact_sum("cost", 0, START_S, START_S + 10) == 2**63 - 1


def test_what_is_older_than_a_ring_is_not_kept_in_it() -> None:
    rings = _rings([(0, 700, 1)])
    rings.add(0, START_S, {"cost": 5})
    assert rings.exact_sum("cost", 0, START_S + 650, START_S + 710) == 1
    rings.advance(START_S + 5000)
    assert rings.exact_sum("cost", 0, START_S + 4950, START_S + 5010) == 0


def test_a_window_longer_than_every_ring_is_refused() -> None:
    with pytest.raises(ValueError, match="longer than the rings keep"):
        _rings([]).sums("cost", START_S, START_S + 601)


def test_a_series_is_the_whole_cells_before_an_instant() -> None:
    rings = _rings([(1, 0, 3), (1, 60, 4), (1, 125, 5)])
    series = rings.series("cost", 1, SIZES[1], end_s=START_S + 130)
    assert len(series) == SIZES[1].cells - 1
    assert series[-2:].tolist() == [3, 4]


def test_the_cells_of_a_group_move_to_other_rings() -> None:
    rings = _rings([(2, 600, 7), (2, 650, 8)])
    other = MeasureRings(("cost",), SIZES)
    other.add(0, START_S + 655, {"cost": 1})
    other.set_group_cells(1, [(newest, cells.copy()) for newest, cells in rings.group_cells(2)])
    assert other.exact_sum("cost", 1, START_S + 600, START_S + 660) == 15
    assert other.exact_sum("cost", 0, START_S + 600, START_S + 660) == 1
