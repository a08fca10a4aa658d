"""The column decoder: the spans of many events become columns, unsure rows are named.

Invariant: `DecodedRows` holds one entry a span; rows whose `slow` is true hold no meaning until
`replace` has given them canonical bytes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from inferometer.core.bins import MAX_BIN
from inferometer.core.columns import MISSING, CodeColumn, EventColumns, GapColumns
from inferometer.core.event_kernel import DONE, MORE_BINS, MORE_ITEMS, OK, SLOW, decode_rows
from inferometer.core.events import (
    MAX_DURATION_MS,
    MAX_LIST_ITEMS,
    MAX_METADATA_CHARS,
    MAX_METADATA_KEYS,
    Kind,
)
from inferometer.core.field_table import CODES, LISTS, MAPS, NESTED, NUMBERS, TEXTS, field_table
from inferometer.core.fields import FIELD_INDEX, FIELDS, fields_of
from inferometer.core.gap_kernel import MAX_BIN_PAIRS
from inferometer.core.gather_kernel import gather_pairs, gather_texts, rehash
from inferometer.core.log_order import log_order
from inferometer.core.memory_kernel import WORD, holds_byte

if TYPE_CHECKING:
    from numpy.typing import NDArray

USUAL_BIN_PAIRS = 8
USUAL_ITEMS = 8
"""Of an event: so much room is made at first."""
ITEM_ROOM = 2 * max(MAX_LIST_ITEMS, MAX_METADATA_KEYS) + 2
"""What the items of one field take at most, one too many included."""
_BACKSLASH = 92
_MAX_GAPS_US = int(MAX_DURATION_MS) * 1000
NUMBER_INDEX = {item.name: slot for slot, item in enumerate(NUMBERS)}
CODE_INDEX = {item.name: slot for slot, item in enumerate(CODES)}
(_GAPS,) = fields_of(Kind.GAPS)
TEXT_INDEX = {item.name: slot for slot, item in enumerate(TEXTS)}


def _table_size(values: int) -> int:
    size = 64
    while size < values + values // 2 + 2:
        size *= 2
    return size


def _grown(column: NDArray[Any], filled: int, room: int) -> NDArray[Any]:
    """Return a column with so much room behind what is filled, and as much again as is filled."""
    grown = np.empty(2 * filled + room, dtype=column.dtype)
    grown[:filled] = column[:filled]
    return grown


@dataclass(slots=True)
class DecodedRows:
    """Columns in the making; see the arguments of `event_kernel.decode_rows` for the layout."""

    buffer: NDArray[np.uint8]
    side: int
    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    present: NDArray[np.uint8] = field(init=False)
    """By field of the contract: whether any row has it, and so a column."""
    defaults_at: int = field(init=False)
    constants: dict[tuple[int, int], NDArray[np.int64]] = field(init=False, default_factory=dict)
    numbers: NDArray[np.int64] = field(init=False)
    codes: NDArray[np.int32] = field(init=False)
    text_starts: NDArray[np.int64] = field(init=False)
    text_lengths: NDArray[np.int64] = field(init=False)
    value_starts: NDArray[np.int64] = field(init=False)
    value_lengths: NDArray[np.int64] = field(init=False)
    used: NDArray[np.int32] = field(init=False)
    tables: NDArray[np.int32] = field(init=False)
    nested_starts: NDArray[np.int64] = field(init=False)
    nested_counts: NDArray[np.int64] = field(init=False)
    gaps: NDArray[np.int64] = field(init=False)
    bins_at: NDArray[np.int64] = field(init=False)
    bins: NDArray[np.int16] = field(init=False)
    bin_counts: NDArray[np.uint32] = field(init=False)
    bins_filled: int = field(init=False, default=0)
    item_starts: NDArray[np.int64] = field(init=False)
    item_lengths: NDArray[np.int64] = field(init=False)
    items_filled: int = field(init=False, default=0)
    unknown: NDArray[np.int32] = field(init=False)
    status: NDArray[np.int16] = field(init=False)

    def __post_init__(self) -> None:
        count = len(self.starts)
        # Memory that nobody touches costs nothing: a column is filled when its field first stands
        # in an event, and most of the contract's fields stand in none.
        self.present = np.zeros(len(FIELDS), dtype=np.uint8)
        self.numbers = np.empty((len(NUMBERS), count), dtype=np.int64)
        self.codes = np.empty((len(CODES), count), dtype=np.int32)
        self.text_starts = np.empty((len(TEXTS), count), dtype=np.int64)
        self.text_lengths = np.empty((len(TEXTS), count), dtype=np.int64)
        self.value_starts = np.empty((len(CODES), count + 1), dtype=np.int64)
        self.value_lengths = np.empty((len(CODES), count + 1), dtype=np.int64)
        self.used = np.ones(len(CODES), dtype=np.int32)
        self.tables = np.empty((len(CODES), _table_size(count)), dtype=np.int32)
        self.nested_starts = np.empty((len(NESTED), count), dtype=np.int64)
        self.nested_counts = np.empty((len(NESTED), count), dtype=np.int64)
        self.gaps = np.empty((4, count), dtype=np.int64)
        self.bins_at = np.empty(count, dtype=np.int64)
        self.bins = np.empty(0, dtype=np.int16)
        self.bin_counts = np.empty(0, dtype=np.uint32)
        self.item_starts = np.empty(0, dtype=np.int64)
        self.item_lengths = np.empty(0, dtype=np.int64)
        self.unknown = np.zeros(count, dtype=np.int32)
        self.status = np.full(count, SLOW, dtype=np.int16)
        defaults = "".join(field_table().code_defaults).encode()
        self._reserve(defaults)
        self.defaults_at = self.side - len(defaults)

    def _begin(self, index: int) -> None:
        """Make the column of a field that has just been met: every row has its default."""
        self.present[index] = 1
        self._reset(index, slice(None))
        slot = field_table().slots[index]
        if FIELDS[index].kind is Kind.CODE:
            before = field_table().code_defaults[:slot]
            self.value_starts[slot, 0] = self.defaults_at + sum(map(len, before))
            self.value_lengths[slot, 0] = len(field_table().code_defaults[slot])
            self._hash(slot)

    def _hash(self, slot: int) -> None:
        self.tables[slot] = -1
        rehash(
            self.buffer, self.used[slot],
            self.value_starts[slot], self.value_lengths[slot], self.tables[slot],
        )  # fmt: skip

    def _reset(self, index: int, rows: slice | NDArray[np.int64]) -> None:
        slot = field_table().slots[index]
        match FIELDS[index].kind:
            case Kind.CODE:
                self.codes[slot, rows] = 0
            case Kind.TEXT:
                self.text_starts[slot, rows] = 0
                self.text_lengths[slot, rows] = 0
            case Kind.TEXT_LIST | Kind.TEXT_MAP:
                self.nested_starts[slot, rows] = 0
                self.nested_counts[slot, rows] = 0
            case Kind.GAPS:
                self.gaps[:3, rows] = MISSING
                self.gaps[3, rows] = 0
                self.bins_at[rows] = 0
            case _:
                self.numbers[slot, rows] = field_table().number_defaults[slot]

    def _has(self, name: str) -> bool:
        return bool(self.present[FIELD_INDEX[name]])

    def _reserve(self, tail: bytes) -> None:
        """Append bytes, and room behind them in which escapes of the whole are undone."""
        body = self.buffer[: self.side]
        end = self.side + len(tail)
        has_escapes = holds_byte(body, _BACKSLASH) or _BACKSLASH in tail
        if has_escapes or end + WORD > len(self.buffer) or not self.buffer.flags.writeable:
            room = end if has_escapes else 0
            grown = np.empty(end + room + WORD, dtype=np.uint8)
            grown[: self.side] = body
            self.buffer = grown
        self.buffer[self.side : end] = np.frombuffer(tail, dtype=np.uint8)
        self.side = end

    def decode(self, rows: NDArray[np.int64]) -> None:
        """Decode the rows from their spans; those not plainly right keep status SLOW."""
        shape = field_table()
        progress = np.array([0, DONE, self.bins_filled, self.items_filled], dtype=np.int64)
        while True:
            self.side = decode_rows(
                self.buffer, self.side, rows, progress, self.present, self.starts, self.ends,
                shape.names, shape.name_starts, shape.name_lengths, shape.name_table,
                shape.kinds, shape.slots, shape.scales, shape.minimums, shape.maximums,
                shape.required, self.numbers, self.text_starts, self.text_lengths, self.codes,
                self.tables, self.value_starts, self.value_lengths, self.used,
                self.nested_starts, self.nested_counts, self.gaps, self.bins_at,
                self.bins, self.bin_counts, self.item_starts, self.item_lengths,
                self.unknown, self.status, shape.max_items, ITEM_ROOM, MAX_METADATA_CHARS,
                _MAX_GAPS_US, MAX_BIN,
            )  # fmt: skip
            self.bins_filled, self.items_filled = progress[2:].tolist()
            reason = int(progress[1])
            if reason == DONE:
                return
            if reason == MORE_BINS:
                room = MAX_BIN_PAIRS + USUAL_BIN_PAIRS * len(self.starts)
                self.bins = _grown(self.bins, self.bins_filled, room)
                self.bin_counts = _grown(self.bin_counts, self.bins_filled, room)
            elif reason == MORE_ITEMS:
                room = ITEM_ROOM + USUAL_ITEMS * len(self.starts)
                self.item_starts = _grown(self.item_starts, self.items_filled, room)
                self.item_lengths = _grown(self.item_lengths, self.items_filled, room)
            else:
                self._begin(reason)

    def replace(self, rows: NDArray[np.int64], values: list[bytes]) -> None:
        """Give rows other bytes (the canonical form of an event) and decode them again."""
        lengths = np.array([len(value) for value in values], dtype=np.int64)
        unknown = self.unknown[rows].copy()
        for index in np.flatnonzero(self.present).tolist():
            self._reset(index, rows)
        self._grow(len(rows))
        first = self.side
        self._reserve(b"".join(values))
        self.ends[rows] = first + np.cumsum(lengths)
        self.starts[rows] = self.ends[rows] - lengths
        self.decode(rows)
        self.unknown[rows] = unknown

    def _grow(self, more: int) -> None:
        capacity = int(self.used.max()) + more + 1
        starts, lengths = self.value_starts, self.value_lengths
        self.value_starts = np.empty((len(CODES), capacity), dtype=np.int64)
        self.value_lengths = np.empty((len(CODES), capacity), dtype=np.int64)
        self.tables = np.empty((len(CODES), _table_size(capacity)), dtype=np.int32)
        for slot, item in enumerate(CODES):
            if self._has(item.name):
                used = self.used[slot]
                self.value_starts[slot, :used] = starts[slot, :used]
                self.value_lengths[slot, :used] = lengths[slot, :used]
                self._hash(slot)

    def code_values(self, name: str) -> tuple[str, ...]:
        """Return the distinct texts of a code column; codes index it."""
        slot = CODE_INDEX[name]
        if not self._has(name):
            return (field_table().code_defaults[slot],)
        return tuple(
            self.buffer[start : start + length].tobytes().decode()
            for start, length in zip(
                self.value_starts[slot, : self.used[slot]],
                self.value_lengths[slot, : self.used[slot]],
                strict=True,
            )
        )

    def number(self, name: str) -> NDArray[np.int64]:
        """Return a number of every row; undefined where the row is not OK."""
        return self._number(name, slice(None))

    def _number(self, name: str, rows: NDArray[np.int64] | slice) -> NDArray[np.int64]:
        slot = NUMBER_INDEX[name]
        if not self._has(name):
            return self._constant(int(field_table().number_defaults[slot]), rows)
        column: NDArray[np.int64] = self.numbers[slot, rows]
        return column

    def _constant(self, value: int, rows: NDArray[np.int64] | slice) -> NDArray[np.int64]:
        """Return a column of one value; all that ask for it share one."""
        count = len(self.starts) if isinstance(rows, slice) else len(rows)
        key = (value, count)
        if key not in self.constants:
            self.constants[key] = np.full(count, value, dtype=np.int64)
        return self.constants[key]

    def code(self, name: str) -> CodeColumn:
        """Return a repeated text of every row; undefined where the row is not OK."""
        return self._code(name, slice(None))

    def _code(self, name: str, rows: NDArray[np.int64] | slice) -> CodeColumn:
        if not self._has(name):
            # Half of the shared zeros: a column of 32 bits.
            zeros = self._constant(0, rows).view(np.int32)
            return CodeColumn(zeros[: len(zeros) // 2], self.code_values(name))
        return CodeColumn(self.codes[CODE_INDEX[name], rows], self.code_values(name))

    def texts(self, name: str, rows: NDArray[np.int64] | slice) -> pa.StringArray:
        """Return a text column of the given rows."""
        slot = TEXT_INDEX[name]
        if not self._has(name):
            zeros = self._constant(0, rows)
            return self._strings(zeros, zeros)
        return self._strings(self.text_starts[slot, rows], self.text_lengths[slot, rows])

    def _strings(self, starts: NDArray[np.int64], lengths: NDArray[np.int64]) -> pa.StringArray:
        places = np.zeros(len(starts) + 1, dtype=np.int32)
        np.cumsum(lengths, out=places[1:])
        out = np.empty(int(places[-1]), dtype=np.uint8)
        gather_texts(self.buffer, starts, lengths, places, out)
        return pa.StringArray.from_buffers(len(starts), pa.py_buffer(places), pa.py_buffer(out))

    def _items(
        self, slot: int, rows: NDArray[np.int64]
    ) -> tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.int64]]:
        places = np.zeros(len(rows) + 1, dtype=np.int32)
        if self._has(NESTED[slot].name):
            np.cumsum(self.nested_counts[slot, rows], out=places[1:])
        starts = np.empty(int(places[-1]), dtype=np.int64)
        lengths = np.empty(int(places[-1]), dtype=np.int64)
        if len(starts):
            items_at = self.nested_starts[slot, rows]
            gather_pairs(self.item_starts, self.item_lengths, items_at, places, starts, lengths)
        return places, starts, lengths

    def _list(self, slot: int, rows: NDArray[np.int64]) -> pa.ListArray:
        places, starts, lengths = self._items(slot, rows)
        return pa.ListArray.from_arrays(pa.array(places), self._strings(starts, lengths))

    def _map(self, slot: int, rows: NDArray[np.int64]) -> pa.MapArray:
        places, starts, lengths = self._items(slot, rows)
        return pa.MapArray.from_arrays(
            pa.array(places // 2),
            self._strings(starts[::2], lengths[::2]),
            self._strings(starts[1::2], lengths[1::2]),
        )

    def _gap_columns(self, rows: NDArray[np.int64]) -> GapColumns:
        if not self._has(_GAPS.name):
            missing = self._constant(MISSING, rows)
            return GapColumns(
                missing, missing, missing, np.zeros(len(rows) + 1, dtype=np.int64),
                np.zeros(0, dtype=np.int16), np.zeros(0, dtype=np.int64),
            )  # fmt: skip
        places = np.zeros(len(rows) + 1, dtype=np.int64)
        np.cumsum(self.gaps[3, rows], out=places[1:])
        bins = np.zeros(int(places[-1]), dtype=np.int16)
        counts = np.zeros(int(places[-1]), dtype=np.int64)
        if len(bins):
            gather_pairs(self.bins, self.bin_counts, self.bins_at[rows], places, bins, counts)
        return GapColumns(
            counts=self.gaps[0, rows],
            sums_us=self.gaps[1, rows],
            maxima_us=self.gaps[2, rows],
            starts=places,
            bins=bins,
            bin_counts=counts,
        )

    def in_log_order(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return rows as the log sorts them."""
        return log_order(self, rows)

    def select(
        self, rows: NDArray[np.int64], offsets: NDArray[np.int64], indexes: NDArray[np.int64]
    ) -> EventColumns:
        """Return the finished columns of rows, all of which must be OK."""
        if not (self.status[rows] == OK).all():
            raise ValueError("only decoded rows can be selected")
        is_whole = len(rows) == len(self.starts) and bool((rows[1:] > rows[:-1]).all())
        part = slice(None) if is_whole else rows
        nested_lists = {item.name: self._list(slot, rows) for slot, item in enumerate(LISTS)}
        maps = {item.name: self._map(len(LISTS) + slot, rows) for slot, item in enumerate(MAPS)}
        return EventColumns(
            offsets=offsets[part],
            indexes=indexes[part],
            numbers={item.name: self._number(item.name, part) for item in NUMBERS},
            codes={item.name: self._code(item.name, part) for item in CODES},
            texts={item.name: self.texts(item.name, part) for item in TEXTS},
            lists=nested_lists,
            maps=maps,
            gaps=self._gap_columns(rows),
        )


def decode_spans(
    buffer: NDArray[np.uint8],
    starts: NDArray[np.int64],
    lengths: NDArray[np.int64],
    spare_bytes: int = 0,
) -> DecodedRows:
    """Decode the JSON objects at the given spans of a buffer.

    The spare bytes at its end are written to; a buffer without enough of them is copied.
    """
    side = len(buffer) - spare_bytes
    rows = DecodedRows(buffer=buffer, side=side, starts=starts.copy(), ends=starts + lengths)
    rows.decode(np.arange(len(starts), dtype=np.int64))
    return rows
