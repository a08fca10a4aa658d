"""When the simulated fleet misbehaves, and how busy it is: functions of time since its start."""

from __future__ import annotations

import math
from dataclasses import dataclass

PERIOD_S = 60.0
"""Troubles repeat with this period, so that a minute of simulation shows each of them."""

DAY_S = 86_400.0
START_OF_DAY_S = 9 * 3600.0
"""Time of day at the start of a simulation; relative, so that a seed means the same at any hour."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """What goes wrong at one moment for one model."""

    limited: float = 0.0
    """Chance of 429."""
    failing: float = 0.0
    """Chance of 5xx."""
    slowness: float = 1.0
    """Factor on every duration."""


CALM = Trouble()
_BURST = Trouble(limited=0.55)
_SLOW = Trouble(slowness=4.0)
_FAILING = Trouble(failing=0.6)


@dataclass(frozen=True, slots=True)
class Outage:
    """A span in which every request fails, whatever is tried again."""

    begins_s: float
    """Since the start of the fleet."""
    ends_s: float

    def holds(self, since_start_s: float) -> bool:
        """Return whether it is on."""
        return self.begins_s <= since_start_s < self.ends_s


OUT = Trouble(failing=1.0)


def trouble(since_start_s: float, provider: str, model: str) -> Trouble:
    """Return the trouble of a model: a 429 burst, a slow model, a failing provider, in turn."""
    phase = since_start_s % PERIOD_S
    if 12 <= phase < 17 and provider == "openai":
        return _BURST
    if 22 <= phase < 34 and model == "claude-sonnet-4-5":
        return _SLOW
    if 40 <= phase < 48 and provider == "deepseek":
        return _FAILING
    return CALM


def load(since_start_s: float) -> float:
    """Return the load against the daily mean: a day's wave with its peak at 15:00."""
    hour_angle = 2 * math.pi * (START_OF_DAY_S + since_start_s - 9 * 3600) / DAY_S
    return 1.0 + 0.45 * math.sin(hour_angle)
