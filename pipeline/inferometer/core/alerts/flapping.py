"""Whether a rule flaps, and how long it is held for it.

Invariants: only changes between true and false count, never unknown; a hold is never shorter than
the rule's own.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from inferometer.core.alerts.policy import FlappingPolicy


@dataclass(slots=True)
class FlappingState:
    """Changes of one rule's condition, most recent last."""

    level: int = 0
    """How often the hold was doubled."""
    changes_s: list[int] = field(default_factory=list)
    """Ticks of the changes since the last doubling."""
    last_change_s: int = 0

    @property
    def is_flapping(self) -> bool:
        """Return whether the rule changes too often."""
        return self.level > 0

    def changed(self, tick_s: int, policy: FlappingPolicy) -> bool:
        """Count a change; return whether the hold doubles by it."""
        self.last_change_s = tick_s
        oldest = tick_s - policy.within_s
        self.changes_s = [at for at in self.changes_s if at > oldest]
        self.changes_s.append(tick_s)
        if len(self.changes_s) < policy.changes:
            return False
        self.changes_s = []
        self.level += 1
        return True

    def passed(self, tick_s: int, policy: FlappingPolicy) -> None:
        """Forgive a rule that has not changed for long."""
        if self.level and tick_s - self.last_change_s >= policy.forgiven_after_s:
            self.level = 0
            self.changes_s = []

    def hold_s(self, keep_firing_s: int, policy: FlappingPolicy | None) -> int:
        """Return how long the rule stays firing after it was true last."""
        if policy is None or not self.level:
            return keep_firing_s
        # Beyond a dozen doublings the longest hold has been reached from any start.
        doubled = max(keep_firing_s, policy.shortest_hold_s) << min(self.level, 12)
        return max(keep_firing_s, min(doubled, policy.longest_hold_s))
