"""The text that explains a difference: measures in two spans, by each of several dimensions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from inferometer.clickhouse.query_columns import RELATIONS, ROWS
from inferometer.clickhouse.query_filters import conditions, within
from inferometer.clickhouse.query_forms import Aggregates
from inferometer.clickhouse.query_parameters import Bound
from inferometer.core.query.assembly import number, of_nothing
from inferometer.core.query.margins import Margin, MarginOrder, Margins
from inferometer.core.query.questions import Statuses, TimeRange

if TYPE_CHECKING:
    from collections.abc import Callable

    from inferometer.core.query.answers import Number
    from inferometer.core.query.margins import MarginsPlan

Row = dict[str, Any]
Sql = tuple[str, dict[str, Any]]


def margins(plan: MarginsPlan, rows_of: Callable[[Sql], list[Row]]) -> Margins:
    """Ask with `rows_of` and return the answer. Raises what that raises."""
    nothing = tuple(of_nothing(measure) for measure in plan.measures)
    total = Margin(nothing, nothing)
    values: dict[str, dict[str, Margin]] = {name: {} for name in plan.dimensions}
    for row in rows_of(MarginsOf(plan).sql()):
        found = Margin(_side(row, "now", nothing), _side(row, "before", nothing))
        # The mask has a bit for each dimension, the first highest, set where a row has all values.
        place = (2 ** len(plan.dimensions) - 1 - row["mask"]).bit_length()
        if place:
            at = len(plan.dimensions) - place
            values[plan.dimensions[at]][row[f"d{at}"]] = found
        else:
            total = found
    return Margins(total, values)


def _side(row: Row, side: str, nothing: tuple[Number, ...]) -> tuple[Number, ...]:
    found = (number(row[f"{side}_{place}"]) for place in range(len(nothing)))
    return tuple(
        empty if value is None else value for value, empty in zip(found, nothing, strict=True)
    )


@dataclass(frozen=True, slots=True)
class MarginsOf:
    """Every measure in both spans, of every value of each dimension, and of all."""

    plan: MarginsPlan

    def sql(self) -> Sql:
        """Return the text and its parameters. Raises StoreError for an unknown dimension."""
        bound, plan = Bound(), self.plan
        relation = RELATIONS[plan.relation.name]
        only_successes = plan.statuses is Statuses.SUCCESSES
        aggregates = Aggregates(relation, bound, only_successes=only_successes)
        during, before = (
            f"({' AND '.join(within(relation, bound, span))})"
            for span in (plan.during, plan.before)
        )
        length = f"if(is_now, {_seconds(bound, plan.during)}, {_seconds(bound, plan.before)})"
        measures = [aggregates.measure(measure.form, length) for measure in plan.measures]
        names = [f"d{place}" for place in range(len(plan.dimensions))]
        keys = "".join(
            f", {relation.column(dimension, bound).text} AS {name}"
            for dimension, name in zip(plan.dimensions, names, strict=True)
        )
        found = conditions(
            relation,
            bound,
            workspace_id=plan.workspace_id,
            time_range=TimeRange(plan.before.start, plan.during.end),
            filters=plan.filters,
        )
        found.append(f"({during} OR {before})")
        listed = "".join(f", {name}" for name in names)
        mask = f"grouping({', '.join(names)})" if names else "0"
        sets = ", ".join([*(f"(is_now, {name})" for name in names), "(is_now)"])
        # A value has one row a span, so the largest of its rows is the one of the span.
        sides = ",\n    ".join(
            f"maxIf({measure}, {'is_now' if side == 'now' else 'NOT is_now'}) AS {side}_{place}"
            for side in ("now", "before")
            for place, measure in enumerate(map(_nullable, measures))
        )
        text = f"""SELECT mask{listed},
    {sides}
FROM
(
    SELECT {during} AS is_now, {mask} AS mask{keys}, {aggregates.texts()}
    FROM {relation.table} AS {ROWS}
    WHERE {" AND ".join(found)}
    GROUP BY GROUPING SETS ({sets})
)
GROUP BY mask{listed}
ORDER BY {_order(plan)}{listed}
LIMIT {bound.integer(plan.most_values)} BY mask"""  # noqa: S608 - names from catalogues, values bound
        return text, bound.values


def _nullable(text: str) -> str:
    return f"toNullable({text})"


def _seconds(bound: Bound, span: TimeRange) -> str:
    return bound.number((span.end - span.start).total_seconds())


def _order(plan: MarginsPlan) -> str:
    now, before = (f"toFloat64(ifNull({side}_0, 0))" for side in ("now", "before"))
    if plan.order is MarginOrder.NOW:
        return f"{now} DESC"
    return f"abs({now} - {before}) DESC, {now} DESC"
