"""What dimensions and sums are in SQL, of a roll-up and of the log.

Invariants: a name becomes part of a text only if the catalogue of dimensions or the cubes have it; whatever a person chose (a key of
metadata) is bound. The log gives the same sums as the roll-ups made of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from inferometer.core.bins import LN_GAMMA, MICROSECONDS_PER_MS, ZERO_BIN
from inferometer.core.cubes import (
    CLASS_MEASURES,
    COST_MEASURE,
    CUBES,
    DURATIONS,
    MEASURES,
    SKETCHES,
    TOKEN_MEASURES,
    UNPRICED_MEASURES,
    bins_column,
    duration_columns,
    rows_table,
)
from inferometer.core.query.dimensions import DIMENSIONS, METADATA_PREFIX, DimensionKind
from inferometer.core.windows import MICROSECONDS_PER_SECOND
from inferometer.errors import StoreError
from inferometer.names import REQUESTS_TABLE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from inferometer.clickhouse.query_parameters import Bound
    from inferometer.core.query.dimensions import QueryDimension

ROWS = "r"
"""What every text calls the relation, so that no alias can hide a column."""

LOG_SUMS = (
    "cost_input", "cost_output", "cost_cache_read", "cost_cache_write", "cost_reasoning",
    "cost_other", "log_bytes", "ingress_bytes", "model_load_bytes", "preemptions",
    "prefix_cache_tokens", "feature_store_reads",
)  # fmt: skip
"""Columns that only the log has, summed over all attempts."""

_CODE = f"{ROWS}.status_code"
_IS_2XX = f"intDiv({_CODE}, 100) = 2"
_SECONDS = {
    "audio_out_us": "audio_out_seconds",
    "audio_in_us": "audio_in_seconds",
    "video_us": "video_seconds",
    "gpu_us": "gpu_seconds",
}
_COUNTED_FLAGS = {
    "cold_starts": "cold_start",
    "cache_hits": "cache_hit",
    "deadlines_missed": "deadline_missed",
}


@dataclass(frozen=True, slots=True)
class Column:
    """A dimension of a relation."""

    raw: str
    """The cheapest form, for comparing."""
    is_text: bool = True

    @property
    def text(self) -> str:
        """The form that groups and answers have."""
        return self.raw if self.is_text else f"toString({self.raw})"


@dataclass(frozen=True, slots=True)
class Relation:
    """How to read one relation."""

    table: str
    time: str
    """The column that windows and ranges are about."""
    columns: Mapping[str, Column]
    is_success: str
    """The condition that a row is about 2xx."""

    @property
    def is_log(self) -> bool:
        """Whether rows are attempts, not deltas of windows."""
        return self.table == REQUESTS_TABLE

    def has(self, dimension: str) -> bool:
        """Say whether the relation has a dimension."""
        return dimension in self.columns or (self.is_log and dimension.startswith(METADATA_PREFIX))

    def column(self, dimension: str, bound: Bound) -> Column:
        """Return a dimension. Raises StoreError for one that the relation lacks."""
        if self.is_log and dimension.startswith(METADATA_PREFIX):
            key = bound.text(dimension.removeprefix(METADATA_PREFIX))
            return Column(f"{ROWS}.metadata[{key}]")
        found = self.columns.get(dimension)
        if found is None:
            # Not the name itself: what is no dimension may be anything.
            raise StoreError(
                f"no such dimension in {self.table}; it has {', '.join(sorted(self.columns))}",
                retryable=False,
            )
        return found

    def total(self, name: str, *, only_successes: bool) -> str:
        """Return the sum of a column; of a latency, over successes only where so asked.

        Raises StoreError for a column that the relation lacks.
        """
        only = self.is_success if only_successes and name in _LATENCIES else ""
        if self.is_log:
            found = _log_total(name, only)
        elif name in _SUMMED:
            found = f"sumIf({ROWS}.{name}, {only})" if only else f"sum({ROWS}.{name})"
        else:
            found = ""
        if not found:
            raise StoreError(f"{self.table} has no such sum", retryable=False)
        return found

    def sketch(self, duration: str, *, only_successes: bool) -> tuple[str, str]:
        """Return a row's map from bin to count, and the condition to take it on ("" for always).

        Raises StoreError for a duration without a sketch.
        """
        if duration not in SKETCHES:
            raise StoreError(f"only {', '.join(SKETCHES)} have percentiles", retryable=False)
        conditions = [f"{ROWS}.is_final"] if self.is_log else []
        if only_successes:
            conditions.append(self.is_success)
        if not self.is_log or duration == "itl":
            return f"{ROWS}.{bins_column(duration)}", " AND ".join(conditions)
        conditions.append(f"{ROWS}.{duration}_ms IS NOT NULL")
        # Never through a fraction of milliseconds: at the edge of a bin it would land beside it.
        us = f"toInt64(ifNull({ROWS}.{duration}_ms, 0) * {MICROSECONDS_PER_MS})"
        index = f"toInt16(if({us} <= 0, {ZERO_BIN}, ceil(log({us}) / {LN_GAMMA!r})))"
        return f"map({index}, toUInt64(1))", " AND ".join(conditions)


_LATENCIES = {
    name: (duration, bool(place))
    for duration in DURATIONS
    for place, name in enumerate(duration_columns(duration))
}
"""Of each column its duration, and whether it is the count."""
_SUMMED = frozenset(MEASURES) - frozenset(map(bins_column, SKETCHES))


def _log_totals() -> dict[str, str]:
    found = {"attempts": "count()", "requests": f"countIf({ROWS}.is_final)"}
    for name, measure in CLASS_MEASURES.items():
        found[measure] = f"countIf({ROWS}.is_final AND {ROWS}.status_class = '{name}')"
    for name in (*TOKEN_MEASURES, "images", "characters", "egress_bytes", *LOG_SUMS):
        found[name] = f"sum({ROWS}.{name})"
    for name, column in _SECONDS.items():
        found[name] = f"toUInt64(sum({ROWS}.{column}) * {MICROSECONDS_PER_SECOND})"
    for name, column in _COUNTED_FLAGS.items():
        found[name] = f"countIf({ROWS}.{column})"
    found[COST_MEASURE] = f"sum({ROWS}.price_cost)"
    for status, name in zip(("unpriced", "partial"), UNPRICED_MEASURES, strict=True):
        found[name] = f"countIf({ROWS}.cost_status = '{status}')"
    return found


_LOG_TOTALS = _log_totals()


def _log_total(name: str, condition: str) -> str:
    if name not in _LATENCIES:
        return _LOG_TOTALS.get(name, "")
    duration, is_count = _LATENCIES[name]
    held = f"{ROWS}.is_final" + (f" AND {condition}" if condition else "")
    value = f"{ROWS}.itl_sum_ms" if duration == "itl" else f"{ROWS}.{duration}_ms"
    if not is_count:
        return f"toUInt64(ifNull(sumIf({value}, {held}), 0) * {MICROSECONDS_PER_MS})"
    if duration == "itl":
        return f"sumIf({ROWS}.itl_count, {held} AND {value} IS NOT NULL)"
    return f"countIf({held} AND {value} IS NOT NULL)"


def _relations() -> dict[str, Relation]:
    found = {}
    for cube in CUBES:
        names = {d.name for d in cube.dimensions}
        columns = {d.name: _column(d) for d in DIMENSIONS if d.name in names}
        columns.setdefault("status_class", Column(f"status_class_of({_CODE})"))
        success = _IS_2XX if "status_code" in names else f"{ROWS}.status_class = '2xx'"
        for resolution in cube.resolutions:
            table = rows_table(cube, resolution)
            found[table] = Relation(table, f"{ROWS}.window_start", columns, success)
    log = {d.name: _column(d) for d in DIMENSIONS if d.is_in_log}
    log["team_id"] = Column(f"{ROWS}.team_ids[1]")
    found[REQUESTS_TABLE] = Relation(REQUESTS_TABLE, f"{ROWS}.ts_end", log, _IS_2XX)
    return found


def _column(dimension: QueryDimension) -> Column:
    return Column(f"{ROWS}.{dimension.name}", is_text=dimension.kind is DimensionKind.TEXT)


RELATIONS = _relations()
"""By the name that a plan has: a table of roll-up rows, or the log."""
