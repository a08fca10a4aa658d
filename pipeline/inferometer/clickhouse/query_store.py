"""Answers questions about what is stored; implements the port QueryStore."""

from __future__ import annotations

import base64
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from inferometer.clickhouse.partition_checks import KeptDays
from inferometer.clickhouse.query_columns import RELATIONS
from inferometer.clickhouse.query_exports import file_pieces, is_of_texts
from inferometer.clickhouse.query_limits import QueryLimits, limited
from inferometer.clickhouse.query_log import (
    AttemptsOf,
    ExportedLog,
    LogColumns,
    LogCount,
    LogRows,
    Seconds,
)
from inferometer.clickhouse.query_margins import margins
from inferometer.clickhouse.query_measured import (
    ExportedCells,
    MeasuredCells,
    TopGroups,
    Windows,
    cells_and_margins,
)
from inferometer.clickhouse.query_state import (
    DeadLetterCounts,
    DeadLetters,
    Folded,
    FreshnessNow,
    Partitions,
)
from inferometer.clickhouse.query_values import (
    MetadataKeys,
    Prices,
    Reconciliation,
    Unpriced,
    Values,
    relation_for,
    resolution_for,
    widened,
)
from inferometer.core.cubes import RESOLUTION_1H
from inferometer.core.query.answers import DimensionValue, Freshness, MeasuredRow
from inferometer.core.query.plans import OTHER
from inferometer.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import date, datetime

    from clickhouse_connect.driver.client import Client

    from inferometer.clickhouse.connect import StoreConnection
    from inferometer.core.cubes import Resolution
    from inferometer.core.query.margins import Margins, MarginsPlan
    from inferometer.core.query.plans import MetricsPlan
    from inferometer.core.query.questions import LogQuery, TimeRange, ValuesQuery

Row = dict[str, Any]
Group = tuple[str, ...]
_Sql = tuple[str, dict[str, Any]]

_ARROW = "output_format_arrow_compression_method = 'none'"


class ClickHouseQueryStore:
    """A `QueryStore` on an open connection; every calling thread gets a client of its own."""

    def __init__(self, connection: StoreConnection, limits: QueryLimits | None = None) -> None:
        self._connection = connection
        self._limits = limits or QueryLimits()
        self._log_columns: dict[str, str] = {}

    def kept_days(self) -> dict[str, int]:
        """Return the days that each table keeps; see `QueryStore.kept_days`."""
        text, parameters = KeptDays().sql()
        with self._asking() as client:
            rows = client.query(text, parameters).result_rows
        return {str(name): int(days) for name, days in rows if days}

    def freshness(self) -> Freshness:
        """Return how far all partitions are complete; see `QueryStore.freshness`."""
        [row] = self._rows(FreshnessNow().sql())
        if not row["partitions"]:
            return Freshness(None, None)
        return Freshness(row["watermark"], row["updated_at"])

    def measured(self, plan: MetricsPlan) -> tuple[list[MeasuredRow], int]:
        """Return the rows of a plan; see `QueryStore.measured`."""
        own, groups_total = self._own_groups(plan)
        rows = [
            row
            for question in cells_and_margins(plan, own)
            for row in self._measured_rows(question)
        ]
        return rows, groups_total

    def margins(self, plan: MarginsPlan) -> Margins:
        """Return measures by the values of dimensions; see `QueryStore.margins`."""
        return margins(plan, self._rows)

    def export_measured(self, plan: MetricsPlan, form: str) -> Iterator[bytes]:
        """Yield (window, group) rows of a plan; see `QueryStore.export_measured`."""
        question = ExportedCells(plan, is_of_texts(form))
        return file_pieces(self._connection, self._limits, question.sql(), form, question.names())

    def log_rows(self, query: LogQuery) -> list[Row]:
        """Return a page of the log; see `QueryStore.log_rows`."""
        return self._rows(LogRows(query).sql())

    def log_count(self, query: LogQuery, *, at_most: int) -> int:
        """Return how many rows a question has; see `QueryStore.log_count`."""
        [row] = self._rows(LogCount(query, at_most).sql())
        return int(row["row_count"])

    def export_log(self, query: LogQuery, form: str) -> Iterator[bytes]:
        """Yield rows of the log; see `QueryStore.export_log`."""
        question = ExportedLog(query, self._columns(), is_of_texts(form))
        return file_pieces(self._connection, self._limits, question.sql(), form, question.names())

    def attempts(self, workspace_id: str | None, request_id: str) -> list[Row]:
        """Return every attempt of a request; see `QueryStore.attempts`."""
        return self._rows(AttemptsOf(workspace_id, request_id, self._columns()).sql())

    def values(self, query: ValuesQuery) -> list[DimensionValue]:
        """Return values of a dimension; see `QueryStore.values`."""
        found = self._values(query, self._of(query, resolution_for(query.time_range)))
        if found or resolution_for(query.time_range) is RESOLUTION_1H:
            return found
        # A short range of long ago: minutes are gone, hours are not.
        return self._values(query, self._of(query, RESOLUTION_1H))

    def metadata_keys(
        self, workspace_id: str | None, time_range: TimeRange
    ) -> list[DimensionValue]:
        """Return metadata keys of a span; see `QueryStore.metadata_keys`."""
        rows = self._rows(MetadataKeys(workspace_id, time_range).sql())
        return [DimensionValue(row["metadata_key"], int(row["requests"])) for row in rows]

    def seconds(self, workspace_id: str | None, since: datetime, until: datetime) -> Sequence[Row]:
        """Return what ended in each second; see `QueryStore.seconds`."""
        return self._rows(Seconds(workspace_id, since, until).sql())

    def prices(self, at: datetime) -> list[Row]:
        """Return the price book of an instant; see `QueryStore.prices`."""
        return self._rows(Prices(at).sql())

    def unpriced(self, workspace_id: str | None, time_range: TimeRange) -> list[Row]:
        """Return models that lack a price; see `QueryStore.unpriced`."""
        return self._rows(Unpriced(workspace_id, time_range).sql())

    def reconciliation(self, first_day: date, last_day: date) -> list[Row]:
        """Return what was priced and billed; see `QueryStore.reconciliation`."""
        return self._rows(Reconciliation(first_day, last_day).sql())

    def partitions(self) -> list[Row]:
        """Return how far each partition is; see `QueryStore.partitions`."""
        return self._rows(Partitions().sql())

    def dead_letter_counts(self, time_range: TimeRange) -> list[Row]:
        """Return dead letters by reason; see `QueryStore.dead_letter_counts`."""
        return self._rows(DeadLetterCounts(time_range).sql())

    def dead_letters(
        self, time_range: TimeRange, *, reason: str, limit: int, before: tuple[int, str] | None
    ) -> list[Row]:
        """Return dead letters with their bytes; see `QueryStore.dead_letters`."""
        rows = self._rows(DeadLetters(time_range, reason, limit, before).sql())
        return [{**row, "value": base64.b64decode(row["value"])} for row in rows]

    def folded(self) -> list[Row]:
        """Return what was folded; see `QueryStore.folded`."""
        return self._rows(Folded().sql())

    def _values(self, query: ValuesQuery, question: Values) -> list[DimensionValue]:
        rows = self._rows(question.sql())
        return [DimensionValue(row["dimension_value"], int(row["request_count"])) for row in rows]

    @staticmethod
    def _of(query: ValuesQuery, resolution: Resolution) -> Values:
        table = relation_for(query.dimension, query.filters, resolution)
        if not RELATIONS[table].is_log:
            query = replace(query, time_range=widened(query.time_range, resolution.seconds))
        return Values(query, table)

    def _columns(self) -> dict[str, str]:
        if not self._log_columns:
            rows = self._rows(LogColumns().sql())
            self._log_columns = {str(row["name"]): str(row["type"]) for row in rows}
        return self._log_columns

    def _own_groups(self, plan: MetricsPlan) -> tuple[tuple[Group, ...] | None, int]:
        """Return the groups with rows of their own, None for all of them; and how many there are."""
        if not plan.group_by:
            return None, 0
        if plan.groups is not None:
            # To count the others would take a pass of its own, and nobody asks for that.
            return plan.groups, len(plan.groups)
        columns = self._columns_of(TopGroups(plan))
        *groups, totals = columns
        found: list[Group] = list(zip(*groups, strict=True))
        total = int(totals[0]) if totals else 0
        rest = (OTHER,) * len(plan.group_by)
        ranked = tuple(group for group in found if group != rest)[: plan.top]
        is_all = len(ranked) + (rest in found) == total
        return None if is_all else ranked, total

    def _measured_rows(self, question: MeasuredCells) -> Iterator[MeasuredRow]:
        plan = question.plan
        columns = self._columns_of(question)
        numbers, are_all_windows, are_all_groups, *rest = columns
        groups: list[Group] = list(zip(*rest[: len(plan.group_by)], strict=True))
        values = list(zip(*rest[len(plan.group_by) :], strict=True))
        windows = Windows.of(plan)
        own = {n for n, is_margin in zip(numbers, are_all_windows, strict=True) if not is_margin}
        starts = {number: plan.windows[windows.index(number)] for number in own}
        only = plan.windows[0] if len(plan.windows) == 1 else None
        for place, (number, all_windows, all_groups) in enumerate(
            zip(numbers, are_all_windows, are_all_groups, strict=True)
        ):
            group = None if all_groups else groups[place]
            if only is not None:
                yield MeasuredRow(only, group, values[place])
            start = None if all_windows else starts[number]
            yield MeasuredRow(start, group, values[place])

    def _rows(self, question: _Sql) -> list[Row]:
        text, parameters = question
        with self._asking() as client:
            answer = client.query(f"{text}\n{self._limits.settings()}", parameters, tz_mode="aware")
            return [dict(row) for row in answer.named_results()]

    def _columns_of(self, question: TopGroups | MeasuredCells) -> list[list[Any]]:
        """Return an answer column by column: rows of dictionaries cost more than their query."""
        text, parameters = question.sql()
        settings = self._limits.settings(is_parallel=not question.plan.relation.is_log)
        with self._asking() as client:
            raw = client.raw_query(f"{text}\n{settings}, {_ARROW}", parameters, fmt="ArrowStream")
        if not raw:
            raise StoreError("the store answered nothing at all; ask again", retryable=True)
        table = pa.ipc.open_stream(raw).read_all()
        return [column.to_pylist() for column in table.columns]

    @contextmanager
    def _asking(self) -> Iterator[Client]:
        """Hand out this thread's client, and none that has failed before.

        Embedded, a client whose question ran out of memory answers its next one with no rows.
        """
        with limited(self._connection.settings.place, self._limits):
            client = self._connection.reader()
            try:
                yield client
            except BaseException:
                self._connection.close_of_this_thread()
                raise
