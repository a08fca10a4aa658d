"""Reads numbers as they are written for people, and tells how exactly they are meant."""

from __future__ import annotations

import re
from dataclasses import dataclass

STEPS = {"": 1.0, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}
UNITS = {"": 1.0, "ms": 1.0, "s": 1e3, "min": 6e4, "%": 0.01, "/s": 1.0, "/min": 1.0, "B": 1.0}
NOTHING = "\u2013"
_NUMBER = re.compile(
    r"^(?P<sign>[-\u2212]?)(?P<mark>[$\u00d7]?) ?(?P<digits>\d[\d,]*(?:\.\d+)?(?:e-?\d+)?) ?"
    r"(?P<step>[kMGT]?)(?P<unit> ?(?:ms|min|s|%|/s|/min|B)?)$"
)


@dataclass(frozen=True, slots=True)
class Written:
    """A number as it is written: its value, and half of its last digit."""

    value: float
    half: float

    def is_of(self, exact: float, relative: float = 0.0) -> bool:
        """Tell whether the exact number, right to a relative error, would be written so."""
        return abs(self.value - exact) <= self.half * 1.0001 + abs(exact) * relative


def read(text: str) -> Written | None:
    """Return what a text says; None for the dash of what cannot be said. Durations are in ms."""
    text = text.strip().replace("\u00a0", " ").replace("\u202f", " ")
    if text == NOTHING:
        return None
    found = _NUMBER.match(text)
    assert found, f"not a number: {text!r}"
    digits = found["digits"].replace(",", "")
    scale = STEPS[found["step"]] * UNITS[found["unit"].strip()]
    mantissa, _, exponent = digits.partition("e")
    decimals = len(mantissa.partition(".")[2])
    last = 10.0 ** (int(exponent or 0) - decimals) * scale
    sign = -1 if found["sign"] else 1
    return Written(sign * float(digits) * scale, last / 2)
