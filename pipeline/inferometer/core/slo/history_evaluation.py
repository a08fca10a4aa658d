"""Evaluates an objective over stored counts, many ticks at once: backtests and simulations.

Invariants: the same conditions as the evaluator gives tick by tick, because both ask the same
judgement and windows end and begin at the same cells. Who failed is not in such counts, so that
the guard against one noisy caller does not take part.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from inferometer.core.slo.budget_weights import weighted
from inferometer.core.slo.burn_conditions import judge
from inferometer.core.slo.burn_evaluation import rules_of
from inferometer.core.slo.error_budget import ExhaustionLatch, remaining
from inferometer.core.slo.rings import CELL_S, in_whole_cells, ring_shapes

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    from inferometer.core.slo.definitions import Slo
    from inferometer.core.slo.slo_rules import Rules

    Counts = npt.NDArray[np.int64]
    Conditions = npt.NDArray[np.int8]


@dataclass(frozen=True, slots=True)
class Block:
    """Conditions of consecutive ticks."""

    rules: tuple[str, ...]
    ticks_s: npt.NDArray[np.int64]
    conditions: Conditions
    """[rule, tick, group]."""
    severities: Conditions
    """[rule, tick, group]."""
    windows_s: tuple[int, ...]
    counts: Counts
    """[window, total or bad, tick, group]."""
    left: npt.NDArray[np.float64]
    """[tick, group]: share of the budget that is left."""


def evaluate_history(
    slo: Slo,
    start_s: int,
    totals: npt.ArrayLike,
    bads: npt.ArrayLike,
    *,
    first_tick_s: int = 0,
    block_ticks: int = 2160,
) -> Iterator[Block]:
    """Yield blocks of ticks, one tick at the end of each cell, from `first_tick_s` on.

    `totals` and `bads` are [cell, group], the first cell starting at `start_s`, a multiple of ten.
    """
    if start_s % CELL_S:
        raise ValueError(f"start {start_s} is no multiple of {CELL_S} s")
    history = _History(rules_of(slo), start_s, np.stack((totals, bads)).astype(np.int64))
    ticks = history.running.shape[1] - 1
    skipped = max(1, -(-(first_tick_s - start_s) // CELL_S))
    for first in range(skipped, ticks + 1, block_ticks):
        yield history.block(np.arange(first, min(first + block_ticks, ticks + 1)))


class _History:
    def __init__(self, rules: Rules, start_s: int, counts: Counts) -> None:
        self._rules, self._start_s = rules, start_s
        zeros = np.zeros((2, 1, counts.shape[2]), np.int64)
        self.running = np.concatenate((zeros, counts.cumsum(axis=1)), axis=1)
        """[total or bad, cells before, group]."""
        seen = counts[0] > 0
        first = np.where(seen.any(axis=0), seen.argmax(axis=0), counts.shape[1])
        self._first_seen = first
        self._cells = {
            window_s: shape.cell_s
            for shape in ring_shapes(rules.windows_s)
            for window_s in shape.windows_s
        }
        self._latch = ExhaustionLatch.of(counts.shape[2])

    def block(self, places: npt.NDArray[np.intp]) -> Block:
        rules = self._rules
        ticks_s = self._start_s + places * CELL_S
        counts = np.stack([self._window(window_s, places) for window_s in rules.windows_s])
        observed_s = np.maximum(0, places[:, None] - self._first_seen[None, :]) * CELL_S
        weighed = weighted(rules, counts, observed_s) if rules.is_weighted else None
        left = remaining(rules.slo, counts[rules.places[rules.slo.period_s]], observed_s)
        conditions = np.empty((len(rules.names), *left.shape), np.int8)
        severities = np.zeros(conditions.shape, np.int8)
        conditions[:-1], severities[:-1] = judge(rules, counts, observed_s, weighed)
        for row, tick_s in enumerate(ticks_s.tolist()):
            conditions[-1, row] = self._latch.judge(left[row], tick_s, rules.slo.period_s)
        return Block(rules.names, ticks_s, conditions, severities, rules.windows_s, counts, left)

    def _window(self, window_s: int, places: npt.NDArray[np.intp]) -> Counts:
        """Return sums over a window; where it reaches into a cell, all of that cell is in it."""
        rounded_s = in_whole_cells(window_s)
        cell_s = self._cells[rounded_s]
        from_s = (self._start_s + places * CELL_S - rounded_s) // cell_s * cell_s
        before = np.maximum(0, (from_s - self._start_s) // CELL_S)
        sums: Counts = self.running[:, places] - self.running[:, before]
        return sums
