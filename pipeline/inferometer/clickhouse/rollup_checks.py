"""Queries that hold a roll-up table against the log: every measure of every (window, group).

The log side is written from the definition of each measure, in SQL, and shares no code with what
the sink computes; the two meet only in the names of `core.cubes`. A dimension that folds values is
folded here by the stored lists, which are taken as they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from inferometer.core.audit_spans import Slice
from inferometer.core.bins import LN_GAMMA, MICROSECONDS_PER_MS, ZERO_BIN
from inferometer.core.cubes import (
    CLASS_MEASURES,
    COST_MEASURE,
    DURATIONS,
    MEASURES,
    SKETCHES,
    TOKEN_MEASURES,
    UNPRICED_MEASURES,
    WINDOW_COLUMN,
    bins_column,
    duration_columns,
    rows_table,
)
from inferometer.core.dimension_caps import CAPPED_DIMENSIONS, OTHER
from inferometer.core.windows import MICROSECONDS_PER_SECOND
from inferometer.names import DIMENSION_VALUES_TABLE, LEDGER_TABLE, REQUESTS_TABLE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inferometer.core.cubes import Cube, Resolution

_SKETCH_MEASURES = frozenset(map(bins_column, SKETCHES))
_SECONDS = {
    "audio_out_us": "audio_out_seconds",
    "audio_in_us": "audio_in_seconds",
    "video_us": "video_seconds",
    "gpu_us": "gpu_seconds",
}
_FLAGS = {
    "cold_starts": "cold_start",
    "cache_hits": "cache_hit",
    "deadlines_missed": "deadline_missed",
}
_DERIVED_DIMENSIONS = {
    "team_id": "log.team_ids[1]",
    # Not the stored class: the code is what it follows from.
    "status_class": "status_class_of(log.status_code)",
}


def _from_log() -> dict[str, str]:
    """Return for each measure what it is, as an aggregate over rows of the log."""
    found = {"attempts": "count()", "requests": "countIf(log.is_final)"}
    for name, measure in CLASS_MEASURES.items():
        found[measure] = f"countIf(log.is_final AND status_class_of(log.status_code) = '{name}')"
    for name in (*TOKEN_MEASURES, "images", "characters", "egress_bytes"):
        found[name] = f"toUInt64(sum(log.{name}))"
    for name, column in _SECONDS.items():
        found[name] = f"toUInt64(sum(log.{column}) * {MICROSECONDS_PER_SECOND})"
    for name, column in _FLAGS.items():
        found[name] = f"countIf(log.{column})"
    found[COST_MEASURE] = "sum(log.price_cost)"
    for status, name in zip(("unpriced", "partial"), UNPRICED_MEASURES, strict=True):
        found[name] = f"countIf(log.cost_status = '{status}')"
    for name in DURATIONS:
        found |= _duration(name)
    for name in SKETCHES:
        found[bins_column(name)] = _sketch(name)
    return {name: found[name] for name in MEASURES}


def _duration(name: str) -> dict[str, str]:
    sum_name, count_name = duration_columns(name)
    column = "log.itl_sum_ms" if name == "itl" else f"log.{name}_ms"
    return {
        sum_name: f"toUInt64(ifNull(sumIf({column}, log.is_final), 0) * {MICROSECONDS_PER_MS})",
        count_name: (
            "toUInt64(sumIf(log.itl_count, log.is_final AND log.itl_sum_ms IS NOT NULL))"
            if name == "itl"
            else f"countIf(log.is_final AND {column} IS NOT NULL)"
        ),
    }


def _sketch(name: str) -> str:
    if name == "itl":
        return "sumMapIf(log.itl_bins, log.is_final)"
    # Never through a fraction of milliseconds: at the edge of a bin it would land beside it.
    us = f"toInt64(ifNull(log.{name}_ms, 0) * {MICROSECONDS_PER_MS})"
    index = f"toInt16(if({us} <= 0, {ZERO_BIN}, ceil(log({us}) / {LN_GAMMA!r})))"
    return f"sumMapIf(map({index}, toUInt64(1)), log.is_final AND log.{name}_ms IS NOT NULL)"


_FROM_LOG = _from_log()


def _from_rows(measure: str) -> str:
    if measure in _SKETCH_MEASURES:
        # A bin that a repair took back to nothing is no bin.
        return f"mapFilter((bin, bin_count) -> bin_count != 0, sumMap(stored.{measure}))"
    return f"sum(stored.{measure})"


_IN_ROWS = (
    f"stored.{WINDOW_COLUMN} >= toDateTime({{from_s:UInt32}}, 'UTC')"
    f" AND stored.{WINDOW_COLUMN} < toDateTime({{to_s:UInt32}}, 'UTC')"
)
_NO_END = f"toUInt64({2**64 - 1})"
_SAME_PARTITION = (
    "{0}.kafka_topic = {1}.kafka_topic AND {0}.kafka_partition = {1}.kafka_partition"
    " AND {0}.stream_id = {1}.stream_id"
)


def _of_log(name: str) -> str:
    return _DERIVED_DIMENSIONS.get(name, f"log.{name}")


def _folded(name: str) -> str:
    """Return a dimension of the log as its partition's list of the month folds it."""
    value = f"toString({_of_log(name)})"
    is_own = f"{value} IN ('', '{OTHER}') OR log.kafka_offset < {name}_list.until"
    return f"if({is_own}, {value}, '{OTHER}')"


def _list(name: str) -> str:
    """Return the join with the admission that holds at a row of the log.

    It is the latest of its value before the row, and holds until the first of the next month.
    """
    place = "kafka_topic, kafka_partition, stream_id"
    window = f"PARTITION BY {place} ORDER BY month ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING"
    return f"""
    ASOF LEFT JOIN
    (
        SELECT {place}, value, admitted.kafka_offset AS kafka_offset, months.until AS until
        FROM {DIMENSION_VALUES_TABLE} AS admitted
        INNER JOIN
        (
            SELECT
                {place}, month,
                leadInFrame(min(first.kafka_offset), 1, {_NO_END}) OVER ({window}) AS until
            FROM {DIMENSION_VALUES_TABLE} AS first
            WHERE dimension = '{name}'
            GROUP BY {place}, month
        ) AS months USING ({place}, month)
        WHERE admitted.dimension = '{name}'
    ) AS {name}_list
    ON {_SAME_PARTITION.format(f"{name}_list", "log")}
        AND {name}_list.value = {_of_log(name)} AND log.kafka_offset >= {name}_list.kafka_offset"""  # noqa: S608 - constants


def _both_sides(cube: Cube, resolution: Resolution, only: str, folded: Sequence[str]) -> str:
    """Return one row a (window, group) with each measure as the log and as the table has it.

    `folded` names the dimensions in which values may have been folded.
    """
    dimensions = [dimension.name for dimension in cube.dimensions]
    keys = ", ".join((WINDOW_COLUMN, *dimensions))
    log_dimensions = ", ".join(
        f"{_folded(name) if name in folded else _of_log(name)} AS {name}" for name in dimensions
    )
    lists = "".join(_list(name) for name in dimensions if name in folded)
    log_measures = ",\n        ".join(f"{sql} AS {name}" for name, sql in _FROM_LOG.items())
    row_measures = ",\n        ".join(f"{_from_rows(name)} AS {name}" for name in MEASURES)
    row_dimensions = ", ".join(f"stored.{name} AS {name}" for name in dimensions)
    pairs = ",\n    ".join(
        f"anyIf(sides.{name}, sides.is_log) AS expected_{name}, "
        f"anyIf(sides.{name}, NOT sides.is_log) AS found_{name}"
        for name in MEASURES
    )
    in_log = (
        "log.ts_end >= fromUnixTimestamp64Micro({from_us:Int64}, 'UTC')"
        " AND log.ts_end < fromUnixTimestamp64Micro({to_us:Int64}, 'UTC')"
    )
    interval = f"INTERVAL {resolution.seconds} SECOND"
    window = f"toDateTime(toStartOfInterval(log.ts_end, {interval}, 'UTC'), 'UTC')"
    return f"""SELECT
    {keys},
    {pairs}
FROM
(
    SELECT
        true AS is_log,
        {window} AS {WINDOW_COLUMN},
        {log_dimensions},
        {log_measures}
    FROM {REQUESTS_TABLE} AS log{lists}
    WHERE {in_log}{only.format(window=window)}
    GROUP BY {keys}
    UNION ALL
    SELECT
        false AS is_log,
        stored.{WINDOW_COLUMN} AS {WINDOW_COLUMN},
        {row_dimensions},
        {row_measures}
    FROM {rows_table(cube, resolution)} AS stored
    WHERE {_IN_ROWS}{only.format(window=f"stored.{WINDOW_COLUMN}")}
    GROUP BY {keys}
) AS sides
GROUP BY {keys}"""  # noqa: S608 - constants


def _differs() -> str:
    return " OR ".join(f"expected_{name} != found_{name}" for name in MEASURES)


def _span(span: Slice) -> dict[str, Any]:
    return {
        "from_us": span.from_s * MICROSECONDS_PER_SECOND,
        "to_us": span.to_s * MICROSECONDS_PER_SECOND,
        "from_s": span.from_s,
        "to_s": span.to_s,
    }


@dataclass(frozen=True, slots=True)
class FoldedDimensions:
    """The dimensions of a cube in which values may be folded: by a ledger, or by rows of a span.

    The ledger may be older than what it keeps, the rows may be lost.
    """

    cube: Cube
    resolution: Resolution
    span: Slice

    def sql(self) -> tuple[str, dict[str, Any]]:
        """Return the text and its parameters."""
        names = [d.name for d in self.cube.dimensions if d.name in CAPPED_DIMENSIONS]
        folds = ", ".join(f"if(max(stored.{name} = '{OTHER}'), ['{name}'], [])" for name in names)
        text = f"""SELECT DISTINCT arrayJoin(arrayConcat({folds})) AS dimension
FROM {rows_table(self.cube, self.resolution)} AS stored
WHERE {_IN_ROWS}
UNION DISTINCT
SELECT DISTINCT toString(arrayJoin(mapKeys(folded))) AS dimension
FROM {LEDGER_TABLE}"""  # noqa: S608 - constants
        return text, {"from_s": self.span.from_s, "to_s": self.span.to_s}


@dataclass(frozen=True, slots=True)
class CompareWindows:
    """Each window of a span: how many groups it has, and how many of them differ."""

    cube: Cube
    resolution: Resolution
    span: Slice
    folded: tuple[str, ...] = ()
    """Dimensions of `FoldedDimensions`."""

    def sql(self) -> tuple[str, dict[str, Any]]:
        """Return the text and its parameters."""
        text = f"""SELECT toUnixTimestamp({WINDOW_COLUMN}) AS start_s, count(), countIf({_differs()})
FROM
(
{_both_sides(self.cube, self.resolution, "", self.folded)}
)
GROUP BY start_s
ORDER BY start_s"""  # noqa: S608 - constants
        return text, _span(self.span)


@dataclass(frozen=True, slots=True)
class DifferingGroups:
    """The groups of some windows that differ, with every measure of both sides."""

    cube: Cube
    resolution: Resolution
    windows_s: Sequence[int]
    limit: int
    folded: tuple[str, ...] = ()
    """Dimensions of `FoldedDimensions`."""

    def sql(self) -> tuple[str, dict[str, Any]]:
        """Return the text and its parameters."""
        span = Slice(min(self.windows_s), max(self.windows_s) + self.resolution.seconds)
        only = " AND toUnixTimestamp({window}) IN {{windows:Array(UInt32)}}"
        dimensions = ", ".join(dimension.name for dimension in self.cube.dimensions)
        values = ", ".join(f"{side}_{name}" for side in ("expected", "found") for name in MEASURES)
        text = f"""SELECT toUnixTimestamp({WINDOW_COLUMN}), {dimensions}, {values}
FROM
(
{_both_sides(self.cube, self.resolution, only, self.folded)}
)
WHERE {_differs()}
ORDER BY {WINDOW_COLUMN}, {dimensions}
LIMIT {{limit:UInt64}}"""  # noqa: S608 - constants
        return text, {**_span(span), "windows": list(self.windows_s), "limit": self.limit}
