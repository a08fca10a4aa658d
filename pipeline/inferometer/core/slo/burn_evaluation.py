"""Evaluates every rule of one objective over all its groups at a tick.

Invariants: an evaluation depends on the counts and the tick alone, never on the order in which
counts came; what it says of a group can be asked afterwards, with the numbers of that tick.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from inferometer.core.slo import principals
from inferometer.core.slo.budget_weights import weighted
from inferometer.core.slo.burn_conditions import PAGE, TICKET, TRUE, judge
from inferometer.core.slo.error_budget import EXHAUSTED, ExhaustionLatch, remaining
from inferometer.core.slo.evaluations import Evaluation
from inferometer.core.slo.group_snapshots import GroupSnapshot
from inferometer.core.slo.outage import OUTAGE, outage_rule
from inferometer.core.slo.rings import CountRings
from inferometer.core.slo.slo_rules import Rules, pair_rule

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy.typing as npt

    from inferometer.core.slo.definitions import Slo

    Conditions = npt.NDArray[np.int8]

__all__ = ["EXHAUSTED", "OUTAGE", "Evaluation", "SloEvaluator", "rules_of"]


def rules_of(slo: Slo) -> Rules:
    """Return the rules of an objective: its pairs, an outage rule if it has one, its budget."""
    pairs = tuple(pair_rule(window, slo) for window in slo.burn_windows)
    outage = (outage_rule(slo.outage, slo),) if slo.outage else ()
    return Rules(slo, (*pairs, *outage), EXHAUSTED)


class SloEvaluator:
    """The rings of one objective and the judgement over them."""

    def __init__(self, slo: Slo, rings: CountRings | None = None, *, capacity: int = 1) -> None:
        self.rules = rules_of(slo)
        self.rings = rings or CountRings(
            self.rules.windows_s,
            capacity=capacity,
            has_principals=self.rules.has_principals_guard,
        )
        self._latch = ExhaustionLatch.of(self.rings.capacity)

    def evaluate(self, tick_s: int, expected: npt.ArrayLike | None = None) -> Evaluation:
        """Move on to a tick and judge; raises StateError if it lies before the last one.

        `expected` [group] is how many requests each group is forecast to see in a whole period; it
        matters where failures are weighed by the budget.
        """
        self.rings.advance_to(tick_s)
        self._latch.grow(self.rings.capacity)
        rules, counts = self.rules, self.rings.sums()
        observed_s = self.rings.observed_s()
        weighed = weighted(rules, counts, observed_s, expected) if rules.is_weighted else None
        left = remaining(rules.slo, counts[rules.places[rules.slo.period_s]], observed_s)
        conditions = np.empty((len(rules.names), self.rings.size), np.int8)
        severities = np.zeros(conditions.shape, np.int8)
        conditions[:-1], severities[:-1] = judge(rules, counts, observed_s, weighed)
        conditions[-1] = self._latch.judge(left, tick_s, rules.slo.period_s)
        if rules.has_principals_guard:
            self._lower_pages_of_one_caller(conditions, severities)
        return Evaluation(rules, tick_s, conditions, severities, counts, weighed, left)

    def forget(self, group: int) -> None:
        """Empty a group; its index goes to a later one."""
        self._latch.grow(self.rings.capacity)
        self._latch.forget(group)
        self.rings.forget(group)

    def snapshot(self, group: int) -> bytes:
        """Return all that is known of a group; another instance goes on from there."""
        self._latch.grow(self.rings.capacity)
        column = dataclasses.replace(
            self.rings.column(group),
            exhausted_at_s=int(self._latch.reported_at_s[group]),
            is_exhausted=bool(self._latch.is_on[group]),
        )
        return column.to_bytes()

    def snapshots(self, groups: Iterable[int]) -> dict[int, bytes]:
        """Return the snapshots of several groups."""
        return {group: self.snapshot(group) for group in groups}

    def restore(self, group: int, data: bytes) -> None:
        """Set a new group to a snapshot; raises StateError if it cannot be read.

        Counts of windows that the objective did not have then are missing, as after a cold start.
        """
        column = GroupSnapshot.from_bytes(data)
        self.rings.put_column(group, column)
        self._latch.grow(self.rings.capacity)
        self._latch.reported_at_s[group] = column.exhausted_at_s
        self._latch.is_on[group] = column.is_exhausted

    def _lower_pages_of_one_caller(self, conditions: Conditions, severities: Conditions) -> None:
        is_page = (conditions == TRUE) & (severities == PAGE)
        for row in np.flatnonzero(is_page.any(axis=1)):
            pages = np.flatnonzero(is_page[row])
            callers = self.rings.principal_counts(pages, self.rules.compared[row].long_s)
            severities[row, pages[callers == principals.ONE]] = TICKET
