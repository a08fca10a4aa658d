"""Reads records that are Arrow IPC streams: checks them, and yields tables of like schemas.

Invariants: nothing is unpacked before its size is known from the metadata; what is unpacked at one
time is bounded; any bytes give rows or a refusal of the record, never an exception.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from inferometer.core.envelopes import FOUND_COLUMNS, MAX_RECORD_EVENTS, MAX_UNPACKED_BYTES
from inferometer.core.events import Kind
from inferometer.core.fields import FIELD_INDEX, FIELDS
from inferometer.core.ipc_kernel import OK, ROWS, SCHEMA_END, STATUS, UNPACKED, scan_streams
from inferometer.core.reasons import Reason, Refusal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from inferometer.core.records import RecordColumns

UNPACKED_AT_ONCE = 2 * MAX_UNPACKED_BYTES
"""Bytes of all streams that are in memory unpacked at one time."""

_UNREADABLE = (
    pa.ArrowException, OSError, ValueError, TypeError, KeyError, IndexError, OverflowError,
    NotImplementedError,
)  # fmt: skip
"""What pyarrow raises for bytes that are no stream; a lack of memory is not among them."""
_MAX_DETAIL_CHARS = 300


class UnreadableStreamError(ValueError):
    """A stream whose columns cannot be events."""


@dataclass(frozen=True, slots=True)
class StreamRows:
    """The rows of streams with one schema, in the order of their records."""

    table: pa.Table
    """The columns that the contract knows."""
    records: NDArray[np.int64]
    """The record of each row, by its place in the chunk."""
    indexes: NDArray[np.int64]
    """The place of each row in its record."""
    unknown_fields: int
    """Columns that the contract does not know."""


@dataclass(frozen=True, slots=True)
class _Stream:
    row: int
    batches: list[pa.RecordBatch]


@dataclass(frozen=True, slots=True)
class _Plan:
    """What is read of a schema."""

    options: pa.ipc.IpcReadOptions
    unknown_fields: int
    spreading: tuple[int, ...]
    """Columns, by their place among those read, whose plain form may be larger than they are."""


def read_streams(
    records: RecordColumns, rows: NDArray[np.int64], refusals: dict[int, Refusal]
) -> Iterator[StreamRows]:
    """Yield the events of the records at `rows`; records that are refused go to `refusals`."""
    wanted = np.zeros(len(records), dtype=np.bool_)
    wanted[rows] = True
    found = np.zeros((len(records), FOUND_COLUMNS), dtype=np.int64)
    scan_streams(records.buffer, records.starts, records.lengths, wanted, found)
    readable: list[int] = []
    for row in rows.tolist():
        refusal = _refusal(found[row])
        if refusal is None:
            readable.append(row)
        else:
            refusals[row] = refusal
    for part in _bounded(readable, found[:, UNPACKED]):
        yield from _read_part(records, part, found, refusals)


def whole_table(value: bytes) -> pa.Table | Refusal:
    """Return all columns of a stream that was read before.

    Those that are no field of events are met here for the first time: offsets of theirs that lead
    outside of the record would end the process, not raise.
    """
    try:
        batches = _open(value, _options())
        for batch in batches:
            batch.validate(full=True)
        return pa.Table.from_batches(batches)
    except _UNREADABLE as error:
        return _unreadable(error)


def _unreadable(error: Exception) -> Refusal:
    detail = f"{type(error).__name__}: {error}"[:_MAX_DETAIL_CHARS]
    return Refusal(Reason.UNREADABLE_BATCH, detail)


def _refusal(found: NDArray[np.int64]) -> Refusal | None:
    if found[STATUS] != OK:
        return Refusal(
            Reason.UNREADABLE_BATCH,
            "its messages are no whole Arrow IPC stream: a schema, then dictionaries and record "
            "batches; send what pyarrow.ipc.new_stream writes",
        )
    if found[ROWS] > MAX_RECORD_EVENTS or found[UNPACKED] > MAX_UNPACKED_BYTES:
        return Refusal(
            Reason.TOO_LARGE,
            f"{found[ROWS]} events, {found[UNPACKED]} bytes unpacked; a record may carry "
            f"{MAX_RECORD_EVENTS} events and {MAX_UNPACKED_BYTES} bytes: send smaller batches",
        )
    if found[ROWS] == 0:
        return Refusal(Reason.EMPTY_RECORD, "the stream has no rows")
    return None


def _bounded(rows: list[int], sizes: NDArray[np.int64]) -> Iterator[list[int]]:
    part: list[int] = []
    size = 0
    for row in rows:
        if part and size + sizes[row] > UNPACKED_AT_ONCE:
            yield part
            part, size = [], 0
        part.append(row)
        size += int(sizes[row])
    if part:
        yield part


def _read_part(
    records: RecordColumns, rows: list[int], found: NDArray[np.int64], refusals: dict[int, Refusal]
) -> Iterator[StreamRows]:
    plans: dict[bytes, _Plan] = {}
    streams: dict[bytes, list[_Stream]] = {}
    for row in rows:
        value = records.value(row)
        schema = value[: int(found[row, SCHEMA_END] - records.starts[row])]
        try:
            if schema not in plans:
                plans[schema] = _plan(schema)
            batches = _checked(value, plans[schema], int(found[row, ROWS]))
        except _UNREADABLE as error:
            refusals[row] = _unreadable(error)
            continue
        if isinstance(batches, Refusal):
            refusals[row] = batches
        else:
            streams.setdefault(schema, []).append(_Stream(row, batches))
    for schema, several in streams.items():
        yield _joined(several, plans[schema])


def _plan(schema: bytes) -> _Plan:
    given = pa.ipc.open_stream(pa.py_buffer(schema)).schema
    if len(set(given.names)) < len(given.names):
        raise UnreadableStreamError("two columns have one name")
    known = [place for place, name in enumerate(given.names) if name in FIELD_INDEX]
    if not known:
        raise UnreadableStreamError(f"none of its columns is a field of events: {given.names}")
    kept = [given.field(place) for place in known]
    unknown = len(given) - len(known)
    return _Plan(
        options=_options(known if unknown else None),
        unknown_fields=unknown,
        spreading=tuple(
            place
            for place, field in enumerate(kept)
            if FIELDS[FIELD_INDEX[field.name]].kind is not Kind.CODE and _may_spread(field.type)
        ),
    )


def _options(fields: list[int] | None = None) -> pa.ipc.IpcReadOptions:
    return pa.ipc.IpcReadOptions(use_threads=False, included_fields=fields)


def _open(value: bytes, options: pa.ipc.IpcReadOptions) -> list[pa.RecordBatch]:
    with pa.ipc.open_stream(pa.py_buffer(value), options=options) as reader:
        return [batch for batch in reader if batch.num_rows]


def _checked(value: bytes, plan: _Plan, rows: int) -> list[pa.RecordBatch] | Refusal:
    batches = _open(value, plan.options)
    if sum(batch.num_rows for batch in batches) != rows:
        raise UnreadableStreamError("its batches have other rows than their metadata says")
    spread = 0
    for batch in batches:
        batch.validate(full=True)
        spread += sum(_spread_bytes(batch.column(place)) for place in plan.spreading)
    if spread > MAX_UNPACKED_BYTES:
        return Refusal(
            Reason.TOO_LARGE,
            f"its texts need {spread} bytes without dictionaries; a record may carry "
            f"{MAX_UNPACKED_BYTES}: send smaller batches",
        )
    return batches


def _joined(streams: list[_Stream], plan: _Plan) -> StreamRows:
    counts = [sum(batch.num_rows for batch in stream.batches) for stream in streams]
    return StreamRows(
        table=pa.Table.from_batches([batch for stream in streams for batch in stream.batches]),
        records=np.repeat(np.array([stream.row for stream in streams], dtype=np.int64), counts),
        indexes=np.concatenate([np.arange(count, dtype=np.int64) for count in counts]),
        unknown_fields=plan.unknown_fields,
    )


def _is_list(given: pa.DataType) -> bool:
    return bool(
        pa.types.is_list(given)
        or pa.types.is_large_list(given)
        or pa.types.is_fixed_size_list(given)
    )


def _may_spread(given: pa.DataType) -> bool:
    """Say whether the plain form of a column may be larger than its buffers."""
    if pa.types.is_dictionary(given) or pa.types.is_string_view(given):
        return True
    if pa.types.is_nested(given):
        return any(_may_spread(given.field(place).type) for place in range(given.num_fields))
    return False


def _spread_bytes(array: pa.Array) -> int:
    """Return the bytes of texts in a column when each stands by itself."""
    given = array.type
    if pa.types.is_dictionary(given):
        if not (pa.types.is_string(given.value_type) or pa.types.is_large_string(given.value_type)):
            return 0
        lengths = pc.binary_length(array.dictionary)
        return int(pc.sum(lengths.cast(pa.int64()).take(array.indices)).as_py() or 0)
    if pa.types.is_string_view(given):
        views = np.frombuffer(array.buffers()[1], dtype="<i4").reshape(-1, 4)
        return int(views[array.offset : array.offset + len(array), 0].sum(dtype=np.int64))
    if pa.types.is_map(given):
        return _spread_bytes(array.keys) + _spread_bytes(array.items)
    if _is_list(given):
        return _spread_bytes(array.values)
    if pa.types.is_struct(given):
        return sum(_spread_bytes(array.field(place)) for place in range(given.num_fields))
    return 0
