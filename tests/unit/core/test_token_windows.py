from __future__ import annotations

import math
from dataclasses import replace

import pytest

from inferometer.core.token_windows import (
    TokenLoad,
    TokenWindow,
    TokenWindowUse,
    smallest_use,
    token_window_problems,
)

LOAD = TokenLoad(
    partitions=12,
    inserts_per_s=0.5,
    days_an_insert=1.0,
    most_days_an_insert=16,
    longest_outage_s=900,
)


def test_the_need_is_what_others_insert_while_one_is_away() -> None:
    assert LOAD.need == 12 * 900 // 2
    assert replace(LOAD, days_an_insert=2.5).need == 12 * 900 // 2 * 2.5


def test_what_the_busiest_span_took_is_needed_where_it_is_more() -> None:
    assert replace(LOAD, busiest=7_000).need == 7_000
    assert replace(LOAD, busiest=10).need == LOAD.need


def test_a_window_as_large_as_the_need_is_enough() -> None:
    assert token_window_problems([TokenWindow("requests", LOAD.need)], LOAD) == []


def test_a_window_smaller_than_the_need_warns_with_what_to_do() -> None:
    (problem,) = token_window_problems([TokenWindow("requests", LOAD.need - 1)], LOAD)
    assert not problem.is_fatal
    assert "ALTER TABLE requests MODIFY SETTING non_replicated_deduplication_window = 20000" in (
        problem.message
    )


@pytest.mark.parametrize("size", [0, 15], ids=["remembers nothing", "one insert is larger"])
def test_a_window_that_one_insert_overflows_is_fatal(size: int) -> None:
    (problem,) = token_window_problems([TokenWindow("requests", size)], LOAD)
    assert problem.is_fatal


def test_tokens_that_age_out_within_the_outage_warn() -> None:
    window = TokenWindow("requests", 100_000, "replicated_deduplication_window", seconds=600)
    (problem,) = token_window_problems([window], LOAD)
    assert "replicated_deduplication_window_seconds = 1800" in problem.message


def test_the_smallest_window_is_full_first() -> None:
    windows = [TokenWindow("requests", 10_000), TokenWindow("dead_letters", 1_000)]
    assert smallest_use(windows, 400) == TokenWindowUse("dead_letters", 1_000, 400)
    assert smallest_use([], 400) is None


@pytest.mark.parametrize(
    ("used", "ratio", "is_alarming"), [(0, 0.0, False), (499, 0.499, False), (500, 0.5, True)]
)
def test_half_a_window_in_use_alarms(used: int, ratio: float, is_alarming: bool) -> None:
    use = TokenWindowUse("requests", 1_000, used)
    assert (use.ratio, use.is_alarming) == (ratio, is_alarming)


def test_a_table_that_remembers_nothing_is_always_full() -> None:
    assert TokenWindowUse("requests", 0, 0).ratio == math.inf
