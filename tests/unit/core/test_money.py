from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferometer.core.money import (
    MAX_DENOMINATOR,
    MAX_INT64,
    multiply_round,
    pico_to_usd,
    round_half_even,
    usd_to_pico,
)


@pytest.mark.parametrize(
    ("numerator", "denominator", "expected"),
    [(5, 2, 2), (7, 2, 4), (1, 2, 0), (3, 2, 2), (10, 3, 3), (11, 3, 4), (0, 7, 0)],
)
def test_a_tie_goes_to_the_even_neighbour(numerator: int, denominator: int, expected: int) -> None:
    assert round_half_even(numerator, denominator) == expected


@given(st.integers(-(10**17), 10**17))
def test_dollars_and_pico_dollars_are_the_same_amount(pico: int) -> None:
    assert pico_to_usd(pico) * 10**12 == pico
    if pico >= 0:
        assert usd_to_pico(pico_to_usd(pico)) == pico


def test_more_than_twelve_decimals_round_half_even_at_any_precision() -> None:
    assert usd_to_pico(Decimal("0.0000000000025")) == 2
    assert (
        usd_to_pico(Decimal("12345678901234567890.0000000000035"))
        == 12345678901234567890 * (10**12) + 4
    )


rows = st.lists(
    st.tuples(
        st.integers(0, 2**44),
        st.integers(0, MAX_INT64),
        st.sampled_from([1, 2, 4, 10**9]) | st.integers(1, MAX_DENOMINATOR),
    ),
    min_size=1,
    max_size=8,
)


@given(rows, st.sampled_from([10**17 + 1, MAX_INT64]))
def test_the_array_form_equals_python_integers(rows: list[tuple[int, int, int]], cap: int) -> None:
    result = multiply_round(
        *(np.array(part, np.int64) for part in zip(*rows, strict=True)), cap=cap
    )
    assert result.tolist() == [min(cap, round_half_even(q * n, d)) for q, n, d in rows]


def test_ties_in_an_array_go_to_the_even_neighbour() -> None:
    odd = np.array([1, 3, 5, 7, 2**33 + 1], np.int64)
    ones, twos = np.ones_like(odd), np.full_like(odd, 2)
    assert multiply_round(odd, ones, twos, cap=MAX_INT64).tolist() == [0, 2, 2, 4, 2**32]


def test_no_rows_give_no_rows() -> None:
    none = np.zeros(0, np.int64)
    assert len(multiply_round(none, none, none, cap=1)) == 0
