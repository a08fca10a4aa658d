"""Sums over sliding windows of a trace, for every tick at once: running sums, no rings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tests.incidents.scenario import CELL_S, ORIGIN_S

if TYPE_CHECKING:
    from fractions import Fraction

    from tests.incidents.generator import Flags, Integers, Trace

BILLION = 10**9


@dataclass(frozen=True, slots=True)
class Sums:
    """Requests and failures of the window that ends at each tick; the first tick ends cell 0."""

    total: Integers
    bad: Integers

    def is_above(self, threshold: Fraction) -> Flags:
        """Return at which ticks the share of failures is above; never where nothing was asked."""
        scaled = round(threshold * BILLION)
        return np.asarray((self.total > 0) & (self.bad * BILLION > scaled * self.total))


def window_sums(trace: Trace, window_s: int) -> Sums:
    """Return the sums over a window at every tick; a window that begins before the trace is cut."""
    return Sums(_sliding(trace.total, window_s), _sliding(trace.bad, window_s))


def _sliding(cells: Integers, window_s: int) -> Integers:
    summed = np.concatenate([[0], np.cumsum(cells)])
    starts = np.maximum(np.arange(1, len(summed)) - window_s // CELL_S, 0)
    return np.asarray(summed[1:] - summed[starts])


def tick_s(index: int) -> int:
    """Return the instant of the tick that ends a cell."""
    return ORIGIN_S + (index + 1) * CELL_S


def cell_of_tick(instant_s: int) -> int:
    """Return the index of the cell that ends at a tick."""
    return (instant_s - ORIGIN_S) // CELL_S - 1
