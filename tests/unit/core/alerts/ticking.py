"""Builders for tests of alerts: rules that say what a test wants, tick by tick."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from inferometer.core.alerts.conditions import Condition, Reading
from inferometer.core.alerts.engine import Alerts
from inferometer.core.alerts.mutes import NO_MUTES
from inferometer.core.alerts.notices import ConditionFacts, Family, WindowFacts
from inferometer.core.alerts.routing import Route
from inferometer.core.alerts.subjects import Definition, Observation
from inferometer.core.slo.definitions import Severity

if TYPE_CHECKING:
    from collections.abc import Mapping

    from inferometer.core.alerts.history import TransitionRecord
    from inferometer.core.alerts.mutes import Mutes
    from inferometer.core.alerts.notices import Notice
    from inferometer.core.alerts.subjects import Subject

T, F, U = Condition.TRUE, Condition.FALSE, Condition.UNKNOWN
PAGE, TICKET = Severity.PAGE, Severity.TICKET
START_S = 1_700_000_000
STEP_S = 10


def definition(
    name: str = "chat",
    *,
    service: str = "api",
    group_by: tuple[str, ...] = (),
    rules: frozenset[str] | None = None,
    family: Family = Family.SLO,
    **others: object,
) -> Definition:
    return Definition(
        family=family,
        workspace="acme",
        service=service,
        name=name,
        group_by=group_by,
        rules=rules,
        **others,  # type: ignore[arg-type]
    )


def reading(
    condition: Condition = T,
    *,
    rule: str = "page-fast",
    severity: Severity = PAGE,
    keep_firing_s: int = 300,
    for_s: int = 0,
    short_s: int = 300,
) -> Reading:
    window = WindowFacts(window_s=short_s, burn=20.0, bad=10, total=100)
    facts = ConditionFacts(
        rule=rule, severity=severity, is_true=condition is T, threshold=14.4, long=window,
        short=window, p_value=1e-9,
    )  # fmt: skip
    return Reading(
        rule=rule, severity=severity, condition=condition, facts=facts, for_s=for_s,
        keep_firing_s=keep_firing_s,
    )  # fmt: skip


@dataclass
class Run:
    """An engine under test, with everything that it brought so far."""

    alerts: Alerts
    tick_s: int = START_S
    behind_s: int = 30
    mutes: Mutes = NO_MUTES
    notices: list[Notice] = field(default_factory=list)
    records: list[TransitionRecord] = field(default_factory=list)

    def tick(self, said: Mapping[Subject, list[Reading]]) -> list[Notice]:
        outcome = self.alerts.step(
            self.tick_s,
            [Observation(subject=one, readings=tuple(found)) for one, found in said.items()],
            now_s=self.tick_s + self.behind_s,
            mutes=self.mutes,
        )
        self.tick_s += STEP_S
        self.notices += outcome.notices
        self.records += outcome.transitions
        return list(outcome.notices)

    def say(self, subject: Subject, readings: list[Reading], for_s: int = STEP_S) -> list[Notice]:
        found = []
        for _ in range(for_s // STEP_S):
            found += self.tick({subject: readings})
        return found

    def kinds(self) -> list[str]:
        return [str(record.kind) for record in self.records]

    def told(self) -> list[str]:
        return [str(notice.transition) for notice in self.notices]


def run_of(*definitions: Definition, routes: Route | None = None, **others: object) -> Run:
    alerts = Alerts(
        definitions or (definition(),),
        routes=Route(receiver="oncall") if routes is None else routes,
        **others,  # type: ignore[arg-type]
    )
    return Run(alerts)
