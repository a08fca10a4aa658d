"""How much of an error budget is left, and whether that was said already in this period.

Invariants: the budget is what a whole period allows: a group that is younger than the period is
taken to go on at its present traffic, so that its first failure does not exhaust it. Exhaustion is
reported once a period, however often the budget comes and goes meanwhile.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from inferometer.core.slo.burn_conditions import FALSE, TRUE, UNKNOWN

if TYPE_CHECKING:
    import numpy.typing as npt

    from inferometer.core.slo.definitions import Slo

    Counts = npt.NDArray[np.int64]
    Floats = npt.NDArray[np.float64]
    Conditions = npt.NDArray[np.int8]

EXHAUSTED = "exhausted"
"""Name of the rule."""


def remaining(slo: Slo, period: Counts, observed_s: Counts) -> Floats:
    """Return the share of the budget that is left; below zero it is overspent, nan: no requests."""
    total = period[0].astype(np.float64)
    allowed = float(1 - slo.objective) * whole_period(slo, total, observed_s)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(total > 0, 1 - period[1] / allowed, np.nan)


def whole_period(slo: Slo, total: Counts | Floats, observed_s: Counts) -> Floats:
    """Return how many requests a whole period holds at the traffic of the part that was seen."""
    return total * (slo.period_s / np.clip(observed_s, 1, slo.period_s))


@dataclass(slots=True)
class ExhaustionLatch:
    """When each group was last reported as exhausted, and whether it still is."""

    reported_at_s: Counts
    """0 for never."""
    is_on: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, groups: int) -> ExhaustionLatch:
        """Return one that has reported nothing."""
        return cls(np.zeros(groups, np.int64), np.zeros(groups, np.bool_))

    def grow(self, groups: int) -> None:
        """Make room for more groups."""
        more = groups - len(self.is_on)
        if more <= 0:
            return
        self.reported_at_s = np.pad(self.reported_at_s, (0, more))
        self.is_on = np.pad(self.is_on, (0, more))

    def forget(self, group: int) -> None:
        """Empty the place of a group."""
        self.reported_at_s[group], self.is_on[group] = 0, False

    def judge(self, left: Floats, tick_s: int, period_s: int) -> Conditions:
        """Return conditions of the rule from what is left of each budget at a tick."""
        if not self.is_on.any() and (left > 0).all():
            return np.full(left.shape, FALSE)
        reported_at_s, is_on = self.reported_at_s[: left.size], self.is_on[: left.size]
        is_unknown = np.isnan(left)
        is_gone = ~is_unknown & (left <= 0)
        may_start = (reported_at_s == 0) | (tick_s - reported_at_s >= period_s)
        starts = is_gone & ~is_on & may_start
        reported_at_s[starts] = tick_s
        is_on &= is_gone | is_unknown
        is_on |= starts
        return np.where(is_unknown, UNKNOWN, np.where(is_on, TRUE, FALSE))
