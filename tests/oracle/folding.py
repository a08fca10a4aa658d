"""What a dimension cap must do, event by event; shares no code with the pipeline."""

from __future__ import annotations

from dataclasses import dataclass, field

OTHER = "__other__"


@dataclass
class FoldingOracle:
    """One partition: the values that each dimension has admitted in the latest month."""

    month: str = ""
    admitted: dict[str, list[str]] = field(default_factory=dict)

    def fold(self, month: str, dimension: str, value: str, cap: int) -> str:
        """Return what roll-ups show for the next event's value, and admit it where there is room."""
        if month > self.month:
            self.month, self.admitted = month, {}
        known = self.admitted.setdefault(dimension, [])
        if value in {"", OTHER} or value in known:
            return value
        if len(known) < cap:
            known.append(value)
            return value
        return OTHER
