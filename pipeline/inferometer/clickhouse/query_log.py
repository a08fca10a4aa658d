"""Texts about single requests: pages of the log, its rows as a file, attempts, seconds.

Rows are asked for newest first, in the order of the log's key and then of time, so that a page reads
the last ten minutes that have its rows and no more.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from inferometer.clickhouse.query_columns import RELATIONS, ROWS
from inferometer.clickhouse.query_exports import guarded
from inferometer.clickhouse.query_filters import conditions, instant, micros
from inferometer.clickhouse.query_parameters import Bound
from inferometer.names import REQUESTS_TABLE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from inferometer.core.query.questions import LogQuery

_Sql = tuple[str, dict[str, Any]]

_TOTAL_TOKENS = f"toUInt64({ROWS}.input_tokens) + {ROWS}.output_tokens AS total_tokens"
_COST = f"{ROWS}.price_cost AS cost_usd"
PAGE_COLUMNS = (
    "request_id", "event_id", "ts_end", "model", "total_tokens", "input_tokens", "output_tokens",
    "ttft_ms", "e2e_ms", "status_code", "status_class", "error_type", "user_id", "workspace_id",
    "cost_usd", "attempt_no", "is_final",
)  # fmt: skip
_COMPUTED = {"total_tokens": _TOTAL_TOKENS, "cost_usd": _COST}
_NEWEST_FIRST = (
    f"ORDER BY toStartOfTenMinutes({ROWS}.ts_end) DESC, {ROWS}.ts_end DESC, {ROWS}.event_id DESC"
)


def _select(names: Sequence[str]) -> str:
    return ", ".join(_COMPUTED.get(name, f"{ROWS}.{name} AS {name}") for name in names)


def _source(query: LogQuery, bound: Bound) -> str:
    found = conditions(
        RELATIONS[REQUESTS_TABLE],
        bound,
        workspace_id=query.workspace_id,
        time_range=query.time_range,
        filters=query.filters,
    )
    if query.request_id:
        found.append(f"{ROWS}.request_id = {bound.text(query.request_id)}")
    if query.event_id:
        found.append(f"{ROWS}.event_id = {bound.text(query.event_id)}")
    if query.is_final_only:
        found.append(f"{ROWS}.is_final")
    if query.after is not None:
        at, us = f"{ROWS}.ts_end", query.after.ts_end_us
        event_id = bound.text(query.after.event_id)
        # Apart from the pair, which no index understands.
        found.append(instant(at, "<=", bound, us))
        found.append(f"({instant(at, '<', bound, us)} OR {ROWS}.event_id < {event_id})")
    return f"FROM {REQUESTS_TABLE} AS {ROWS}\nWHERE " + "\n  AND ".join(found)


@dataclass(frozen=True, slots=True)
class LogRows:
    """A page of the log."""

    query: LogQuery

    def sql(self) -> _Sql:
        """Return the text and its parameters."""
        bound = Bound()
        text = f"""SELECT {_select(PAGE_COLUMNS)}
{_source(self.query, bound)}
{_NEWEST_FIRST}
LIMIT {bound.integer(self.query.limit)}"""
        return text, bound.values


@dataclass(frozen=True, slots=True)
class LogCount:
    """How many rows a question has, wherever its page begins; counted up to a number."""

    query: LogQuery
    at_most: int

    def sql(self) -> _Sql:
        """Return the text and its parameters."""
        bound = Bound()
        text = f"""SELECT count() AS row_count
FROM
(
SELECT 1 AS one
{_source(self.query, bound)}
LIMIT {bound.integer(self.at_most)}
)"""  # noqa: S608 - as above
        return text, bound.values


@dataclass(frozen=True, slots=True)
class LogColumns:
    """The columns of the log and their types, in the order of its table."""

    def sql(self) -> _Sql:
        """Return the text and its parameters."""
        text = """SELECT name, type
FROM system.columns
WHERE database = currentDatabase() AND table = {table:String}
ORDER BY position"""
        return text, {"table": REQUESTS_TABLE}


@dataclass(frozen=True, slots=True)
class ExportedLog:
    """Rows of the log with every column.

    Where a file has only texts, lists and maps are JSON, and no text is one that a spreadsheet
    would run.
    """

    query: LogQuery
    columns: Mapping[str, str]
    """Types by name, of `LogColumns`."""
    has_only_texts: bool

    def names(self) -> list[str]:
        """Return what the columns are called: those of a page, then all others."""
        return list(dict.fromkeys((*PAGE_COLUMNS, *self.columns)))

    def sql(self) -> _Sql:
        """Return the text and its parameters."""
        bound = Bound()
        chosen = ",\n    ".join(self._column(name) for name in self.names())
        text = f"""SELECT
    {chosen}
{_source(self.query, bound)}
{_NEWEST_FIRST}
LIMIT {bound.integer(self.query.limit)}"""
        return text, bound.values

    def _column(self, name: str) -> str:
        kind = self.columns.get(name, "") if self.has_only_texts else ""
        if kind.startswith(("Array", "Map")):
            return f"toJSONString({ROWS}.{name}) AS {name}"
        if "String" in kind:
            return f"{guarded(f'{ROWS}.{name}')} AS {name}"
        return _COMPUTED.get(name, f"{ROWS}.{name} AS {name}")


@dataclass(frozen=True, slots=True)
class AttemptsOf:
    """Every attempt of a request, with every column."""

    workspace_id: str | None
    request_id: str
    columns: Mapping[str, str]

    def sql(self) -> _Sql:
        """Return the text and its parameters."""
        bound = Bound()
        found = [f"{ROWS}.request_id = {bound.text(self.request_id)}"]
        if self.workspace_id is not None:
            found.append(f"{ROWS}.workspace_id = {bound.text(self.workspace_id)}")
        names = list(dict.fromkeys((*PAGE_COLUMNS, *self.columns)))
        text = f"""SELECT {_select(names)}
FROM {REQUESTS_TABLE} AS {ROWS}
WHERE {" AND ".join(found)}
ORDER BY attempt_no, ts_end, event_id
LIMIT 1000"""  # noqa: S608 - as above
        return text, bound.values


@dataclass(frozen=True, slots=True)
class Seconds:
    """What ended in each second, by model."""

    workspace_id: str | None
    since: datetime
    until: datetime

    def sql(self) -> _Sql:
        """Return the text and its parameters."""
        bound = Bound()
        at = f"{ROWS}.ts_end"
        found = [
            instant(at, ">=", bound, micros(self.since)),
            instant(at, "<", bound, micros(self.until)),
        ]
        if self.workspace_id is not None:
            found.append(f"{ROWS}.workspace_id = {bound.text(self.workspace_id)}")
        text = f"""SELECT
    toDateTime64(toStartOfSecond({at}), 0, 'UTC') AS at,
    toString({ROWS}.model) AS model,
    countIf({ROWS}.is_final) AS requests,
    countIf({ROWS}.is_final AND {ROWS}.status_class != '2xx') AS failures,
    sum({ROWS}.output_tokens) AS output_tokens,
    sum({ROWS}.price_cost) AS cost_usd
FROM {REQUESTS_TABLE} AS {ROWS}
WHERE {" AND ".join(found)}
GROUP BY at, model
ORDER BY at, model"""  # noqa: S608 - as above
        return text, bound.values
