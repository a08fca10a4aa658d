"""Counts that need whole minutes or a comparison before a request can be called good or bad.

Invariants: what is decided of a cell depends on all that was released for it, not on the order of
its parts; a minute is counted when it has ended, and once more, as bad only, if late costs lift it
over the threshold.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from inferometer.core.cubes import COST_MEASURE
from inferometer.core.money import usd_to_pico
from inferometer.core.slo.counting import BATCH_REQUESTS, DURATION_BINS
from inferometer.core.slo.definitions import HOUR_S, MINUTE_S, BatchIsolation, Cost, CostPer
from inferometer.core.slo.event_view import CELL_S
from inferometer.core.slo.isolation import IsolationBaseline

if TYPE_CHECKING:
    from inferometer.core.slo.counting import CountTable
    from inferometer.core.slo.definitions import Slo

Counted = tuple[int, int, int, int]
"""Group, start of the cell (s), valid requests, bad ones."""


class DerivedCounts(Protocol):
    """Turns released tables of one objective into counts."""

    def add(self, table: CountTable, groups: list[int]) -> None:
        """Take a table in; `groups` are the evaluator's numbers of its groups."""

    def complete(self, tick_s: int) -> list[Counted]:
        """Return what can be decided by a tick."""

    def to_state(self) -> list[Any]:
        """Return plain values for `restore`."""

    def restore(self, state: list[Any]) -> None:
        """Go on from `to_state`."""


def derived_counts(slo: Slo) -> DerivedCounts | None:
    """Return what an objective needs beside plain counting, None for most."""
    match slo.indicator:
        case Cost(per=CostPer.MINUTE, threshold_usd=threshold_usd):
            return MinuteCosts(usd_to_pico(threshold_usd))
        case BatchIsolation() as indicator:
            return IsolationCounts(indicator)
        case _:
            return None


@dataclass(slots=True)
class MinuteCosts:
    """Minutes with traffic, good or bad by what they cost together."""

    threshold_pico: int
    _open: dict[tuple[int, int], int] = field(default_factory=dict)
    """Cost by (group, start of the minute)."""
    _judged: dict[tuple[int, int], tuple[int, bool]] = field(default_factory=dict)
    """Cost, and whether it was bad, of the minutes of the last hour."""

    def add(self, table: CountTable, groups: list[int]) -> None:
        """Add the costs of a table to their minutes."""
        costs = table.columns[COST_MEASURE].tolist()
        for local, cell_s, pico in zip(
            table.group.tolist(), table.cells_s.tolist(), costs, strict=True
        ):
            key = (groups[local], cell_s // MINUTE_S * MINUTE_S)
            self._open[key] = self._open.get(key, 0) + pico

    def complete(self, tick_s: int) -> list[Counted]:
        """Judge the minutes that have ended."""
        found: list[Counted] = []
        for key in sorted(key for key in self._open if key[1] + MINUTE_S <= tick_s):
            group, minute_s = key
            before, was_bad = self._judged.get(key, (0, False))
            pico = before + self._open.pop(key)
            is_bad = pico > self.threshold_pico
            if key not in self._judged:
                found.append((group, minute_s + MINUTE_S - CELL_S, 1, int(is_bad)))
            elif is_bad and not was_bad:
                found.append((group, minute_s + MINUTE_S - CELL_S, 0, 1))
            self._judged[key] = (pico, is_bad)
        for key in [key for key in self._judged if key[1] < tick_s - HOUR_S]:
            del self._judged[key]
        return found

    def to_state(self) -> list[Any]:
        """Return plain values for `restore`."""
        return [
            [[*key, pico] for key, pico in self._open.items()],
            [[*key, pico, is_bad] for key, (pico, is_bad) in self._judged.items()],
        ]

    def restore(self, state: list[Any]) -> None:
        """Go on from `to_state`."""
        is_open, judged = state
        self._open = {(group, at_s): pico for group, at_s, pico in is_open}
        self._judged = {(group, at_s): (pico, is_bad) for group, at_s, pico, is_bad in judged}


@dataclass(slots=True)
class IsolationCounts:
    """Realtime requests while batch runs, held against their own p99 without batch.

    Batch runs in a cell if any of its attempts ended in it or within the minute before: what ends
    now ran before.
    """

    indicator: BatchIsolation
    _cells: dict[tuple[int, int], dict[int, int]] = field(default_factory=dict)
    """Realtime requests by bin of their duration, by (group, cell)."""
    _batch_s: dict[int, int] = field(default_factory=dict)
    """When batch was seen last, by group."""
    _baselines: dict[int, IsolationBaseline] = field(default_factory=dict)

    def add(self, table: CountTable, groups: list[int]) -> None:
        """Take in the bins of a table and note where batch was seen."""
        cells = table.cells_s.tolist()
        places = [groups[local] for local in table.group.tolist()]
        batches = table.columns[BATCH_REQUESTS].tolist()
        for group, cell_s, batch in zip(places, cells, batches, strict=True):
            if batch:
                self._batch_s[group] = max(self._batch_s.get(group, 0), cell_s)
            self._cells.setdefault((group, cell_s), {})
        sketch = table.bins[DURATION_BINS]
        for row, index, count in zip(
            sketch.row.tolist(), sketch.bins.tolist(), sketch.counts.tolist(), strict=True
        ):
            bins = self._cells[places[row], cells[row]]
            bins[index] = bins.get(index, 0) + count

    def complete(self, tick_s: int) -> list[Counted]:
        """Count the cells beside batch; learn from those without."""
        found: list[Counted] = []
        for group, cell_s in sorted(key for key in self._cells if key[1] + CELL_S <= tick_s):
            bins = self._cells.pop((group, cell_s))
            has_batch = 0 <= cell_s - self._batch_s.get(group, -HOUR_S) <= MINUTE_S
            total, bad = self._baseline(group).observe(cell_s, bins, has_batch=has_batch)
            if total:
                found.append((group, cell_s, total, bad))
        return found

    def _baseline(self, group: int) -> IsolationBaseline:
        return self._baselines.setdefault(group, IsolationBaseline(self.indicator))

    def to_state(self) -> list[Any]:
        """Return plain values for `restore`."""
        return [
            [[*key, list(bins.items())] for key, bins in self._cells.items()],
            list(self._batch_s.items()),
            [[group, baseline.snapshot()] for group, baseline in self._baselines.items()],
        ]

    def restore(self, state: list[Any]) -> None:
        """Go on from `to_state`."""
        cells, batch, baselines = state
        self._cells = {(group, cell_s): dict(map(tuple, bins)) for group, cell_s, bins in cells}
        self._batch_s = dict(map(tuple, batch))
        for group, data in baselines:
            self._baseline(group).restore(data)
