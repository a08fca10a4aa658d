"""The gauges of one group: the newest cell that has samples of each says its value.

Invariant: what comes of samples does not depend on the order in which they are added.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from inferometer.core.slo.event_view import CELL_S
from inferometer.core.slo.gauge_counting import GAUGES_OF, HEARTBEAT_AGE, SCALES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Cell = tuple[int, int, int]
"""Start (s), scaled sum, number of samples."""


class GaugeWindow:
    """What is kept of one group's gauges."""

    def __init__(self, cells: Mapping[str, Sequence[int]] | None = None) -> None:
        """Begin empty, or where `kept` left off."""
        self._cells: dict[str, Cell] = {
            gauge: (int(start), int(total), int(count))
            for gauge, (start, total, count) in (cells or {}).items()
        }

    @property
    def kept(self) -> dict[str, Cell]:
        """Everything that there is to keep."""
        return dict(self._cells)

    def add(self, gauge: str, cell_s: int, total: int, count: int) -> None:
        """Add the samples of a cell; those of an older one than the newest change nothing."""
        newest, old_total, old_count = self._cells.get(gauge, (cell_s, 0, 0))
        if cell_s == newest:
            self._cells[gauge] = (cell_s, old_total + total, old_count + count)
        elif cell_s > newest:
            self._cells[gauge] = (cell_s, total, count)

    def value(self, name: str, tick_s: int, window_s: int) -> float:
        """Return what stands at a tick; NaN where no sample is younger than the window."""
        if name == HEARTBEAT_AGE:
            return self._heartbeat_age_s(tick_s, window_s)
        start, total, count = self._cells.get(name, (0, 0, 0))
        if not count or start + CELL_S <= tick_s - window_s:
            return math.nan
        return total / count / SCALES.get(name, 1)

    def _heartbeat_age_s(self, tick_s: int, window_s: int) -> float:
        beat, farewell = (self._cells.get(gauge) for gauge in GAUGES_OF[HEARTBEAT_AGE])
        if beat is None or (farewell is not None and farewell[0] >= beat[0]):
            return math.nan
        age_s = max(0, tick_s - (beat[0] + CELL_S))
        return float(age_s) if age_s < window_s else math.nan
