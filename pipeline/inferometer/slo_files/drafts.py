"""What one file declares, with the place of each part, before it is judged together with others."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from inferometer.core.slo.shipped_rules import shipped_rules

if TYPE_CHECKING:
    from collections.abc import Callable
    from decimal import Decimal

    from inferometer.core.slo.budgets import MoneyBudget
    from inferometer.core.slo.definitions import Slo
    from inferometer.core.slo.metric_rules import MetricRule
    from inferometer.core.slo.soundness import Part
    from inferometer.slo_files.findings import Place


@dataclass(frozen=True, slots=True)
class SloDraft:
    """An objective that reads well; whether it is sound is another question."""

    slo: Slo
    place: Place
    place_of: Callable[[Part], Place]
    """Where the file says what a part of the objective holds."""
    requests_per_hour: Decimal | None = None
    """Expected traffic of one group, where the file tells."""
    broken: frozenset[str] = frozenset()
    """Fields of the objective that the file gets wrong; they have their defaults here."""

    def concerns(self, part: Part) -> bool:
        """Return whether what is said of a part is due to the file, not to what it gets wrong."""
        # Windows are judged by the period.
        return part[0] not in self.broken and not (
            part[0] == "burn_windows" and "period_s" in self.broken
        )

    @property
    def subject(self) -> str:
        """What findings call it."""
        return f"slo {self.slo.name}"


@dataclass(slots=True)
class Drafts:
    """Everything that files declare, in their order."""

    slos: list[SloDraft] = field(default_factory=list)
    budgets: list[tuple[MoneyBudget, Place]] = field(default_factory=list)
    rules: list[tuple[MetricRule, Place]] = field(default_factory=list)
    shipped: set[str] = field(default_factory=lambda: {rule.name for rule in shipped_rules()})
    """Names of the shipped rules that no file turns off."""
