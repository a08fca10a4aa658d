"""Signed deltas: what has to be added to a roll-up so that it says what the log says.

Invariants: counts are unsigned and add up modulo 2**64, so a negative delta is its complement and
every sum comes out right; money is signed; a group that needs nothing has no row.
"""

from __future__ import annotations

import hashlib
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import orjson
import pyarrow as pa

from inferometer.core.cubes import (
    COST_MEASURE,
    MEASURES,
    SKETCHES,
    WINDOW_COLUMN,
    Cube,
    DimensionKind,
    bins_column,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from inferometer.core.conservation import GroupDifference

_MODULUS = 2**64
_SKETCH_MEASURES = frozenset(map(bins_column, SKETCHES))
_BINS = pa.map_(pa.int16(), pa.uint64())
_MONEY = pa.decimal128(38, 12)


def delta_table(cube: Cube, groups: Sequence[GroupDifference]) -> pa.Table:
    """Return the rows to add to a cube's table, under its column names."""
    columns: dict[str, pa.Array] = {
        WINDOW_COLUMN: pa.array(
            [group.window_start_s for group in groups], pa.timestamp("s", "UTC")
        )
    }
    for dimension in cube.dimensions:
        is_status = dimension.kind is DimensionKind.STATUS_CODE
        columns[dimension.name] = pa.array(
            [group.group[dimension.name] for group in groups],
            pa.uint16() if is_status else pa.string(),
        )
    for measure in MEASURES:
        columns[measure] = _measure(measure, groups)
    return pa.table(columns)


def _measure(measure: str, groups: Sequence[GroupDifference]) -> pa.Array:
    pairs = [(group.expected[measure], group.found[measure]) for group in groups]
    if measure in _SKETCH_MEASURES:
        return pa.array([_bins(expected, found) for expected, found in pairs], _BINS)
    if measure == COST_MEASURE:
        return pa.array([Decimal(expected) - Decimal(found) for expected, found in pairs], _MONEY)
    return pa.array([(expected - found) % _MODULUS for expected, found in pairs], pa.uint64())


def _bins(expected: Mapping[int, int], found: Mapping[int, int]) -> list[tuple[int, int]]:
    deltas = {
        index: (expected.get(index, 0) - found.get(index, 0)) % _MODULUS
        for index in sorted({*expected, *found})
    }
    return [(index, delta) for index, delta in deltas.items() if delta]


def signed_deltas(group: GroupDifference) -> dict[str, str]:
    """Return what is added to each measure that differs, as text with its sign."""
    return {name: str(expected - found) for name, (expected, found) in group.changes().items()}


def content_digest(table: str, groups: Sequence[GroupDifference]) -> str:
    """Return what tells one set of deltas of a table from another, whatever their order."""
    rows: list[Any] = sorted(
        [
            group.window_start_s,
            [str(value) for value in group.group.values()],
            sorted(signed_deltas(group).items()),
        ]
        for group in groups
    )
    return hashlib.sha256(orjson.dumps([table, rows])).hexdigest()[:32]
