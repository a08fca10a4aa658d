"""CPU, wall clock and memory of one process between two marks."""

from __future__ import annotations

import resource
import sys
import time
from dataclasses import dataclass

_MAXRSS_BYTES = 1 if sys.platform == "darwin" else 1024


def cpu_s() -> float:
    """Return the CPU time of all threads of this process, user and system."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def peak_rss_bytes() -> int:
    """Return the most memory that this process has held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _MAXRSS_BYTES


@dataclass(frozen=True, slots=True)
class Mark:
    """An instant of a process."""

    user_s: float
    system_s: float
    wall_s: float

    @classmethod
    def now(cls) -> Mark:
        """Take the mark."""
        usage = resource.getrusage(resource.RUSAGE_SELF)
        return cls(usage.ru_utime, usage.ru_stime, time.monotonic())


@dataclass(frozen=True, slots=True)
class Span:
    """What a number of events took, in one process."""

    events: int
    user_s: float
    system_s: float
    wall_s: float
    peak_rss_bytes: int

    @classmethod
    def between(cls, start: Mark, end: Mark, events: int) -> Span:
        """Return what lies between two marks."""
        return cls(
            events,
            end.user_s - start.user_s,
            end.system_s - start.system_s,
            end.wall_s - start.wall_s,
            peak_rss_bytes(),
        )

    @property
    def cpu_s(self) -> float:
        """CPU time of all threads."""
        return self.user_s + self.system_s
