"""Bounds what a question may take of the store, and tells which bound it met."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from inferometer.clickhouse.refusals import error_code, store_errors
from inferometer.errors import QueryTooCostlyError, StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator

_ROWS_CODES = frozenset({158, 396})
_RESULT_CODE = 396
_BYTES_CODES = frozenset({307})
_TIME_CODES = frozenset({159, 160})
_MEMORY_CODE = 241
_WHOLE_STORE = "(total)"
"""In the text of an error: the whole engine is short of memory, not this question alone."""

_PARALLEL = {
    # Roll-up rows are few and heavy: by default a second thread begins at 160,000 of them.
    "merge_tree_min_rows_for_concurrent_read": "8192",
    "merge_tree_min_bytes_for_concurrent_read": "1000000",
    "max_block_size": "4096",
}


@dataclass(frozen=True, kw_only=True)
class QueryLimits:
    """What one question may take."""

    seconds: float = 20.0
    export_seconds: float = 300.0
    rows: int = 2_000_000_000
    """Read, not answered."""
    memory_bytes: int = 2 << 30
    export_rows: int = 1_000_000
    """Of one file; a longer one fails, since a file that ends early looks whole."""

    def settings(self, *, is_export: bool = False, is_parallel: bool = False) -> str:
        """Return the clause that every text ends with.

        In the text, because a driver that got them apart would put them on its whole session.
        """
        settings = {
            "max_execution_time": f"{self.export_seconds if is_export else self.seconds:g}",
            "timeout_overflow_mode": "'throw'",
            "max_rows_to_read": str(self.rows),
            "read_overflow_mode": "'throw'",
            "max_memory_usage": str(self.memory_bytes),
            **(_PARALLEL if is_parallel else {}),
        }
        if is_export:
            settings |= {
                "max_result_rows": str(self.export_rows),
                "result_overflow_mode": "'throw'",
            }
        return "SETTINGS " + ", ".join(f"{name} = {value}" for name, value in settings.items())


@contextmanager
def limited(place: str, limits: QueryLimits, *, is_export: bool = False) -> Iterator[None]:
    """Raise QueryTooCostlyError for a met bound, StoreError for the rest of what a driver raises."""
    try:
        with store_errors(place):
            yield
    except StoreError as error:
        cause = error.__cause__
        code = error_code(cause) if isinstance(cause, Exception) else None
        seconds = limits.export_seconds if is_export else limits.seconds
        if code in _TIME_CODES:
            raise QueryTooCostlyError(
                f"the question would take longer than {seconds:g} s", _remedy(is_export=is_export)
            ) from error
        if code == _RESULT_CODE and is_export:
            raise QueryTooCostlyError(
                f"the file would have more than {limits.export_rows:,} rows",
                _remedy(is_export=is_export),
            ) from error
        if code in _ROWS_CODES or code in _BYTES_CODES:
            raise QueryTooCostlyError(
                f"the question would read more than {limits.rows:,} rows",
                "ask for a shorter range, or filter by workspace",
            ) from error
        if code == _MEMORY_CODE and _WHOLE_STORE not in str(cause):
            raise QueryTooCostlyError(
                f"the question would need more than {limits.memory_bytes >> 20:,} MiB of memory",
                _remedy(is_export=is_export),
            ) from error
        raise


def _remedy(*, is_export: bool) -> str:
    if is_export:
        return "export a shorter range, or in several parts"
    return "ask for a shorter range, a coarser granularity, fewer groups, or add a filter"
