"""Pages when most requests fail, whatever the objective: a burn rate is slow or blind there.

Invariants: unlike a burn rate it is true at its ratio, not only above; without enough failures to
tell an outage from chance it is false, because the burn rates keep a ticket for few failures.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from inferometer.core.slo.definitions import Severity
from inferometer.core.slo.slo_rules import NANO, Rule

if TYPE_CHECKING:
    from inferometer.core.slo.definitions import OutageRule, Slo

OUTAGE = "outage"
"""Name of the rule."""
_CHANCE = 0.1
"""Failures are compared with a service that fails one request in ten, so that three in a row count
whatever the objective; a laxer objective sets its own."""


def outage_rule(declared: OutageRule, slo: Slo) -> Rule:
    """Return an outage rule in the form that is compared."""
    return Rule(
        name=OUTAGE,
        severity=Severity.PAGE,
        long_s=declared.long_s,
        short_s=declared.short_s,
        # One minute, its short window, would let an outage end at every lull.
        hold_s=declared.long_s,
        threshold=float(declared.bad_ratio),
        threshold_nano=round(declared.bad_ratio * NANO),
        margin=1,
        allowed=max(_CHANCE, float(1 - slo.objective)),
        significance=declared.significance,
        needs_significance=True,
        is_outage=True,
    )
