"""How the sink judges time and how long it remembers events."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

from inferometer.core.dimension_caps import CapPolicy
from inferometer.core.door import DoorPolicy

_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class SinkPolicy:
    """How the sink judges time and remembers events."""

    retention: timedelta = timedelta(days=14)
    future_tolerance: timedelta = timedelta(minutes=5)
    watermark_bound: timedelta = timedelta(seconds=10)
    idle_step: timedelta = timedelta(seconds=5)
    """An idle partition's watermark is stored when it has risen by this much, to spare inserts."""
    dedupe_horizon: timedelta = timedelta(minutes=10)
    dedupe_max_events: int = 5_000_000
    caps: CapPolicy = field(default_factory=CapPolicy)

    def door(self, now_us: int) -> DoorPolicy:
        """Return how the door judges events at an instant."""
        return DoorPolicy(
            now_us=now_us,
            retention_us=self.retention // _MICROSECOND,
            future_tolerance_us=self.future_tolerance // _MICROSECOND,
        )
