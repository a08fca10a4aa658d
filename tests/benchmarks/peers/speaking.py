"""How a contestant written in Python says how far it is; standard library only."""

from __future__ import annotations

import sys
import time

_EVERY_EVENTS = 1_000
_EVERY_S = 0.02


class Progress:
    """Prints `progress` now and then."""

    def __init__(self) -> None:
        self.events = 0
        self._said = 0
        self._said_at = 0.0

    def add(self, events: int) -> None:
        """Count events that are done; says so at once where they are many."""
        self.events += events
        if self.events - self._said >= _EVERY_EVENTS:
            self.say()

    def say(self) -> None:
        """Say how far it is, unless that was said just now."""
        now = time.monotonic()
        if self.events != self._said and now - self._said_at >= _EVERY_S:
            self._said, self._said_at = self.events, now
            say("progress", self.events)

    def say_last(self) -> None:
        """Say where it stands."""
        say("progress", self.events)


def say(word: str, value: object) -> None:
    """Print a line of the protocol."""
    sys.stdout.write(f"{word} {value}\n")
    sys.stdout.flush()
