"""Lets the other threads of the process run between the items of a long batch."""

from __future__ import annotations

import time

_PAUSE_S = 5e-5


class Breath:
    """A short pause every few items.

    A thread that computes holds Python's lock for 5 ms at a time, which every request of the model
    server would feel while a spool is sent; a real pause hands the lock over at once.
    """

    def __init__(self, every: int = 16) -> None:
        self._every = every
        self._count = 0

    def take(self, items: int = 1) -> None:
        """Count items, and pause where it is time."""
        self._count += items
        if self._count >= self._every:
            self._count = 0
            time.sleep(_PAUSE_S)
