"""Turns of partitions at the threads of a worker: first come, first served.

A chunk is cut when its turn comes and not when it could be, so that it takes along all that has
come meanwhile; under load chunks grow by themselves.
"""

from __future__ import annotations

from typing import Protocol


class Taker(Protocol):
    """Who takes turns."""

    def wake(self) -> None:
        """Look again whether it is its turn."""


class Turns:
    """Who may compute a chunk now, and how many chunks are at work; for one event loop.

    A turn has two parts: computing, which keeps a core and most memory, and storing, which mostly
    waits for the store. While one partition stores, another may compute.
    """

    def __init__(self, *, at_work: int, computing: int) -> None:
        """Let so many chunks be at work, and so many of them compute, at the same time."""
        self._limits = at_work, computing
        self._at_work: set[Taker] = set()
        self._computing: set[Taker] = set()
        self._queue: dict[Taker, None] = {}

    @property
    def are_free(self) -> bool:
        """Whether whoever asks next gets one at once."""
        return len(self._queue) < self._free()

    def take(self, taker: Taker) -> bool:
        """Take a turn, or stand in the queue for one: `wake` says when to try again."""
        self._queue.setdefault(taker)
        if taker not in list(self._queue)[: self._free()]:
            return False
        del self._queue[taker]
        self._at_work.add(taker)
        self._computing.add(taker)
        return True

    def computed(self, taker: Taker) -> None:
        """End the first part of a turn; again is harmless."""
        self._computing.discard(taker)
        self._wake_next()

    def give_back(self, taker: Taker) -> None:
        """End a turn, or leave the queue; harmless for who has neither."""
        self._computing.discard(taker)
        self._at_work.discard(taker)
        self._queue.pop(taker, None)
        self._wake_next()

    def _free(self) -> int:
        at_work, computing = self._limits
        return max(0, min(at_work - len(self._at_work), computing - len(self._computing)))

    def _wake_next(self) -> None:
        for taker in list(self._queue)[: self._free()]:
            taker.wake()
