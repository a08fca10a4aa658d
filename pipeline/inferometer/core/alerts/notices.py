"""What is told to a receiver about an incident: a value, the same for every payload format.

Invariants: instants are microseconds since 1970 UTC in event time; a notice built again from the
same transition is equal to the last, its id included, so that it can be sent again.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from inferometer.core.slo.definitions import Severity

if TYPE_CHECKING:
    from collections.abc import Mapping
    from decimal import Decimal


class Transition(enum.StrEnum):
    """Why a receiver hears of an incident."""

    FIRING = "firing"
    ESCALATED = "escalated"
    REPEATED = "repeated"
    SILENCE_ENDED = "silence_ended"
    RESOLVED = "resolved"
    TEST = "test"


class Status(enum.StrEnum):
    """What an incident is at the moment of a notice."""

    FIRING = "firing"
    RESOLVED = "resolved"


class Family(enum.StrEnum):
    """First part of the type of a notice."""

    SLO = "slo"
    COST = "cost"
    SYSTEM = "system"


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowFacts:
    """What one window of a condition held."""

    window_s: int
    burn: float
    bad: int
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ConditionFacts:
    """One rule of the incident with the numbers that decided it."""

    rule: str
    severity: Severity
    is_true: bool
    threshold: float
    """The burn rate, or the value, that it compares with."""
    long: WindowFacts | None = None
    short: WindowFacts | None = None
    p_value: float | None = None
    value: float | None = None
    """What a rule without windows compared."""
    unit: str = ""
    """Unit of threshold and value where they are no burn rates."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetFacts:
    """How an objective, or an amount of money, stands."""

    target: Decimal
    """The objective as a ratio; for money the budget in USD."""
    period_s: int
    remaining: float
    """Share of the budget that is left; below zero it is overspent."""
    exhausts_in_s: int | None = None
    """At the burn of the longest true window; None if it does not burn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Driver:
    """A part of an explanation: a dimension's value, or a factor, and its share of the rise."""

    dimension: str
    value: str
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One message about one incident to one receiver; see `inferometer.core.alerts.payload`."""

    notification_id: str
    receiver: str
    family: Family
    transition: Transition
    reason: str
    """Why now, for example `first_notification`, `severity_rose`, `repeat_interval`."""
    incident_id: str
    seq: int
    episode: int
    severity: Severity
    status: Status
    fingerprint: str
    labels: Mapping[str, str]
    """The identity: workspace, service, slo, and the group."""
    annotations: Mapping[str, str] = field(default_factory=dict)
    """Owner, runbook, summary and whatever the definition carries."""
    starts_at_us: int
    detected_at_us: int
    condition_cleared_at_us: int | None = None
    resolved_at_us: int | None = None
    budget: BudgetFacts | None = None
    conditions: tuple[ConditionFacts, ...] = ()
    drivers: tuple[Driver, ...] = ()
    members: tuple[Mapping[str, str], ...] = ()
    """Labels of the incidents that this message stands for, where it stands for several."""
    member_count: int = 1
    """How many they are; of very many only the first are listed."""
    suppressed: tuple[str, ...] = ()
    """What was muted by this incident, as texts."""
    is_detected_late: bool = False
    is_flapping: bool = False
    links: Mapping[str, str] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)
    """What only some rules know, JSON."""

    @property
    def type(self) -> str:
        """The event type, for example `slo.alert.firing`."""
        return f"{self.family}.alert.{self.transition}"

    @property
    def stands_for(self) -> int:
        """How many incidents it is about; an older release stored no count beside the members."""
        return max(self.member_count, len(self.members))
