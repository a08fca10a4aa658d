"""How fast one endpoint may be called: its breaker, its rate, how many calls at once, and pauses.

Invariant: an endpoint that fails is still tried, at least each `open_s` while something urgent is
due, so that its recovery is noticed within that time, unless it asked for a pause itself.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from inferometer.core.alerts.retries import SECOND_US, Verdict, judge, policy_of

if TYPE_CHECKING:
    from inferometer.core.alerts.receivers import Receiver
    from inferometer.core.alerts.retries import Attempt

MINUTE_US = 60 * SECOND_US
MAX_DOUBLINGS = 16


@dataclass(slots=True)
class Breaker:
    """Keeps a failing endpoint from being called by every notice that waits for it.

    Closed, it lets all through. After `failures_to_open` failures in a row it is open and lets one
    through after `first_s`, then after twice as long each time, up to `open_s`; the first answer
    that is no failure closes it.
    """

    failures_to_open: int = 5
    first_s: int = 5
    # Shorter than the steady wait of a page, so that a lone page is never held back.
    open_s: int = 30
    failures: int = 0
    probes: int = 0
    probe_at_us: int = 0

    @property
    def is_open(self) -> bool:
        """Return whether only probes are let through."""
        return self.failures >= self.failures_to_open

    def ready_at_us(self) -> int:
        """Return the instant from which an attempt may start; 0 for at once."""
        return self.probe_at_us if self.is_open else 0

    def started(self, now_us: int) -> None:
        """Note that an attempt starts: while open, none other starts before the next probe."""
        if self.is_open:
            self.probes += 1
            self._wait(now_us)

    def ended(self, verdict: Verdict, now_us: int) -> bool:
        """Note how an attempt ended; returns whether this closed an open breaker."""
        # An endpoint that refuses one message is alive: others may be to its taste.
        if verdict is not Verdict.RETRY:
            was_open = self.is_open
            self.failures = self.probes = 0
            return was_open
        self.failures += 1
        if self.failures == self.failures_to_open:
            self._wait(now_us)
        return False

    def _wait(self, now_us: int) -> None:
        wait_s = self.open_s
        if self.probes < MAX_DOUBLINGS:
            wait_s = min(wait_s, self.first_s << self.probes)
        self.probe_at_us = now_us + wait_s * SECOND_US


@dataclass(slots=True)
class Endpoint:
    """A receiver and how calling it goes."""

    receiver: Receiver
    at_once: int = 8
    breaker: Breaker = field(default_factory=Breaker)
    is_gone: bool = False
    """It answered 410: not called again until somebody asks for a redelivery."""
    running: int = 0
    starts_us: deque[int] = field(default_factory=deque)
    """Of the last minute, where the receiver has a limit for it."""
    pause_at_us: int = 0
    pause_s: int = 0
    """What its last `Retry-After` asked for, and when."""

    def ready_at_us(self, *, is_urgent: bool) -> int:
        """Return the instant from which its breaker, its rate and its pause let an attempt start.

        Whatever notice was answered with a pause, none is held back longer than its own cap.
        """
        pause_s = min(self.pause_s, policy_of(is_urgent=is_urgent).retry_after_cap_s)
        ready_us = max(self.breaker.ready_at_us(), self.pause_at_us + pause_s * SECOND_US)
        limit = self.receiver.max_per_minute
        if limit is None or len(self.starts_us) < limit:
            return ready_us
        return max(ready_us, self.starts_us[-limit] + MINUTE_US)

    def admits(self, now_us: int, *, is_urgent: bool) -> bool:
        """Return whether an attempt may start now."""
        return self.running < self.at_once and now_us >= self.ready_at_us(is_urgent=is_urgent)

    def started(self, now_us: int) -> None:
        """Note that an attempt starts."""
        self.running += 1
        self.breaker.started(now_us)
        if self.receiver.max_per_minute is not None:
            self.starts_us.append(now_us)
            while self.starts_us[0] <= now_us - MINUTE_US:
                self.starts_us.popleft()

    def ended(self, attempt: Attempt, now_us: int) -> bool:
        """Note how an attempt ended; returns whether the endpoint has recovered by it."""
        verdict = judge(attempt)
        self.running -= 1
        # With a refusal it is about that message alone.
        if verdict is Verdict.RETRY and attempt.retry_after_s is not None:
            self.pause_at_us, self.pause_s = now_us, attempt.retry_after_s
        self.is_gone |= verdict is Verdict.GONE
        return self.breaker.ended(verdict, now_us)
