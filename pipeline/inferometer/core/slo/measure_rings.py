"""Sums of measures by group and time, in rings of several cell lengths.

Invariants: addition only, so order does not matter; a window is a whole number of cells, widened to
the start of the cell that holds its first instant (the caller asks which instant that was); what is
older than a ring is not kept in it; cells ahead of the newest are empty.
Cells are 64-bit: one holds up to 9.2 million dollars in pico-dollars, more is cut off there, and
sums of money are taken in two parts, so that no window overflows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from inferometer.core.money import MAX_INT64
from inferometer.core.slo.definitions import DAY_S, HOUR_S, MINUTE_S

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

_PART = 10**6


@dataclass(frozen=True, slots=True)
class RingSize:
    """One ring: cells of a length, for as long as it reaches back."""

    cell_s: int
    reach_s: int

    @property
    def cells(self) -> int:
        """Cells that the ring has; one more than its reach, for the cell that is being filled."""
        return self.reach_s // self.cell_s + 1


FINE = RingSize(10, 6 * HOUR_S)
MIDDLE = RingSize(10 * MINUTE_S, 3 * DAY_S)
COARSE = RingSize(HOUR_S, 42 * DAY_S)
"""Six weeks of hours: what a forecast learns from."""


class MeasureRings:
    """Rings of named measures for groups that are numbered from 0; it grows as groups appear."""

    def __init__(
        self, measures: Sequence[str], sizes: Sequence[RingSize] = (FINE, MIDDLE, COARSE)
    ) -> None:
        self.measures = tuple(measures)
        self.sizes = tuple(sorted(sizes, key=lambda size: size.cell_s))
        self.groups = 0
        self._cells = [
            np.zeros((len(self.measures), 0, size.cells), dtype=np.int64) for size in self.sizes
        ]
        self._newest = [-1 for _ in self.sizes]
        """Number of the newest cell of each ring, counted from 1970."""

    def ensure(self, groups: int) -> None:
        """Have room for groups 0..groups-1."""
        if groups <= self.groups:
            return
        capacity = self._cells[0].shape[1]
        if groups > capacity:
            extra = max(groups, 2 * capacity) - capacity
            self._cells = [
                np.concatenate(
                    [cells, np.zeros((cells.shape[0], extra, cells.shape[2]), dtype=np.int64)],
                    axis=1,
                )
                for cells in self._cells
            ]
        self.groups = groups

    def add(self, group: int, at_s: int, values: Mapping[str, int]) -> None:
        """Add to the cells that hold an instant; unnamed measures stay."""
        self.ensure(group + 1)
        for index, size in enumerate(self.sizes):
            number = at_s // size.cell_s
            self._advance(index, number)
            if number > self._newest[index] - size.cells:
                slot = number % size.cells
                for measure, value in values.items():
                    place = (self.measures.index(measure), group, slot)
                    held = int(self._cells[index][place]) + value
                    self._cells[index][place] = min(held, MAX_INT64)

    def advance(self, at_s: int) -> None:
        """Forget what the rings no longer reach at an instant."""
        for index, size in enumerate(self.sizes):
            self._advance(index, at_s // size.cell_s)

    def _advance(self, index: int, number: int) -> None:
        newest, size = self._newest[index], self.sizes[index]
        if number <= newest:
            return
        if newest < 0 or number - newest >= size.cells:
            if newest >= 0:
                self._cells[index][:] = 0
        else:
            slots = np.arange(newest + 1, number + 1) % size.cells
            self._cells[index][:, :, slots] = 0
        self._newest[index] = number

    def window_start_s(self, start_s: int, end_s: int) -> int:
        """Return where a window that begins at `start_s` truly begins."""
        size = self.sizes[self._ring(start_s, end_s)]
        return start_s // size.cell_s * size.cell_s

    def sums(self, measure: str, start_s: int, end_s: int) -> NDArray[np.float64]:
        """Return each group's sum over [start, end), as floats; see `window_start_s`."""
        found: NDArray[np.float64] = self._window(measure, start_s, end_s).sum(
            axis=1, dtype=np.float64
        )
        return found

    def counts(self, measure: str, start_s: int, end_s: int) -> NDArray[np.int64]:
        """Return each group's sum over [start, end), exactly, of a measure that is a count."""
        found: NDArray[np.int64] = self._window(measure, start_s, end_s).sum(axis=1)
        return found

    def exact_sum(self, measure: str, group: int, start_s: int, end_s: int) -> int:
        """Return one group's sum over [start, end) as an integer of any size."""
        high, low = np.divmod(self._window(measure, start_s, end_s)[group], _PART)
        return int(high.sum()) * _PART + int(low.sum())

    def series(self, measure: str, group: int, size: RingSize, *, end_s: int) -> NDArray[np.int64]:
        """Return one group's whole cells that end by `end_s`, oldest first, as many as are kept.

        Cells that no event fell into, or that are forgotten, are zero.
        """
        index = self.sizes.index(size)
        last = end_s // size.cell_s
        numbers = np.arange(last - (size.cells - 1), last)
        kept = self._cells[index][self.measures.index(measure), group]
        return np.where(self._is_kept(index, numbers), kept[numbers % size.cells], 0)

    def group_cells(self, group: int) -> list[tuple[int, NDArray[np.int64]]]:
        """Return the newest cell's number and the cells [measure, slot] of each ring of a group."""
        return [
            (newest, cells[:, group])
            for newest, cells in zip(self._newest, self._cells, strict=True)
        ]

    def set_group_cells(self, group: int, kept: Sequence[tuple[int, NDArray[np.int64]]]) -> None:
        """Take the cells of a group as `group_cells` gave them; older cells than kept are empty."""
        self.ensure(group + 1)
        for index, (newest, flat) in enumerate(kept):
            size = self.sizes[index]
            self._advance(index, newest)
            numbers = np.arange(newest - size.cells + 1, newest + 1)
            alive = numbers[numbers > self._newest[index] - size.cells] % size.cells
            cells = flat.reshape(len(self.measures), size.cells)
            self._cells[index][:, group, alive] = cells[:, alive]

    def _window(self, measure: str, start_s: int, end_s: int) -> NDArray[np.int64]:
        index = self._ring(start_s, end_s)
        cell_s = self.sizes[index].cell_s
        return self._slots(measure, index, start_s // cell_s, -(-end_s // cell_s))

    def _slots(self, measure: str, index: int, first: int, last: int) -> NDArray[np.int64]:
        numbers = np.arange(first, last)
        kept = self._cells[index][self.measures.index(measure), : self.groups]
        cells: NDArray[np.int64] = kept[:, numbers % self.sizes[index].cells]
        cells[:, ~self._is_kept(index, numbers)] = 0
        return cells

    def _is_kept(self, index: int, numbers: NDArray[np.int64]) -> NDArray[np.bool_]:
        newest = self._newest[index]
        return (numbers <= newest) & (numbers > newest - self.sizes[index].cells)

    def _ring(self, start_s: int, end_s: int) -> int:
        for index, size in enumerate(self.sizes):
            if end_s - start_s <= size.reach_s:
                return index
        raise ValueError(
            f"a window of {end_s - start_s} s is longer than the rings keep, "
            f"{self.sizes[-1].reach_s} s; shorten it"
        )
