"""What a burn-rate pair must do on steady traffic, by formula: when it becomes true and false.

Derived by hand from the windows' definition, apart from the code under test. `error` from instant
0 on, `baseline` before and after, `traffic` times as many requests during the incident.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

from tests.incidents.scenario import CELL_S, DAY_S, HOUR_S


@dataclass(frozen=True, slots=True)
class Pair:
    """One burn-rate rule of the workbook."""

    name: str
    severity: str
    burn: Fraction
    long_s: int
    short_s: int


WORKBOOK = (
    Pair("page-fast", "page", Fraction(144, 10), HOUR_S, HOUR_S // 12),
    Pair("page-slow", "page", Fraction(6), 6 * HOUR_S, HOUR_S // 2),
    Pair("ticket-fast", "ticket", Fraction(3), DAY_S, 2 * HOUR_S),
    Pair("ticket-slow", "ticket", Fraction(1), 3 * DAY_S, 6 * HOUR_S),
)
"""Google SRE Workbook, chapter 5, table 5-8, for a period of 30 days."""


def crossing_s(
    window_s: int,
    threshold: Fraction,
    error: Fraction,
    *,
    baseline: Fraction = Fraction(0),
    traffic: Fraction = Fraction(1),
) -> Fraction | None:
    """Return how long the incident lasts until the window's ratio equals the threshold."""
    if error <= threshold or traffic == 0:
        return None
    room = threshold - baseline
    return window_s * room / (traffic * (error - threshold) + room)


def detection_s(
    pair: Pair,
    budget: Fraction,
    error: Fraction,
    lasts_s: int,
    *,
    baseline: Fraction = Fraction(0),
    traffic: Fraction = Fraction(1),
) -> Fraction | None:
    """Return when both windows of a pair are at their threshold; None if never in the incident."""
    threshold = pair.burn * budget
    times = [
        crossing_s(window_s, threshold, error, baseline=baseline, traffic=traffic)
        for window_s in (pair.long_s, pair.short_s)
    ]
    if any(each is None or each >= lasts_s for each in times):
        return None
    return max(each for each in times if each is not None)


def clearing_s(
    pair: Pair,
    budget: Fraction,
    error: Fraction,
    *,
    baseline: Fraction = Fraction(0),
    traffic: Fraction = Fraction(1),
) -> Fraction:
    """Return how long after the end a pair stays true, of an incident that filled its windows."""
    threshold = pair.burn * budget
    crossed = crossing_s(pair.short_s, threshold, error, baseline=baseline, traffic=traffic)
    return Fraction(0) if crossed is None else pair.short_s - crossed


def ratio_after(
    window_s: int, tick_s: int, error: Fraction, lasts_s: int, traffic: Fraction = Fraction(1)
) -> Fraction:
    """Return the failures' share of the window that ends `tick_s` after the start."""
    hit_s = max(0, min(tick_s, lasts_s) - max(0, tick_s - window_s))
    return error * traffic * hit_s / (traffic * hit_s + window_s - hit_s)


def first_tick_above_s(instant_s: Fraction) -> int:
    """Return the first tick at which a ratio that reaches its threshold at an instant is above."""
    return (math.floor(instant_s / CELL_S) + 1) * CELL_S


def first_tick_not_above_s(instant_s: Fraction) -> int:
    """Return the first tick at which a ratio that falls to its threshold at an instant is not above."""
    return math.ceil(instant_s / CELL_S) * CELL_S
