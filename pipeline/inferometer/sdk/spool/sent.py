"""What became of a frame that was handed over, or is about to be."""

from __future__ import annotations

import enum

from inferometer.sdk.spool.frames import Damage, Frame


class Fate(enum.Enum):
    """Reports come from the transport's thread; only marks are made there."""

    UNKNOWN = enum.auto()
    ACKNOWLEDGED = enum.auto()
    FAILED = enum.auto()
    REFUSED = enum.auto()
    """By the broker, for what the record itself is."""


class Sent:
    """One frame under way."""

    __slots__ = ("at_ms", "end", "events", "fate", "is_handed", "is_waiting", "reason", "start")

    def __init__(
        self,
        frame: Frame | Damage,
        fate: Fate = Fate.UNKNOWN,
        *,
        is_waiting: bool = True,
    ) -> None:
        self.start = frame.start
        self.end = frame.end
        self.at_ms = 0 if isinstance(frame, Damage) else frame.at_ms
        self.events = 0 if isinstance(frame, Damage) else frame.item.events
        self.is_handed = False
        """To a producer; until then nobody else can have it."""
        self.is_waiting = is_waiting
        """Counted among those that wait until it is delivered."""
        self.fate = fate
        self.reason = ""
