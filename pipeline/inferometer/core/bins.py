"""The log-bin sketch: every latency in the system is counted in these bins, and in no others.

A sketch is a map from bin to count.
With relative accuracy `ALPHA`, `gamma = (1 + ALPHA) / (1 - ALPHA)`, and a duration of `v` integer
microseconds (v >= 1) falls into bin `ceil(ln v / ln gamma)`, which covers
`(gamma^(bin-1), gamma^bin]`; its middle `2 * gamma^bin / (gamma + 1)` is within `ALPHA` of each
value inside (Masson, Rim, Lee, "DDSketch", VLDB 2019, section 2.1).
Zero has a bin of its own.

Invariants: merging is addition of counts, so it is associative and free of order; `GAMMA` is part
of the stored format and never changes inside one schema.
This module needs the standard library only, because the SDK ships it.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

ALPHA = 0.005
GAMMA = (1 + ALPHA) / (1 - ALPHA)
LN_GAMMA = math.log(GAMMA)
ZERO_BIN = -1
"""Bin of durations below half a microsecond; below every other bin, so order is kept."""
MAX_BIN = 4400
"""Above the bin of the largest 64-bit microsecond count (4365); a wire bin beyond it is invalid."""

MICROSECONDS_PER_MS = 1000


def bin_of_us(duration_us: int) -> int:
    """Return the bin of an integer microsecond duration (>= 0)."""
    if duration_us <= 0:
        return ZERO_BIN
    return math.ceil(math.log(duration_us) / LN_GAMMA)


def bin_middle_us(index: int) -> float:
    """Return the duration in microseconds that stands for every value of a bin."""
    if index <= ZERO_BIN:
        return 0.0
    return 2.0 * math.exp(index * LN_GAMMA) / (GAMMA + 1.0)


def quantile_ms(bins: Mapping[int, int], q: float) -> float | None:
    """Return the q-quantile in milliseconds by nearest rank, `sorted[min(n-1, int(q*n))]`.

    Within `ALPHA` of the exact value for any count, down to a sketch of one.
    None for an empty sketch.
    """
    total = sum(bins.values())
    if total == 0:
        return None
    rank = min(total - 1, int(q * total))
    seen = 0
    for index in sorted(bins):
        seen += bins[index]
        if seen > rank:
            return bin_middle_us(index) / MICROSECONDS_PER_MS
    raise AssertionError("unreachable: the counts sum to the total")


def merge(sketches: Iterable[Mapping[int, int]]) -> dict[int, int]:
    """Return the sum of sketches, bins in ascending order."""
    merged: dict[int, int] = {}
    for sketch in sketches:
        for index, count in sketch.items():
            merged[index] = merged.get(index, 0) + count
    return dict(sorted(merged.items()))
