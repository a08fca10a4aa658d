"""What the query jobs need from the outside world; adapters name a product."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import date, datetime

    from inferometer.core.query.answers import DimensionValue, Freshness, MeasuredRow
    from inferometer.core.query.margins import Margins, MarginsPlan
    from inferometer.core.query.plans import MetricsPlan
    from inferometer.core.query.questions import LogQuery, TimeRange, ValuesQuery

Row = dict[str, Any]
Lags = Callable[[], Mapping[tuple[str, int], int]]
"""Tells the records that the furthest behind of the groups has yet to read, by topic and partition,
as far as they are known; it does not block."""


class QueryStore(Protocol):
    """Read-only questions to the store.

    Calls block, may come from several threads, and are idempotent. Each is bounded in time, rows
    and memory: QueryTooCostlyError says which bound was met. Raises StoreError.
    """

    def kept_days(self) -> dict[str, int]:
        """Return the days that each table keeps its rows."""

    def freshness(self) -> Freshness:
        """Return how far all partitions are complete."""

    def measured(self, plan: MetricsPlan) -> tuple[list[MeasuredRow], int]:
        """Return the rows of a plan, and the number of groups before the rest was folded."""

    def margins(self, plan: MarginsPlan) -> Margins:
        """Return measures in two spans by the values of each of several dimensions."""

    def export_measured(self, plan: MetricsPlan, form: str) -> Iterator[bytes]:
        """Yield (window, group) rows of a plan as csv, jsonl or parquet, in the order of windows.

        All groups, none folded; columns window_start, window_end, the groups, the measures.
        """

    def log_rows(self, query: LogQuery) -> list[Row]:
        """Return rows of the log, at most `limit`, with the columns of a page."""

    def log_count(self, query: LogQuery, *, at_most: int) -> int:
        """Return how many rows a question has, counted no further than `at_most`."""

    def export_log(self, query: LogQuery, form: str) -> Iterator[bytes]:
        """Yield rows of the log with every column, as csv, jsonl or parquet."""

    def attempts(self, workspace_id: str | None, request_id: str) -> list[Row]:
        """Return every attempt of a request with every column, in the order of attempts."""

    def values(self, query: ValuesQuery) -> list[DimensionValue]:
        """Return values of a dimension or metadata key, those with most requests first."""

    def metadata_keys(
        self, workspace_id: str | None, time_range: TimeRange
    ) -> list[DimensionValue]:
        """Return the metadata keys that were sent in a span."""

    def seconds(self, workspace_id: str | None, since: datetime, until: datetime) -> Sequence[Row]:
        """Return rows of (at, model, requests, failures, output_tokens, cost_usd) by second."""

    def prices(self, at: datetime) -> list[Row]:
        """Return the price book in force at an instant."""

    def unpriced(self, workspace_id: str | None, time_range: TimeRange) -> list[Row]:
        """Return models with attempts that lack a price, in a span."""

    def reconciliation(self, first_day: date, last_day: date) -> list[Row]:
        """Return a row a UTC day and provider that was used or billed, both days included.

        Columns day, provider, priced_usd (None: nothing of the day is kept), billed_usd (None: no
        bill), difference_usd, difference_ratio, attempts, unpriced_requests,
        partially_priced_requests; of all workspaces, oldest day first.
        """

    def partitions(self) -> list[Row]:
        """Return freshness and the account of the last hour's chunks, by partition."""

    def dead_letter_counts(self, time_range: TimeRange) -> list[Row]:
        """Return dead letters by reason: count, first and last instant."""

    def dead_letters(
        self, time_range: TimeRange, *, reason: str, limit: int, before: tuple[int, str] | None
    ) -> list[Row]:
        """Return dead letters with their bytes, newest first."""

    def folded(self) -> list[Row]:
        """Return how full the lists of dimension values are, and what was folded."""
