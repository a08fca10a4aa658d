"""When a burn-rate rule fires and clears, by formula: what evaluation has to reproduce.

Invariants: all is exact (`Fraction`), in seconds from the start of an incident (detection) or from
its end (clearing); None is never. Traffic is steady, evaluation continuous; `first_tick_after` and
`first_tick_from` tell the tick at which a ticked evaluation sees it.

Derivation: t seconds into an incident of error ratio e and traffic k, over a baseline e0, a window
W holds the ratio (k*e*t + e0*(W-t)) / (k*t + W-t). It is above theta as soon as
t > W*(theta-e0) / (k*(e-theta) + theta-e0). After the end the same part of the window, from its
far side, still has to be bad.
"""

from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from inferometer.core.slo.definitions import BurnWindow, OutageRule, Slo

Exact = Fraction | Decimal | int


def threshold_of(window: BurnWindow, slo: Slo) -> Fraction:
    """Return the error ratio above which a burn window is true: burn * (1 - objective)."""
    burn = Fraction(window.budget_share) * slo.period_s / window.long_s
    return burn * (1 - Fraction(slo.objective))


def crossing_s(
    window_s: int,
    theta: Exact,
    error_ratio: Exact,
    *,
    baseline: Exact = 0,
    traffic: Exact = 1,
    duration_s: Exact | None = None,
) -> Fraction | None:
    """Return how long after the start of an incident one window is above theta."""
    theta, error = Fraction(theta), Fraction(error_ratio)
    base, factor = Fraction(baseline), Fraction(traffic)
    if base >= theta:
        return Fraction(0)
    slope = factor * (error - theta) + theta - base
    if error <= theta or factor <= 0 or slope <= 0:
        return None
    crossing = window_s * (theta - base) / slope
    if crossing > window_s or (duration_s is not None and crossing >= Fraction(duration_s)):
        return None
    return crossing


def clearing_s(
    window_s: int,
    theta: Exact,
    error_ratio: Exact,
    *,
    baseline: Exact = 0,
    traffic: Exact = 1,
) -> Fraction | None:
    """Return how long after the end of an incident one window, true at its end, is true still."""
    crossing = crossing_s(window_s, theta, error_ratio, baseline=baseline, traffic=traffic)
    return None if crossing is None else window_s - crossing


def pair_detection_s(
    window: BurnWindow,
    slo: Slo,
    error_ratio: Exact,
    *,
    baseline: Exact = 0,
    traffic: Exact = 1,
    duration_s: Exact | None = None,
) -> Fraction | None:
    """Return when both windows of a pair are above the threshold."""
    theta = threshold_of(window, slo)
    crossings = [
        crossing_s(
            span_s, theta, error_ratio, baseline=baseline, traffic=traffic, duration_s=duration_s
        )
        for span_s in (window.long_s, window.short_s)
    ]
    found = [crossing for crossing in crossings if crossing is not None]
    return max(found) if len(found) == len(crossings) else None


def pair_clearing_s(
    window: BurnWindow,
    slo: Slo,
    error_ratio: Exact,
    *,
    baseline: Exact = 0,
    traffic: Exact = 1,
) -> Fraction | None:
    """Return when the first of the two windows of a pair that was true is not above any more."""
    theta = threshold_of(window, slo)
    clearings = [
        clearing_s(span_s, theta, error_ratio, baseline=baseline, traffic=traffic)
        for span_s in (window.long_s, window.short_s)
    ]
    return min((clearing for clearing in clearings if clearing is not None), default=None)


def rules_detection_s(
    windows: Iterable[BurnWindow],
    slo: Slo,
    error_ratio: Exact,
    *,
    baseline: Exact = 0,
    traffic: Exact = 1,
    duration_s: Exact | None = None,
) -> Fraction | None:
    """Return when the first of several pairs fires."""
    found = (
        pair_detection_s(
            window, slo, error_ratio, baseline=baseline, traffic=traffic, duration_s=duration_s
        )
        for window in windows
    )
    return min((detection for detection in found if detection is not None), default=None)


def ramp_crossing_s(window_s: int, theta: Exact, rise_per_s: Exact) -> float | None:
    """Return when a ratio that rises as e = rise*t lifts a window above theta: sqrt(2*theta*W/rise).

    Holds while the ramp is inside the window and below a ratio of one; else None.
    """
    theta, rise = Fraction(theta), Fraction(rise_per_s)
    if rise <= 0:
        return None
    crossing = math.sqrt(2 * theta * window_s / rise)
    return crossing if crossing <= window_s and crossing * rise <= 1 else None


def outage_detection_s(rule: OutageRule, error_ratio: Exact) -> Fraction | None:
    """Return when the outage rule fires at a steady error ratio: long * bad_ratio / error ratio."""
    ratio, error = Fraction(rule.bad_ratio), Fraction(error_ratio)
    return None if error < ratio else rule.long_s * ratio / error


def single_failure_bound(theta: Exact) -> Fraction:
    """Return how many requests a window must at least hold for one failure not to be above theta."""
    return 1 / Fraction(theta)


def first_tick_after(instant_s: Exact, tick_s: int = 10) -> int:
    """Return the first tick after an instant: a ratio equal to the threshold is not above it."""
    return (math.floor(Fraction(instant_s) / tick_s) + 1) * tick_s


def first_tick_from(instant_s: Exact, tick_s: int = 10) -> int:
    """Return the first tick at or after an instant: there the ratio is at the threshold or below."""
    return math.ceil(Fraction(instant_s) / tick_s) * tick_s
