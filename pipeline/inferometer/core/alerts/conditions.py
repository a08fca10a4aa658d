"""What one rule says of one group at one tick: true, false, or unknown, with the numbers behind it.

Invariant: unknown is never taken for false: nothing resolves on missing data.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from inferometer.core.alerts.notices import ConditionFacts
    from inferometer.core.slo.definitions import Severity


class Condition(enum.IntEnum):
    """What a rule says; the numbers are those of the arrays that evaluation works on."""

    FALSE = 0
    TRUE = 1
    UNKNOWN = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One rule instance at one tick."""

    rule: str
    """Name of the rule within its objective, for example `page-fast`."""
    severity: Severity
    """That of this tick: a guard may have lowered it."""
    condition: Condition
    facts: ConditionFacts | None = None
    """Present where the condition is true; else where somebody asked."""
    for_s: int = 0
    """How long it must be true before it fires."""
    keep_firing_s: int = 0
    """How long it stays firing after it was true last."""
