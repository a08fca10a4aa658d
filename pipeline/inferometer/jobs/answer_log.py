"""Answers questions for single requests: a page, a count, a file, or one with all its attempts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from inferometer.core.query.answers import Coverage, LogPage
from inferometer.core.query.relations import LOG_RELATION, kept_since
from inferometer.jobs.remembered import Remembered

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Any

    from inferometer.core.query.questions import LogQuery
    from inferometer.query_ports import QueryStore, Row

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_US = timedelta(microseconds=1)


@dataclass(frozen=True, kw_only=True)
class LogExport:
    """A file of rows; its chunks are asked for as they are taken."""

    chunks: Iterator[bytes]
    row_count: int
    """How many rows the file has, but for those that come or go while it is written."""
    is_truncated: bool
    """There are more rows than its limit."""
    coverage: Coverage


class AnswerLog:
    """The job; may be called from several threads."""

    def __init__(self, store: QueryStore, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._clock = clock
        self._kept_days = Remembered(store.kept_days, clock)

    def __call__(self, query: LogQuery) -> LogPage:
        """Return rows, newest first. Raises QueryTooCostlyError, StoreError."""
        freshness = self._store.freshness()
        # One more than is shown says whether there is a next page.
        found = self._store.log_rows(replace(query, limit=query.limit + 1))
        rows = found[: query.limit]
        return LogPage(
            rows=rows,
            next_place=_place(rows[-1]) if len(found) > len(rows) else None,
            coverage=self._coverage(query),
            freshness=freshness,
        )

    def count(self, query: LogQuery, at_most: int = 10_000) -> tuple[int, bool]:
        """Return how many rows a question has on all pages, and whether there are more still."""
        found = self._store.log_count(replace(query, after=None), at_most=at_most + 1)
        return min(found, at_most), found > at_most

    def attempts(self, workspace_id: str | None, request_id: str) -> list[Row]:
        """Return every attempt of a request with every column; none where there is no such one."""
        return self._store.attempts(workspace_id, request_id)

    def export(self, query: LogQuery, form: str) -> LogExport:
        """Return rows with every column as csv, jsonl or parquet, at most `limit`."""
        row_count, is_truncated = self.count(query, at_most=query.limit)
        return LogExport(
            chunks=self._store.export_log(query, form),
            row_count=row_count,
            is_truncated=is_truncated,
            coverage=self._coverage(query),
        )

    def _coverage(self, query: LogQuery) -> Coverage:
        start, end = query.time_range.start, query.time_range.end
        kept = kept_since(LOG_RELATION, self._kept_days(), self._clock())
        if kept.covers(start, end):
            return Coverage(start, end, is_whole=True)
        reason = f"rows of the log are kept for {kept.days} days"
        return Coverage(min(max(start, kept.since), end), end, is_whole=False, reason=reason)


def _place(row: Mapping[str, Any]) -> tuple[int, str]:
    return (row["ts_end"] - _EPOCH) // _US, row["event_id"]
