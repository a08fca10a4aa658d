"""The rules of one objective, ready to be compared, and the windows that they read.

Invariant: rows of conditions are in the order of `names`, whoever computes them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from inferometer.core.slo.closed_forms import threshold_of
from inferometer.core.slo.definitions import MINUTE_S, Severity, Weighting

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy.typing as npt

    from inferometer.core.slo.definitions import BurnWindow, Slo

NANO = 10**9
"""Ratios are compared in billionths."""
LONGEST_HOLD_S = 30 * MINUTE_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A comparison of one ratio over two windows."""

    name: str
    severity: Severity
    long_s: int
    short_s: int
    hold_s: int
    """How long it keeps firing after it was true last, unless the objective says else."""
    threshold: float
    """As it is told: a burn rate, or a ratio."""
    threshold_nano: int
    """Error ratio in billionths, rounded once."""
    margin: int
    """One if a ratio at the threshold is above it already, else zero."""
    allowed: float
    """Error ratio of a service that is just good enough."""
    significance: float
    needs_significance: bool
    """Whether failures that may be chance are not enough."""
    is_outage: bool = False


def pair_rule(window: BurnWindow, slo: Slo) -> Rule:
    """Return a burn window in the form that is compared."""
    return Rule(
        name=window.name,
        severity=window.severity,
        long_s=window.long_s,
        short_s=window.short_s,
        hold_s=window.short_s,
        threshold=float(window.burn(slo.period_s)),
        threshold_nano=round(threshold_of(window, slo) * NANO),
        margin=0,
        allowed=float(1 - slo.objective),
        significance=window.significance,
        needs_significance=slo.low_traffic_guard and window.severity is Severity.PAGE,
    )


class Rules:
    """The rules of an objective: those that are compared, then the one on its whole budget."""

    def __init__(self, slo: Slo, compared: tuple[Rule, ...], last: str) -> None:
        self.slo = slo
        self.compared = compared
        """Pairs in their order, then the outage rule."""
        self.names = (*(rule.name for rule in compared), last)
        spans = {span_s for rule in compared for span_s in (rule.long_s, rule.short_s)}
        self.windows_s = tuple(sorted({slo.period_s, *spans}))
        """Every window that is read, the period among them."""
        self.places = {window_s: place for place, window_s in enumerate(self.windows_s)}
        self.long_places = _array(self.places[rule.long_s] for rule in compared)
        self.short_places = _array(self.places[rule.short_s] for rule in compared)
        self.thresholds_nano = _array(rule.threshold_nano for rule in compared)
        self.margins = _array(rule.margin for rule in compared)
        self.ranks = _array(rule.severity.rank for rule in compared)

    @property
    def is_weighted(self) -> bool:
        """Whether burn rates are weighed by the budget."""
        return self.slo.weighting is Weighting.BUDGET

    @property
    def has_principals_guard(self) -> bool:
        """Whether a page needs failures of more than one caller."""
        return bool(self.slo.principal) and self.slo.min_distinct_principals > 1

    def hold_s(self, row: int) -> int:
        """Return how long a rule keeps firing after it was true last."""
        if self.slo.keep_firing_s is not None:
            return self.slo.keep_firing_s
        wanted = self.compared[row].hold_s if row < len(self.compared) else LONGEST_HOLD_S
        return min(wanted, LONGEST_HOLD_S)


def _array(values: Iterable[int]) -> npt.NDArray[np.int64]:
    return np.fromiter(values, np.int64)
