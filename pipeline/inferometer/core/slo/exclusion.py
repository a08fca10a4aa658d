"""Counts without those that maintenance windows exclude.

Invariants: an excluded cell leaves nothing behind, neither count nor bin; groups keep their numbers,
so that a group of which everything is excluded is still known.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from inferometer.core.slo.counting import BinCounts

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from inferometer.core.alerts.subjects import Definition
    from inferometer.core.slo.counting import CountTable

    ExcludedBy = Callable[[Mapping[str, str], int], tuple[str, ...]]


def kept_rows(
    labels: Sequence[Mapping[str, str]],
    group: NDArray[Any],
    cells_s: NDArray[Any],
    excluded_by: ExcludedBy,
) -> NDArray[np.bool_]:
    """Return which rows stay; `labels` are those of each group."""
    places = zip(group.tolist(), cells_s.tolist(), strict=True)
    return np.array(
        [not excluded_by(labels[number], cell_s) for number, cell_s in places], dtype=np.bool_
    )


def labels_of(definition: Definition, groups: Sequence[tuple[str, ...]]) -> list[Mapping[str, str]]:
    """Return what maintenance windows are asked about, group by group."""
    return [{**definition.labels, **definition.subject(values).labels} for values in groups]


def without_excluded(
    table: CountTable, definition: Definition, excluded_by: ExcludedBy | None
) -> CountTable:
    """Return a table without its excluded rows; the table itself where nothing can be excluded."""
    if excluded_by is None or not len(table):
        return table
    labels = labels_of(definition, table.groups)
    rows = kept_rows(labels, table.group, table.cells_s, excluded_by)
    if rows.all():
        return table
    # Where each row goes; what is left out goes nowhere.
    moved = np.where(rows, np.cumsum(rows) - 1, -1).astype(np.int32)
    return replace(
        table,
        group=table.group[rows],
        cells_s=table.cells_s[rows],
        columns={name: column[rows] for name, column in table.columns.items()},
        bins={name: _kept_bins(bins, rows, moved) for name, bins in table.bins.items()},
        drawn=None if table.drawn is None else table.drawn.of_rows(rows),
    )


def _kept_bins(bins: BinCounts, rows: NDArray[np.bool_], moved: NDArray[np.int32]) -> BinCounts:
    chosen = rows[bins.row]
    return BinCounts(moved[bins.row[chosen]], bins.bins[chosen], bins.counts[chosen])
