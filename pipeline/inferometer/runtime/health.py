"""Whether a worker works and whether it is ready, each as a list of what is wrong."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from inferometer.kafka.status import WorkerStatus

if TYPE_CHECKING:
    from collections.abc import Callable

BEAT_EVERY_S = 1.0
BEAT_TIMEOUT_S = 30.0
PROBE_EVERY_S = 5.0
PROBE_TIMEOUT_S = 15.0
"""A store that has not answered for so long counts as away, be it that it hangs."""


class Health:
    """What the endpoints of health and readiness say; safe for threads."""

    def __init__(self, *, group: str, place: str, monotonic: Callable[[], float]) -> None:
        self._group = group
        self._place = place
        self._monotonic = monotonic
        self._beat_s: float | None = None
        self._store_answered_s: float | None = None
        self._is_backing_off: Callable[[], bool] = lambda: False
        self._status: Callable[[], WorkerStatus] | None = None

    def watch(
        self, *, status: Callable[[], WorkerStatus], is_backing_off: Callable[[], bool]
    ) -> None:
        """Look at a worker from now on; until then it is starting."""
        self._status = status
        self._is_backing_off = is_backing_off

    async def beat(self) -> None:
        """Show that the loop moves, until it is cancelled."""
        while True:
            self._beat_s = self._monotonic()
            await asyncio.sleep(BEAT_EVERY_S)

    def store_answered(self, *, did_answer: bool) -> None:
        """Note what came of asking the store."""
        self._store_answered_s = self._monotonic() if did_answer else None

    @property
    def is_store_up(self) -> bool:
        """Whether the store has answered of late, and nobody waits for it."""
        answered_s = self._store_answered_s
        return (
            answered_s is not None
            and self._monotonic() - answered_s < PROBE_TIMEOUT_S
            and not self._is_backing_off()
        )

    @property
    def status(self) -> WorkerStatus:
        """What the worker holds; nothing while it is starting."""
        return self._status() if self._status is not None else WorkerStatus()

    def problems(self) -> list[str]:
        """Return why the process is to be started again: only what it cannot mend by itself."""
        found = []
        beat_s = self._beat_s
        if beat_s is not None and self._monotonic() - beat_s > BEAT_TIMEOUT_S:
            found.append(f"the loop has not moved for {self._monotonic() - beat_s:.0f} s")
        return found

    def obstacles(self) -> list[str]:
        """Return why the worker does not work off its partitions now; what is broken among it."""
        found = self.problems()
        if not self.is_store_up:
            found.append(f"the store at {self._place} does not answer")
        if not self.status.is_member:
            found.append(f"no assignment of the group {self._group} yet")
        return found
