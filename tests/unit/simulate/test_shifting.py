"""Moving traces in time: which instants move, and that nothing else does."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inferometer.simulate.shifting import NO_SHIFT, instant_us, shift_to, shifted_line

DAY_US = 86_400_000_000
NOON = 1_790_000_000_000_000

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["ts", "ts_end", "x", '"', "}"]), inner, max_size=3)
    ),
    max_leaves=8,
)


def test_the_last_event_lands_on_the_end() -> None:
    shift = shift_to([NOON, NOON + 5, NOON + 3], end_at_us=NOON + 100)
    assert NOON + 5 + shift.by_us == NOON + 100


def test_the_first_event_lands_on_the_start() -> None:
    assert shift_to([NOON + 7, NOON + 5], start_at_us=NOON).by_us == -5


def test_implausible_times_have_no_say_and_do_not_move() -> None:
    shift = shift_to([0, NOON, NOON + 1, NOON + 2, 4_102_444_800_000_000], end_at_us=NOON + 12)
    assert shift.by_us == 10
    assert not shift.applies_to(0)
    assert not shift.applies_to(4_102_444_800_000_000)
    assert shift.applies_to(NOON - 14 * DAY_US + DAY_US)


def test_no_times_no_shift() -> None:
    assert shift_to([], end_at_us=5) == NO_SHIFT
    assert not NO_SHIFT.applies_to(0)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (5, 5),
        ("1970-01-01T00:00:01Z", 1_000_000),
        ("1970-01-01T01:00:01.5+01:00", 1_500_000),
        ("1970-01-01T00:00:01", None),
        ("yesterday", None),
        (5.0, None),
        (True, None),
        (-1, None),
        (None, None),
    ],
)
def test_an_instant_is_read_as_the_contract_reads_it(value: object, expected: int | None) -> None:
    assert instant_us(value) == expected


def test_every_byte_but_the_two_instants_stays() -> None:
    line = b' {"a": {"ts_end": 5}, "ts_end" : 10 ,"ts":"1970-01-01T00:00:01Z","x": 1.00, "ts2":3}\r'
    moved = line.replace(b" 10 ", b" 17 ").replace(b":01Z", b":01.000007+00:00")
    assert shifted_line(line, 7) == moved


@settings(deadline=None)
@given(
    st.dictionaries(st.sampled_from(["a", "ts", "ts_end", "metadata"]), json_values, max_size=4),
    st.sampled_from([None, orjson.OPT_INDENT_2]),
)
def test_a_shifted_line_differs_in_its_own_instants_alone(
    document: dict[str, Any], layout: int | None
) -> None:
    moved = orjson.loads(shifted_line(orjson.dumps(document, option=layout), 11))
    for name, value in document.items():
        at_us = instant_us(value) if name in {"ts", "ts_end"} else None
        assert (instant_us(moved[name]) if at_us is not None else moved[name]) == (
            at_us + 11 if at_us is not None else value
        )
