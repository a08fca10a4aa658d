"""How long something took of the time in which this process could run.

A machine that stands still, or has no turn for this process, adds nothing: so a promise of
promptness can be held against a number without a test that fails by the machine's mood.
"""

from __future__ import annotations

import threading
from typing import Self

TURN_S = 0.05


class RunningTime:
    """Counts the turns of a thread from entering to leaving; `seconds` is what they come to."""

    def __init__(self) -> None:
        self._turns = 0
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._count, name="running-time", daemon=True)

    @property
    def seconds(self) -> float:
        """Return how long it took, or takes until now; never more than the clock says."""
        return self._turns * TURN_S

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()

    def _count(self) -> None:
        while not self._is_over.wait(TURN_S):
            self._turns += 1
