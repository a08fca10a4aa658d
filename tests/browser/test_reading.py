"""The reader of numbers, without which a check of the screen would prove nothing."""

from __future__ import annotations

import pytest

from tests.browser.reading import NOTHING, read


@pytest.mark.parametrize(
    ("text", "value", "half"),
    [
        ("0", 0, 0.5),
        ("1,234", 1234, 0.5),
        ("12.3 k", 12_300, 50),
        ("1.24 M", 1.24e6, 5000),
        ("$1,234", 1234, 0.5),
        ("$0.0123", 0.0123, 0.00005),
        ("98.2 %", 0.982, 0.0005),
        ("412 ms", 412, 0.5),
        ("1.14 s", 1140, 5),
        ("2.5 min", 150_000, 3000),
        ("0.45 /s", 0.45, 0.005),
        ("\u00d7 1.021", 1.021, 0.0005),
        ("1.2e-5", 1.2e-5, 5e-7),
    ],
)
def test_a_number_is_read_with_its_precision(text: str, value: float, half: float) -> None:
    written = read(text)
    assert written is not None
    assert written.value == pytest.approx(value)
    assert written.half == pytest.approx(half)
    assert written.is_of(value + 0.9 * half)
    assert not written.is_of(value + 1.1 * half)


def test_a_dash_says_nothing() -> None:
    assert read(NOTHING) is None


def test_what_is_no_number_is_refused() -> None:
    with pytest.raises(AssertionError, match="not a number"):
        read("loading")
