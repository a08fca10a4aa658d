"""The measures that can be asked for: what each is, in which unit, and from which sums it is made.

Invariants: a measure is a function of sums and merged sketches of one group, so it is true of any
grouping, any window and any roll-up; nothing is an average of averages.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Unit(enum.StrEnum):
    """What a number counts; the console writes it accordingly."""

    COUNT = "count"
    TOKENS = "tokens"
    USD = "usd"
    MILLISECONDS = "ms"
    SECONDS = "s"
    BYTES = "bytes"
    RATIO = "ratio"
    """0 to 1; a retry inflation is a ratio at or above 1."""
    PER_SECOND = "per_s"
    PER_MINUTE = "per_min"


@dataclass(frozen=True, slots=True)
class Sum:
    """The sum of one column of the cubes, times a factor (`1e-6` makes seconds of `_us`)."""

    column: str
    factor: float = 1.0


@dataclass(frozen=True, slots=True)
class Sums:
    """The sum of several columns, times a factor."""

    columns: tuple[str, ...]
    factor: float = 1.0


@dataclass(frozen=True, slots=True)
class Ratio:
    """The sum of some columns over the sum of others, times a factor; NULL where that is nought."""

    over: tuple[str, ...]
    under: tuple[str, ...]
    factor: float = 1.0


@dataclass(frozen=True, slots=True)
class Rate:
    """The sum of some columns over the length of the window, for each `per_s` seconds."""

    columns: tuple[str, ...]
    per_s: float = 1.0


@dataclass(frozen=True, slots=True)
class Mean:
    """The mean of a duration in ms; NULL without values."""

    duration: str


@dataclass(frozen=True, slots=True)
class Quantile:
    """A quantile of a duration in ms, `sorted[min(n - 1, int(q * n))]`; NULL without values."""

    duration: str
    q: float


@dataclass(frozen=True, slots=True)
class ShareBelow:
    """The share of a duration's values at or below a limit; NULL without values."""

    duration: str
    limit_ms: float


Form = Sum | Sums | Ratio | Rate | Mean | Quantile | ShareBelow


@dataclass(frozen=True, slots=True)
class Measure:
    """One number that a group has in a window."""

    name: str
    label: str
    unit: Unit
    definition: str
    """A sentence for the console: what it counts, over what, and the source of a formula."""
    form: Form
    is_from_log_only: bool = False
    """No cube has the columns; the log answers inside its retention."""
    higher_is_worse: bool | None = None
    """For colours of changes; None where neither is."""
