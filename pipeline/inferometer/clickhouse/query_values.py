"""Texts about what there is to ask for: values of dimensions, metadata keys, prices."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from inferometer.clickhouse.query_columns import RELATIONS, ROWS
from inferometer.clickhouse.query_filters import conditions, instant, micros
from inferometer.clickhouse.query_parameters import Bound
from inferometer.core.cubes import (
    CUBES,
    RESOLUTION_1H,
    RESOLUTION_1M,
    SERVICE,
    Resolution,
    rows_table,
)
from inferometer.core.windows import MICROSECONDS_PER_SECOND
from inferometer.names import LEDGER_TABLE, PRICE_BOOK_TABLE, REQUESTS_TABLE

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date, datetime

    from inferometer.core.query.questions import Filter, TimeRange, ValuesQuery

_Sql = tuple[str, dict[str, Any]]
_LONG_S = 2 * 86_400


def resolution_for(time_range: TimeRange) -> Resolution:
    """Return the roll-up for a list of a range: an hour more or less matters to short ones only."""
    seconds = (time_range.end - time_range.start).total_seconds()
    return RESOLUTION_1H if seconds > _LONG_S else RESOLUTION_1M


def widened(time_range: TimeRange, seconds: int) -> TimeRange:
    """Return a range that begins with a window."""
    into_window_us = micros(time_range.start) % (seconds * MICROSECONDS_PER_SECOND)
    start = time_range.start - timedelta(microseconds=into_window_us)
    return replace(time_range, start=start)


def relation_for(dimension: str, filters: Iterable[Filter], resolution: Resolution) -> str:
    """Return the smallest table that has a dimension and those of filters."""
    wanted = [dimension, *(condition.dimension for condition in filters)]
    for cube in CUBES:
        table = rows_table(cube, resolution)
        if all(RELATIONS[table].has(name) for name in wanted):
            return table
    return REQUESTS_TABLE


@dataclass(frozen=True, slots=True)
class Values:
    """The values of a dimension, those with most requests first."""

    query: ValuesQuery
    table: str
    """Of `relation_for`."""

    def sql(self) -> _Sql:
        """Return the text and its parameters. Raises StoreError for what is no dimension."""
        query, bound, relation = self.query, Bound(), RELATIONS[self.table]
        value = relation.column(query.dimension, bound).text
        found = conditions(
            relation,
            bound,
            workspace_id=query.workspace_id,
            time_range=query.time_range,
            filters=query.filters,
        )
        if query.prefix:
            found.append(f"startsWith({value}, {bound.text(query.prefix)})")
        text = f"""SELECT
    toString({value}) AS dimension_value,
    {relation.total("requests", only_successes=False)} AS request_count
FROM {relation.table} AS {ROWS}
WHERE {" AND ".join(found)}
GROUP BY dimension_value
HAVING request_count > 0
ORDER BY request_count DESC, dimension_value
LIMIT {bound.integer(query.limit)}"""  # noqa: S608 - names from catalogues, values bound
        return text, bound.values


@dataclass(frozen=True, slots=True)
class MetadataKeys:
    """The metadata keys of a span, those with most requests first."""

    workspace_id: str | None
    time_range: TimeRange

    def sql(self) -> _Sql:
        """Return the text and its parameters."""
        bound = Bound()
        found = conditions(
            RELATIONS[REQUESTS_TABLE],
            bound,
            workspace_id=self.workspace_id,
            time_range=self.time_range,
            filters=(),
        )
        text = f"""SELECT toString(arrayJoin(mapKeys({ROWS}.metadata))) AS metadata_key, count() AS requests
FROM {REQUESTS_TABLE} AS {ROWS}
WHERE {" AND ".join(found)} AND {ROWS}.is_final
GROUP BY metadata_key
ORDER BY requests DESC, metadata_key
LIMIT 10000"""  # noqa: S608 - as above
        return text, bound.values


@dataclass(frozen=True, slots=True)
class Prices:
    """The price book that priced chunks at an instant: that of the last one before it.

    Before the first chunk that is known, that of the first.
    """

    at: datetime

    def sql(self) -> _Sql:
        """Return the text and its parameters."""
        bound = Bound()
        us = micros(self.at)
        decided = instant("decided_at", "<=", bound, us)
        text = f"""SELECT
    version, source, provider, model, model_match, unit, usd_per_unit, effective_from, effective_to,
    min_input_tokens, traffic_class, daily_from_us, daily_to_us
FROM {PRICE_BOOK_TABLE} FINAL
WHERE version IN
(
    SELECT price_version
    FROM {LEDGER_TABLE}
    WHERE price_version != ''
    ORDER BY {decided} DESC, abs(toUnixTimestamp64Micro(decided_at) - {bound.integer(us)})
    LIMIT 1
)
  AND {instant("effective_from", "<=", bound, us)}
  AND {instant("effective_to", ">", bound, us)}
ORDER BY provider, model, unit, min_input_tokens, traffic_class, daily_from_us"""  # noqa: S608 - as above
        return text, bound.values


@dataclass(frozen=True, slots=True)
class Unpriced:
    """Models with attempts that lack a price."""

    workspace_id: str | None
    time_range: TimeRange

    def sql(self) -> _Sql:
        """Return the text and its parameters."""
        bound = Bound()
        resolution = resolution_for(self.time_range)
        relation = RELATIONS[rows_table(SERVICE, resolution)]
        found = conditions(
            relation,
            bound,
            workspace_id=self.workspace_id,
            time_range=widened(self.time_range, resolution.seconds),
            filters=(),
        )
        sums = ",\n    ".join(
            f"sum({ROWS}.{name}) AS {name}"
            for name in (
                "attempts", "unpriced_requests", "partially_priced_requests", "input_tokens",
                "output_tokens",
            )
        )  # fmt: skip
        text = f"""SELECT
    toString({ROWS}.provider) AS provider,
    toString({ROWS}.model) AS model,
    {sums},
    toDateTime64(min({ROWS}.window_start), 0, 'UTC') AS first_window,
    toDateTime64(max({ROWS}.window_start), 0, 'UTC') AS last_window
FROM {relation.table} AS {ROWS}
WHERE {" AND ".join(found)}
GROUP BY provider, model
HAVING unpriced_requests + partially_priced_requests > 0
ORDER BY unpriced_requests + partially_priced_requests DESC, provider, model
LIMIT 1000"""  # noqa: S608 - as above
        return text, bound.values


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """What was priced and what was billed, a row a day and provider, oldest first."""

    first_day: date
    last_day: date

    def sql(self) -> tuple[str, dict[str, Any]]:
        """Return the text and its parameters."""
        bound = Bound()
        first, last = (bound.text(day.isoformat()) for day in (self.first_day, self.last_day))
        text = f"""SELECT
    day, provider, priced_usd, billed_usd, difference_usd, difference_ratio, attempts,
    unpriced_requests, partially_priced_requests
FROM reconciliation
WHERE day >= toDate({first})
  AND day <= toDate({last})
ORDER BY day, provider"""  # noqa: S608 - constants and bound values
        return text, bound.values
