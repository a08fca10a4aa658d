"""Intervals by which alerts are held, repeated and withheld, with their shipped defaults.

Invariant: whole seconds, multiples of nothing: ticks decide when an interval has passed.
"""

from __future__ import annotations

from dataclasses import dataclass

from inferometer.core.slo.definitions import DAY_S, HOUR_S, MINUTE_S, Severity

LIVE_MARGIN_S = MINUTE_S
"""By how much more than the allowed lateness a tick may lie behind the clock: a tick, a margin."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FlappingPolicy:
    """When a rule counts as flapping, and how long it is held then."""

    changes: int = 4
    within_s: int = 20 * MINUTE_S
    """Kibana's rule of four changes in twenty evaluations, in minutes of ticks."""
    shortest_hold_s: int = 5 * MINUTE_S
    """What is doubled where a rule would not hold at all."""
    longest_hold_s: int = HOUR_S
    forgiven_after_s: int = HOUR_S
    """Without a change for so long, a rule no longer flaps."""

    def problems(self) -> list[str]:
        """Return what is wrong with it, each with the remedy."""
        found = []
        if self.changes < 2:
            found.append("flapping changes must be 2 or more")
        if self.within_s <= 0:
            found.append("flapping within_s must be above 0")
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertPolicy:
    """Every interval of alerting that is no rule's or route's own."""

    reopen_s: int = 30 * MINUTE_S
    """An alert that comes back so soon after its resolution belongs to the same incident."""
    forget_s: int = 15 * MINUTE_S
    """How long a resolved incident is still shown after that."""
    pending_unknown_s: int = 5 * MINUTE_S
    """A pending rule is dropped after its `for` and so long without data."""
    stale_after_s: int = 5 * MINUTE_S
    """Without data for so long, a firing rule is recorded as stale."""
    stale_resolve_after_s: int = DAY_S
    flapping: FlappingPolicy | None = FlappingPolicy()
    """None turns it off."""
    page_group_wait_s: int = 0
    """A page does not wait: the time to its threshold was the wait."""
    ticket_group_wait_s: int = 30
    group_interval_s: int = 5 * MINUTE_S
    page_repeat_s: int = 4 * HOUR_S
    ticket_repeat_s: int = DAY_S
    joined_within_s: int = MINUTE_S
    """Incidents that join a group so soon after its first notice are the same event: they are
    listed from the next notice on, and need none of their own."""
    retold_after_s: int = 10 * MINUTE_S
    """An alert that came back, after its receiver was told that it is over, waits for the repeat
    interval; unless most requests have failed, or been missing, for so long without a break: that
    is no flapping but another outage."""
    apart_reopen_s: int = DAY_S
    """The reopen window of what is told once, such as an exhausted budget: around its limit it
    comes and goes for days."""
    page_notify_age_s: int = 10 * MINUTE_S
    ticket_notify_age_s: int = DAY_S
    """A firing found later than this is recorded, and told only if it is true at the live edge."""
    lateness_s: int = 30
    """How far ticks lie behind the clock when all is well: events are waited for so long."""
    storm_label: str = "provider"
    storm_incidents: int = 10
    """More incidents than these within `storm_within_s` that share the label are one notice."""
    storm_within_s: int = MINUTE_S

    def group_wait_s(self, severity: Severity) -> int:
        """Return how long the first notice of a group waits for others."""
        is_page = severity is Severity.PAGE
        return self.page_group_wait_s if is_page else self.ticket_group_wait_s

    def repeat_s(self, severity: Severity) -> int:
        """Return how long after the last notice one is repeated."""
        return self.page_repeat_s if severity is Severity.PAGE else self.ticket_repeat_s

    def notify_age_s(self, severity: Severity) -> int:
        """Return how old a tick may be whose firing is told at once."""
        is_page = severity is Severity.PAGE
        own_s = self.page_notify_age_s if is_page else self.ticket_notify_age_s
        return max(own_s, self.live_edge_s)

    @property
    def live_edge_s(self) -> int:
        """A tick at most so far behind the clock is at the live edge."""
        return self.lateness_s + LIVE_MARGIN_S

    def problems(self) -> list[str]:
        """Return what is wrong with it, each with the remedy."""
        own = [
            f"{name} must not be negative"
            for name in self.__slots__
            if isinstance(value := getattr(self, name), int) and value < 0
        ]
        return own + (self.flapping.problems() if self.flapping else [])
