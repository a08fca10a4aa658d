"""How near the unread part of a partition is to what its topic keeps, and what is gone already.

Invariants: the ratio is 0 for a partition that is read to its end, and rises with every unread
record's age and with every unread byte; records are only called lost when nobody holds them.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

MS_PER_S = 1000.0


class RetentionLevel(enum.IntEnum):
    """How urgent it is; greater is worse."""

    FINE = 0
    WARNING = 1
    CRITICAL = 2


@dataclass(frozen=True, slots=True)
class RetentionPolicy:
    """From which share of the retention on a lag is worth a warning, and an error."""

    warning_ratio: float = 0.5
    critical_ratio: float = 0.8

    def level(self, used_ratio: float) -> RetentionLevel:
        """Return how urgent a share of the retention is."""
        if used_ratio >= self.critical_ratio:
            return RetentionLevel.CRITICAL
        return RetentionLevel.WARNING if used_ratio >= self.warning_ratio else RetentionLevel.FINE


@dataclass(frozen=True, slots=True)
class TopicRetention:
    """What a topic keeps of each partition; None where it is without limit."""

    age_ms: int | None = None
    size_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class LogSpan:
    """The offsets [start, end) that the broker holds of a partition."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class UnreadPart:
    """What of a partition is not stored and acknowledged yet."""

    records: int
    """Offsets from the position to the end of the log; holes of the log count."""
    age_s: float
    """Since the oldest of them was appended."""
    used_ratio: float
    """The larger of its age and its size, as shares of what the topic keeps."""
    only_here: int
    """Dropped by the broker, and held by nobody but this worker's memory."""
    lost: int
    """Dropped by the broker before they were fetched."""


def unread_part(
    *,
    position: int,
    next_offset: int,
    span: LogSpan,
    oldest_append_ms: int | None,
    record_bytes: float,
    retention: TopicRetention,
    now_ms: int,
) -> UnreadPart:
    """Return what is left to read of a partition, measured by what its topic keeps.

    `next_offset` is where the next fetch begins, `record_bytes` what a record takes in the log on
    average; an age that nobody knows counts as none.
    """
    records = max(0, span.end - position)
    age_ms = max(0, now_ms - oldest_append_ms) if records and oldest_append_ms is not None else 0
    # The start of a log may pass its end only when both were read at different times.
    lost = max(0, min(span.start, span.end) - max(position, next_offset))
    return UnreadPart(
        records=records,
        age_s=age_ms / MS_PER_S,
        used_ratio=max(
            _share(age_ms, retention.age_ms), _share(records * record_bytes, retention.size_bytes)
        ),
        only_here=max(0, min(span.start, next_offset) - position),
        lost=lost,
    )


def _share(used: float, limit: int | None) -> float:
    if limit is None:
        return 0.0
    # A limit of zero keeps nothing: whatever is unread is about to go.
    return used / limit if limit > 0 else float(used > 0)
