"""Watermarks never fall, are not pushed by the future, and do not wait for the idle."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from inferometer.core.watermarks import WatermarkPolicy, WatermarkState, is_final
from inferometer.core.windows import window_starts_s

POLICY = WatermarkPolicy(bound_us=10)
instants = st.integers(0, 10**9)


@given(st.lists(st.tuples(st.booleans(), instants, instants), max_size=30))
def test_a_watermark_never_falls(steps: list[tuple[bool, int, int]]) -> None:
    state, last = WatermarkState(), 0
    for is_idle, newest, append in steps:
        if is_idle:
            now = state.idle(broker_us=newest, policy=POLICY)
        else:
            now = state.observe(newest_event_us=newest, append_us=append, policy=POLICY)
        assert now >= last
        last = now


@given(instants, instants)
def test_neither_the_future_nor_a_late_event_pushes_it_beyond_its_bound(
    newest: int, append: int
) -> None:
    state = WatermarkState()
    watermark = state.observe(newest_event_us=newest, append_us=append, policy=POLICY)
    assert watermark == max(0, min(newest, append) - 10)


def test_an_idle_partition_follows_the_broker() -> None:
    state = WatermarkState()
    state.observe(newest_event_us=100, append_us=100, policy=POLICY)
    assert state.idle(broker_us=500, policy=POLICY) == 490


def test_a_window_is_final_once_the_watermark_reaches_its_end() -> None:
    assert is_final(window_end_us=10, watermark_us=10)
    assert not is_final(window_end_us=11, watermark_us=10)


@given(st.lists(instants, min_size=1), st.sampled_from([10, 60, 3600]))
def test_each_instant_lies_in_exactly_one_window(values: list[int], length_s: int) -> None:
    starts = window_starts_s(np.array(values), length_s)
    assert (starts % length_s == 0).all()
    assert ((starts * 10**6 <= values) & (np.array(values) < (starts + length_s) * 10**6)).all()
