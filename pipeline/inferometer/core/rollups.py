"""Roll-ups: the delta rows that a chunk adds to the windows of a cube.

A delta is one row a (window, group) of the chunk; the store adds rows of the same key, so chunks,
partitions and replays need no shared state and late events simply add another row.

Invariants: integer sums only; `requests`, status classes and latencies count final attempts, while
attempts, tokens and cost count all (decision 6); coarser windows are sums of finer ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from inferometer.core.columns import MISSING, CodeColumn
from inferometer.core.cubes import (
    CLASS_MEASURES,
    COST_MEASURE,
    COUNTER_MEASURES,
    DURATIONS,
    SKETCHES,
    TOKEN_MEASURES,
    UNPRICED_MEASURES,
    WINDOW_COLUMN,
    Cube,
    DimensionKind,
    Resolution,
    bins_column,
    duration_columns,
)
from inferometer.core.door import status_classes
from inferometer.core.events import STATUS_CLASSES
from inferometer.core.group_kernel import group_rows, sum_rows
from inferometer.core.sketches import SketchColumns, bins_of_us
from inferometer.core.windows import window_starts_s

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from inferometer.core.columns import EventColumns
    from inferometer.core.price_columns import CostColumns

_NANO = 10**9
"""Costs are summed in two parts, nano-units and the rest, so that neither sum can overflow."""
_COST_HIGH, _COST_LOW = "cost_high", "cost_low"
_FIELD_OF_MEASURE = {
    **{name: name for name in TOKEN_MEASURES},
    "images": "images",
    "characters": "characters",
    "audio_out_us": "audio_out_seconds",
    "audio_in_us": "audio_in_seconds",
    "video_us": "video_seconds",
    "gpu_us": "gpu_seconds",
    "egress_bytes": "egress_bytes",
    "cold_starts": "cold_start",
    "cache_hits": "cache_hit",
    "deadlines_missed": "deadline_missed",
}


@dataclass(frozen=True, slots=True)
class Measured:
    """Events as addends: what each event adds to each measure and sketch of any cube."""

    instants_us: NDArray[np.int64]
    dimensions: dict[str, CodeColumn]
    addends: dict[str, NDArray[np.int64]]
    """Absent where no event adds anything."""
    sketch_rows: dict[str, NDArray[np.int64]]
    sketch_bins: dict[str, NDArray[np.int16]]
    sketch_weights: dict[str, NDArray[np.int64]]


@dataclass(frozen=True, slots=True)
class Delta:
    """The rows that a chunk adds to one cube at one resolution."""

    cube: Cube
    windows_s: NDArray[np.int64]
    codes: NDArray[np.int32]
    """[dimension, group]"""
    values: tuple[tuple[str, ...], ...]
    """Texts of each dimension's codes."""
    sums: dict[str, NDArray[np.int64]]
    sketches: dict[str, SketchColumns]

    def __len__(self) -> int:
        return len(self.windows_s)


def measure(events: EventColumns, costs: CostColumns) -> Measured:
    """Return what each event adds, shared by all cubes."""
    numbers = events.numbers
    final = numbers["is_final"] != 0
    classes = status_classes(numbers["status_code"])
    addends = {"attempts": np.ones(len(events), dtype=np.int64), "requests": final.astype(np.int64)}
    for index, name in enumerate(STATUS_CLASSES):
        addends[CLASS_MEASURES[name]] = (final & (classes == index)).astype(np.int64)
    for name, source in _FIELD_OF_MEASURE.items():
        addends[name] = numbers[source]
    addends[_COST_HIGH], addends[_COST_LOW] = np.divmod(costs.numbers["price_cost"], _NANO)
    for status, name in zip(("unpriced", "partial"), UNPRICED_MEASURES, strict=True):
        addends[name] = _has_value(costs.codes["cost_status"], status)
    rows: dict[str, NDArray[np.int64]] = {}
    bins: dict[str, NDArray[np.int16]] = {}
    weights: dict[str, NDArray[np.int64]] = {}
    for name in DURATIONS:
        column = events.gaps.sums_us if name == "itl" else numbers[f"{name}_ms"]
        present = final & (column != MISSING)
        sum_name, count_name = duration_columns(name)
        addends[sum_name] = np.where(present, column, 0)
        counts = events.gaps.counts if name == "itl" else 1
        addends[count_name] = np.where(present, counts, 0)
        if name in SKETCHES and name != "itl":
            rows[name] = np.flatnonzero(present)
            bins[name] = bins_of_us(column[rows[name]])
            weights[name] = np.ones(len(rows[name]), dtype=np.int64)
    rows["itl"], bins["itl"], weights["itl"] = _gap_items(events, final)
    return Measured(
        instants_us=numbers["ts_end"],
        dimensions=_dimensions(events, classes),
        addends={name: values for name, values in addends.items() if values.any()},
        sketch_rows=rows,
        sketch_bins=bins,
        sketch_weights=weights,
    )


def _gap_items(
    events: EventColumns, final: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.int16], NDArray[np.int64]]:
    gaps = events.gaps
    rows = np.repeat(np.arange(len(events)), np.diff(gaps.starts))
    kept = final[rows]
    return rows[kept], gaps.bins[kept], gaps.bin_counts[kept]


def _has_value(column: CodeColumn, value: str) -> NDArray[np.int64]:
    matches = np.array([text == value for text in column.values], dtype=np.int64)
    return matches[column.codes]


def _dimensions(events: EventColumns, classes: NDArray[np.int8]) -> dict[str, CodeColumn]:
    statuses, status_codes = np.unique(events.numbers["status_code"], return_inverse=True)
    return {
        **events.codes,
        "status_code": CodeColumn(
            status_codes.astype(np.int32), tuple(str(status) for status in statuses.tolist())
        ),
        "status_class": CodeColumn(classes.astype(np.int32), STATUS_CLASSES),
        "team_id": _first_teams(events.lists["team_ids"]),
    }


def _first_teams(teams: pa.ListArray) -> CodeColumn:
    """Return the first team of each event, the one that is billed, as codes."""
    starts = np.asarray(teams.offsets)
    empty = starts[1:] == starts[:-1]
    items = teams.values
    if len(items) == 0:
        return CodeColumn(np.zeros(len(teams), dtype=np.int32), ("",))
    firsts = items.take(pa.array(np.where(empty, 0, starts[:-1]))).dictionary_encode()
    texts = firsts.dictionary.to_pylist()
    if "" not in texts:
        texts.append("")
    codes = np.where(empty, texts.index(""), np.asarray(firsts.indices))
    return CodeColumn(codes.astype(np.int32), tuple(texts))


def aggregate(measured: Measured, cube: Cube, resolution: Resolution) -> Delta:
    """Return a chunk's delta of a cube at its finest resolution."""
    columns = [measured.dimensions[dimension.name] for dimension in cube.dimensions]
    codes = np.stack([column.codes for column in columns]).astype(np.int32, copy=False)
    windows = window_starts_s(measured.instants_us, resolution.seconds)
    ids = np.empty(len(windows), dtype=np.int32)
    first_rows = group_rows(windows, codes, ids)
    groups = len(first_rows)
    return Delta(
        cube=cube,
        windows_s=windows[first_rows],
        codes=np.ascontiguousarray(codes[:, first_rows]),
        values=tuple(column.values for column in columns),
        sums=_sums(ids, measured.addends, groups),
        sketches={
            name: SketchColumns.build(
                ids=ids[measured.sketch_rows[name]],
                bins=measured.sketch_bins[name],
                weights=measured.sketch_weights[name],
                groups=groups,
            )
            for name in SKETCHES
        },
    )


def coarsen(delta: Delta, resolution: Resolution) -> Delta:
    """Return the same delta in longer windows, which must be a multiple of its own."""
    windows = delta.windows_s // resolution.seconds * resolution.seconds
    ids = np.empty(len(windows), dtype=np.int32)
    first_rows = group_rows(windows, delta.codes, ids)
    groups = len(first_rows)
    if groups == len(delta):
        # No two windows fall together: the groups are the same, in the same order.
        return Delta(delta.cube, windows, delta.codes, delta.values, delta.sums, delta.sketches)
    return Delta(
        cube=delta.cube,
        windows_s=windows[first_rows],
        codes=np.ascontiguousarray(delta.codes[:, first_rows]),
        values=delta.values,
        sums=_sums(ids, delta.sums, groups),
        sketches={name: sketch.merged(ids, groups) for name, sketch in delta.sketches.items()},
    )


def _sums(
    ids: NDArray[np.int32], addends: dict[str, NDArray[np.int64]], groups: int
) -> dict[str, NDArray[np.int64]]:
    sums: dict[str, NDArray[np.int64]] = {}
    for name, values in addends.items():
        sums[name] = np.zeros(groups, dtype=np.int64)
        sum_rows(ids, np.ascontiguousarray(values), sums[name])
    return sums


def to_arrow(delta: Delta) -> pa.Table:
    """Return the rows of a delta under the column names of its table.

    Measures to which nothing was added are left out: their default is zero.
    """
    columns: dict[str, pa.Array] = {
        WINDOW_COLUMN: pa.array(delta.windows_s.astype("datetime64[s]"), pa.timestamp("s", "UTC"))
    }
    for dimension, codes, values in zip(
        delta.cube.dimensions, delta.codes, delta.values, strict=True
    ):
        if dimension.kind is DimensionKind.STATUS_CODE:
            columns[dimension.name] = pa.array(np.array(values, dtype=np.uint16)[codes])
        else:
            columns[dimension.name] = pa.DictionaryArray.from_arrays(codes, pa.array(values))
    counters = (*COUNTER_MEASURES, *UNPRICED_MEASURES)
    durations = (column for name in DURATIONS for column in duration_columns(name))
    for name in (*counters, *durations):
        if name in delta.sums:
            columns[name] = pa.array(delta.sums[name].astype(np.uint64))
    if _COST_HIGH in delta.sums or _COST_LOW in delta.sums:
        nothing = np.zeros(len(delta), dtype=np.int64)
        columns[COST_MEASURE] = _usd(
            delta.sums.get(_COST_HIGH, nothing), delta.sums.get(_COST_LOW, nothing)
        )
    for name, sketch in delta.sketches.items():
        if len(sketch.bins):
            columns[bins_column(name)] = sketch.to_arrow()
    return pa.table(columns)


def _usd(high: NDArray[np.int64], low: NDArray[np.int64]) -> pa.Array:
    """Return sums of pico-dollars, given in units of 10^9 and the rest, as Decimal(38, 12)."""
    carry, rest = np.divmod(low, _NANO)
    high = high + carry
    if len(high) and int(high.max()) > 2**62 // _NANO:
        exact = [int(h) * _NANO + int(r) for h, r in zip(high, rest, strict=True)]
        words = np.array([[v & (2**64 - 1), v >> 64] for v in exact], dtype=np.uint64)
    else:
        words = np.stack([high * _NANO + rest, np.zeros_like(high)], axis=1).view(np.uint64)
    return pa.Array.from_buffers(
        pa.decimal128(38, 12), len(high), [None, pa.py_buffer(np.ascontiguousarray(words))]
    )
