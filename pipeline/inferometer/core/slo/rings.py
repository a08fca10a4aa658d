"""Counts of every group over all windows of an objective: three resolutions that move together.

Invariants: what was added before a tick is in every window that holds its cell, in whichever order
it came; cells at or after the last tick wait and count from the tick that ends after them; nothing
older than the longest window is taken. Per group and with the shipped windows: 10 s over 6 h, 10 min
over 3 d, 1 h over the period, and callers by the minute, in less than 32 kB.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from inferometer.core.slo.definitions import DAY_S, HOUR_S, MINUTE_S
from inferometer.core.slo.group_snapshots import GroupSnapshot, Section
from inferometer.core.slo.principals import NO_HIGH, NO_LOW, PrincipalCells
from inferometer.core.slo.waiting_counts import WaitingCounts
from inferometer.core.slo.window_sums import RingShape, WindowSums
from inferometer.errors import StateError

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy.typing as npt

    Groups = npt.NDArray[np.intp]
    Seconds = npt.NDArray[np.int64]
    Counts = npt.NDArray[np.int64]
    Hashes = npt.NDArray[np.uint32]

CELL_S = 10
_FINE_SPAN_S = 6 * HOUR_S
_MIDDLE_SPAN_S = 3 * DAY_S
_COARSE_CELLS = 720
# Beyond so many cells at once, clearing and counting anew costs less than one step a cell.
_MOST_STEPS = 360


def in_whole_cells(window_s: int) -> int:
    """Return a window, prolonged to whole cells."""
    return -(-window_s // CELL_S) * CELL_S


def ring_shapes(windows_s: Iterable[int]) -> tuple[RingShape, ...]:
    """Return the resolutions for windows: each is read from the finest that reaches so far back."""
    rounded = sorted({in_whole_cells(window_s) for window_s in windows_s})
    longest_s = rounded[-1]
    coarse_s = max(HOUR_S, -(-longest_s // (_COARSE_CELLS * HOUR_S)) * HOUR_S)
    bounds = ((CELL_S, 0, _FINE_SPAN_S), (10 * MINUTE_S, _FINE_SPAN_S, _MIDDLE_SPAN_S))
    shapes = []
    for cell_s, above_s, up_to_s in (*bounds, (coarse_s, _MIDDLE_SPAN_S, longest_s)):
        inside = tuple(window_s for window_s in rounded if above_s < window_s <= up_to_s)
        if inside:
            shapes.append(RingShape(cell_s, inside[-1], inside))
    return tuple(shapes)


class CountRings:
    """Total and bad counts of the groups of one objective, and the sums of its windows."""

    def __init__(
        self, windows_s: Iterable[int], *, capacity: int = 1, has_principals: bool = True
    ) -> None:
        shapes = ring_shapes(windows_s)
        self.windows_s = tuple(window_s for shape in shapes for window_s in shape.windows_s)
        """Whole cells, rising."""
        self._sums = np.zeros((len(self.windows_s), 2, capacity), np.int64)
        self._rings = [
            WindowSums(shape, part)
            for shape, part in zip(shapes, _parts(self._sums, shapes), strict=True)
        ]
        self._principals = PrincipalCells(capacity) if has_principals else None
        self._waiting = WaitingCounts()
        self._longest = self._rings[-1].shape
        self._free: list[int] = []
        self.capacity = capacity
        self.size = 0
        """One more than the largest index that was given to a group."""
        self.now_s: int | None = None
        """The last tick; None before the first."""
        self.first_seen_s = np.zeros(capacity, np.int64)
        """Start of the first cell of each group; 0 where none was seen."""
        self.late_requests = 0
        """Requests of cells that a tick had passed already: they count, but change no past tick."""
        self.too_old_rows = 0
        """Rows that were older than every window."""

    # Groups

    def new_group(self) -> int:
        """Return the index of a new, empty group."""
        if self._free:
            return self._free.pop()
        if self.size == self.capacity:
            # By half: what is not used yet takes memory as well.
            self._grow(self.capacity + max(1, self.capacity // 2))
        self.size += 1
        return self.size - 1

    def forget(self, group: int) -> None:
        """Empty a group; its index goes to a later one."""
        for ring in self._rings:
            ring.forget(group)
        if self._principals:
            self._principals.forget(group)
        self._waiting.forget(group)
        self.first_seen_s[group] = 0
        self._free.append(group)

    def idle_groups(self) -> Groups:
        """Return the groups that were seen, but hold nothing any more: they may be forgotten."""
        is_idle = (self.first_seen_s[: self.size] > 0) & (self._sums[-1, 0, : self.size] == 0)
        is_idle[self._waiting.groups()] = False
        return np.flatnonzero(is_idle)

    def bytes_per_group(self) -> int:
        """Return how much memory one group takes."""
        arrays = [self._sums, *(ring.cells for ring in self._rings)]
        arrays += [self._principals.hashes] if self._principals else []
        return sum(array.nbytes for array in arrays) // self.capacity + 8

    # Counts

    def add(
        self,
        groups: npt.ArrayLike,
        cells_s: npt.ArrayLike,
        totals: npt.ArrayLike,
        bads: npt.ArrayLike,
        lows: npt.ArrayLike | None = None,
        highs: npt.ArrayLike | None = None,
    ) -> None:
        """Add rows of counts; raises StateError for an unknown group or impossible counts.

        `cells_s` are starts of cells of ten seconds. `lows` and `highs` are the smallest and the
        largest hash of the callers that failed (`NO_LOW`, `NO_HIGH` where none is known).
        """
        columns = np.atleast_1d(np.asarray(groups, np.intp))
        starts = np.atleast_1d(np.asarray(cells_s, np.int64)) // CELL_S * CELL_S
        counts = np.stack((np.atleast_1d(totals), np.atleast_1d(bads))).astype(np.int64)
        hashes = np.stack((_hashes(lows, NO_LOW, columns), _hashes(highs, NO_HIGH, columns)))
        self._refuse_wrong(columns, counts)
        if not columns.size:
            return
        if self.now_s is None:
            self._waiting.add(columns, starts, counts, hashes)
            return
        is_early = starts >= self.now_s
        if is_early.any():
            self._waiting.add(
                columns[is_early], starts[is_early], counts[:, is_early], hashes[:, is_early]
            )
            late = ~is_early
            columns, starts = columns[late], starts[late]
            counts, hashes = counts[:, late], hashes[:, late]
        self.late_requests += int(counts[0].sum())
        self._apply(columns, starts, counts, hashes, self.now_s)

    def advance_to(self, tick_s: int) -> None:
        """Move every window so that it ends at a tick; raises StateError if time would fall."""
        if tick_s % CELL_S:
            raise StateError(f"tick {tick_s} is no multiple of {CELL_S} s: align ticks to cells")
        if self.now_s is None:
            self.now_s = tick_s
            self._apply_waiting(tick_s)
            return
        if tick_s < self.now_s:
            raise StateError(
                f"tick {tick_s} is before {self.now_s}: drop ticks that were evaluated"
            )
        if tick_s - self.now_s > _MOST_STEPS * CELL_S:
            self._jump(self.now_s, tick_s)
            return
        while self.now_s < tick_s:
            self._step(self.now_s)

    def sums(self) -> Counts:
        """Return a copy of [window, total or bad, group] at the last tick."""
        return self._sums[:, :, : self.size].copy()

    def observed_s(self) -> Seconds:
        """Return for how long each group has been seen."""
        first = self.first_seen_s[: self.size]
        return np.where(first > 0, (self.now_s or 0) - first, 0)

    def principal_counts(self, groups: Groups, window_s: int) -> npt.NDArray[np.int8]:
        """Return for each group whether one caller or several failed (`principals.UNKNOWN`...)."""
        if self._principals is None or self.now_s is None:
            return np.zeros(groups.shape, np.int8)
        return self._principals.count(groups, window_s, self.now_s)

    # Snapshots

    def column(self, group: int) -> GroupSnapshot:
        """Return all that is known of a group."""
        now_s = self.now_s
        rings = {}
        principals = None
        if now_s is not None:
            rings = {ring.shape.cell_s: Section(*ring.column(group, now_s)) for ring in self._rings}
            if self._principals:
                principals = Section(*self._principals.column(group, now_s))
        return GroupSnapshot(
            now_s=now_s,
            first_seen_s=int(self.first_seen_s[group]),
            rings=rings,
            principals=principals,
            waiting=self._waiting.rows_of(group),
        )

    def put_column(self, group: int, snapshot: GroupSnapshot) -> None:
        """Set all of an empty group; time moves on to that of the snapshot if it is behind."""
        if snapshot.now_s is not None:
            if self.now_s is None or self.now_s < snapshot.now_s:
                self.advance_to(snapshot.now_s)
            self._put_cells(group, snapshot, max(snapshot.now_s, self.now_s or 0))
        self.first_seen_s[group] = snapshot.first_seen_s
        rows = snapshot.waiting
        if len(rows):
            columns = np.full(len(rows), group)
            self.add(columns, rows[:, 0], rows[:, 1], rows[:, 2], rows[:, 3], rows[:, 4])

    def _put_cells(self, group: int, snapshot: GroupSnapshot, now_s: int) -> None:
        for ring in self._rings:
            section = snapshot.rings.get(ring.shape.cell_s)
            if section is not None:
                ring.put(group, section.first, section.cells, now_s)
        if self._principals and snapshot.principals is not None:
            self._principals.put(group, snapshot.principals.first, snapshot.principals.cells, now_s)

    # Inside

    def _grow(self, capacity: int) -> None:
        wide = np.zeros((*self._sums.shape[:2], capacity), np.int64)
        wide[:, :, : self.capacity] = self._sums
        self._sums = wide
        shapes = tuple(ring.shape for ring in self._rings)
        for ring, part in zip(self._rings, _parts(wide, shapes), strict=True):
            ring.grow(part)
        if self._principals:
            self._principals.grow(capacity)
        self.first_seen_s = np.pad(self.first_seen_s, (0, capacity - self.capacity))
        self.capacity = capacity

    def _step(self, now_s: int) -> None:
        tick_s = now_s + CELL_S
        for ring in self._rings:
            ring.step(now_s, tick_s)
        if self._principals:
            self._principals.open(now_s)
        self.now_s = tick_s
        self._apply_waiting(tick_s)

    def _jump(self, now_s: int, tick_s: int) -> None:
        for ring in self._rings:
            ring.jump(now_s, tick_s)
            ring.recount(tick_s)
        if self._principals:
            self._principals.jump(now_s, tick_s)
        self.now_s = tick_s
        self._apply_waiting(tick_s)

    def _apply_waiting(self, tick_s: int) -> None:
        rows = self._waiting.take_before(tick_s)
        if rows is not None:
            self._apply(*rows, tick_s)

    def _apply(
        self, columns: Groups, starts: Seconds, counts: Counts, hashes: Hashes, now_s: int
    ) -> None:
        cell_s, span_s = self._longest.cell_s, self._longest.span_s
        is_kept = starts // cell_s >= (now_s - span_s) // cell_s
        if not is_kept.all():
            self.too_old_rows += int((~is_kept).sum())
            columns, starts = columns[is_kept], starts[is_kept]
            counts, hashes = counts[:, is_kept], hashes[:, is_kept]
        if not columns.size:
            return
        self._note_first(columns, starts, counts[0])
        for ring in self._rings:
            ring.add(columns, starts, counts, now_s)
        if self._principals:
            self._principals.add(columns, starts, hashes[0], hashes[1], now_s)

    def _note_first(self, columns: Groups, starts: Seconds, totals: Counts) -> None:
        seen, cells_s = columns[totals > 0], starts[totals > 0]
        unseen = self.first_seen_s[seen] == 0
        self.first_seen_s[seen[unseen]] = np.iinfo(np.int64).max
        np.minimum.at(self.first_seen_s, seen, cells_s)

    def _refuse_wrong(self, columns: Groups, counts: Counts) -> None:
        if columns.size and not 0 <= columns.min() <= columns.max() < self.size:
            raise StateError("counts of a group that has no place: call new_group() for it first")
        if (counts[1] < 0).any() or (counts[1] > counts[0]).any():
            raise StateError(
                "more bad requests than requests, or fewer than none: check the counter"
            )


def _parts(sums: Counts, shapes: tuple[RingShape, ...]) -> list[Counts]:
    """Return the part of the sums that belongs to each resolution: views of one array."""
    edges = np.cumsum([len(shape.windows_s) for shape in shapes])[:-1]
    return np.split(sums, edges)


def _hashes(given: npt.ArrayLike | None, default: int, columns: Groups) -> Hashes:
    if given is None:
        return np.full(columns.shape, default, np.uint32)
    return np.atleast_1d(np.asarray(given)).astype(np.uint32)
