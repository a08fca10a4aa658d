"""Puts the rows of a store together: every window filled, groups ranked, finality by watermark.

Rows may tell what groups are ranked by behind their measures (`planning.ranking`).

Invariants: a sum over nothing is 0, and a ratio, mean or quantile over nothing is None; a window
that nothing is kept of is None in every measure; all series have a value for each window.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from inferometer.core.query.answers import Compared, MetricsAnswer, Series
from inferometer.core.query.measures import Rate, Sum, Sums
from inferometer.core.query.planning import ranking
from inferometer.core.query.plans import OTHER

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from decimal import Decimal

    from inferometer.core.query.answers import Freshness, MeasuredRow, Number
    from inferometer.core.query.measures import Measure
    from inferometer.core.query.planning import Planned
    from inferometer.core.query.plans import MetricsPlan

Group = tuple[str, ...]
Values = dict[str, list["Number"]]
Total = dict[str, "Number"]


def number(value: float | Decimal | None) -> Number:
    """Return a number as JSON can hold it; None for what is none."""
    if value is None or isinstance(value, int):
        return value
    found = float(value)
    return found if math.isfinite(found) else None


def of_nothing(measure: Measure) -> Number:
    """Return what a measure is where nothing happened."""
    return 0 if isinstance(measure.form, Sum | Sums | Rate) else None


def assemble(
    planned: Planned,
    rows: Sequence[MeasuredRow],
    *,
    groups_total: int,
    freshness: Freshness,
    compared: Compared | None = None,
    notes: Sequence[str] = (),
) -> MetricsAnswer:
    """Return the answer to a plan."""
    plan = planned.plan
    table = _Table(planned, rows)
    return MetricsAnswer(
        plan=plan,
        is_from_log=plan.relation.is_log,
        notes=[*planned.notes, *notes],
        freshness=freshness,
        coverage=planned.coverage,
        windows=list(plan.windows),
        window_ends=list(plan.window_ends),
        is_final=_finality(plan, freshness.watermark),
        total=table.total(None),
        values=table.values(None),
        series=table.series(),
        groups_total=groups_total,
        compared=compared,
    )


def assemble_compared(planned: Planned, rows: Sequence[MeasuredRow]) -> Compared:
    """Return what an answer is held against."""
    plan = planned.plan
    table = _Table(planned, rows)
    return Compared(
        start=plan.time_range.start,
        end=plan.time_range.end,
        windows=list(plan.windows),
        total=table.total(None),
        values=table.values(None),
        series=table.series(),
    )


def _finality(plan: MetricsPlan, watermark: datetime | None) -> list[bool]:
    end = plan.time_range.end
    return [watermark is not None and min(last, end) <= watermark for last in plan.window_ends]


class _Table:
    """Rows by group and window."""

    def __init__(self, planned: Planned, rows: Sequence[MeasuredRow]) -> None:
        self._plan = plan = planned.plan
        self._kept_since = planned.coverage.start
        place = {start: index for index, start in enumerate(plan.windows)}
        self._totals: dict[Group | None, tuple[Number, ...]] = {}
        self._cells: dict[tuple[Group | None, int], tuple[Number, ...]] = {}
        for row in rows:
            values = tuple(number(value) for value in row.values)
            if row.window_start is None:
                self._totals[row.group] = values
            elif (index := place.get(row.window_start)) is not None:
                self._cells[row.group, index] = values

    def total(self, group: Group | None) -> Total:
        """Return each measure of a group over the whole range."""
        return self._named(self._total(group))

    def values(self, group: Group | None) -> Values:
        """Return each measure of a group in each window."""
        cells = [self._cell(group, index) for index in range(len(self._plan.windows))]
        return {
            measure.name: [cell[column] for cell in cells]
            for column, measure in enumerate(self._plan.measures)
        }

    def series(self) -> list[Series]:
        """Return the groups, highest first, and what has no series of its own last."""
        plan = self._plan
        if not plan.group_by:
            return []
        other = (OTHER,) * len(plan.group_by)
        return [
            Series(
                group=dict(zip(plan.group_by, group, strict=True)),
                is_other=group == other,
                total=self.total(group),
                values=self.values(group),
            )
            for group in self._ranked(other)
        ]

    def _ranked(self, other: Group) -> list[Group]:
        plan = self._plan
        found = {group for group, _ in self._cells if group} | {g for g in self._totals if g}
        if plan.groups is not None:
            rest = [other] if other in found and other not in plan.groups else []
            return [*plan.groups, *rest]
        measures = ranking(plan).measures
        column = measures.index(plan.order_by)

        def place(group: Group) -> tuple[bool, bool, float, Group]:
            values = self._total(group)
            value = values[column] if column < len(values) else None
            return group == other, value is None, -(value or 0), group

        return sorted(found, key=place)

    def _total(self, group: Group | None) -> tuple[Number, ...]:
        if (found := self._totals.get(group)) is not None:
            return found
        # One window over all of the range is the total.
        if len(self._plan.windows) == 1 and (group, 0) in self._cells:
            return self._cells[group, 0]
        return self._nothing()

    def _cell(self, group: Group | None, index: int) -> tuple[Number, ...]:
        if (found := self._cells.get((group, index))) is not None:
            return found
        plan = self._plan
        if plan.window_ends[index] <= self._kept_since:
            return (None,) * len(plan.measures)
        if len(plan.windows) == 1 and group in self._totals:
            return self._totals[group]
        return self._nothing()

    def _named(self, values: tuple[Number, ...]) -> Total:
        measures = self._plan.measures
        return {
            measure.name: value
            for measure, value in zip(measures, values[: len(measures)], strict=True)
        }

    def _nothing(self) -> tuple[Number, ...]:
        return tuple(of_nothing(measure) for measure in self._plan.measures)
