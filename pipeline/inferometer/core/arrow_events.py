"""Events as record batches of the canonical schema, and as the streams that records hold.

A batch has one column for each field of the contract that any of its events sets.
Invariant: reading a batch gives the events that it was made from, to the unit in which columns are
stored.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from inferometer.core.arrow_schema import DURATION, GAPS, MONEY, TYPES, schema_of
from inferometer.core.columns import MISSING
from inferometer.core.decoder import decode_spans
from inferometer.core.event_kernel import OK
from inferometer.core.events import Kind
from inferometer.core.field_table import CODES, LISTS, MAPS, NUMBERS, TEXTS, field_table
from inferometer.core.fields import FIELDS
from inferometer.core.judgement import canonical
from inferometer.names import REQUEST_EVENT_TYPE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from inferometer.core.columns import EventColumns, GapColumns
    from inferometer.core.events import InferenceRequest
    from inferometer.core.fields import EventField

COMPRESSIONS = ("none", "lz4", "zstd")
"""What the bodies of a stream may be compressed with; `none` leaves it to the broker's batches."""

_LIMB = 2  # 64-bit halves of a decimal of 128 bits


def to_batch(events: EventColumns) -> pa.RecordBatch:
    """Return events as a batch; columns in which every event has the default are left out."""
    arrays: dict[str, pa.Array] = {}
    for field in NUMBERS:
        arrays[field.name] = _numbers(field, events.numbers[field.name])
    for field in CODES:
        column = events.codes[field.name]
        if len(column.values) > 1 or column.values[0] != str(field.default or ""):
            arrays[field.name] = _codes(column.codes, column.values, str(field.default or ""))
    for field in TEXTS:
        lengths = np.diff(_offsets(events.texts[field.name]))
        if lengths.any():
            arrays[field.name] = events.texts[field.name]
    for field in (*LISTS, *MAPS):
        items = (events.lists if field.kind is Kind.TEXT_LIST else events.maps)[field.name]
        if len(items.values if field.kind is Kind.TEXT_LIST else items.keys):
            arrays[field.name] = items
    arrays["itl"] = gaps_array(events.gaps)
    kept = [field for field in FIELDS if _is_used(field, arrays.get(field.name))]
    return pa.RecordBatch.from_arrays(
        [arrays[field.name].cast(TYPES[field.kind]) for field in kept],
        schema=schema_of(field.name for field in kept),
    )


def batch_of(events: Sequence[InferenceRequest]) -> pa.RecordBatch:
    """Return events of the contract as a batch."""
    return batch_of_json([canonical(event) for event in events])


def batch_of_json(values: Sequence[bytes]) -> pa.RecordBatch:
    """Return events, each the JSON object of a record, as a batch. Raises ValueError.

    The events must be valid and plainly written, as producers of this package write them.
    """
    lengths = np.array([len(value) for value in values], dtype=np.int64)
    rows = decode_spans(
        np.frombuffer(b"".join(values), dtype=np.uint8), np.cumsum(lengths) - lengths, lengths
    )
    if not (rows.status == OK).all():
        row = int(np.flatnonzero(rows.status != OK)[0])
        raise ValueError(f"event {row} is none of {REQUEST_EVENT_TYPE}: {values[row][:200]!r}")
    places = np.arange(len(values), dtype=np.int64)
    return to_batch(rows.select(places, places, places))


def encode(batches: pa.RecordBatch | Sequence[pa.RecordBatch], compression: str = "zstd") -> bytes:
    """Return batches of one schema as the value of one Kafka record."""
    several = [batches] if isinstance(batches, pa.RecordBatch) else list(batches)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, several[0].schema, options=write_options(compression)) as writer:
        for batch in several:
            writer.write_batch(batch)
    return bytes(sink.getvalue())


@functools.cache
def write_options(compression: str) -> pa.ipc.IpcWriteOptions:
    """Return how streams are written; see `COMPRESSIONS`."""
    if compression not in COMPRESSIONS:
        raise ValueError(f"compression {compression!r}; take one of {', '.join(COMPRESSIONS)}")
    return pa.ipc.IpcWriteOptions(
        compression=None if compression == "none" else compression, use_threads=False
    )


def _is_used(field: EventField, array: pa.Array | None) -> bool:
    return array is not None and (field.required or array.null_count < len(array))


def _numbers(field: EventField, values: NDArray[np.int64]) -> pa.Array:
    default = field_table().number_defaults[NUMBERS.index(field)]
    absent = values == (MISSING if field.required else default)
    return number_array(field.kind, values, absent)


def number_array(kind: Kind, values: NDArray[np.int64], absent: NDArray[np.bool_]) -> pa.Array:
    """Return stored numbers of a kind as their Arrow type; absent ones are null."""
    if kind is Kind.BOOL:
        return pa.array(values == 1, pa.bool_(), mask=absent)
    if kind is Kind.MONEY:
        limbs = np.zeros((len(values), _LIMB), dtype=np.int64)
        limbs[:, 0] = values
        valid = pa.array(~absent).buffers()[1]
        return pa.Array.from_buffers(MONEY, len(values), [valid, pa.py_buffer(limbs)])
    return pa.array(values, pa.int64(), mask=absent).view(TYPES[kind])


def _codes(codes: NDArray[np.int32], values: Sequence[str], default: str) -> pa.Array:
    # Code 0 is the default, which goes without a value.
    absent = codes == 0 if values[0] == default else np.zeros(len(codes), dtype=np.bool_)
    used, compact = np.unique(codes[~absent], return_inverse=True)
    indices = np.zeros(len(codes), dtype=np.int32)
    indices[~absent] = compact
    return pa.DictionaryArray.from_arrays(
        pa.array(indices, mask=absent),
        pa.array([values[code] for code in used.tolist()], pa.string()),
    )


def gaps_array(gaps: GapColumns) -> pa.StructArray:
    """Return the gaps between chunks as their Arrow type."""
    absent = gaps.counts == MISSING
    bins = pa.MapArray.from_arrays(
        pa.array(gaps.starts, pa.int32()), pa.array(gaps.bins), pa.array(gaps.bin_counts)
    )
    return pa.StructArray.from_arrays(
        [
            pa.array(gaps.counts, mask=absent),
            pa.array(gaps.sums_us, mask=absent).view(DURATION),
            pa.array(gaps.maxima_us, mask=gaps.maxima_us == MISSING).view(DURATION),
            bins,
        ],
        fields=list(GAPS),
        mask=pa.array(absent),
    )


def _offsets(texts: pa.StringArray) -> NDArray[np.int32]:
    whole = np.frombuffer(texts.buffers()[1], dtype=np.int32)
    places: NDArray[np.int32] = whole[texts.offset : texts.offset + len(texts) + 1]
    return places
