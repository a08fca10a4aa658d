"""Says what is true of a case, from its probabilities alone: never from samples or a detector.

An incident deserves a page if it burns at least 2 % of the period's budget in some hour or 5 % in
some six hours, a ticket if at least 10 % in some day or some three days. Within 20 % of such a
threshold, or with fewer than 5 failures to be expected, nobody can ask for either answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tests.incidents.generator import intensity
from tests.incidents.scenario import CELL_S, DAY_S, HOUR_S, ORIGIN_S

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.incidents.generator import Floats
    from tests.incidents.scenario import Case

    Shares = Callable[[int], float]

PERIOD_S = 30 * DAY_S
PAGES_AT = ((HOUR_S, 0.02), (6 * HOUR_S, 0.05))
TICKETS_AT = ((DAY_S, 0.10), (3 * DAY_S, 0.10))
MARGIN = 0.2
LEAST_FAILURES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """The truth about one case."""

    id: str
    family: str
    starts_s: int
    ends_s: int
    verdict: str
    """page, ticket, none or dont_care."""
    page: str
    """yes, no or dont_care: whether a page is right."""
    share_1h: float
    share_6h: float
    share_1d: float
    share_3d: float
    expected_bad: float


def ratio_label(case: Case) -> Label:
    """Return the truth by the share of failures: what burn rates at constant traffic can know."""
    expected = intensity(case)
    total = expected.requests * expected.is_counted
    bad = total * expected.error

    def share(window_s: int) -> float:
        ratio = _window_sums(bad, window_s) / np.maximum(_window_sums(total, window_s), 1e-12)
        return float(ratio.max()) / case.budget * window_s / PERIOD_S

    return _label(case, share)


def budget_label(case: Case) -> Label:
    """Return the truth by the budget of the whole period, in which busy hours weigh more."""
    expected = intensity(case)
    bad = expected.requests * expected.error
    allowed = case.budget * case.rph / HOUR_S * PERIOD_S
    return _label(case, lambda window_s: _greatest_sum(bad, window_s) / allowed)


def _label(case: Case, share_of: Shares) -> Label:
    shares = {window_s: share_of(window_s) for window_s, _ in (*PAGES_AT, *TICKETS_AT)}
    expected = intensity(case)
    first = (case.starts_s - ORIGIN_S) // CELL_S
    inside = slice(first, first + case.incident_s // CELL_S)
    failures = float((expected.requests * expected.error)[inside].sum())
    page = _answer(shares, PAGES_AT, failures)
    ticket = _answer(shares, TICKETS_AT, failures)
    return Label(
        id=case.key,
        family=case.family,
        starts_s=case.starts_s,
        ends_s=case.starts_s + case.incident_s,
        verdict=_verdict(page, ticket),
        page=page,
        share_1h=shares[HOUR_S],
        share_6h=shares[6 * HOUR_S],
        share_1d=shares[DAY_S],
        share_3d=shares[3 * DAY_S],
        expected_bad=failures,
    )


def _window_sums(cells: Floats, window_s: int) -> Floats:
    """Return the sums over windows that end with each cell; the trace's past is like its start."""
    width = window_s // CELL_S
    padded = np.concatenate([np.full(width, cells[0]), cells])
    summed = np.concatenate([[0.0], np.cumsum(padded)])
    return np.asarray((summed[width:] - summed[:-width])[1:])


def _greatest_sum(bad: Floats, window_s: int) -> float:
    return float(_window_sums(bad, window_s).max())


def _answer(
    shares: dict[int, float], thresholds: tuple[tuple[int, float], ...], failures: float
) -> str:
    reached = [shares[window_s] / share for window_s, share in thresholds]
    if max(reached) < 1 - MARGIN:
        return "no"
    if max(reached) <= 1 + MARGIN or failures < LEAST_FAILURES - 1e-6:
        return "dont_care"
    return "yes"


def _verdict(page: str, ticket: str) -> str:
    """A page may be uncertain where the ticket is not: then the truth is the ticket."""
    if page == "yes":
        return "page"
    if ticket == "yes":
        return "ticket"
    return "dont_care" if "dont_care" in {page, ticket} else "none"
