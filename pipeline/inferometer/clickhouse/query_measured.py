"""Texts that answer a plan: which groups have the most, and every measure of every cell and margin.

Sketches are read once for all margins (`GROUPING SETS`), because reading them costs as much as
merging them does, and margins are made of cells where those are far fewer than rows. Only where there
are many cells of few rows each, those are made apart by joining arrays: a hash table for each cell
would cost ten times what its bins do.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from inferometer.clickhouse.query_columns import RELATIONS, ROWS
from inferometer.clickhouse.query_exports import guarded
from inferometer.clickhouse.query_filters import conditions, micros
from inferometer.clickhouse.query_forms import SUMMED, Aggregates
from inferometer.clickhouse.query_parameters import Bound
from inferometer.core.query.measures import Quantile, Rate
from inferometer.core.query.planning import range_length_s, window_lengths_s
from inferometer.core.query.plans import OTHER
from inferometer.core.query.questions import Statuses
from inferometer.core.windows import MICROSECONDS_PER_SECOND

if TYPE_CHECKING:
    from inferometer.clickhouse.query_columns import Relation
    from inferometer.core.query.plans import MetricsPlan

Group = tuple[str, ...]
_Sql = tuple[str, dict[str, Any]]

MOST_MERGED_CELLS = 6_000
"""From here on a hash table for each cell costs more than reading the rows once more."""
FEW_CELLS = 300
"""Up to so many cells cost less to merge again than the rows that they are made of.

More of them do where the rest is one of the groups: it stands for the most rows.
"""
_FEW_ROWS = 4
"""So many windows of the relation, at most, make a cell that is joined from arrays."""


@dataclass(frozen=True, slots=True)
class Windows:
    """How the windows of a plan are told apart in SQL, as numbers."""

    starts: tuple[int, ...]
    """In the unit of the relation: seconds of a roll-up, microseconds of the log."""
    step: int
    """0 where they have no common length, as days of a zone with summer time."""

    @classmethod
    def of(cls, plan: MetricsPlan) -> Windows:
        """Return the windows of a plan."""
        unit = 1 if plan.relation.is_log else MICROSECONDS_PER_SECOND
        starts = tuple(micros(start) // unit for start in plan.windows)
        # With the end: a longer window after equal ones, such as a day when clocks are put back or
        # December after November, has rows more than a step behind its start.
        edges = (*starts, micros(plan.window_ends[-1]) // unit)
        steps = {after - before for before, after in itertools.pairwise(edges)}
        return cls(starts, steps.pop() if len(steps) == 1 else 0)

    def number(self, relation: Relation, bound: Bound) -> str:
        """Return the number of a row's window, from 0; in irregular ones, its start."""
        place = f"to{'UnixTimestamp64Micro' if relation.is_log else 'UnixTimestamp'}"
        at = f"{place}({relation.time})"
        if self.step:
            first = bound.integer(self.starts[0])
            return f"intDiv({at} - {first}, {bound.integer(self.step)})"
        return f"roundDown(toInt64({at}), {bound.integers(self.starts)})"

    def index(self, number: int) -> int:
        """Return the place of a window by its number."""
        return number if self.step else self.starts.index(number)

    def place(self, bound: Bound) -> str:
        """Return the place of a window in an array, from 1."""
        return "w + 1" if self.step else f"indexOf({bound.integers(self.starts)}, w)"


@dataclass(slots=True)
class _Writer:
    """What the texts of one plan have in common."""

    plan: MetricsPlan
    bound: Bound = field(default_factory=Bound)

    @property
    def relation(self) -> Relation:
        return RELATIONS[self.plan.relation.name]

    def aggregates(self, *, joins_arrays: bool = False) -> Aggregates:
        return Aggregates(
            self.relation,
            self.bound,
            only_successes=self.plan.statuses is Statuses.SUCCESSES,
            joins_arrays=joins_arrays,
        )

    def dimensions(self) -> list[str]:
        return [self.relation.column(name, self.bound).text for name in self.plan.group_by]

    def source(self) -> str:
        plan = self.plan
        found = conditions(
            self.relation,
            self.bound,
            workspace_id=plan.workspace_id,
            time_range=plan.time_range,
            filters=plan.filters,
        )
        return f"FROM {self.relation.table} AS {ROWS}\n    WHERE " + "\n      AND ".join(found)


@dataclass(frozen=True, slots=True)
class TopGroups:
    """The groups with the highest value of a plan's order, and how many there are."""

    plan: MetricsPlan

    def sql(self) -> _Sql:
        """Return the text and its parameters."""
        writer = _Writer(self.plan)
        names = [f"g{place}" for place in range(len(self.plan.group_by))]
        groups = ", ".join(names)
        keys = _aliased(writer.dimensions(), names)
        aggregates = writer.aggregates()
        length = writer.bound.number(range_length_s(self.plan))
        rank = aggregates.measure(self.plan.order_by.form, length)
        # One more than asked for: the rest itself may be among them, and is not ranked.
        limit = writer.bound.integer(self.plan.top + 1)
        source = writer.source()
        text = f"""SELECT {groups}, count() OVER () AS groups_total
FROM
(
    SELECT {keys}, {aggregates.texts()}
    {source}
    GROUP BY {groups}
)
ORDER BY {rank} DESC NULLS LAST, {groups}
LIMIT {limit}"""  # noqa: S608 - names from catalogues, values bound
        return text, writer.bound.values


@dataclass(frozen=True, slots=True)
class MeasuredCells:
    """Cells and margins of a plan.

    Columns: w, is_all_windows, is_all_groups, g0.., m0... Where `own` is given, all other groups
    are one, `__other__`.
    """

    plan: MetricsPlan
    own: tuple[Group, ...] | None
    has_cells: bool = True
    has_margins: bool = True

    def sql(self) -> _Sql:
        """Return the text and its parameters."""
        plan = self.plan
        writer = _Writer(plan)
        windows = Windows.of(plan)
        names = [f"g{place}" for place in range(len(plan.group_by))]
        keys = _aliased(self._folded(writer), names)
        has_windows = len(plan.windows) > 1
        if has_windows:
            number = windows.number(writer.relation, writer.bound)
            keys = f"{number} AS w" + (f", {keys}" if keys else "")
        sets = self._sets(names, has_windows=has_windows)
        aggregates = writer.aggregates(joins_arrays=not self.has_margins)
        length = _length(plan, windows, writer.bound)
        measures = _aliased(
            [aggregates.measure(measure.form, length) for measure in plan.measures],
            [f"m{place}" for place in range(len(plan.measures))],
        )
        flags = (
            f"{'grouping(w)' if has_windows else '1'} AS is_all_windows, "
            f"{'grouping(g0)' if names else '1'} AS is_all_groups"
        )
        group_by = f"\n    GROUP BY GROUPING SETS ({', '.join(sets)})" if keys else ""
        source, columns = writer.source(), aggregates.texts()
        named = ", ".join([*(["w"] if has_windows else []), *names])
        if self._is_summed_twice(names, has_windows=has_windows):
            source = f"""FROM
    (
    SELECT {keys}, {columns}
    {source}
    GROUP BY {named}
    ) AS {SUMMED}"""
            keys, columns = named, aggregates.texts_of_summed()
        inner = ", ".join(part for part in (keys, flags, columns) if part)
        chosen = ", ".join(
            ["w" if has_windows else "0 AS w", "is_all_windows", "is_all_groups", *names]
        )
        text = f"""SELECT {chosen}, {measures}
FROM
(
    SELECT {inner}
    {source}{group_by}
)"""  # noqa: S608 - names from catalogues, values bound
        return text, writer.bound.values

    def _is_summed_twice(self, names: list[str], *, has_windows: bool) -> bool:
        """Say whether margins are made of cells: then rows are merged once, not for each margin."""
        if not (has_windows or names) or not (self.has_cells and self.has_margins):
            return False
        groups = self.plan.top + 1 if names else 1
        has_rest = self.own is not None
        return (has_rest or len(self.plan.windows) * groups <= FEW_CELLS) and any(
            isinstance(measure.form, Quantile) for measure in self.plan.measures
        )

    def _folded(self, writer: _Writer) -> list[str]:
        dimensions = writer.dimensions()
        if self.own is None or not dimensions:
            return dimensions
        if len(dimensions) == 1:
            own = writer.bound.texts([value for (value,) in self.own])
            is_own = f"{dimensions[0]} IN {own}"
        else:
            own = writer.bound.tuples(self.own, len(dimensions))
            is_own = f"({', '.join(f'toString({d})' for d in dimensions)}) IN {own}"
        return [f"if({is_own}, {dimension}, '{OTHER}')" for dimension in dimensions]

    def _sets(self, names: list[str], *, has_windows: bool) -> list[str]:
        groups = ", ".join(names)
        cell = ", ".join((["w"] if has_windows else []) + names)
        found = [f"({cell})"] if self.has_cells else []
        if self.has_margins:
            if has_windows and names:
                found += ["(w)", f"({groups})"]
            found.append("()")
        return found


@dataclass(frozen=True, slots=True)
class ExportedCells:
    """Every (window, group) of a plan, none folded, with the columns of a file."""

    plan: MetricsPlan
    has_only_texts: bool = False
    """It is CSV: no group is a text that a spreadsheet would run."""

    def names(self) -> list[str]:
        """Return what the columns are called."""
        measures = (measure.name for measure in self.plan.measures)
        return ["window_start", "window_end", *self.plan.group_by, *measures]

    def sql(self) -> _Sql:
        """Return the text and its parameters."""
        plan = self.plan
        writer = _Writer(plan)
        bound = writer.bound
        windows = Windows.of(plan)
        groups = [f"g{place}" for place in range(len(plan.group_by))]
        has_windows = len(plan.windows) > 1
        number = windows.number(writer.relation, bound) if has_windows else "0"
        keys = _aliased([number, *writer.dimensions()], ["w", *groups])
        aggregates = writer.aggregates(joins_arrays=_is_joined_from_arrays(plan))
        length = _length(plan, windows, bound)
        # A constant is no key, so the range itself stands for its one window.
        place = windows.place(bound) if has_windows else "1"
        shown = [guarded(group) for group in groups] if self.has_only_texts else groups
        edges = [
            f"fromUnixTimestamp64Micro({bound.integers(list(map(micros, instants)))}[{place}], 'UTC')"
            for instants in (plan.windows, plan.window_ends)
        ]
        values = [aggregates.measure(measure.form, length) for measure in plan.measures]
        named = [bound.name(name) for name in self.names()]
        columns = ",\n    ".join(
            f"{sql} AS {name}" for sql, name in zip((*edges, *shown, *values), named, strict=True)
        )
        order = ", ".join(["w", *groups] if has_windows else groups)
        text = f"""SELECT
    {columns}
FROM
(
    SELECT 0 AS is_all_windows, {keys}, {aggregates.texts()}
    {writer.source()}
    GROUP BY {", ".join(["w", *groups])}
)"""  # noqa: S608 - names from catalogues, values bound
        return text + (f"\nORDER BY {order}" if order else ""), bound.values


def cells_and_margins(plan: MetricsPlan, own: tuple[Group, ...] | None) -> list[MeasuredCells]:
    """Return the questions that answer a plan: one, or two where there are many cells."""
    groups = plan.top if own is None else len(own) + 1
    if len(plan.windows) * groups <= MOST_MERGED_CELLS or not _is_joined_from_arrays(plan):
        return [MeasuredCells(plan, own)]
    return [
        MeasuredCells(plan, own, has_margins=False),
        MeasuredCells(plan, own, has_cells=False),
    ]


def _is_joined_from_arrays(plan: MetricsPlan) -> bool:
    """Say whether a cell is made of so few rows that their bins are joined, not merged."""
    if plan.relation.is_log or len(plan.windows) < 2 or not plan.group_by:
        return False
    if not any(isinstance(measure.form, Quantile) for measure in plan.measures):
        return False
    window_s = (plan.window_ends[0] - plan.windows[0]).total_seconds()
    return window_s <= _FEW_ROWS * plan.relation.window_s


def _length(plan: MetricsPlan, windows: Windows, bound: Bound) -> str:
    """Return the seconds that a row's rates are over."""
    if not any(isinstance(measure.form, Rate) for measure in plan.measures):
        return "1"
    whole = bound.number(range_length_s(plan))
    if len(plan.windows) == 1:
        return whole
    lengths = bound.numbers(window_lengths_s(plan))
    return f"if(is_all_windows = 1, {whole}, {lengths}[{windows.place(bound)}])"


def _aliased(texts: list[str], names: list[str]) -> str:
    return ", ".join(f"{text} AS {name}" for text, name in zip(texts, names, strict=True))
