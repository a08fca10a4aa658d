"""The rules that everybody has: the workbook's four pairs as Sloth writes them, nothing else.

No guard for little traffic, no coverage, no hold: an alert fires while either of its two pairs is
above both thresholds, windows that are not yet full included, and each firing is a notification.
Evaluated every 10 seconds on exact counts, which flatters it: Prometheus would scrape first.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from tests.incidents.closed_form import WORKBOOK
from tests.incidents.scoring import Heard, episodes
from tests.incidents.windows import cell_of_tick, window_sums

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.incidents.closed_form import Pair
    from tests.incidents.generator import Flags, Trace
    from tests.incidents.scenario import Case


def pair_fires(pair: Pair, trace: Trace, budget: Fraction) -> Flags:
    """Return at which ticks both windows of a pair are above its threshold."""
    threshold = pair.burn * budget
    long, short = (window_sums(trace, window_s) for window_s in (pair.long_s, pair.short_s))
    return np.asarray(long.is_above(threshold) & short.is_above(threshold))


def hear(case: Case, trace: Trace, pairs: Iterable[Pair] = WORKBOOK) -> Heard:
    """Return what the reference says about one run."""
    budget = 1 - Fraction(case.objective)
    first = cell_of_tick(case.evaluated_from_s) + 1
    fires = {"page": np.zeros(case.cells, np.bool_), "ticket": np.zeros(case.cells, np.bool_)}
    for pair in pairs:
        fires[pair.severity] |= pair_fires(pair, trace, budget)
    pages, tickets = (episodes(fires[severity], first) for severity in ("page", "ticket"))
    return Heard(
        pages=pages,
        tickets=tickets,
        notices=len(pages) + len(tickets),
        resolved=len(pages) + len(tickets),
    )
