from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferometer.core.query.standouts import Part, expected_bad, standouts


def part(value: str, total: float, bad: float, ratio_before: float = 0.001) -> Part:
    return Part(value, total, bad, expected=total * ratio_before)


def test_the_narrowest_value_that_holds_the_excess_comes_first() -> None:
    found = standouts(
        {
            "region": [part("eu", 5000, 405), part("us", 5000, 5)],
            "node_id": [part("n-17", 500, 400), *(part(f"n-{i}", 500, 1) for i in range(19))],
        }
    )
    assert [(each.dimension, each.value) for each in found] == [
        ("node_id", "n-17"),
        ("region", "eu"),
    ]
    assert found[0].share_of_total == 0.05
    assert found[0].share_of_excess > 0.95


def test_nothing_stands_out_where_all_fail_alike() -> None:
    alike = [part(f"m{i}", 1000, 200) for i in range(4)]
    assert standouts({"model": alike}) == []


def test_a_value_that_nearly_everything_has_tells_nothing() -> None:
    assert standouts({"environment": [part("production", 9990, 900), part("test", 10, 0)]}) == []


def test_a_value_that_always_was_bad_is_no_news() -> None:
    always = Part("old", 1000, 100, expected=100)
    new = Part("new", 1000, 120, expected=1)
    [found] = standouts({"model": [always, new, Part("well", 8000, 8, expected=8)]})
    assert found.value == "new"


def test_where_fewer_are_bad_than_expected_nothing_stands_out() -> None:
    assert (
        standouts({"model": [Part("a", 100, 1, expected=50), Part("b", 100, 0, expected=1)]}) == []
    )


def test_two_failures_are_not_enough_to_blame_a_node() -> None:
    parts = {"node_id": [part("a", 10, 2), part("b", 1000, 0)]}
    assert standouts(parts) == []
    assert [each.value for each in standouts(parts, least_bad=2)] == ["a"]


def test_a_node_that_has_more_of_it_by_chance_is_not_named() -> None:
    others = [part(f"n-{number}", 84, 36 / 5) for number in range(5)]
    assert standouts({"node_id": [part("n-7", 80, 11), *others]}) == []


def test_who_spent_nothing_before_stands_out_by_spending() -> None:
    # Money: the total is what was spent before, so a new user has none.
    parts = [Part("new", 0, 90, expected=0), Part("old", 100, 101, expected=100)]
    [found] = standouts({"user_id": parts}, least_bad=0)
    assert found.value == "new"
    assert found.bad_ratio is None


def test_few_requests_before_count_little_for_what_is_expected() -> None:
    assert expected_bad(1000, 2, 2, 0.001) == pytest.approx(1000 * 2.05 / 52)
    assert expected_bad(1000, 1_000_000, 10_000, 0.5) == pytest.approx(10, rel=0.01)


PARTS = st.lists(
    st.builds(
        lambda total, share, expected: Part("", total, total * share, expected),
        st.integers(0, 10_000), st.floats(0, 1), st.floats(0, 100),
    ),
    max_size=12,
)  # fmt: skip


@given(PARTS, st.randoms())
def test_shares_are_ratios_and_order_does_not_matter(
    parts: list[Part], dice: random.Random
) -> None:
    named = [Part(str(i), p.total, p.bad, p.expected) for i, p in enumerate(parts)]
    mixed = dice.sample(named, len(named))
    found = standouts({"model": named})
    assert [each.value for each in standouts({"model": mixed})] == [each.value for each in found]
    for each in found:
        assert 0 <= each.share_of_total <= 1
        assert 0 <= each.share_of_excess <= 1
