"""Plays traces through the shipped evaluator and alert state, one state for each run.

Runs are groups of one evaluator, so that a tick costs one evaluation for all of them; each has
alert state of its own, so that no run is grouped with another.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from inferometer.core.alerts.conditions import Condition, Reading
from inferometer.core.alerts.engine import Alerts
from inferometer.core.alerts.history import RecordKind
from inferometer.core.alerts.notices import Status
from inferometer.core.alerts.routing import Route
from inferometer.core.alerts.subjects import Definition, Observation
from inferometer.core.slo.burn_evaluation import SloEvaluator
from inferometer.core.slo.definitions import Severity
from inferometer.core.slo.error_budget import EXHAUSTED
from tests.incidents.objectives import slo_of
from tests.incidents.scenario import CELL_S, ORIGIN_S
from tests.incidents.scoring import Episode, Heard

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inferometer.core.alerts.history import TransitionRecord
    from inferometer.core.alerts.notices import Notice
    from inferometer.core.slo.definitions import Slo
    from inferometer.core.slo.evaluations import Evaluation
    from tests.incidents.generator import Integers, Trace
    from tests.incidents.scenario import Case

LATENESS_S = 30
"""Allowed lateness: a tick is evaluated so long after its instant."""
MICROSECONDS = 1_000_000


@dataclass(slots=True)
class Diary:
    """What one alert state has said so far."""

    alerts: Alerts
    definition: Definition
    group: tuple[str, ...] = ()
    notices: list[Notice] = field(default_factory=list)
    transitions: list[TransitionRecord] = field(default_factory=list)

    def tick(self, evaluation: Evaluation, index: int, *, is_true: bool) -> None:
        """Tell the alert state of one group at one tick, where there is something to tell."""
        if not is_true and not self.alerts.watched():
            return
        subject = self.definition.subject(self.group)
        seen = Observation(subject=subject, readings=plain_readings(evaluation, index))
        now_s = evaluation.tick_s + LATENESS_S
        outcome = self.alerts.step(evaluation.tick_s, [seen], now_s=now_s)
        self.notices.extend(outcome.notices)
        self.transitions.extend(outcome.transitions)

    def heard(self, ends_s: int) -> Heard:
        """Return it as scoring wants it; intervals still open end with the trace."""
        own = [each for each in self.notices if not _is_about_budget(each)]
        firing = [each for each in own if each.status is Status.FIRING]
        return Heard(
            pages=severity_episodes(self.transitions, Severity.PAGE, ends_s),
            tickets=severity_episodes(self.transitions, Severity.TICKET, ends_s),
            notices=len(firing),
            resolved=len(own) - len(firing),
        )


def plain_readings(evaluation: Evaluation, group: int) -> tuple[Reading, ...]:
    """Return the readings of a group without their numbers, which decide nothing and cost time."""
    rules = evaluation.rules_of
    severities = evaluation.severities[:, group].tolist()
    conditions = evaluation.conditions[:, group].tolist()
    return tuple(
        _reading(rule, severities[row], conditions[row], rules.hold_s(row))
        for row, rule in enumerate(evaluation.rules)
    )


@cache
def _reading(rule: str, rank: int, condition: int, hold_s: int) -> Reading:
    return Reading(
        rule=rule,
        severity=list(Severity)[rank],
        condition=Condition(condition),
        keep_firing_s=hold_s,
    )


def _is_about_budget(notice: Notice) -> bool:
    """Return whether it only says, once a period, that the budget is gone."""
    return list(notice.details.get("rules", ())) == [EXHAUSTED]


def severity_episodes(
    transitions: Sequence[TransitionRecord], severity: Severity, ends_s: int
) -> tuple[Episode, ...]:
    """Return when some rule fired at a severity, holds included; each ends where it last cleared."""
    found: list[Episode] = []
    open_rules: set[str] = set()
    starts_s = cleared_s = 0
    for record in transitions:
        at_s = record.at_us // MICROSECONDS
        match record.kind:
            case _ if record.rule == EXHAUSTED:
                continue
            case RecordKind.RULE_FIRED | RecordKind.RULE_SEVERITY_ROSE:
                if record.severity is severity:
                    starts_s = starts_s if open_rules else at_s
                    open_rules.add(record.rule)
                else:
                    open_rules.discard(record.rule)
            case RecordKind.RULE_CLEARED if record.rule in open_rules:
                cleared_s = at_s
            case RecordKind.RULE_RESOLVED if record.rule in open_rules:
                open_rules.discard(record.rule)
                if not open_rules:
                    found.append(Episode(starts_s, cleared_s))
    return (*found, Episode(starts_s, ends_s)) if open_rules else tuple(found)


def new_diary(slo: Slo, group: tuple[str, ...] = ()) -> Diary:
    """Return an alert state that sends everything to one receiver."""
    definition = Definition.of_slo(slo)
    return Diary(Alerts((definition,), routes=Route(receiver="oncall")), definition, group)


def hear(case: Case, traces: Sequence[Trace], *, slo: Slo | None = None) -> list[Heard]:
    """Return what the shipped rules say about each run of a case."""
    diaries = play(case, traces, slo or slo_of(case))
    return [diary.heard(case.ends_s) for diary in diaries]


def play(case: Case, traces: Sequence[Trace], slo: Slo) -> list[Diary]:
    """Evaluate every tick from the case's lead to its end, for all runs together."""
    evaluator = SloEvaluator(slo, capacity=len(traces))
    groups = np.array([evaluator.rings.new_group() for _ in traces])
    diaries = [new_diary(slo) for _ in traces]
    first = (case.evaluated_from_s - ORIGIN_S) // CELL_S
    for group, trace in zip(groups, traces, strict=True):
        add_cells(evaluator, int(group), trace, 0, first)
    stacked = [np.stack([getattr(each, name) for each in traces])
               for name in ("total", "bad", "low", "high")]  # fmt: skip
    for index in range(first, case.cells):
        cells_s = np.full(len(groups), ORIGIN_S + index * CELL_S)
        total, bad, low, high = (each[:, index] for each in stacked)
        evaluator.rings.add(groups, cells_s, total, bad, _hashes(low), _hashes(high))
        evaluation = evaluator.evaluate(ORIGIN_S + (index + 1) * CELL_S)
        true = set(evaluation.true_groups().tolist())
        for group, diary in zip(groups.tolist(), diaries, strict=True):
            diary.tick(evaluation, group, is_true=group in true)
    return diaries


def add_cells(evaluator: SloEvaluator, group: int, trace: Trace, first: int, last: int) -> None:
    """Count the cells [first, last) of a trace in one group, empty ones left out."""
    used = np.flatnonzero(trace.total[first:last]) + first
    evaluator.rings.add(
        np.full(len(used), group),
        ORIGIN_S + used * CELL_S,
        trace.total[used],
        trace.bad[used],
        _hashes(trace.low[used]),
        _hashes(trace.high[used]),
    )


def _hashes(values: Integers) -> np.ndarray[tuple[int, ...], np.dtype[np.uint32]]:
    return values.astype(np.uint32)
