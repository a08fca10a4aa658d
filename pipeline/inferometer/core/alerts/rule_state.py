"""State machine of one rule instance over ticks of event time.

Invariants: unknown never resolves a rule before its data has been missing for long; a tick is
applied once; ticks rise. The table is that of the alerting reference, section 3.4.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from inferometer.core.alerts.conditions import Condition
from inferometer.core.alerts.flapping import FlappingState
from inferometer.core.slo.definitions import Severity

if TYPE_CHECKING:
    from inferometer.core.alerts.conditions import Reading
    from inferometer.core.alerts.notices import ConditionFacts
    from inferometer.core.alerts.policy import AlertPolicy


class Phase(enum.StrEnum):
    """Where a rule instance stands; stale, silenced and flapping are overlays, not phases."""

    INACTIVE = "inactive"
    PENDING = "pending"
    FIRING = "firing"
    RESOLVED = "resolved"


class RuleEvent(enum.StrEnum):
    """What a tick did to a rule instance."""

    PENDING = "pending"
    PENDING_DROPPED = "pending_dropped"
    FIRED = "rule_fired"
    SEVERITY_ROSE = "rule_severity_rose"
    CLEARED = "rule_cleared"
    TRUE_AGAIN = "rule_true_again"
    STALE = "rule_stale"
    FRESH = "rule_fresh"
    FLAPPING = "rule_flapping"
    RESOLVED = "rule_resolved"


class ResolveReason(enum.StrEnum):
    """Why a rule, and with the last of its rules an incident, resolved."""

    CONDITION_CLEARED = "condition_cleared"
    NO_DATA_EXPIRED = "no_data_expired"
    RULE_REMOVED = "rule_removed"


@dataclass(slots=True, kw_only=True)
class RuleState:
    """One rule instance; instants are ticks, seconds of event time."""

    rule: str
    phase: Phase = Phase.INACTIVE
    severity: Severity = Severity.TICKET
    """The highest since it began firing; before, that of the last tick."""
    condition: Condition = Condition.FALSE
    """What it said last; unknown included."""
    was_true: bool = False
    """What it said last when it was known."""
    last_tick_s: int = 0
    active_at_s: int = 0
    """Since when it is pending."""
    paused_s: int = 0
    """How much of that time was unknown."""
    unknown_since_s: int | None = None
    is_stale: bool = False
    starts_at_s: int = 0
    last_true_s: int = 0
    cleared_at_s: int | None = None
    resolved_at_s: int = 0
    resolve_reason: ResolveReason = ResolveReason.CONDITION_CLEARED
    keep_firing_s: int = 0
    for_s: int = 0
    facts: ConditionFacts | None = None
    flapping: FlappingState = field(default_factory=FlappingState)

    @property
    def is_true(self) -> bool:
        """Return whether it fires and did not clear: unknown freezes what was known."""
        return self.phase is Phase.FIRING and self.cleared_at_s is None

    @property
    def short_s(self) -> int:
        """Return the short window of its condition, or the hold where it has no windows."""
        if self.facts is not None and self.facts.short is not None:
            return self.facts.short.window_s
        return self.keep_firing_s

    def facts_now(self) -> ConditionFacts | None:
        """Return the numbers seen last, with whether the rule holds now."""
        facts = self.facts
        if facts is None or (facts.is_true is self.is_true and facts.severity is self.severity):
            return facts
        return replace(facts, is_true=self.is_true, severity=self.severity)

    def observe(self, reading: Reading, tick_s: int, policy: AlertPolicy) -> list[RuleEvent]:
        """Apply what the rule says at a tick; return what it did, in order."""
        self.keep_firing_s, self.for_s = reading.keep_firing_s, reading.for_s
        if reading.facts is not None:
            self.facts = reading.facts
        events = self._observe_data(reading.condition, tick_s, policy)
        self.condition = reading.condition
        match reading.condition:
            case Condition.TRUE:
                events += self._on_true(reading.severity, tick_s, policy)
            case Condition.FALSE:
                events += self._on_false(tick_s, policy)
            case Condition.UNKNOWN:
                events += self._on_unknown(tick_s, policy)
        self._forget(tick_s, policy)
        self.last_tick_s = tick_s
        return events

    def unheard(self, tick_s: int, policy: AlertPolicy) -> list[RuleEvent]:
        """Apply a tick at which nobody evaluated the rule: it is unknown."""
        events = self._observe_data(Condition.UNKNOWN, tick_s, policy)
        self.condition = Condition.UNKNOWN
        events += self._on_unknown(tick_s, policy)
        self._forget(tick_s, policy)
        self.last_tick_s = tick_s
        return events

    def remove(self, tick_s: int) -> list[RuleEvent]:
        """Resolve it because it is no longer declared."""
        if self.phase is Phase.FIRING:
            return self._resolve(tick_s, ResolveReason.RULE_REMOVED)
        was_pending = self.phase is Phase.PENDING
        self.phase = Phase.INACTIVE
        return [RuleEvent.PENDING_DROPPED] if was_pending else []

    def _observe_data(
        self, condition: Condition, tick_s: int, policy: AlertPolicy
    ) -> list[RuleEvent]:
        if condition is Condition.UNKNOWN:
            if self.unknown_since_s is None:
                self.unknown_since_s = tick_s
            return []
        events = [RuleEvent.FRESH] if self.is_stale else []
        self.unknown_since_s, self.is_stale = None, False
        is_true = condition is Condition.TRUE
        if policy.flapping is not None:
            self.flapping.passed(tick_s, policy.flapping)
            if is_true is not self.was_true and self.phase in {Phase.FIRING, Phase.RESOLVED}:
                doubles = self.flapping.changed(tick_s, policy.flapping)
                events += [RuleEvent.FLAPPING] if doubles else []
        self.was_true = is_true
        return events

    def _on_true(self, severity: Severity, tick_s: int, policy: AlertPolicy) -> list[RuleEvent]:
        if self.phase is Phase.FIRING:
            return self._still_true(severity, tick_s)
        if self.phase is Phase.RESOLVED and tick_s - self.resolved_at_s <= policy.reopen_s:
            return self._fire(severity, tick_s, starts_at_s=tick_s)
        self.severity = severity
        if self.phase is not Phase.PENDING:
            if self.for_s <= 0:
                return self._fire(severity, tick_s, starts_at_s=tick_s)
            self.phase, self.active_at_s, self.paused_s = Phase.PENDING, tick_s, 0
            return [RuleEvent.PENDING]
        if tick_s - self.active_at_s - self.paused_s >= self.for_s:
            return self._fire(severity, tick_s, starts_at_s=self.active_at_s)
        return []

    def _fire(self, severity: Severity, tick_s: int, *, starts_at_s: int) -> list[RuleEvent]:
        self.phase, self.severity = Phase.FIRING, severity
        self.starts_at_s, self.last_true_s, self.cleared_at_s = starts_at_s, tick_s, None
        return [RuleEvent.FIRED]

    def _still_true(self, severity: Severity, tick_s: int) -> list[RuleEvent]:
        events = [RuleEvent.TRUE_AGAIN] if self.cleared_at_s is not None else []
        self.last_true_s, self.cleared_at_s = tick_s, None
        if severity.rank > self.severity.rank:
            self.severity = severity
            events.append(RuleEvent.SEVERITY_ROSE)
        return events

    def _on_false(self, tick_s: int, policy: AlertPolicy) -> list[RuleEvent]:
        if self.phase is Phase.PENDING:
            self.phase = Phase.INACTIVE
            return [RuleEvent.PENDING_DROPPED]
        if self.phase is not Phase.FIRING:
            return []
        events = []
        if self.cleared_at_s is None:
            self.cleared_at_s = tick_s
            events.append(RuleEvent.CLEARED)
        hold_s = self.flapping.hold_s(self.keep_firing_s, policy.flapping)
        if tick_s - self.last_true_s >= hold_s:
            events += self._resolve(tick_s, ResolveReason.CONDITION_CLEARED)
        return events

    def _on_unknown(self, tick_s: int, policy: AlertPolicy) -> list[RuleEvent]:
        since_s = tick_s if self.unknown_since_s is None else self.unknown_since_s
        unknown_s = tick_s - since_s
        if self.phase is Phase.PENDING:
            self.paused_s += tick_s - self.last_tick_s
            if unknown_s >= self.for_s + policy.pending_unknown_s:
                self.phase = Phase.INACTIVE
                return [RuleEvent.PENDING_DROPPED]
        if self.phase is not Phase.FIRING:
            return []
        if unknown_s >= policy.stale_resolve_after_s:
            return self._resolve(tick_s, ResolveReason.NO_DATA_EXPIRED)
        if unknown_s >= policy.stale_after_s and not self.is_stale:
            self.is_stale = True
            return [RuleEvent.STALE]
        return []

    def _resolve(self, tick_s: int, reason: ResolveReason) -> list[RuleEvent]:
        self.phase, self.resolved_at_s, self.resolve_reason = Phase.RESOLVED, tick_s, reason
        self.cleared_at_s = tick_s if self.cleared_at_s is None else self.cleared_at_s
        self.is_stale = False
        return [RuleEvent.RESOLVED]

    def _forget(self, tick_s: int, policy: AlertPolicy) -> None:
        kept_s = policy.reopen_s + policy.forget_s
        if self.phase is Phase.RESOLVED and tick_s - self.resolved_at_s >= kept_s:
            self.phase = Phase.INACTIVE
