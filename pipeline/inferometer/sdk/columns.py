"""Events as columns: Arrow IPC streams made of lines of JSON, or of the caller's own tables.

The body of a stream is left to the compression of Kafka's batches: one run over all columns takes a
quarter of the CPU of a run for each of a hundred small buffers, and leaves as few bytes.
The only module of the SDK that imports pyarrow.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from inferometer.core.arrow_schema import DURATION, GAPS, MONEY, SCHEMA, TYPES, schema_of
from inferometer.core.events import Kind
from inferometer.core.fields import FIELD_INDEX, FIELDS, SCALES
from inferometer.core.quick_check import CheckedGaps, checked

Place = Callable[[bytes], tuple[bytes, int]]
"""Key and partition of a second; see `inferometer.sdk.spread.Spread.place`."""

_PLAIN = pa.ipc.IpcWriteOptions(compression=None, use_threads=False)
_PICO = Decimal("1e-12")
_NEAR_TIE = 0.499
_US_PER_S = 1_000_000
_SMALL_DICTIONARY = 16
_REQUIRED = [field.name for field in FIELDS if field.required]


class LineColumns:
    """Writes lines as columns. A column once used stays, so that the sink reads many records as one."""

    def __init__(self) -> None:
        self._used: set[str] = set()

    def write(self, lines: Sequence[bytes]) -> tuple[bytes, list[int]]:
        """Return a stream of the events of some lines, and the places of lines that it leaves out.

        It leaves out what is not certainly an event.
        """
        odd: list[int] = []
        rows = []
        for place, line in enumerate(lines):
            event = checked(line)
            if event is None:
                odd.append(place)
            else:
                rows.append(msgspec.structs.astuple(event))
        if not rows:
            return b"", odd
        columns = dict(zip(FIELD_INDEX, zip(*rows, strict=True), strict=True))
        nothing = len(rows)
        self._used |= {name for name, values in columns.items() if values.count(None) < nothing}
        arrays = [
            _array(field.kind, columns[field.name]) for field in FIELDS if field.name in self._used
        ]
        return _stream(pa.RecordBatch.from_arrays(arrays, schema=schema_of(self._used))), odd


def streams_of_table(
    table: pa.Table | pa.RecordBatch,
    *,
    defaults: Mapping[str, Any],
    new_id: Callable[[], str],
    place: Place,
    max_events: int,
    max_bytes: int,
) -> Iterator[tuple[bytes, bytes, int, int]]:
    """Yield key, stream, number of events and bytes for the records that a table's rows come to.

    An empty stream stands for a row that is larger than `max_bytes`. Raises TypeError for columns
    that are no fields, and ValueError for types that do not become the canonical ones.
    """
    batch = _one_batch(table)
    if not batch.num_rows:
        return
    batch = _conformed(batch, defaults, new_id)
    for key, part in _by_partition(batch, place):
        for first in range(0, part.num_rows, max_events):
            for stream, events, size in _within(part.slice(first, max_events), max_bytes):
                yield key, stream, events, size


def marked_resent(stream: bytes) -> bytes:
    """Return a stream whose events say that they are sent again."""
    with pa.ipc.open_stream(stream) as reader:
        table = reader.read_all()
    column = pa.chunked_array([pa.array([True] * table.num_rows, pa.bool_())])
    at = table.schema.get_field_index("resent")
    field = pa.field("resent", pa.bool_())
    table = table.append_column(field, column) if at < 0 else table.set_column(at, field, column)
    return _stream(_one_batch(table))


def _array(kind: Kind, values: Sequence[Any]) -> pa.Array:
    if kind in {Kind.DURATION, Kind.SECONDS}:
        scale = SCALES[kind]
        return pa.array(
            [None if v is None else _scaled(v, scale) for v in values], pa.int64()
        ).view(DURATION)
    if kind is Kind.CODE:
        return pa.array(values, pa.string()).dictionary_encode()
    if kind is Kind.MONEY:
        return pa.array([None if v is None else _money(v) for v in values], MONEY)
    if kind is Kind.TEXT_MAP:
        values = [None if v is None else list(v.items()) for v in values]
    if kind is Kind.GAPS:
        return _gaps(values)
    return pa.array(values, TYPES[kind])


def _scaled(value: float, scale: int) -> int:
    """Return stored units, rounded half-even as the door does it: by decimal digits, not by bits."""
    exact = value * scale
    nearest = round(exact)
    if abs(exact - nearest) < _NEAR_TIE:
        return nearest
    return int((Decimal(repr(value)) * scale).quantize(Decimal(1), ROUND_HALF_EVEN))


def _money(value: float | str) -> Decimal:
    text = value if isinstance(value, str) else repr(value)
    return Decimal(text).quantize(_PICO, ROUND_HALF_EVEN)


def _gaps(values: Sequence[CheckedGaps | None]) -> pa.Array:
    ms = SCALES[Kind.DURATION]
    rows = [
        None
        if gaps is None
        else {
            "count": gaps.count,
            "sum": _scaled(gaps.sum_ms, ms),
            "max": None if gaps.max_ms is None else _scaled(gaps.max_ms, ms),
            "bins": list(zip(gaps.bins[::2], gaps.bins[1::2], strict=True)),
        }
        for gaps in values
    ]
    return pa.array(rows, GAPS)


def _one_batch(table: pa.Table | pa.RecordBatch) -> pa.RecordBatch:
    if isinstance(table, pa.RecordBatch):
        return table
    batches = table.to_batches()
    if len(batches) > 1:
        batches = table.unify_dictionaries().combine_chunks().to_batches()
    if batches:
        return batches[0]
    return pa.RecordBatch.from_pylist([], schema=table.schema)


def _conformed(
    batch: pa.RecordBatch, defaults: Mapping[str, Any], new_id: Callable[[], str]
) -> pa.RecordBatch:
    """Return the batch with canonical types, event ids and the client's defaults."""
    rows = batch.num_rows
    if unknown := set(batch.schema.names) - FIELD_INDEX.keys():
        raise TypeError(f"no such field of an event: {', '.join(sorted(unknown))}")
    arrays = {
        name: _canonical(name, column)
        for name, column in zip(batch.schema.names, batch.columns, strict=True)
    }
    if "event_id" not in arrays:
        arrays["event_id"] = pa.array([new_id() for _ in range(rows)], pa.string())
    for name, value in defaults.items():
        if name not in arrays:
            kind = FIELDS[FIELD_INDEX[name]].kind
            arrays[name] = _array(kind, [value] * rows)
    if missing := [name for name in _REQUIRED if name not in arrays]:
        raise ValueError(f"the table lacks required columns: {', '.join(missing)}")
    schema = pa.schema([pa.field(name, array.type) for name, array in arrays.items()])
    return pa.RecordBatch.from_arrays(
        list(arrays.values()), schema=schema.with_metadata(SCHEMA.metadata)
    )


def _canonical(name: str, column: pa.Array) -> pa.Array:
    kind = FIELDS[FIELD_INDEX[name]].kind
    wanted = TYPES[kind]
    if column.type == wanted or (pa.types.is_integer(wanted) and pa.types.is_integer(column.type)):
        return column
    if kind in {Kind.DURATION, Kind.SECONDS} and _is_number(column.type):
        # The sink reads them in the unit of the field; a cast would take them for microseconds.
        return column
    if pa.types.is_dictionary(wanted):
        if pa.types.is_dictionary(column.type):
            return column
        return column.cast(pa.string()).dictionary_encode()
    try:
        return column.cast(wanted)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise ValueError(f"column {name}: {column.type} does not become {wanted}") from error


def _is_number(given: pa.DataType) -> bool:
    return bool(pa.types.is_integer(given) or pa.types.is_floating(given))


def _by_partition(batch: pa.RecordBatch, place: Place) -> Iterator[tuple[bytes, pa.RecordBatch]]:
    """Yield rows that go to one partition together, with the key of their first second."""
    ends = batch.column("ts_end").view(pa.int64())
    seconds = pc.divide(ends, _US_PER_S)
    span = pc.min_max(seconds).as_py()
    if span["min"] == span["max"]:
        yield place(b"%d" % (span["min"] or 0))[0], batch
        return
    groups: dict[bytes | int, tuple[bytes, list[int | None]]] = {}
    for second in seconds.unique().to_pylist():
        key, partition = place(b"%d" % (second or 0))
        groups.setdefault(partition if partition >= 0 else key, (key, []))[1].append(second)
    for key, members in groups.values():
        if len(groups) == 1:
            yield key, batch
        else:
            yield key, batch.filter(pc.is_in(seconds, pa.array(members, pa.int64())))


def _within(batch: pa.RecordBatch, max_bytes: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield streams of the rows, as few as stay below a number of bytes."""
    stream = _stream(_compact(batch))
    if len(stream) <= max_bytes:
        yield stream, batch.num_rows, len(stream)
    elif batch.num_rows == 1:
        yield b"", 1, len(stream)
    else:
        half = batch.num_rows // 2
        yield from _within(batch.slice(0, half), max_bytes)
        yield from _within(batch.slice(half), max_bytes)


def _compact(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return the batch with dictionaries of what its rows use."""
    columns = batch.columns
    for place, column in enumerate(columns):
        if isinstance(column, pa.DictionaryArray) and len(column.dictionary) > _SMALL_DICTIONARY:
            columns[place] = _compact_codes(column)
    return pa.RecordBatch.from_arrays(columns, schema=batch.schema)


def _compact_codes(column: pa.DictionaryArray) -> pa.DictionaryArray:
    used = column.indices.dictionary_encode()
    return pa.DictionaryArray.from_arrays(
        used.indices.cast(column.type.index_type), column.dictionary.take(used.dictionary)
    )


def _stream(batch: pa.RecordBatch) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema, options=_PLAIN) as writer:
        writer.write_batch(batch)
    return sink.getvalue().to_pybytes()  # type: ignore[no-any-return]  # pyarrow has no types
