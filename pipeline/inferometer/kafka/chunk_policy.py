"""When to cut a chunk: soon while little comes, so that it is seen; full while much waits.

Every chunk costs the same few inserts however small it is. A partition that keeps up therefore
rests after a small chunk in proportion to what it took, so that small chunks never fill the worker's
time; what comes after a rest is cut at once. One that has fallen behind waits for full chunks,
which cost least an event.
Hysteresis: falling behind begins at one full chunk and ends at a small part of one; a rest grows at
once and shrinks by and by.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

BUSY_SHARE = 1 / 3
"""Of the threads' time, for chunks so small that their time is mostly that of their inserts."""
SMALL_EVENTS = 10_000
"""Fewer than this cost less to compute than to insert (some 16 us an event, 100 ms a chunk)."""
KEPT_UP_SHARE = 1 / 8
"""Of a full chunk: with less than this to come, a partition is not behind any more."""
REST_KEPT = 0.75
"""How much of a rest stays when the last chunk asks for a shorter one."""


class CutReason(enum.StrEnum):
    """Why a chunk is cut now, or why it is not."""

    EVENTS = "events"
    """It has as many events as it may."""
    BYTES = "bytes"
    """It has as many bytes as it may."""
    ENOUGH = "enough"
    """It keeps up, and has gathered enough to be worth its inserts."""
    RESTED = "rested"
    """It keeps up, is small, and the last chunk is long enough ago."""
    AGE = "age"
    """Its first record has waited for as long as it may."""
    EMPTY = "empty"
    """Not now: nothing waits."""
    FILLING = "filling"
    """Not now: more is to come."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits in a partition at an instant."""

    events: int
    size_bytes: int
    age_s: float
    """Of the record that waits longest; of no meaning without one."""
    since_cut_s: float
    """From the last chunk, or for ever."""
    coming_events: int = 0
    """About how many more the broker holds beyond what has been fetched."""
    coming_bytes: int = 0
    """About as many bytes."""


@dataclass(frozen=True, slots=True)
class CutDecision:
    """Whether to cut, and why."""

    is_cut: bool
    reason: CutReason
    look_again_in_s: float | None = None
    """When age alone may change the decision; None where a cut is due, or nothing waits."""


@dataclass(frozen=True, slots=True)
class ChunkPolicy:
    """The bounds of a chunk; `min_wait_s` <= `max_wait_s` <= `behind_wait_s`."""

    max_events: int
    max_bytes: int
    min_wait_s: float
    """From one chunk to the next of a partition that keeps up, unless it is full."""
    max_wait_s: float
    """While a partition keeps up, no record waits longer for others to share its chunk."""
    behind_wait_s: float
    """The same while it is behind: what waits is old, and takes turns with other partitions."""
    small_events: int = SMALL_EVENTS

    def chunks_of(self, events: int, size_bytes: int) -> float:
        """Return how many full chunks so much is."""
        return max(events / self.max_events, size_bytes / self.max_bytes)


class ChunkRhythm:
    """When one partition cuts; told how long its chunks took, asked whenever something changed."""

    def __init__(self, policy: ChunkPolicy) -> None:
        self._policy = policy
        self._rest_s = policy.min_wait_s
        self.is_behind = False
        """Whether it waits for full chunks."""

    @property
    def rest_s(self) -> float:
        """How long after a chunk a small one may follow."""
        return self._rest_s

    def chunk_took(self, seconds: float, *, events: int, share: float) -> None:
        """Hear how long a chunk took, in a worker whose threads have a share for each partition.

        `share` is threads a partition: 0.25 where four partitions take turns on one thread.
        """
        wanted_s = 0.0
        if events < self._policy.small_events:
            wanted_s = seconds / (BUSY_SHARE * max(share, 1e-3))
        policy = self._policy
        lowest_s = max(policy.min_wait_s, REST_KEPT * self._rest_s)
        self._rest_s = min(max(wanted_s, lowest_s), policy.max_wait_s)

    def decide(self, waiting: Waiting) -> CutDecision:
        """Say whether a chunk is to be cut now."""
        self._observe(waiting)
        policy = self._policy
        if waiting.events <= 0:
            return CutDecision(is_cut=False, reason=CutReason.EMPTY)
        if waiting.events >= policy.max_events:
            return CutDecision(is_cut=True, reason=CutReason.EVENTS)
        if waiting.size_bytes >= policy.max_bytes:
            return CutDecision(is_cut=True, reason=CutReason.BYTES)
        longest_s = policy.behind_wait_s if self.is_behind else policy.max_wait_s
        if waiting.age_s >= longest_s:
            return CutDecision(is_cut=True, reason=CutReason.AGE)
        if self.is_behind:
            return _later(longest_s - waiting.age_s)
        is_small = waiting.events < policy.small_events
        pause_s = (self._rest_s if is_small else policy.min_wait_s) - waiting.since_cut_s
        if waiting.coming_events > 0:
            # It is on its way, and may as well go along.
            pause_s = max(pause_s, policy.min_wait_s - waiting.age_s)
        if pause_s <= 0.0:
            reason = CutReason.RESTED if is_small else CutReason.ENOUGH
            return CutDecision(is_cut=True, reason=reason)
        return _later(min(pause_s, longest_s - waiting.age_s))

    def _observe(self, waiting: Waiting) -> None:
        coming = self._policy.chunks_of(waiting.coming_events, waiting.coming_bytes)
        if self.is_behind:
            self.is_behind = coming > KEPT_UP_SHARE
        else:
            here = self._policy.chunks_of(waiting.events, waiting.size_bytes)
            self.is_behind = coming > KEPT_UP_SHARE and here + coming >= 1.0


def _later(seconds: float) -> CutDecision:
    return CutDecision(is_cut=False, reason=CutReason.FILLING, look_again_in_s=seconds)
