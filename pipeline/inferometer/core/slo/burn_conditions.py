"""What counts say of burn-rate pairs and of the outage rule: true, false or unknown, and how urgent.

Invariants: counts are compared as integers, and a burn rate strictly (at its threshold it is not
above it); a window without requests is unknown, and a rule is unknown only where that leaves it
open. A guard lowers a page to a ticket, it never takes a burn rate away. Arrays of any shape:
[group] for one tick, [tick, group] for many.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from inferometer.core.alerts.conditions import Condition
from inferometer.core.slo.definitions import Severity
from inferometer.core.slo.significance import is_significant
from inferometer.core.slo.slo_rules import NANO

if TYPE_CHECKING:
    import numpy.typing as npt

    from inferometer.core.slo.slo_rules import Rule, Rules

    Counts = npt.NDArray[np.int64]
    Conditions = npt.NDArray[np.int8]
    Truth = npt.NDArray[np.bool_]

_MOST_AT_ONCE = np.iinfo(np.int64).max // NANO - 1
_COVERED = 2
"""A window counts as covered from half its length on."""
_FEWEST = 2
"""Failures that a page needs at least."""

FALSE, TRUE, UNKNOWN = (np.int8(condition) for condition in Condition)
TICKET, PAGE = (np.int8(severity.rank) for severity in Severity)


def judge(
    rules: Rules, counts: Counts, observed_s: Counts, weighed: Counts | None = None
) -> tuple[Conditions, Conditions]:
    """Return [rule, ...] conditions and severities (ranks) of all rules with two windows.

    `counts` are [window, total or bad, ...] in the order of `rules.windows_s`; `observed_s` [...] is
    for how long each group was seen. `weighed` are the counts that burn rates compare with instead;
    whether failures may be chance is asked of the true counts, and so is an outage.
    """
    rows = (-1, *(1 for _ in observed_s.shape))
    thresholds, margins = rules.thresholds_nano.reshape(rows), rules.margins.reshape(rows)
    long, short = counts[rules.long_places], counts[rules.short_places]
    if weighed is not None:
        pairs = rules.margins == 0
        long[pairs] = weighed[rules.long_places[pairs]]
        short[pairs] = weighed[rules.short_places[pairs]]
    conditions = both(
        ratio_conditions(long, thresholds, margins), ratio_conditions(short, thresholds, margins)
    )
    severities = np.empty(conditions.shape, np.int8)
    severities[:] = rules.ranks.reshape(rows)
    for row in np.flatnonzero((conditions == TRUE).any(axis=tuple(range(1, conditions.ndim)))):
        _guard(
            rules.compared[row],
            conditions[row],
            severities[row],
            counts[rules.long_places[row]],
            observed_s,
        )
    return conditions, severities


def ratio_conditions(counts: Counts, threshold_nano: Counts, margin: Counts) -> Conditions:
    """Return conditions of one window a rule from [rule, total or bad, ...]."""
    total, bad = counts[:, 0], counts[:, 1]
    above = is_above(bad, total, threshold_nano, margin).astype(np.int8)
    above[total == 0] = UNKNOWN
    return above


def is_above(bad: Counts, total: Counts, threshold_nano: Counts, margin: Counts) -> Truth:
    """Return where bad * 10**9 + margin > threshold * total, exactly.

    With a margin of one a ratio at its threshold is above it, with zero it is not.
    """
    if not total.size or total.max() <= _MOST_AT_ONCE:
        return np.asarray(bad * NANO + margin > threshold_nano * total, np.bool_)
    wide_bad, wide_total = bad.astype(object), total.astype(object)
    return np.asarray(wide_bad * NANO + margin > wide_total * threshold_nano, np.bool_)


def both(first: Conditions, second: Conditions) -> Conditions:
    """Return the conjunction: false if either is false, unknown if that is still open."""
    found: Conditions = np.minimum(first * second, UNKNOWN)
    return found


def _guard(
    rule: Rule, conditions: Conditions, severities: Conditions, long: Counts, observed_s: Counts
) -> None:
    """Judge in place what is true by its ratio, but may be chance.

    An outage that may be chance is none. A burn rate over a window that was seen for less than half,
    as after a cold start, is unknown then; else a page becomes a ticket.
    """
    is_covered = observed_s * _COVERED >= rule.long_s
    is_asked = conditions == TRUE
    if not rule.needs_significance:
        is_asked &= ~is_covered
    if not is_asked.any():
        return
    doubtful = np.zeros(conditions.shape, np.bool_)
    doubtful[is_asked] = ~is_significant(
        long[1][is_asked], long[0][is_asked], rule.allowed, rule.significance
    )
    if rule.is_outage:
        conditions[doubtful] = FALSE
        return
    conditions[doubtful & ~is_covered] = UNKNOWN
    if rule.needs_significance:
        # One failure of one request is improbable as well, but wakes nobody.
        severities[doubtful | (long[1] < _FEWEST)] = TICKET
