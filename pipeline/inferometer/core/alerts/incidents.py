"""Incidents: what the rules of one subject amount to together.

Invariants: a subject has at most one open incident; its severity is the highest of its firing
rules; it resolves when the last of them does, never on missing data alone before long.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from inferometer.core.alerts.conditions import Condition
from inferometer.core.alerts.history import RecordKind, TransitionRecord
from inferometer.core.alerts.identity import incident_id_of, transition_id_of
from inferometer.core.alerts.notices import Status
from inferometer.core.alerts.rule_state import Phase, ResolveReason, RuleEvent, RuleState
from inferometer.core.alerts.subjects import ABSENCE_PREFIX, OUTAGE_RULE
from inferometer.core.slo.definitions import Severity

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from inferometer.core.alerts.notices import BudgetFacts, ConditionFacts, Driver
    from inferometer.core.alerts.policy import AlertPolicy
    from inferometer.core.alerts.subjects import Observation, Subject

US_PER_S = 1_000_000


@dataclass(slots=True, kw_only=True)
class Incident:
    """One incident; instants are ticks, seconds of event time."""

    incident_id: str
    subject: Subject
    opened_at_s: int
    """The tick that it fired at."""
    starts_at_s: int
    """The same, or since when its first rule was pending."""
    severity: Severity
    peak: Severity
    """The highest that it has had: routes go by it, so that an incident which became less severe
    is not told to others."""
    status: Status = Status.FIRING
    episode: int = 1
    reopened_at_s: int = 0
    """When its present episode began."""
    cleared_at_s: int | None = None
    resolved_at_s: int | None = None
    resolve_reason: ResolveReason = ResolveReason.CONDITION_CLEARED
    true_severity: Severity | None = None
    """The highest of its rules that are true now, not only held."""
    dire_since_s: int | None = None
    """Since when the rule on outages, or one on absence, is true without a break."""
    conditions: tuple[ConditionFacts, ...] = ()
    rules: tuple[str, ...] = ()
    """Names of the rules that fire."""
    page_short_s: int = 0
    """How far back from its last tick the short windows of its page rules reach at least, each from
    when its rule was true last."""
    budget: BudgetFacts | None = None
    drivers: tuple[Driver, ...] = ()
    details: Mapping[str, Any] = field(default_factory=dict)
    is_flapping: bool = False
    is_stale: bool = False
    silenced_by: tuple[str, ...] = ()
    inhibited_by: tuple[str, ...] = ()
    """Ids of incidents."""

    @property
    def is_firing(self) -> bool:
        """Return whether it has not resolved; it may be held, or without data."""
        return self.status is Status.FIRING

    @property
    def is_true(self) -> bool:
        """Return whether a rule of it is true now."""
        return self.is_firing and self.cleared_at_s is None

    @property
    def is_apart(self) -> bool:
        """Return whether it is about one rule that is told once."""
        return bool(self.subject.kind)


@dataclass(slots=True)
class SubjectState:
    """Rules of one subject that are not inactive, and its incident."""

    subject: Subject
    rules: dict[str, RuleState] = field(default_factory=dict)
    incident: Incident | None = None

    @property
    def is_idle(self) -> bool:
        """Return whether nothing of it needs to be kept."""
        return self.incident is None and not self.rules

    def observe(
        self,
        seen: Observation | None,
        is_known: Callable[[str], bool],
        tick_s: int,
        policy: AlertPolicy,
    ) -> list[TransitionRecord]:
        """Apply a tick; `is_known` tells which rules are still declared."""
        happened = self._observe_rules(seen, is_known, tick_s, policy)
        before = self.incident
        records = self._settle(seen, tick_s, policy)
        about = self.incident or before
        details = [self._rule_record(rule, event, tick_s, about) for rule, event in happened]
        self.rules = {
            name: rule for name, rule in self.rules.items() if rule.phase is not Phase.INACTIVE
        }
        return details + records

    def _observe_rules(
        self,
        seen: Observation | None,
        is_known: Callable[[str], bool],
        tick_s: int,
        policy: AlertPolicy,
    ) -> list[tuple[RuleState, RuleEvent]]:
        readings = {} if seen is None else {reading.rule: reading for reading in seen.readings}
        happened = []
        for name in sorted(self.rules.keys() | readings.keys()):
            reading = readings.get(name)
            rule = self.rules.get(name)
            if rule is None:
                if reading is None or reading.condition is not Condition.TRUE:
                    continue
                rule = self.rules[name] = RuleState(rule=name, last_tick_s=tick_s)
            if not is_known(name):
                events = rule.remove(tick_s)
            elif reading is None:
                events = rule.unheard(tick_s, policy)
            else:
                events = rule.observe(reading, tick_s, policy)
            happened += [(rule, event) for event in events]
        return happened

    def _settle(
        self, seen: Observation | None, tick_s: int, policy: AlertPolicy
    ) -> list[TransitionRecord]:
        firing = [rule for rule in self.rules.values() if rule.phase is Phase.FIRING]
        kinds: list[tuple[RecordKind, str]] = []
        if firing:
            kinds += self._fire(firing, tick_s, policy)
        elif self.incident is not None and self.incident.is_firing:
            kinds += self._resolve(self.incident, tick_s)
        incident = self.incident
        if incident is None:
            return []
        if incident.is_firing:
            kinds += self._update(incident, firing, tick_s)
            _take_facts(incident, seen, firing, tick_s)
        return [record_of(incident, kind, tick_s, reason=reason) for kind, reason in kinds]

    def _fire(
        self, firing: list[RuleState], tick_s: int, policy: AlertPolicy
    ) -> list[tuple[RecordKind, str]]:
        severity = max((rule.severity for rule in firing), key=lambda one: one.rank)
        incident = self.incident
        if incident is not None and incident.is_firing:
            return []
        if (
            incident is not None
            and incident.resolved_at_s is not None
            and tick_s - incident.resolved_at_s <= policy.reopen_s
        ):
            incident.status, incident.resolved_at_s, incident.cleared_at_s = (
                Status.FIRING,
                None,
                None,
            )
            incident.episode += 1
            incident.severity, incident.reopened_at_s = severity, tick_s
            incident.dire_since_s = None
            return [(RecordKind.REOPENED, "within_reopen_window")]
        subject = self.subject
        self.incident = Incident(
            incident_id=incident_id_of(
                subject.workspace, subject.name, dict(subject.group), tick_s, subject.kind
            ),
            subject=subject,
            opened_at_s=tick_s,
            reopened_at_s=tick_s,
            starts_at_s=min(rule.starts_at_s for rule in firing),
            severity=severity,
            peak=severity,
        )
        return [(RecordKind.FIRING, "first_true")]

    def _resolve(self, incident: Incident, tick_s: int) -> list[tuple[RecordKind, str]]:
        ordered = (self.rules[name] for name in sorted(self.rules))
        ended = [rule for rule in ordered if rule.phase is Phase.RESOLVED]
        last = max(ended, key=lambda rule: (rule.resolved_at_s, rule.rule), default=None)
        incident.status, incident.resolved_at_s = Status.RESOLVED, tick_s
        if incident.cleared_at_s is None:
            incident.cleared_at_s = tick_s
        if last is not None:
            incident.resolve_reason = last.resolve_reason
        incident.dire_since_s = incident.true_severity = None
        incident.conditions = tuple(
            facts for rule in ended if (facts := rule.facts_now()) is not None
        )
        return [(RecordKind.RESOLVED, str(incident.resolve_reason))]

    def _update(
        self, incident: Incident, firing: list[RuleState], tick_s: int
    ) -> list[tuple[RecordKind, str]]:
        kinds = []
        severity = max((rule.severity for rule in firing), key=lambda one: one.rank)
        incident.peak = max(incident.peak, severity, key=lambda one: one.rank)
        if severity is not incident.severity:
            rose = severity.rank > incident.severity.rank
            kind = RecordKind.ESCALATED if rose else RecordKind.DEESCALATED
            kinds.append((kind, "severity_rose" if rose else "severity_fell"))
            incident.severity = severity
        cleared = [rule.cleared_at_s for rule in firing if rule.cleared_at_s is not None]
        is_cleared = len(cleared) == len(firing)
        if is_cleared and incident.cleared_at_s is None:
            kinds.append((RecordKind.CLEARED, ""))
        elif not is_cleared and incident.cleared_at_s is not None:
            kinds.append((RecordKind.TRUE_AGAIN, ""))
        incident.cleared_at_s = max(cleared) if is_cleared else None
        true = [rule for rule in firing if rule.is_true]
        ranked = sorted((rule.severity for rule in true), key=lambda one: one.rank)
        incident.true_severity = ranked[-1] if ranked else None
        if not any(_is_dire(rule.rule) for rule in true):
            incident.dire_since_s = None
        elif incident.dire_since_s is None:
            incident.dire_since_s = tick_s
        return kinds

    def forget(self, tick_s: int, policy: AlertPolicy) -> None:
        """Let go of an incident that resolved long ago."""
        if self.incident is not None and is_over(self.incident, tick_s, policy):
            self.incident = None

    def _rule_record(
        self, rule: RuleState, event: RuleEvent, tick_s: int, incident: Incident | None
    ) -> TransitionRecord:
        facts = rule.facts_now()
        reason = str(rule.resolve_reason) if event is RuleEvent.RESOLVED else ""
        return TransitionRecord(
            transition_id=transition_id_of(self.subject.fingerprint, tick_s, event, rule.rule),
            incident_id="" if incident is None else incident.incident_id,
            fingerprint=self.subject.fingerprint,
            family=self.subject.family,
            kind=RecordKind(event.value),
            at_us=tick_s * US_PER_S,
            rule=rule.rule,
            reason=reason,
            severity=rule.severity,
            episode=0 if incident is None else incident.episode,
            starts_at_us=None if incident is None else incident.starts_at_s * US_PER_S,
            labels=self.subject.labels,
            conditions=() if facts is None else (facts,),
            is_flapping=rule.flapping.is_flapping,
        )


def _is_dire(rule: str) -> bool:
    return rule == OUTAGE_RULE or rule.startswith(ABSENCE_PREFIX)


def is_over(incident: Incident, tick_s: int, policy: AlertPolicy) -> bool:
    """Return whether an incident resolved so long ago that nothing of it is needed any more."""
    kept_s = policy.reopen_s + policy.forget_s
    return incident.resolved_at_s is not None and tick_s - incident.resolved_at_s >= kept_s


def _take_facts(
    incident: Incident, seen: Observation | None, firing: list[RuleState], tick_s: int
) -> None:
    ordered = sorted(firing, key=lambda rule: rule.rule)
    incident.rules = tuple(rule.rule for rule in ordered)
    found = [rule.facts_now() for rule in ordered]
    incident.conditions = tuple(facts for facts in found if facts is not None)
    # A rule that is only held has not been true since: nothing new speaks for a page.
    pages = [r for r in ordered if r.severity is Severity.PAGE]
    incident.page_short_s = min((r.short_s + tick_s - r.last_true_s for r in pages), default=0)
    incident.is_flapping = any(rule.flapping.is_flapping for rule in ordered)
    incident.is_stale = any(rule.is_stale for rule in ordered)
    if seen is not None:
        incident.budget = seen.budget or incident.budget
        incident.drivers = seen.drivers or incident.drivers
        incident.details = seen.details or incident.details


def record_of(
    incident: Incident, kind: RecordKind, tick_s: int, *, reason: str = ""
) -> TransitionRecord:
    """Return a row about a whole incident at a tick."""
    subject = incident.subject
    return TransitionRecord(
        transition_id=transition_id_of(
            # One that goes to several receivers may be told with several others.
            subject.fingerprint,
            tick_s,
            kind,
            reason if kind is RecordKind.GROUPED else "",
        ),
        incident_id=incident.incident_id,
        fingerprint=subject.fingerprint,
        family=subject.family,
        kind=kind,
        at_us=tick_s * US_PER_S,
        reason=reason,
        severity=incident.severity,
        episode=incident.episode,
        starts_at_us=incident.starts_at_s * US_PER_S,
        labels=subject.labels,
        conditions=incident.conditions,
        suppressed_by=incident.silenced_by + incident.inhibited_by,
        is_flapping=incident.is_flapping,
    )
