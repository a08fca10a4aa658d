"""Judges the rules by brute force over single events: no cells, no rings, no running sums.

At each tick every window counts, anew, the events inside it. The probability of so many failures
is summed term by term. Slow, and meant to share nothing with the code under test.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy.typing as npt

    from tests.incidents.closed_form import Pair

MICROSECONDS = 1_000_000
ALPHA = {"page": 1e-3, "ticket": 1e-2}
OUTAGE_RATIO = Fraction(1, 2)
OUTAGE_LONG_S, OUTAGE_SHORT_S = 300, 60
OUTAGE_CHANCE = 0.1
"""An outage is told from a service that fails one request in ten, whatever its objective."""
LEAST_COVERAGE = Fraction(1, 2)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one rule must say at one tick."""

    is_true: bool | None
    """None: nobody can know."""
    severity: str | None
    """Where it is true."""


@dataclass(frozen=True, slots=True)
class Held:
    """What one window holds."""

    total: int
    bad: int
    callers: int
    """Distinct callers among the failures."""

    def is_above(self, threshold: Fraction, *, or_equal: bool = False) -> bool | None:
        """Return whether the failures' share is above; None of no requests."""
        if not self.total:
            return None
        share = Fraction(self.bad, self.total)
        return share >= threshold if or_equal else share > threshold


class BruteForce:
    """Every event of one group, and the objective it is held against."""

    def __init__(
        self, events: Iterable[dict[str, Any]], *, objective: Fraction, seen_since_s: int
    ) -> None:
        rows = [(row["ts_end"], row["status_code"] >= 500, row["user_id"]) for row in events]
        self._at: npt.NDArray[np.int64] = np.array([row[0] for row in rows], np.int64)
        self._bad: npt.NDArray[np.bool_] = np.array([row[1] for row in rows], np.bool_)
        self._callers = np.array([row[2] for row in rows])
        self._budget = 1 - objective
        self._since_s = seen_since_s

    def held(self, tick_s: int, window_s: int) -> Held:
        """Return what the window [tick - width, tick) holds."""
        inside = self._at >= (tick_s - window_s) * MICROSECONDS
        inside &= self._at < tick_s * MICROSECONDS
        failing = inside & self._bad
        callers = len(set(self._callers[failing].tolist()))
        return Held(int(inside.sum()), int(failing.sum()), callers)

    def pair(self, pair: Pair, tick_s: int) -> Verdict:
        """Return what a burn-rate pair must say."""
        threshold = pair.burn * self._budget
        long, short = self.held(tick_s, pair.long_s), self.held(tick_s, pair.short_s)
        both = (long.is_above(threshold), short.is_above(threshold))
        if False in both:
            return Verdict(False, None)
        if None in both:
            return Verdict(None, None)
        improbable = self.probability(long) <= ALPHA[pair.severity]
        covered = Fraction(tick_s - self._since_s, pair.long_s) >= LEAST_COVERAGE
        if not covered and not improbable:
            return Verdict(None, None)
        is_page = pair.severity == "page" and improbable and long.callers >= 2
        return Verdict(True, "page" if is_page else "ticket")

    def outage(self, tick_s: int) -> Verdict:
        """Return what the rule on total outages must say."""
        long, short = (self.held(tick_s, each) for each in (OUTAGE_LONG_S, OUTAGE_SHORT_S))
        both = tuple(each.is_above(OUTAGE_RATIO, or_equal=True) for each in (long, short))
        if False in both:
            return Verdict(False, None)
        if None in both:
            return Verdict(None, None)
        chance = max(OUTAGE_CHANCE, float(self._budget))
        if tail(long.bad, long.total, chance) > ALPHA["page"]:
            return Verdict(False, None)
        return Verdict(True, "page" if long.callers >= 2 else "ticket")

    def probability(self, held: Held) -> float:
        """Return the probability of so many failures, or more, for a service at its objective."""
        return tail(held.bad, held.total, float(self._budget))


def tail(bad: int, total: int, p: float) -> float:
    """Return P[X >= bad] of a binomial, as one minus the terms below, or the terms from there on."""
    if bad <= total * p:
        return 1 - math.fsum(_term(k, total, p) for k in range(bad))
    terms = []
    for k in range(bad, total + 1):
        terms.append(_term(k, total, p))
        if terms[-1] < 1e-18 * max(terms):
            break
    return math.fsum(terms)


def _term(k: int, n: int, p: float) -> float:
    log_choose = math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
    return math.exp(log_choose + k * math.log(p) + (n - k) * math.log1p(-p))
