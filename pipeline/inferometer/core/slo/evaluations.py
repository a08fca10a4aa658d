"""What the rules of one objective say of its groups at one tick, with the numbers behind it.

Invariant: it holds the counts of its own tick, so that it can be asked after time has gone on.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from inferometer.core.alerts.conditions import Condition, Reading
from inferometer.core.alerts.notices import BudgetFacts, ConditionFacts, WindowFacts
from inferometer.core.slo.burn_conditions import TRUE
from inferometer.core.slo.definitions import Severity
from inferometer.core.slo.significance import binomial_tail

if TYPE_CHECKING:
    import numpy.typing as npt

    from inferometer.core.slo.slo_rules import Rules

    Counts = npt.NDArray[np.int64]
    Conditions = npt.NDArray[np.int8]
    Groups = npt.NDArray[np.intp]

_CONDITIONS = tuple(Condition)
_SEVERITIES = tuple(Severity)


@dataclass(frozen=True)
class Evaluation:
    """What every rule says of every group at one tick."""

    rules_of: Rules
    tick_s: int
    conditions: Conditions
    """[rule, group]: `Condition`."""
    severities: Conditions
    """[rule, group]: `Severity.rank` after the guards; means something where true."""
    counts: Counts
    """[window, total or bad, group], in the order of `rules_of.windows_s`."""
    weighed: Counts | None
    """The counts that burn rates were compared with, where those are others."""
    left: npt.NDArray[np.float64]
    """[group]: share of the budget that is left; nan without requests."""

    @property
    def rules(self) -> tuple[str, ...]:
        """Names of the rows."""
        return self.rules_of.names

    def true_groups(self) -> Groups:
        """Return the groups of which some rule is true."""
        return np.flatnonzero((self.conditions == TRUE).any(axis=0))

    def changed_groups(self, previous: Evaluation | None) -> Groups:
        """Return the groups that some rule says something else of than before."""
        if previous is None:
            return np.arange(self.conditions.shape[1])
        size = previous.conditions.shape[1]
        new = np.ones(self.conditions.shape[1], np.bool_)
        new[:size] = (self.conditions[:, :size] != previous.conditions).any(axis=0)
        new[:size] |= (self.severities[:, :size] != previous.severities).any(axis=0)
        return np.flatnonzero(new)

    def readings(self, group: int, *, with_facts: bool = False) -> list[Reading]:
        """Return what each rule says of a group; facts where true, or all `with_facts`."""
        return [
            Reading(
                rule=rule,
                severity=self._severity(row, group),
                condition=_CONDITIONS[self.conditions[row, group]],
                facts=(
                    self._facts(row, group) if with_facts or self._is_true(row, group) else None
                ),
                keep_firing_s=self.rules_of.hold_s(row),
            )
            for row, rule in enumerate(self.rules)
        ]

    def budget(self, group: int) -> BudgetFacts:
        """Return how the budget of a group stands."""
        slo, left = self.rules_of.slo, float(self.left[group])
        return BudgetFacts(
            target=slo.objective,
            period_s=slo.period_s,
            remaining=1.0 if math.isnan(left) else left,
            exhausts_in_s=self._exhausts_in_s(group, left),
        )

    def _exhausts_in_s(self, group: int, left: float) -> int | None:
        """Return when the budget ends at the burn of the longest window that is true."""
        true_spans = [
            rule.long_s
            for row, rule in enumerate(self.rules_of.compared)
            if self._is_true(row, group)
        ]
        if not true_spans or math.isnan(left):
            return None
        burn = self._window(max(true_spans), group).burn
        return max(0, int(left * self.rules_of.slo.period_s / burn)) if burn > 0 else None

    def _window(self, window_s: int, group: int, *, is_weighed: bool = True) -> WindowFacts:
        place = self.rules_of.places[window_s]
        total, bad = (int(count) for count in self.counts[place, :, group])
        allowed = float(1 - self.rules_of.slo.objective)
        compared = total
        if is_weighed and self.weighed is not None:
            compared = int(self.weighed[place, 0, group])
        burn = bad / compared / allowed if compared else 0.0
        return WindowFacts(window_s=window_s, burn=burn, bad=bad, total=total)

    def _facts(self, row: int, group: int) -> ConditionFacts:
        if row == len(self.rules_of.compared):
            return self._budget_facts(row, group)
        rule = self.rules_of.compared[row]
        long, short = (
            self._window(window_s, group, is_weighed=not rule.is_outage)
            for window_s in (rule.long_s, rule.short_s)
        )
        return ConditionFacts(
            rule=rule.name,
            severity=self._severity(row, group),
            is_true=self._is_true(row, group),
            threshold=rule.threshold,
            long=long,
            short=short,
            p_value=self._p_value(row, group),
            value=long.bad / long.total if rule.is_outage and long.total else None,
            unit="share of requests that fail" if rule.is_outage else "",
        )

    def _p_value(self, row: int, group: int) -> float:
        if self._is_true(row, group):
            return self._p_values_of_true[row][group]
        return float(self._p_values[row][group])

    @cached_property
    def _p_values_of_true(self) -> list[dict[int, float]]:
        """At once, as those below: one by one they take seconds when all groups fail."""
        found = []
        for row, rule in enumerate(self.rules_of.compared):
            groups = np.flatnonzero(self.conditions[row] == TRUE)
            total, bad = self.counts[self.rules_of.places[rule.long_s]][:, groups]
            tails = binomial_tail(bad, total, rule.allowed)
            found.append(dict(zip(groups.tolist(), tails.tolist(), strict=True)))
        return found

    @cached_property
    def _p_values(self) -> list[npt.NDArray[np.float64]]:
        """Of every group, for who asks of what is not true."""
        longs = (
            (rule, self.counts[self.rules_of.places[rule.long_s]])
            for rule in self.rules_of.compared
        )
        return [binomial_tail(long[1], long[0], rule.allowed) for rule, long in longs]

    def _budget_facts(self, row: int, group: int) -> ConditionFacts:
        left = float(self.left[group])
        return ConditionFacts(
            rule=self.rules[row],
            severity=self._severity(row, group),
            is_true=self._is_true(row, group),
            threshold=0.0,
            long=self._window(self.rules_of.slo.period_s, group),
            value=None if math.isnan(left) else left,
            unit="share of the budget left",
        )

    def _is_true(self, row: int, group: int) -> bool:
        return bool(self.conditions[row, group] == TRUE)

    def _severity(self, row: int, group: int) -> Severity:
        return _SEVERITIES[int(self.severities[row, group])]
