"""Counts of cells that no tick has passed yet: one source may be far ahead of the slowest.

Invariant: a row is handed out once, at the first tick that ends after its cell.
"""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Groups = npt.NDArray[np.intp]
    Seconds = npt.NDArray[np.int64]
    Counts = npt.NDArray[np.int64]
    Hashes = npt.NDArray[np.uint32]
    Rows = tuple[Groups, Seconds, Counts, Hashes]


class WaitingCounts:
    """Rows by the cell that they belong to."""

    def __init__(self) -> None:
        self._by_cell: dict[int, list[Rows]] = {}
        self._cells: list[int] = []
        """Keys of the rows, as a heap."""
        self._table: tuple[Groups, Counts] | None = None
        """All rows by group, while nothing changes: snapshots ask for each group in turn."""

    def add(self, columns: Groups, starts: Seconds, counts: Counts, hashes: Hashes) -> None:
        """Keep rows until a tick passes their cells."""
        self._table = None
        order = np.argsort(starts, kind="stable")
        edges = np.flatnonzero(np.diff(starts[order])) + 1
        for own in np.split(order, edges):
            cell_s = int(starts[own[0]])
            if cell_s not in self._by_cell:
                self._by_cell[cell_s] = []
                heapq.heappush(self._cells, cell_s)
            self._by_cell[cell_s].append(
                (columns[own], starts[own], counts[:, own], hashes[:, own])
            )

    def take_before(self, tick_s: int) -> Rows | None:
        """Hand out, once, what belongs to cells before a tick; None if nothing does."""
        found: list[Rows] = []
        self._table = None
        while self._cells and self._cells[0] < tick_s:
            found += self._by_cell.pop(heapq.heappop(self._cells))
        return _joined(found) if found else None

    def forget(self, group: int) -> None:
        """Drop the rows of a group."""
        self._table = None
        for cell_s, kept in self._by_cell.items():
            columns, starts, counts, hashes = _joined(kept)
            others = columns != group
            rows = (columns[others], starts[others], counts[:, others], hashes[:, others])
            self._by_cell[cell_s] = [rows]

    def groups(self) -> Groups:
        """Return the groups that have rows here."""
        kept = [rows[0] for of_cell in self._by_cell.values() for rows in of_cell]
        return np.unique(np.concatenate(kept)) if kept else np.zeros(0, np.intp)

    def rows_of(self, group: int) -> Counts:
        """Return [row, (cell, total, bad, low, high)] of a group, by cell."""
        if self._table is None:
            self._table = self._by_group()
        columns, rows = self._table
        first, end = np.searchsorted(columns, (group, group + 1))
        return rows[first:end]

    def _by_group(self) -> tuple[Groups, Counts]:
        kept = [rows for of_cell in self._by_cell.values() for rows in of_cell]
        if not kept:
            return np.zeros(0, np.intp), np.zeros((0, 5), np.int64)
        columns, starts, counts, hashes = _joined(kept)
        rows = np.column_stack((starts, counts.T, hashes.T)).astype(np.int64)
        # By what is in a row, not by when it came: equal counts are equal snapshots.
        order = np.lexsort((*rows.T[::-1], columns))
        return columns[order], rows[order]


def _joined(rows: list[Rows]) -> Rows:
    if len(rows) == 1:
        return rows[0]
    columns, starts, counts, hashes = zip(*rows, strict=True)
    return (
        np.concatenate(columns),
        np.concatenate(starts),
        np.concatenate(counts, axis=1),
        np.concatenate(hashes, axis=1),
    )
