"""Arrow tables become the columns of events, and rows in doubt are named.

What is plainly right is taken as it is, column by column; a row with anything else (a value out of
bounds, a null that is required, a type that asks for a decision) is in doubt and is judged as JSON,
so that the contract keeps its one authority.

Invariants: rows that are not in doubt have the values that the model gives; any valid table of the
sizes that the reader admits gives columns.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from inferometer.core.arrow_numbers import stored_numbers
from inferometer.core.arrow_schema import DURATION, GAPS, TYPES
from inferometer.core.bins import MAX_BIN, ZERO_BIN
from inferometer.core.columns import MISSING, CodeColumn, EventColumns, GapColumns
from inferometer.core.events import (
    MAX_DURATION_MS,
    MAX_LIST_ITEMS,
    MAX_METADATA_CHARS,
    MAX_METADATA_KEYS,
    MAX_UINT32,
    Kind,
)
from inferometer.core.field_table import CODES, LISTS, MAPS, NUMBERS, TEXTS, field_table
from inferometer.core.nested_kernel import check_keys, check_sketches

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from inferometer.core.fields import EventField

    Flags = NDArray[np.bool_]
    Integers = NDArray[np.int64]

_MAX_GAPS_US = int(MAX_DURATION_MS) * 1000
_MAX_BINS = 4096
"""Pairs of bin and count that the contract admits."""
_PLAIN_TEXT = (pa.string(), pa.large_string(), pa.string_view())


class ArrowColumns:
    """The columns of the events in a table; `doubtful` names the rows that hold no meaning yet."""

    def __init__(self, table: pa.Table, offsets: Integers, indexes: Integers) -> None:
        self._table = table
        self._names = set(table.column_names)
        self._count = table.num_rows
        self._shared: dict[int, Integers] = {}
        self.doubtful: Flags = np.zeros(self._count, dtype=np.bool_)
        self.events = EventColumns(
            offsets=offsets,
            indexes=indexes,
            numbers={field.name: self._number(field) for field in NUMBERS},
            codes={field.name: self._code(field) for field in CODES},
            texts={field.name: self._text(field) for field in TEXTS},
            lists={field.name: self._list(field) for field in LISTS},
            maps={field.name: self._map(field) for field in MAPS},
            gaps=self._gaps(),
        )

    def _doubt_all(self, array: pa.Array | pa.ChunkedArray) -> None:
        """Doubt each row that says something in a column that was not understood."""
        self.doubtful |= ~_is_null(array)

    def _array(self, field: EventField, kinds: tuple[pa.DataType, ...]) -> pa.Array | None:
        """Return a column in the first of these types, None where it is absent or another."""
        if field.name not in self._names:
            if field.required:
                self.doubtful[:] = True
            return None
        array = _combined(self._table.column(field.name))
        if field.required and array.null_count:
            self.doubtful |= _is_null(array)
        if array.type in kinds:
            return array
        if not _is_of_texts(array.type):
            self._doubt_all(array)
            return None
        try:
            return array.cast(kinds[0])
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError):
            self._doubt_all(array)
            return None

    def _number(self, field: EventField) -> Integers:
        default = int(field_table().number_defaults[NUMBERS.index(field)])
        if field.name in self._names:
            column = stored_numbers(field, _combined(self._table.column(field.name)))
            if column.doubtful is not None:
                self.doubtful |= column.doubtful
            if column.absent is None:
                return column.values
            if field.required:
                self.doubtful |= column.absent
            column.values[column.absent] = default
            return column.values
        if field.required:
            self.doubtful[:] = True
        if default not in self._shared:
            self._shared[default] = np.full(self._count, default, dtype=np.int64)
        # Absent columns share their memory: nobody writes into the columns of events.
        return self._shared[default]

    def _code(self, field: EventField) -> CodeColumn:
        default = str(field.default or "")
        array = None
        if self._is_textual(field):
            array = _dictionary(_combined(self._table.column(field.name)))
        elif field.name in self._names:
            self._doubt_all(self._table.column(field.name))
        if array is None:
            self.doubtful |= np.full(self._count, field.required)
            return CodeColumn(np.zeros(self._count, dtype=np.int32), (default,))
        return self._coded(field, array, default)

    def _is_textual(self, field: EventField) -> bool:
        if field.name not in self._names:
            return False
        kind = self._table.schema.field(field.name).type
        return (kind.value_type if pa.types.is_dictionary(kind) else kind) in _PLAIN_TEXT

    def _coded(self, field: EventField, array: pa.DictionaryArray, default: str) -> CodeColumn:
        codes: dict[str, int] = {default: 0}
        places = [
            codes.setdefault(default if value is None else value, len(codes))
            for value in array.dictionary.to_pylist()
        ]
        # With an entry to spare, so that a dictionary of nothing has one for its nulls.
        lookup = np.array([*places, 0], dtype=np.int32)
        indices = array.indices
        absent = None
        if indices.null_count:
            absent = _is_null(indices)
            if field.required:
                self.doubtful |= absent
            indices = indices.fill_null(0)
        codes_of_rows = lookup[indices.to_numpy(zero_copy_only=False)]
        if absent is not None:
            codes_of_rows[absent] = 0
        column = CodeColumn(codes_of_rows, tuple(codes))
        allowed = [_is_allowed(field, value) for value in column.values]
        if not all(allowed):
            self.doubtful |= ~np.array(allowed)[column.codes]
        return column

    def _text(self, field: EventField) -> pa.StringArray:
        array = self._array(field, (pa.string(),)) if self._is_textual(field) else None
        if array is None:
            if field.name in self._names:
                self._doubt_all(self._table.column(field.name))
            self.doubtful |= np.full(self._count, field.required)
            return _empty_texts(self._count)
        if array.null_count:
            array = array.fill_null("")
        array, too_long = _bounded(array, int(field.maximum or 0))
        self.doubtful |= too_long
        if field.minimum:
            self.doubtful |= np.diff(_places(array)) < field.minimum
        return array

    def _list(self, field: EventField) -> pa.ListArray:
        array = self._array(field, (TYPES[Kind.TEXT_LIST],))
        if array is None:
            return pa.ListArray.from_arrays(
                pa.array(np.zeros(self._count + 1, dtype=np.int32)), pa.array([], pa.string())
            )
        starts, [items] = _spans(array)
        self.doubtful |= np.diff(starts) > MAX_LIST_ITEMS
        items = self._items(starts, items)
        return pa.ListArray.from_arrays(pa.array(starts), items)

    def _map(self, field: EventField) -> pa.MapArray:
        array = self._array(field, (TYPES[Kind.TEXT_MAP],))
        if array is None:
            nothing = pa.array([], pa.string())
            return pa.MapArray.from_arrays(
                pa.array(np.zeros(self._count + 1, dtype=np.int32)), nothing, nothing
            )
        starts, (keys, items) = _spans(array)
        large = np.diff(starts) > MAX_METADATA_KEYS
        self.doubtful |= large
        keys, items = self._items(starts, keys), self._items(starts, items)
        if not large.any():
            check_keys(starts, _places(keys), _data(keys), self.doubtful)
        return pa.MapArray.from_arrays(pa.array(starts), keys, items)

    def _items(self, starts: NDArray[np.int32], items: pa.StringArray) -> pa.StringArray:
        """Return the items of rows without nulls, and doubt rows with nulls or too long items."""
        bad = None
        if items.null_count:
            bad = _is_null(items)
            items = items.fill_null("")
        items, too_long = _bounded(items, MAX_METADATA_CHARS)
        if bad is not None or too_long.any():
            rows = np.repeat(np.arange(self._count), np.diff(starts))
            self.doubtful[rows[too_long if bad is None else too_long | bad]] = True
        return items

    def _gaps(self) -> GapColumns:
        if "itl" not in self._names:
            return _no_gaps(self._count)
        array = _combined(self._table.column("itl"))
        if array.type != GAPS:
            try:
                array = array.cast(GAPS)
            except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError):
                self._doubt_all(array)
                return _no_gaps(self._count)
        here = ~_is_null(array)
        count, total, largest, bins = array.flatten()
        counts, sums, maxima = (_integers(part) for part in (count, total, largest))
        in_bounds = (counts >= 0) & (counts <= MAX_UINT32) & (sums >= 0) & (sums <= _MAX_GAPS_US)
        in_bounds &= (maxima == MISSING) | ((maxima >= 0) & (maxima <= _MAX_GAPS_US))
        self.doubtful |= here & ~in_bounds
        starts, (indexes, amounts) = _spans(bins)
        if indexes.null_count or amounts.null_count:
            self.doubtful |= here
            return _no_gaps(self._count)
        found = GapColumns(
            counts=counts,
            sums_us=sums,
            maxima_us=maxima,
            starts=starts.astype(np.int64),
            bins=indexes.to_numpy(zero_copy_only=False),
            bin_counts=amounts.to_numpy(zero_copy_only=False).astype(np.int64),
        )
        check_sketches(
            counts, found.starts, found.bins, found.bin_counts,
            ZERO_BIN, MAX_BIN, _MAX_BINS, MAX_UINT32, self.doubtful,
        )  # fmt: skip
        return found


def _is_of_texts(given: pa.DataType) -> bool:
    """Say whether all inside a type is text: a cast would write numbers and bytes as text as well."""
    if pa.types.is_map(given):
        return _is_of_texts(given.key_type) and _is_of_texts(given.item_type)
    if (
        pa.types.is_dictionary(given)
        or pa.types.is_list(given)
        or pa.types.is_large_list(given)
        or pa.types.is_fixed_size_list(given)
    ):
        return _is_of_texts(given.value_type)
    return given in _PLAIN_TEXT or bool(pa.types.is_null(given))


def _combined(column: pa.ChunkedArray) -> pa.Array:
    """Return a column as one array; dictionaries are unified."""
    try:
        return column.combine_chunks()
    except pa.ArrowInvalid:
        # Dictionaries with nulls, or of more values than their indices can name.
        values = column.type.value_type
        return column.cast(values).combine_chunks()


def _is_null(array: pa.Array | pa.ChunkedArray) -> Flags:
    flags: Flags = array.is_null().to_numpy(zero_copy_only=False)
    return flags


def _dictionary(array: pa.Array) -> pa.DictionaryArray:
    """Return text as dictionary codes of plain texts; codes may repeat a text."""
    if not pa.types.is_dictionary(array.type):
        plain = array if array.type == pa.string() else array.cast(pa.string())
        return plain.dictionary_encode()
    if array.type.value_type == pa.string():
        return array
    return pa.DictionaryArray.from_arrays(array.indices, array.dictionary.cast(pa.string()))


def _is_allowed(field: EventField, value: str) -> bool:
    if field.choices:
        return value in field.choices
    return (field.minimum or 0) <= len(value) <= (field.maximum or 0)


def _empty_texts(count: int) -> pa.StringArray:
    return pa.StringArray.from_buffers(
        count, pa.py_buffer(np.zeros(count + 1, dtype=np.int32)), pa.py_buffer(b"")
    )


def _places(texts: pa.StringArray) -> NDArray[np.int32]:
    """Return where each text begins in the data, and where the last one ends."""
    whole = np.frombuffer(texts.buffers()[1], dtype=np.int32)
    places: NDArray[np.int32] = whole[texts.offset : texts.offset + len(texts) + 1]
    return places


def _data(texts: pa.StringArray) -> NDArray[np.uint8]:
    data = texts.buffers()[2]
    return np.frombuffer(data if data is not None else b"", dtype=np.uint8)


def _bounded(texts: pa.StringArray, maximum: int) -> tuple[pa.StringArray, Flags]:
    """Return texts and which of them have more characters than allowed."""
    if len(texts) == 0:
        return pa.array([], pa.string()), np.zeros(0, dtype=np.bool_)
    too_long: Flags = np.diff(_places(texts)) > maximum
    if too_long.any():
        # A character has up to four bytes.
        too_long = pc.utf8_length(texts).to_numpy(zero_copy_only=False) > maximum
    return texts, too_long


def _spans(array: Any) -> tuple[NDArray[np.int32], list[pa.Array]]:
    """Return where the items of each list or map begin, from 0 on, and the items; null is empty."""
    is_map = pa.types.is_map(array.type)
    lengths = None
    if array.null_count:
        valid = ~_is_null(array)
        lengths = np.zeros(len(array), dtype=np.int32)
        array = array.filter(pa.array(valid))
        lengths[valid] = np.diff(array.offsets.to_numpy())
    starts = array.offsets.to_numpy()
    first, last = (int(starts[0]), int(starts[-1])) if len(array) else (0, 0)
    items = [array.keys, array.items] if is_map else [array.values]
    if lengths is None:
        lengths = np.diff(starts)
    places = np.zeros(len(lengths) + 1, dtype=np.int32)
    np.cumsum(lengths, out=places[1:])
    return places, [part.slice(first, last - first) for part in items]


def _integers(array: pa.Array) -> Integers:
    """Return 64-bit values, null as MISSING."""
    whole = array.view(pa.int64()) if array.type == DURATION else array
    values = whole.fill_null(MISSING) if whole.null_count else whole
    return np.array(values.to_numpy(zero_copy_only=False))


def _no_gaps(count: int) -> GapColumns:
    missing = np.full(count, MISSING, dtype=np.int64)
    return GapColumns(
        counts=missing,
        sums_us=missing,
        maxima_us=missing,
        starts=np.zeros(count + 1, dtype=np.int64),
        bins=np.zeros(0, dtype=np.int16),
        bin_counts=np.zeros(0, dtype=np.int64),
    )
