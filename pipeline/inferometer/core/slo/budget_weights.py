"""How many requests a window holds on average: what failures are weighed by, where a budget says so.

Invariants: a forecast moves the average to a tenth or to tenfold of what the period held, not
beyond, because a period with hardly any traffic makes any forecast absurd; a window without
requests keeps none, so that it stays unknown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from inferometer.core.slo.error_budget import whole_period

if TYPE_CHECKING:
    import numpy.typing as npt

    from inferometer.core.slo.slo_rules import Rules

    Counts = npt.NDArray[np.int64]

MOST_TIMES = 10
"""How far a forecast of the period's requests may be from its trailing average, either way."""


def weighted(
    rules: Rules, counts: Counts, observed_s: Counts, expected: npt.ArrayLike | None = None
) -> Counts:
    """Return counts [window, total or bad, ...] with average totals instead of those counted.

    `expected` [...] is how many requests the whole period is forecast to hold; without it the
    traffic of the period up to now goes on.
    """
    period = counts[rules.places[rules.slo.period_s], 0]
    trailing = whole_period(rules.slo, period, observed_s)
    wanted = trailing if expected is None else np.asarray(expected, np.float64)
    in_period = np.clip(wanted, trailing / MOST_TIMES, trailing * MOST_TIMES)
    result = counts.copy()
    for place, window_s in enumerate(rules.windows_s):
        average = np.rint(in_period * (window_s / rules.slo.period_s)).astype(np.int64)
        # At least its failures: a window is never worse than all of it.
        average = np.maximum(average, counts[place, 1])
        result[place, 0] = np.where(counts[place, 0] > 0, np.maximum(average, 1), 0)
    return result
