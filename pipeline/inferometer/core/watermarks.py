"""The watermark of a partition: the event time up to which nothing more is expected.

It is the smaller of the highest event time and the broker's append time, minus a bound.
Invariants: it never falls; a future event time cannot push it, because no event is appended before
it ends on a clock within the bound; a partition with nothing left to read follows the broker's
clock, so that idleness does not hold it.
Nothing closes at the watermark: late events still land in their window, and it only says which
windows are final.
"""

from __future__ import annotations

from dataclasses import dataclass

NOTHING_US = 0


@dataclass(frozen=True, slots=True)
class WatermarkPolicy:
    """How far behind the newest event another may still be, microseconds."""

    bound_us: int


@dataclass(slots=True)
class WatermarkState:
    """The watermark of one partition, microseconds since 1970."""

    watermark_us: int = NOTHING_US

    def observe(self, *, newest_event_us: int, append_us: int, policy: WatermarkPolicy) -> int:
        """Return the watermark after a chunk with this newest event and append time."""
        return self.raise_to(min(newest_event_us, append_us) - policy.bound_us)

    def idle(self, *, broker_us: int, policy: WatermarkPolicy) -> int:
        """Return the watermark of a partition that has nothing left to read."""
        return self.raise_to(broker_us - policy.bound_us)

    def raise_to(self, candidate_us: int) -> int:
        """Return the watermark after another source put it at `candidate_us`; it never falls."""
        self.watermark_us = max(self.watermark_us, candidate_us)
        return self.watermark_us


def is_final(*, window_end_us: int, watermark_us: int) -> bool:
    """Return whether no more events are expected for a window."""
    return window_end_us <= watermark_us
