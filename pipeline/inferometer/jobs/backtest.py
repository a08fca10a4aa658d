"""Says what objectives' rules would have done: the shipped evaluator over stored counts.

Every tick is evaluated, as live; nothing is sent, and no silence counts. Maintenance windows that
exclude events do, where they are given.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from inferometer.core.alerts.engine import Alerts
from inferometer.core.alerts.history import RecordKind
from inferometer.core.alerts.mute_book import MuteBook
from inferometer.core.alerts.routing import Route
from inferometer.core.alerts.subjects import Definition, Observation
from inferometer.core.slo.burn_evaluation import SloEvaluator
from inferometer.core.slo.definitions import Severity
from inferometer.core.slo.exclusion import kept_rows, labels_of
from inferometer.core.slo.rings import CELL_S

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from inferometer.alert_ports import SloHistory
    from inferometer.core.alerts.history import TransitionRecord
    from inferometer.core.alerts.maintenance import Maintenance
    from inferometer.core.alerts.notices import Notice
    from inferometer.core.slo.definitions import Slo
    from inferometer.core.slo.evaluations import Evaluation
    from inferometer.core.slo.stored_counts import StoredCounts

LATENESS_S = 30
_US = 1_000_000


@dataclass(slots=True, kw_only=True)
class PastIncident:
    """One incident that would have been."""

    slo: str
    incident_id: str
    labels: dict[str, str]
    severity: Severity
    starts_at_s: int
    detected_at_s: int
    resolved_at_s: int | None = None
    """None: still open at the end."""
    rules: set[str] = field(default_factory=set)
    peak_burn: float = 0.0
    episodes: int = 1
    notices: int = 0
    """Messages to the objective's receiver: firing, escalated, repeated, resolved."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BacktestOfSlo:
    """What one objective would have done."""

    slo: str
    requests: int
    failures: int
    groups: int
    incidents: list[PastIncident]


class Backtest:
    """The job, over what the store counted."""

    def __init__(
        self,
        history: SloHistory,
        progress: Callable[[str], None],
        maintenance: Sequence[Maintenance] = (),
    ) -> None:
        """Replay what `history` counted, but for what maintenance windows excluded."""
        self._history = history
        self._progress = progress
        excludes = [window for window in maintenance if window.effect.excludes]
        self._excluded_by = MuteBook(excludes).excluded_by if excludes else None

    def run(self, slos: Sequence[Slo], *, since: datetime, until: datetime) -> list[BacktestOfSlo]:
        """Return what each objective would have done in [since, until).

        Windows fill from `since` on: what began before is not known. Raises StoreError, and
        StateError for an objective that stored events cannot judge.
        """
        found = []
        for number, slo in enumerate(slos, 1):
            self._progress(f"{number} of {len(slos)}: {slo.name}, reading")
            counts = self._kept(slo, self._history.counts(slo, since=since, until=until))
            replay = _Replay(slo, counts)
            tell = functools.partial(self._tell, f"{number} of {len(slos)}: {slo.name}")
            replay.run(_tick(since), _tick(until), tell)
            found.append(
                BacktestOfSlo(
                    slo=slo.name,
                    requests=counts.requests,
                    failures=counts.failures,
                    groups=len(counts.groups),
                    incidents=replay.incidents(),
                )
            )
        return found

    def _kept(self, slo: Slo, counts: StoredCounts) -> StoredCounts:
        if self._excluded_by is None or not len(counts.cells_s):
            return counts
        labels = labels_of(Definition.of_slo(slo), counts.groups)
        rows = kept_rows(labels, counts.group, counts.cells_s, self._excluded_by)
        return replace(
            counts,
            group=counts.group[rows],
            cells_s=counts.cells_s[rows],
            totals=counts.totals[rows],
            bads=counts.bads[rows],
            lows=counts.lows[rows],
            highs=counts.highs[rows],
        )

    def _tell(self, say: str, done: float) -> None:
        self._progress(f"{say}, {done:.0%} of the span")


def _tick(instant: datetime) -> int:
    return int(instant.timestamp()) // CELL_S * CELL_S


class _Replay:
    """Feeds cells to an evaluator and ticks to alerts, in order."""

    def __init__(self, slo: Slo, counts: StoredCounts) -> None:
        self._slo = slo
        self._counts = counts
        self._evaluator = SloEvaluator(slo, capacity=max(16, len(counts.groups)))
        self._definition = Definition.of_slo(slo)
        self._alerts = Alerts((self._definition,), routes=Route(receiver="backtest"))
        places = [self._evaluator.rings.new_group() for _ in counts.groups]
        self._ring_of = np.array(places, dtype=np.int64)
        self._known = dict(zip(places, counts.groups, strict=True))
        self._row_of = {self._definition.subject(group): row for row, group in self._known.items()}
        self._records: list[TransitionRecord] = []
        self._notices: list[Notice] = []

    def run(self, first_s: int, last_s: int, progress: Callable[[float], None]) -> None:
        if not len(self._counts.cells_s):
            return
        # Before the first request nothing can be said.
        start_s = max(first_s, int(self._counts.cells_s[0]))
        ticks = range(start_s + CELL_S, last_s + 1, CELL_S)
        ends = np.searchsorted(self._counts.cells_s, np.array(ticks) - CELL_S, side="right")
        at = 0
        for number, (tick_s, end) in enumerate(zip(ticks, ends.tolist(), strict=True)):
            self._add(at, end)
            at = end
            self._step(tick_s)
            if number % 2000 == 0:
                progress(number / len(ticks))

    def _add(self, first: int, last: int) -> None:
        if first == last:
            return
        counts, part = self._counts, slice(first, last)
        self._evaluator.rings.add(
            self._ring_of[counts.group[part]],
            counts.cells_s[part],
            counts.totals[part],
            counts.bads[part],
            counts.lows[part].astype(np.uint32),
            counts.highs[part].astype(np.uint32),
        )

    def _step(self, tick_s: int) -> None:
        evaluation = self._evaluator.evaluate(tick_s)
        rows = {row for row in evaluation.true_groups().tolist() if row in self._known}
        rows |= {self._row_of[subject] for subject in self._alerts.watched()}
        if not rows:
            return
        seen = [self._observation(evaluation, row) for row in sorted(rows)]
        outcome = self._alerts.step(tick_s, seen, now_s=tick_s + LATENESS_S)
        self._records += outcome.transitions
        self._notices += outcome.notices

    def _observation(self, evaluation: Evaluation, row: int) -> Observation:
        return Observation(
            subject=self._definition.subject(self._known[row]),
            readings=tuple(evaluation.readings(row)),
            budget=evaluation.budget(row),
        )

    def incidents(self) -> list[PastIncident]:
        """Return the incidents in order of their detection."""
        found: dict[str, PastIncident] = {}
        for record in self._records:
            if record.incident_id:
                self._note(found, record)
        for notice in self._notices:
            if notice.incident_id in found:
                found[notice.incident_id].notices += 1
        return list(found.values())

    def _note(self, found: dict[str, PastIncident], record: TransitionRecord) -> None:
        at_s = record.at_us // _US
        one = found.get(record.incident_id)
        if one is None:
            starts_us = record.at_us if record.starts_at_us is None else record.starts_at_us
            one = found[record.incident_id] = PastIncident(
                slo=self._slo.name,
                incident_id=record.incident_id,
                labels=dict(record.labels),
                severity=record.severity,
                starts_at_s=starts_us // _US,
                detected_at_s=at_s,
            )
        one.severity = max(one.severity, record.severity, key=lambda each: each.rank)
        one.episodes = max(one.episodes, record.episode)
        if record.kind is RecordKind.RULE_FIRED:
            one.rules.add(record.rule)
        if record.kind is RecordKind.RESOLVED:
            one.resolved_at_s = at_s
        elif record.kind in {RecordKind.FIRING, RecordKind.REOPENED}:
            one.resolved_at_s = None
        burns = [facts.long.burn for facts in record.conditions if facts.long is not None]
        one.peak_burn = max([one.peak_burn, *burns])
