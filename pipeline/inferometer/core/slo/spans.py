"""Spans of time as people write them: `5m`, `30d`, `1h30m`, `500ms`.

Invariant: `parse_span_us(span_text(s)) == s * 1_000_000` for every whole number of seconds.
"""

from __future__ import annotations

import re
from decimal import Decimal

_US_OF = {
    "us": 1,
    "ms": 1_000,
    "s": 1_000_000,
    "m": 60_000_000,
    "h": 3_600_000_000,
    "d": 86_400_000_000,
    "w": 604_800_000_000,
}
_PART = re.compile(r"(\d+(?:\.\d+)?)(us|ms|s|m|h|d|w)")
_WHOLE = re.compile(rf"(?:{_PART.pattern})+")
_UNITS_S = (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1))
_EXAMPLE = "write a number with its unit, such as 30s, 5m, 1h, 30d"
MAX_CHARS = 40
LONGEST_US = 3_660 * _US_OF["d"]


def parse_span_us(text: str) -> int:
    """Return microseconds. Raises ValueError that says how to write a span."""
    compact = text.strip().replace(" ", "")
    if len(compact) > MAX_CHARS or not _WHOLE.fullmatch(compact):
        raise ValueError(f"{text[:MAX_CHARS]!r} is no span of time; {_EXAMPLE}")
    span_us = sum(Decimal(number) * _US_OF[unit] for number, unit in _PART.findall(compact))
    if span_us != int(span_us):
        raise ValueError(f"{text!r} is finer than a microsecond; {_EXAMPLE}")
    if span_us > LONGEST_US:
        raise ValueError(f"{text!r} is over ten years; {_EXAMPLE}")
    return int(span_us)


def parse_span_s(text: str) -> int:
    """Return whole seconds. Raises ValueError that says how to write a span."""
    span_us = parse_span_us(text)
    if span_us % _US_OF["s"]:
        raise ValueError(f"{text!r} is no whole number of seconds; {_EXAMPLE}")
    return span_us // _US_OF["s"]


def span_text(span_s: int) -> str:
    """Write seconds with the fewest units that hold them exactly: 5400 is `1h30m`, 0 is `0s`."""
    parts = []
    rest = span_s
    for unit, seconds in _UNITS_S:
        count, rest = divmod(rest, seconds)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"
