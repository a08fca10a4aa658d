from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from inferometer.core.audit_spans import HOUR_S, HourRows, Slice, kept_since, slices, whole_windows

HOURS = st.dictionaries(st.integers(0, 200), st.integers(0, 900), max_size=40).map(
    lambda rows: [HourRows(hour * HOUR_S, rows[hour]) for hour in sorted(rows)]
)
EVERYTHING = Slice(0, 201 * HOUR_S)


@given(HOURS)
def test_slices_are_disjoint_ascend_and_cover_every_hour_with_rows(hours: list[HourRows]) -> None:
    found = slices(hours, EVERYTHING, max_hours=10, max_rows=1000)
    assert all(a.to_s <= b.from_s for a, b in itertools.pairwise(found))
    for hour in hours:
        inside = [s for s in found if s.from_s <= hour.hour_s and hour.hour_s + HOUR_S <= s.to_s]
        assert len(inside) == 1


@given(HOURS)
def test_a_slice_is_bounded_in_hours_and_rows_unless_one_hour_has_more(
    hours: list[HourRows],
) -> None:
    for part in slices(hours, EVERYTHING, max_hours=10, max_rows=1000):
        inside = [hour for hour in hours if part.from_s <= hour.hour_s < part.to_s]
        assert part.to_s - part.from_s <= 10 * HOUR_S
        assert len(inside) == 1 or sum(hour.rows for hour in inside) <= 1000


def test_slices_are_clipped_to_the_span() -> None:
    assert slices([HourRows(0, 1)], Slice(600, 1200)) == [Slice(600, 1200)]
    assert slices([HourRows(0, 1)], Slice(7200, 9000)) == []


def test_only_windows_that_are_whole_inside_the_span_count() -> None:
    assert whole_windows(Slice(61, 3599), 60) == Slice(120, 3540)
    assert whole_windows(Slice(61, 3599), 3600) == Slice(3600, 3600)
    assert whole_windows(Slice(3600, 7200), 3600) == Slice(3600, 7200)


def test_a_window_close_to_its_expiry_is_left_alone() -> None:
    assert kept_since(1_000_000, 1) == 1_000_000 - 86_400 + HOUR_S
