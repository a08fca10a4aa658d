"""What restricts a question: workspace, time, filters, as conditions over bound values."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inferometer.clickhouse.query_columns import ROWS
from inferometer.core.query.questions import Match
from inferometer.core.windows import MICROSECONDS_PER_SECOND

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from inferometer.clickhouse.query_columns import Relation
    from inferometer.clickhouse.query_parameters import Bound
    from inferometer.core.query.questions import Filter, TimeRange

_MAX_S = 2**32 - 1
_CODE = f"{ROWS}.status_code"
_CLASS_CONDITIONS = {
    "2xx": f"intDiv({_CODE}, 100) = 2",
    "4xx": f"(intDiv({_CODE}, 100) = 4 AND {_CODE} NOT IN (429, 499))",
    "429": f"{_CODE} = 429",
    "499": f"{_CODE} = 499",
    "5xx": f"intDiv({_CODE}, 100) = 5",
    "other": f"intDiv({_CODE}, 100) NOT IN (2, 4, 5)",
}
_NOTHING = "0"


def micros(instant: datetime) -> int:
    """Return an instant as whole microseconds since 1970."""
    whole = int(instant.replace(microsecond=0).timestamp())
    return whole * MICROSECONDS_PER_SECOND + instant.microsecond


def conditions(
    relation: Relation,
    bound: Bound,
    *,
    workspace_id: str | None,
    time_range: TimeRange,
    filters: Sequence[Filter],
) -> list[str]:
    """Return what a row must meet. Raises StoreError for a dimension that the relation lacks."""
    found = []
    if workspace_id is not None:
        found.append(f"{ROWS}.workspace_id = {bound.text(workspace_id)}")
    found += within(relation, bound, time_range)
    found += [_condition(relation, bound, wanted) for wanted in filters]
    return found


def within(relation: Relation, bound: Bound, time_range: TimeRange) -> list[str]:
    """Return the conditions of a range; a window belongs to it by its start."""
    start, end = micros(time_range.start), micros(time_range.end)
    if relation.is_log:
        return [instant(relation.time, ">=", bound, start), instant(relation.time, "<", bound, end)]
    # Windows start at whole seconds: the first one at or behind a fraction is the next.
    edges = [min(max(-(-us // MICROSECONDS_PER_SECOND), 0), _MAX_S) for us in (start, end)]
    return [
        f"{relation.time} {sign} toDateTime({bound.integer(edge)}, 'UTC')"
        for sign, edge in zip((">=", "<"), edges, strict=True)
    ]


def instant(column: str, sign: str, bound: Bound, us: int) -> str:
    """Return a comparison of an instant with microseconds since 1970."""
    return f"{column} {sign} fromUnixTimestamp64Micro({bound.integer(us)}, 'UTC')"


def _condition(relation: Relation, bound: Bound, wanted: Filter) -> str:
    column = relation.column(wanted.dimension, bound)
    if wanted.match is Match.STARTS_WITH:
        prefixes = [f"startsWith({column.text}, {bound.text(value)})" for value in wanted.values]
        return f"({' OR '.join(prefixes) or _NOTHING})"
    if wanted.dimension == "status_class" and not relation.is_log and _CODE in column.raw:
        found = [_CLASS_CONDITIONS[value] for value in wanted.values if value in _CLASS_CONDITIONS]
        inside = f"({' OR '.join(found) or _NOTHING})"
    elif wanted.dimension == "status_code":
        # As numbers, since a text of every row costs more than the rest of the question.
        inside = f"{column.raw} IN {bound.integers(_numbers(wanted.values))}"
    else:
        inside = f"{column.text} IN {bound.texts(wanted.values)}"
    return inside if wanted.match is Match.IS else f"NOT ({inside})"


def _numbers(texts: Sequence[str]) -> list[int]:
    """Return the texts that a number is written as; others equal none."""
    small = [text for text in texts if text.isascii() and text.isdigit() and len(text) < 10]
    return [int(text) for text in small if str(int(text)) == text]
