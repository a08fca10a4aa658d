from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferometer.core.slo.spans import parse_span_s, parse_span_us, span_text


@given(st.integers(min_value=0, max_value=3_000 * 86_400))
def test_what_is_written_reads_back(span_s: int) -> None:
    assert parse_span_s(span_text(span_s)) == span_s


@pytest.mark.parametrize(
    ("text", "span_us"),
    [
        ("500ms", 500_000),
        ("2s", 2_000_000),
        ("1.5h", 5_400_000_000),
        ("1h 30m", 5_400_000_000),
        ("4w", 28 * 86_400_000_000),
        ("7us", 7),
    ],
)
def test_a_span_is_a_number_with_its_unit(text: str, span_us: int) -> None:
    assert parse_span_us(text) == span_us


@pytest.mark.parametrize(
    "text", ["", "5", "m", "-5m", "5 minutes", "1M", "0.1us", "9999w", "9" * 99]
)
def test_what_is_no_span_says_how_to_write_one(text: str) -> None:
    with pytest.raises(ValueError, match="write a number with its unit"):
        parse_span_us(text)


def test_a_span_of_seconds_is_whole() -> None:
    with pytest.raises(ValueError, match="whole number of seconds"):
        parse_span_s("1.5s")
