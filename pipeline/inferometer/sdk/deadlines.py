"""Deadlines of running requests: one heap and one thread, however many requests there are."""

from __future__ import annotations

import enum
import heapq
import itertools
import logging
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_LOG = logging.getLogger("inferometer.sdk")
_PRUNE_FROM = 4096


class DeadlineState(enum.Enum):
    """A deadline leaves OPEN once, and for good."""

    OPEN = "open"
    MET = "met"
    MISSED = "missed"


class Deadline:
    """One instant to be met; whoever notices first that it was missed reports it, once."""

    __slots__ = ("_lock", "_on_missed", "_state", "at")

    def __init__(self, at: float, on_missed: Callable[[], None], lock: threading.Lock) -> None:
        self.at = at
        self._on_missed = on_missed
        self._lock = lock
        self._state = DeadlineState.OPEN

    @property
    def state(self) -> DeadlineState:
        """Whether it is open, met or missed."""
        return self._state

    def settle(self, now: float) -> None:
        """Close the deadline at `now`: met, or missed where its thread has not noticed yet."""
        if self._leave_open(DeadlineState.MISSED if now > self.at else DeadlineState.MET):
            self._on_missed()

    def miss(self) -> None:
        """Close the deadline as missed."""
        if self._leave_open(DeadlineState.MISSED):
            self._on_missed()

    def _leave_open(self, state: DeadlineState) -> bool:
        """Return whether this very call found it missed."""
        with self._lock:
            if self._state is not DeadlineState.OPEN:
                return False
            self._state = state
        return state is DeadlineState.MISSED


class DeadlineTimer:
    """Reports deadlines on a thread that starts with the first of them."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._heap: list[tuple[float, int, Deadline]] = []
        self._prune_at = _PRUNE_FROM
        self._order = itertools.count()
        self._changed = threading.Condition()
        self._state_lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._is_closed = False

    def add(self, at: float, on_missed: Callable[[], None]) -> Deadline:
        """Watch an instant of the monotonic clock; `on_missed` mostly runs on the timer's thread."""
        deadline = Deadline(at, on_missed, self._state_lock)
        with self._changed:
            if self._is_closed:
                return deadline
            self._prune()
            is_first = not self._heap or at < self._heap[0][0]
            heapq.heappush(self._heap, (at, next(self._order), deadline))
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._run, name="inferometer-sdk-deadlines", daemon=True
                )
                self._thread.start()
            elif is_first:
                self._changed.notify()
        return deadline

    def report_due(self) -> None:
        """Report every open deadline that has passed."""
        now = self._monotonic()
        due: list[Deadline] = []
        with self._changed:
            while self._heap and self._heap[0][0] < now:
                due.append(heapq.heappop(self._heap)[2])
        for deadline in due:
            try:
                deadline.miss()
            except Exception:  # noqa: BLE001 - one report that fails must not end the watch over the others
                _LOG.exception("a missed deadline was not reported")

    def close(self) -> None:
        """Stop watching; deadlines still open are reported only when their request ends."""
        with self._changed:
            self._is_closed = True
            self._heap.clear()
            self._changed.notify()

    def _prune(self) -> None:
        # Long deadlines of short requests would pile up; the cost is spread over the additions.
        if len(self._heap) >= self._prune_at:
            self._heap = [entry for entry in self._heap if entry[2].state is DeadlineState.OPEN]
            heapq.heapify(self._heap)
            self._prune_at = max(_PRUNE_FROM, 2 * len(self._heap))

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._is_closed and (wait_s := self._seconds_to_next()) != 0:
                    self._changed.wait(wait_s)
                if self._is_closed:
                    return
            self.report_due()

    def _seconds_to_next(self) -> float | None:
        """Return the time to wait: 0 when a deadline has passed, None when there is none."""
        if not self._heap:
            return None
        left_s = self._heap[0][0] - self._monotonic()
        # A deadline is missed only after its instant, so never wait for less than the clock shows.
        return 0 if left_s < 0 else max(left_s, 1e-4)
