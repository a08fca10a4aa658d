"""The low-traffic guard: binomial tails against brute force and the printed table."""

from __future__ import annotations

from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferometer.core.slo.significance import binomial_tail, fewest_failures, is_significant


def by_hand(bad: int, total: int, p: float) -> float:
    return sum(
        comb(total, failures) * p**failures * (1 - p) ** (total - failures)
        for failures in range(max(0, bad), total + 1)
    )


@given(st.integers(-1, 60), st.integers(0, 50), st.floats(1e-5, 0.95))
def test_a_tail_is_the_sum_of_its_terms(bad: int, total: int, p: float) -> None:
    assert float(binomial_tail(bad, total, p)) == pytest.approx(by_hand(bad, total, p), abs=1e-12)


@given(st.integers(1, 300), st.integers(0, 10**6), st.sampled_from([1e-4, 1e-3, 0.05]))
def test_one_by_one_and_many_at_once_are_the_same(bad: int, more: int, p: float) -> None:
    many = binomial_tail(np.arange(bad, bad + 40), bad + 40 + more, p)
    one = float(binomial_tail(bad + 7, bad + 40 + more, p))
    assert one == pytest.approx(float(many[7]), rel=1e-7, abs=1e-10)


@given(
    st.lists(st.tuples(st.integers(0, 400), st.integers(0, 4000)), min_size=1, max_size=20),
    st.sampled_from([1e-4, 1e-3, 5e-3, 0.05, 0.3]),
    st.sampled_from([1e-2, 1e-3, 1e-4]),
)
def test_the_quick_bound_never_changes_an_answer(
    pairs: list[tuple[int, int]], p: float, alpha: float
) -> None:
    bad, total = np.array(pairs).T
    exact = binomial_tail(bad, total, p) <= alpha * (1 + 1e-9)
    assert (is_significant(bad, total, p, alpha) == exact).all()


@pytest.mark.parametrize(
    ("total", "fewest"),
    [(10, 2), (50, 3), (100, 3), (200, 4), (500, 5), (1000, 6), (5000, 14)],
)
def test_so_many_failures_are_needed_at_least(total: int, fewest: int) -> None:
    assert fewest_failures(total, 0.001, 1e-3) == fewest


def test_no_number_of_failures_of_a_single_request_may_be_enough() -> None:
    assert fewest_failures(1, 0.05, 1e-3) == 2


def test_a_billion_requests_are_judged_too() -> None:
    mean, deviation = 10**6, 10**3
    assert float(binomial_tail(mean, 10**9, 1e-3)) == pytest.approx(0.5, abs=1e-3)
    three = float(binomial_tail(mean + 3 * deviation, 10**9, 1e-3))
    assert three == pytest.approx(1.35e-3, rel=0.01)


@pytest.mark.parametrize(("p", "expected"), [(0.0, 0.0), (1.0, 1.0)])
def test_the_impossible_and_the_certain_need_no_series(p: float, expected: float) -> None:
    assert float(binomial_tail(2, 3, p)) == expected
    assert not is_significant(2, 3, p, -1.0)


def test_nothing_is_significant_without_requests() -> None:
    assert float(binomial_tail(0, 0, 0.1)) == 1.0
    assert not is_significant(0, 0, 0.1, 1e-3)
