"""Lets the other threads of the process run between the items of a long batch."""

from __future__ import annotations

import time

_EVERY = 16
_PAUSE_S = 5e-5


class Breath:
    """A short pause every few items.

    A thread that computes holds Python's lock for 5 ms at a time, which every request of the model
    server would feel while a spool is sent; a real pause hands the lock over at once.
    """

    def __init__(self) -> None:
        self._count = 0

    def take(self) -> None:
        """Count an item, and pause where it is time."""
        self._count += 1
        if self._count % _EVERY == 0:
            time.sleep(_PAUSE_S)
