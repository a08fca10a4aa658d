"""Log rows: the accepted events of a chunk as one table with the columns of `requests`.

Invariants: one row an event; columns in which every event has the store's own default are left
out, so a table as wide as the contract costs only what is used. What other columns say is left out
as well: the table answers remainders of tokens from totals and buckets.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from inferometer.core.columns import MISSING
from inferometer.core.door import REMAINDERS, status_classes
from inferometer.core.events import STATUS_CLASSES, Kind
from inferometer.core.field_table import NUMBERS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from inferometer.core.chunks import StreamPartition
    from inferometer.core.columns import CodeColumn, EventColumns
    from inferometer.core.fields import EventField
    from inferometer.core.price_columns import CostColumns

_DURATION_TYPE = pa.decimal64(18, 3)
_SECONDS_TYPE = pa.decimal64(18, 6)
_MONEY_TYPE = pa.decimal64(18, 12)


def log_table(events: EventColumns, costs: CostColumns, source: StreamPartition) -> pa.Table:
    """Return the rows that a chunk adds to the log."""
    columns: dict[str, pa.Array] = {}
    numbers = {**events.numbers, **costs.numbers}
    for field in NUMBERS:
        if field.name in REMAINDERS:
            continue
        column = _number(field.kind, numbers[field.name])
        if column is not None:
            columns[field.name] = _narrow(column, field) if field.kind is Kind.INT else column
    codes = {**events.codes, **costs.codes, "status_class": None}
    for name, code_column in codes.items():
        if code_column is not None and code_column.values != ("",):
            columns[name] = _code(code_column)
    columns["status_class"] = pa.DictionaryArray.from_arrays(
        status_classes(events.numbers["status_code"]), pa.array(STATUS_CLASSES)
    )
    for name, texts in events.texts.items():
        if texts.buffers()[2] is not None and texts.buffers()[2].size:
            columns[name] = texts
    for name, items in {**events.lists, **events.maps}.items():
        if len(items.values if isinstance(items, pa.ListArray) else items.keys):
            columns[name] = items
    columns |= _gaps(events)
    columns |= _place(events, source)
    return pa.table(columns)


def _number(kind: Kind, values: NDArray[np.int64]) -> pa.Array | None:
    missing = values == MISSING
    has_missing = bool(missing.any())
    # Zero is the store's default, save for durations, whose default is NULL.
    if missing.all() or (kind is not Kind.DURATION and not has_missing and not values.any()):
        return None
    mask = np.packbits(~missing, bitorder="little") if has_missing else None
    match kind:
        case Kind.INSTANT:
            arrow_type: pa.DataType = pa.timestamp("us", "UTC")
        case Kind.DURATION:
            arrow_type = _DURATION_TYPE
        case Kind.SECONDS:
            arrow_type = _SECONDS_TYPE
        case Kind.MONEY:
            arrow_type = _MONEY_TYPE
        case Kind.BOOL:
            return pa.array(values != 0)
        case _:
            arrow_type = pa.int64()
    return pa.Array.from_buffers(
        arrow_type,
        len(values),
        [None if mask is None else pa.py_buffer(mask), pa.py_buffer(np.ascontiguousarray(values))],
    )


def _narrow(column: pa.Array, field: EventField) -> pa.Array:
    """Give an integer the width that its bounds need, so that the store has nothing to convert."""
    if (field.minimum or 0) < 0:
        return column.cast(pa.int32())
    widths = (pa.uint8(), pa.uint16(), pa.uint32())
    fitting = [width for width in widths if (field.maximum or 0) < 2**width.bit_width]
    return column.cast(fitting[0] if fitting else pa.uint64())


def _code(column: CodeColumn) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(
        np.ascontiguousarray(column.codes), pa.array(column.values)
    )


def _gaps(events: EventColumns) -> dict[str, pa.Array]:
    gaps = events.gaps
    if (gaps.counts == MISSING).all():
        return {}
    columns = {"itl_count": pa.array(np.maximum(gaps.counts, 0).astype(np.uint32))}
    for name, values in (("itl_sum_ms", gaps.sums_us), ("itl_max_ms", gaps.maxima_us)):
        column = _number(Kind.DURATION, values)
        if column is not None:
            columns[name] = column
    if len(gaps.bins):
        columns["itl_bins"] = pa.MapArray.from_arrays(
            pa.array(gaps.starts.astype(np.int32)),
            pa.array(gaps.bins),
            pa.array(gaps.bin_counts.astype(np.uint64)),
        )
    return columns


def _place(events: EventColumns, source: StreamPartition) -> dict[str, pa.Array]:
    count = len(events)
    zeros = np.zeros(count, dtype=np.int8)
    return {
        "stream_id": pa.DictionaryArray.from_arrays(zeros, pa.array([source.stream_id])),
        "kafka_topic": pa.DictionaryArray.from_arrays(zeros, pa.array([source.topic])),
        "kafka_partition": pa.array(np.full(count, source.partition, dtype=np.uint32)),
        "kafka_offset": pa.array(events.offsets.astype(np.uint64)),
        "kafka_index": pa.array(events.indexes.astype(np.uint32)),
    }
