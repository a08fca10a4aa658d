"""Answers which values a dimension has, and which metadata keys were sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from inferometer.core.query.answers import DimensionValue
    from inferometer.core.query.questions import TimeRange, ValuesQuery
    from inferometer.query_ports import QueryStore


class AnswerValues:
    """The job; may be called from several threads."""

    def __init__(self, store: QueryStore) -> None:
        self._store = store

    def __call__(self, query: ValuesQuery) -> list[DimensionValue]:
        """Return values, those with most requests first. Raises StoreError."""
        return self._store.values(query)[: query.limit]

    def metadata_keys(
        self, workspace_id: str | None, time_range: TimeRange, prefix: str = "", limit: int = 100
    ) -> list[DimensionValue]:
        """Return metadata keys, those sent most first. Raises StoreError."""
        keys = self._store.metadata_keys(workspace_id, time_range)
        return [key for key in keys if key.value.startswith(prefix)][:limit]
