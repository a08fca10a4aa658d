"""Samples of gauges as counts: what a chunk of the signals topic adds for rules on gauges.

Invariant: a cell holds the sum of its samples, as integers, and their number, so that samples add
up in any order; the mean of the newest cell is the value that stands.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from inferometer.core.slo.counting import CountTable, table_name
from inferometer.core.slo.event_view import coded, into_cells, selected

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inferometer.core.columns import CodeColumn
    from inferometer.core.gauges import GaugeSample
    from inferometer.core.slo.counting import MeasureCount
    from inferometer.core.slo.event_view import Integers

HEARTBEAT_AGE = "heartbeat_age_s"
GAUGES_OF = {HEARTBEAT_AGE: ("heartbeat", "farewell")}
"""The samples that a gauge of rules is made of, where they are not of its own name."""
SCALES = {"gpu_utilisation": 1_000_000}
"""What makes integers of a gauge's values; those of others are whole as they are."""


def sum_column(gauge: str) -> str:
    """Return the column of a cell's sum, times the gauge's scale."""
    return f"{gauge}_sum"


def count_column(gauge: str) -> str:
    """Return the column of a cell's number of samples."""
    return f"{gauge}_samples"


def sampled_gauges(needs: Sequence[str]) -> tuple[str, ...]:
    """Return the samples that a rule's gauges are made of."""
    return tuple(gauge for name in needs for gauge in GAUGES_OF.get(name, (name,)))


@dataclass(frozen=True, slots=True)
class GaugeView:
    """Samples of one chunk, each once."""

    samples: Sequence[GaugeSample]

    @property
    def instants_us(self) -> Integers:
        """When each was so."""
        return np.array([sample.ts for sample in self.samples], dtype=np.int64)

    def dimension(self, name: str) -> CodeColumn:
        """Return a dimension of every sample; empty where samples do not carry it."""
        return coded([str(getattr(sample, name, "")) for sample in self.samples])


def count_gauges(wanted: MeasureCount, view: GaugeView) -> CountTable:
    """Return what samples add to the cells of one rule."""
    gauges = sampled_gauges(wanted.needs)
    names = np.array([sample.gauge for sample in view.samples])
    rows = np.isin(names, gauges) & selected(view, wanted.workspace, wanted.selector)
    cells = into_cells(view, rows, wanted.group_by)
    scaled = [round(sample.value * SCALES.get(sample.gauge, 1)) for sample in view.samples]
    values = np.array(scaled, dtype=np.int64)[rows]
    columns = {}
    for gauge in gauges:
        is_of = names[rows] == gauge
        columns[sum_column(gauge)] = cells.sums(np.where(is_of, values, 0))
        columns[count_column(gauge)] = cells.counts(is_of)
    return CountTable(
        name=table_name(wanted.workspace, wanted.name),
        digest=wanted.digest,
        groups=cells.groups,
        group=cells.group,
        cells_s=cells.cells_s,
        columns=columns,
    )
