"""The value of a metric over its window, for each group: sums, ratios, means, quantiles, gauges.

Invariants: windows are whole cells of 10 s before the tick; counts add up in any order; a value
with nothing behind it is NaN, and a gauge that was not sampled for a whole window has none.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from inferometer.core.bins import MICROSECONDS_PER_MS, quantile_ms
from inferometer.core.cubes import COST_MEASURE, duration_columns
from inferometer.core.money import PICO_PER_USD
from inferometer.core.slo.array_texts import packed, unpacked
from inferometer.core.slo.gauge_counting import count_column, sampled_gauges, sum_column
from inferometer.core.slo.gauge_window import GaugeWindow
from inferometer.core.slo.measure_rings import FINE, MeasureRings, RingSize
from inferometer.core.slo.metric_rules import GAUGES, PIPELINE_GAUGES, MetricKind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from inferometer.core.slo.counting import BinCounts
    from inferometer.core.slo.metric_rules import Metric, MetricRule

CELL_S = FINE.cell_s


@dataclass(slots=True)
class BinWindow:
    """The sketch of one group over a window, kept as it slides."""

    cells: deque[tuple[int, dict[int, int]]] = field(default_factory=deque)
    """Start of the cell and its bins; oldest first but for late ones."""
    bins: dict[int, int] = field(default_factory=dict)
    """Their sum."""

    def add(self, cell_s: int, bins: Mapping[int, int]) -> None:
        """Add a cell."""
        self.cells.append((cell_s, dict(bins)))
        for name, count in bins.items():
            self.bins[name] = self.bins.get(name, 0) + count

    def forget(self, before_s: int) -> None:
        """Drop the cells that began before an instant; late ones among newer ones too."""
        if all(cell_s >= before_s for cell_s, _ in self.cells):
            return
        kept: deque[tuple[int, dict[int, int]]] = deque()
        for cell_s, bins in self.cells:
            if cell_s >= before_s:
                kept.append((cell_s, bins))
                continue
            for name, count in bins.items():
                left = self.bins[name] - count
                if left:
                    self.bins[name] = left
                else:
                    del self.bins[name]
        self.cells = kept


class MetricWindows:
    """What is kept of a rule's groups to say the value of its metric at a tick."""

    def __init__(self, rule: MetricRule) -> None:
        self.metric = rule.metric
        self.window_s = rule.window_s
        self.keys: list[tuple[str, ...]] = []
        self._numbers: dict[tuple[str, ...], int] = {}
        self._summed = tuple(name for name in rule.metric.needs if _is_summed(name))
        self._rings = MeasureRings(self._summed, (RingSize(CELL_S, rule.window_s),))
        self._sketches: list[BinWindow] = []
        self._samples: list[dict[str, tuple[int, float]]] = []
        """Newest sample of each gauge of the pipeline itself: instant and value."""
        self._gauges: list[GaugeWindow] = []
        self._sampled_gauges = _sampled(rule.metric)

    def number(self, key: tuple[str, ...]) -> int:
        """Return the number of a group; a new one for a key that was not seen."""
        number = self._numbers.setdefault(key, len(self.keys))
        if number == len(self.keys):
            self.keys.append(key)
            self._rings.ensure(number + 1)
            self._sketches.append(BinWindow())
            self._samples.append({})
            self._gauges.append(GaugeWindow())
        return number

    def add(
        self,
        groups: Sequence[tuple[str, ...]],
        group: NDArray[np.int32],
        cells_s: NDArray[np.int64],
        columns: Mapping[str, NDArray[np.int64]],
        bins: Mapping[str, BinCounts],
    ) -> None:
        """Add counts: row i is of `groups[group[i]]`, bins by row; the fields of a `CountTable`."""
        numbers = [self.number(key) for key in groups]
        for row, (index, cell_s) in enumerate(zip(group.tolist(), cells_s.tolist(), strict=True)):
            if self._summed:
                values = {name: int(columns[name][row]) for name in self._summed}
                self._rings.add(numbers[index], cell_s, values)
            for gauge in self._sampled_gauges:
                count = int(columns[count_column(gauge)][row])
                if count:
                    total = int(columns[sum_column(gauge)][row])
                    self._gauges[numbers[index]].add(gauge, cell_s, total, count)
        for sketch in bins.values():
            for row, found in _by_row(sketch).items():
                self._sketches[numbers[int(group[row])]].add(int(cells_s[row]), found)

    def sample(self, key: tuple[str, ...], gauge: str, at_s: int, value: float) -> None:
        """Keep a sample of a gauge of the pipeline itself, unless a newer one is kept."""
        if gauge not in PIPELINE_GAUGES:
            known = ", ".join(sorted(PIPELINE_GAUGES))
            raise ValueError(f"{gauge!r} is not read of the pipeline; use one of {known}")
        samples = self._samples[self.number(key)]
        if at_s >= samples.get(gauge, (0, 0.0))[0]:
            samples[gauge] = (at_s, value)

    def snapshot(self, number: int) -> dict[str, Any]:
        """Return everything that is kept of one group, as JSON can hold it."""
        return {
            "key": self.keys[number],
            "window_s": self.window_s,
            "needs": self.metric.needs,
            "rings": [[newest, packed(cells)] for newest, cells in self._rings.group_cells(number)],
            "cells": [[cell_s, [*bins.items()]] for cell_s, bins in self._sketches[number].cells],
            "samples": self._samples[number],
            "gauges": self._gauges[number].kept,
        }

    def restore(self, kept: Mapping[str, Any]) -> int:
        """Return the number of a group after taking it from its snapshot.

        What was counted for another metric or window is left out.
        """
        number = self.number(tuple(kept["key"]))
        if (kept["window_s"], tuple(kept["needs"])) == (self.window_s, self.metric.needs):
            cells = [(newest, unpacked(text, np.int64)) for newest, text in kept["rings"]]
            self._rings.set_group_cells(number, cells)
            for cell_s, bins in kept["cells"]:
                self._sketches[number].add(cell_s, dict(bins))
            self._samples[number] = {
                gauge: (at_s, value) for gauge, (at_s, value) in kept["samples"].items()
            }
            self._gauges[number] = GaugeWindow(kept.get("gauges"))
        return number

    def values(self, tick_s: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Return each group's value at a tick (NaN: none), and what count is behind it."""
        self._rings.advance(tick_s)
        metric, groups = self.metric, len(self.keys)
        if metric.kind is MetricKind.GAUGE or metric.measure in GAUGES:
            found = np.array([self._gauge_value(number, tick_s) for number in range(groups)])
            return found.reshape(groups), np.ones(groups, dtype=np.int64)
        if metric.kind is MetricKind.QUANTILE:
            return self._quantiles(tick_s)
        if metric.kind is MetricKind.MEAN:
            total, count = (self._sums(name, tick_s) for name in duration_columns(metric.measure))
            return _divided(total, count * MICROSECONDS_PER_MS), count.astype(np.int64)
        total = self._sums(metric.measure, tick_s)
        if metric.kind is MetricKind.RATIO:
            below = self._below(tick_s, groups)
            return _divided(total, below), below.astype(np.int64)
        if metric.kind is MetricKind.RATE:
            return total / self.window_s, total.astype(np.int64)
        return total, total.astype(np.int64)

    def _below(self, tick_s: int, groups: int) -> NDArray[np.float64]:
        if self.metric.per.isdigit():
            return np.full(groups, float(self.metric.per))
        return self._sums(self.metric.per, tick_s)

    def _sums(self, measure: str, tick_s: int) -> NDArray[np.float64]:
        sums = self._rings.sums(measure, tick_s - self.window_s, tick_s)
        return sums / PICO_PER_USD if measure == COST_MEASURE else sums

    def _quantiles(self, tick_s: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        found = np.full(len(self.keys), np.nan)
        counts = np.zeros(len(self.keys), dtype=np.int64)
        for number, sketch in enumerate(self._sketches):
            sketch.forget(tick_s - self.window_s)
            value = quantile_ms(sketch.bins, self.metric.quantile)
            if value is not None:
                found[number], counts[number] = value, sum(sketch.bins.values())
        return found, counts

    def _gauge_value(self, number: int, tick_s: int) -> float:
        samples, gauges = self._samples[number], self._gauges[number]
        values = []
        for name in self.metric.needs:
            if name in PIPELINE_GAUGES:
                at_s, value = samples.get(name, (0, np.nan))
                values.append(value if at_s > tick_s - self.window_s else np.nan)
            else:
                values.append(gauges.value(name, tick_s, self.window_s))
        if self.metric.per.isdigit():
            values.append(float(self.metric.per))
        if len(values) == 1:
            return values[0]
        return values[0] / values[1] if values[1] else float("nan")


def _sampled(metric: Metric) -> tuple[str, ...]:
    gauges = [name for name in metric.needs if name in GAUGES and name not in PIPELINE_GAUGES]
    return sampled_gauges(gauges)


def _is_summed(name: str) -> bool:
    return name not in GAUGES and not name.endswith("_bins")


def _divided(above: NDArray[np.float64], below: NDArray[np.float64]) -> NDArray[np.float64]:
    found = np.full(len(above), np.nan)
    np.divide(above, below, out=found, where=below > 0)
    return found


def _by_row(sketch: BinCounts) -> dict[int, dict[int, int]]:
    found: dict[int, dict[int, int]] = {}
    rows, bins, counts = sketch.row.tolist(), sketch.bins.tolist(), sketch.counts.tolist()
    for row, name, count in zip(rows, bins, counts, strict=True):
        found.setdefault(row, {})[name] = count
    return found
