"""How a question is answered: from which relation, in which windows. What the store is told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from inferometer.core.query.measures import Measure
    from inferometer.core.query.questions import Filter, Granularity, Statuses, TimeRange

OTHER = "__other__"
"""The group of everything that has none of its own; the word that folded dimensions use too."""
LOG = "requests"


@dataclass(frozen=True, slots=True)
class Relation:
    """Where rows come from: `rows_table` of a cube and resolution, or the log."""

    name: str
    """`service_10s_rows`, ..., `usage_1h_rows`, or `requests`."""
    window_s: int
    """0 for the log: any window can be made of it."""

    @property
    def is_log(self) -> bool:
        """Whether rows are attempts, not deltas of windows."""
        return self.window_s == 0


@dataclass(frozen=True, kw_only=True)
class MetricsPlan:
    """One pass over a relation.

    The store answers with one row a (window, group), one a group over all windows, one a window
    over all groups, and one of everything, each with every measure computed from merged sums.
    """

    relation: Relation
    workspace_id: str | None
    measures: tuple[Measure, ...]
    time_range: TimeRange
    granularity: Granularity
    windows: tuple[datetime, ...]
    """Starts, rising; the first and the last may be cut by the range."""
    window_ends: tuple[datetime, ...]
    group_by: tuple[str, ...]
    filters: tuple[Filter, ...]
    statuses: Statuses
    top: int
    order_by: Measure
    groups: tuple[tuple[str, ...], ...] | None = None
    """Where given, exactly these have rows of their own, and nothing is ranked."""
