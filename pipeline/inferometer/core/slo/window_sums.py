"""One resolution of counts, in a ring, and the running sums of the windows that are read from it.

Invariants: a sum equals the sum over the cells of its window at every tick, whatever was added
late; integers throughout. A window that is no multiple of the cell, or stands askew to its cells,
counts the cell at its far edge whole: it is at most one cell too long.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Groups = npt.NDArray[np.intp]
    Seconds = npt.NDArray[np.int64]
    Counts = npt.NDArray[np.int64]
    Cells = npt.NDArray[np.uint32]

_MOST = np.iinfo(np.uint32).max


@dataclass(frozen=True, slots=True)
class RingShape:
    """A resolution: how long a cell is, how far back it reaches, and who reads it."""

    cell_s: int
    span_s: int
    windows_s: tuple[int, ...]

    @property
    def slots(self) -> int:
        """One more than the span needs, for the cell that is being filled."""
        return -(-self.span_s // self.cell_s) + 1


class WindowSums:
    """Total and bad counts of every group in one resolution."""

    def __init__(self, shape: RingShape, sums: Counts) -> None:
        self.shape = shape
        self.cells = np.zeros((shape.slots, *sums.shape[1:]), np.uint32)
        """[slot, total or bad, group]: what a tick touches lies side by side."""
        self.sums = sums
        """[window, total or bad, group]: a part of the array that all resolutions share."""

    def grow(self, sums: Counts) -> None:
        """Make room for as many groups as there are in the sums, which have grown."""
        wide = np.zeros((*self.cells.shape[:-1], sums.shape[-1]), np.uint32)
        wide[..., : self.cells.shape[-1]] = self.cells
        self.cells, self.sums = wide, sums

    def step(self, now_s: int, tick_s: int) -> None:
        """Let out what leaves its window between two instants, at most one cell of this ring."""
        cell_s, slots = self.shape.cell_s, self.shape.slots
        # Plain integers: for a handful of windows, arrays would cost more than the work.
        leaving = [(now_s - window_s) // cell_s for window_s in self.shape.windows_s]
        moved = [
            place
            for place, window_s in enumerate(self.shape.windows_s)
            if (tick_s - window_s) // cell_s > leaving[place]
        ]
        if len(moved) == len(leaving):
            self.sums -= self.cells[[number % slots for number in leaving]]
        elif moved:
            self.sums[moved] -= self.cells[[leaving[place] % slots for place in moved]]
        if now_s % cell_s == 0:
            self.cells[(now_s // cell_s) % slots] = 0

    def jump(self, now_s: int, tick_s: int) -> None:
        """Go far: clear the cells between two instants; `recount` has to follow."""
        first, last = -(-now_s // self.shape.cell_s), -(-tick_s // self.shape.cell_s)
        opened = np.arange(max(first, last - self.shape.slots), last)
        self.cells[opened % self.shape.slots] = 0

    def recount(self, now_s: int) -> None:
        """Compute every sum anew from the cells."""
        last = -(-now_s // self.shape.cell_s)
        for place, window_s in enumerate(self.shape.windows_s):
            slots = np.arange((now_s - window_s) // self.shape.cell_s, last) % self.shape.slots
            self.sums[place] = self.cells[slots].sum(axis=0, dtype=np.int64)

    def add(self, groups: Groups, cells_s: Seconds, counts: Counts, now_s: int) -> None:
        """Add [total or bad, row] to cells before now; those older than the span are left out."""
        numbers = cells_s // self.shape.cell_s
        kept = numbers >= (now_s - self.shape.span_s) // self.shape.cell_s
        if not kept.all():
            groups, numbers, counts = groups[kept], numbers[kept], counts[:, kept]
        if not groups.size:
            return
        numbers, groups, counts = _merged(numbers, groups, counts)
        slots = numbers % self.shape.slots
        held = self.cells[slots, :, groups].T.astype(np.int64)
        # A cell holds 32 bits: it stays full rather than starting anew at zero.
        fitting = np.minimum(counts, _MOST - held)
        self.cells[slots, :, groups] = (held + fitting).T.astype(np.uint32)
        self._add_to_sums(numbers, groups, fitting, now_s)

    def _add_to_sums(self, numbers: Seconds, groups: Groups, counts: Counts, now_s: int) -> None:
        firsts = [(now_s - window_s) // self.shape.cell_s for window_s in self.shape.windows_s]
        oldest, newest = int(numbers[0]), int(numbers[-1])
        if oldest == newest and oldest >= firsts[0]:
            # The tick's own cell, as nearly always: each group once, and inside every window.
            self.sums[:, :, groups] += counts
            return
        for place, first in enumerate(firsts):
            inside = slice(None) if oldest >= first else numbers >= first
            np.add.at(self.sums[place, 0], groups[inside], counts[0, inside])
            np.add.at(self.sums[place, 1], groups[inside], counts[1, inside])

    def column(self, group: int, now_s: int) -> tuple[int, Cells]:
        """Return the number of the first cell that is kept, and [cell, total or bad] from it on."""
        first = (now_s - self.shape.span_s) // self.shape.cell_s
        numbers = np.arange(first, -(-now_s // self.shape.cell_s))
        return first, self.cells[numbers % self.shape.slots, :, group]

    def put(self, group: int, first: int, cells: Cells, now_s: int) -> None:
        """Set what `column` returned, as far as it is still kept, and the sums of the group."""
        cell_s = self.shape.cell_s
        numbers = np.arange(first, first + len(cells))
        kept = (numbers >= (now_s - self.shape.span_s) // cell_s) & (numbers * cell_s < now_s)
        numbers, cells = numbers[kept], cells[kept]
        self.cells[numbers % self.shape.slots, :, group] = cells
        for place, window_s in enumerate(self.shape.windows_s):
            inside = numbers >= (now_s - window_s) // cell_s
            self.sums[place, :, group] = cells[inside].sum(axis=0, dtype=np.int64)

    def forget(self, group: int) -> None:
        """Empty the column of a group."""
        self.cells[:, :, group] = 0
        self.sums[:, :, group] = 0


def _merged(numbers: Seconds, groups: Groups, counts: Counts) -> tuple[Seconds, Groups, Counts]:
    """Return each (cell, group) once, by cell: an indexed addition would keep the last of several."""
    if numbers.size == 1:
        return numbers, groups, counts
    order = np.lexsort((groups, numbers))
    numbers, groups, counts = numbers[order], groups[order], counts[:, order]
    starts = np.flatnonzero(
        np.concatenate(([True], (np.diff(numbers) != 0) | (np.diff(groups) != 0)))
    )
    return numbers[starts], groups[starts], np.add.reduceat(counts, starts, axis=1)
