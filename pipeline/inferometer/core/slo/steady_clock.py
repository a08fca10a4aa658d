"""Time for rules that are judged by the clock: it goes on as time does, whatever the clock is set to.

Invariants: what is returned goes back only by as little as clocks are corrected in passing; it
never lies before an instant that is known to have been, unless the clock does as well.
"""

from __future__ import annotations

from dataclasses import dataclass

JUMP_S = 10
"""From here on a clock was set; less is a correction, or the coarseness of whole seconds."""


@dataclass(slots=True)
class SteadyClock:
    """Keeps how far the clock was set forward, or back, since it was read first."""

    jumped_s: float = 0.0
    _wall_s: int | None = None
    _monotonic_s: float = 0.0

    def read(self, wall_s: int, monotonic_s: float, *, known_s: float, last_s: int) -> int:
        """Return the time in seconds since 1970, for a clock that says `wall_s`.

        `known_s` is event time, to which the clock that was set may have been brought; `last_s` is
        the last time that was used, by another process perhaps.
        """
        if self._wall_s is None:
            self.jumped_s = float(min(0, wall_s - last_s))
        else:
            drift_s = (wall_s - self._wall_s) - (monotonic_s - self._monotonic_s)
            self.jumped_s += drift_s if abs(drift_s) >= JUMP_S else 0.0
        self._wall_s, self._monotonic_s = wall_s, monotonic_s
        if self.jumped_s > 0:
            # Set forward and rightly so, as far as events say.
            self.jumped_s = max(0.0, min(self.jumped_s, wall_s - known_s))
        return int(wall_s - self.jumped_s)
