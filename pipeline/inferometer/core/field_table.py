"""The contract's field table as arrays, the shape in which the compiled decoder reads it."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from inferometer.core.columns import MISSING
from inferometer.core.event_kernel import (
    KIND_BOOL,
    KIND_CODE,
    KIND_GAPS,
    KIND_INSTANT,
    KIND_INT,
    KIND_LIST,
    KIND_MAP,
    KIND_MONEY,
    KIND_SCALED,
    KIND_TEXT,
)
from inferometer.core.events import MAX_LIST_ITEMS, MAX_METADATA_KEYS, Kind
from inferometer.core.fields import FIELDS, NUMBER_KINDS, SCALES, EventField, fields_of
from inferometer.core.memory_kernel import WORD, hash_span

if TYPE_CHECKING:
    from numpy.typing import NDArray

_KERNEL_KINDS = {
    Kind.CODE: KIND_CODE,
    Kind.TEXT: KIND_TEXT,
    Kind.INT: KIND_INT,
    Kind.BOOL: KIND_BOOL,
    Kind.DURATION: KIND_SCALED,
    Kind.SECONDS: KIND_SCALED,
    Kind.MONEY: KIND_MONEY,
    Kind.INSTANT: KIND_INSTANT,
    Kind.TEXT_LIST: KIND_LIST,
    Kind.TEXT_MAP: KIND_MAP,
    Kind.GAPS: KIND_GAPS,
}

NUMBERS = fields_of(*NUMBER_KINDS)
CODES = fields_of(Kind.CODE)
TEXTS = fields_of(Kind.TEXT)
LISTS = fields_of(Kind.TEXT_LIST)
MAPS = fields_of(Kind.TEXT_MAP)
NESTED = (*LISTS, *MAPS)


@dataclass(frozen=True, slots=True)
class FieldTable:
    """Arrays by field index: names, kinds, the slot inside the kind, and bounds in stored units."""

    names: NDArray[np.uint8]
    name_starts: NDArray[np.int32]
    name_lengths: NDArray[np.int32]
    name_table: NDArray[np.int32]
    kinds: NDArray[np.int8]
    slots: NDArray[np.int32]
    scales: NDArray[np.int32]
    minimums: NDArray[np.int64]
    maximums: NDArray[np.int64]
    required: NDArray[np.uint64]
    number_defaults: NDArray[np.int64]
    code_defaults: tuple[str, ...]
    max_items: NDArray[np.int32]


def stored_number(field: EventField, value: object) -> int:
    """Return a default of the contract in stored units, MISSING for none."""
    if value is None:
        return MISSING
    return int(value) * SCALES[field.kind]  # type: ignore[call-overload,no-any-return]  # a number


def _bounds(field: EventField) -> tuple[int, int]:
    if field.kind in {Kind.CODE, Kind.TEXT}:
        return int(field.minimum or 0), int(field.maximum or 0)
    scale = SCALES.get(field.kind, 1)
    return int(field.minimum or 0) * scale, int(field.maximum or 0) * scale


def _name_table(
    names: NDArray[np.uint8], starts: list[int], lengths: list[int]
) -> NDArray[np.int32]:
    table = np.full(1024, -1, dtype=np.int32)
    for index, (start, length) in enumerate(zip(starts, lengths, strict=True)):
        value = int(hash_span(names, start, length))
        slot = (value ^ (value >> 17)) & 1023
        while table[slot] >= 0:
            slot = (slot + 1) & 1023
        table[slot] = index
    return table


@functools.cache
def field_table() -> FieldTable:
    """Return the table of `inference.request.v1`, built once."""
    encoded = [field.name.encode() for field in FIELDS]
    lengths = [len(name) for name in encoded]
    starts = [int(end) - length for end, length in zip(np.cumsum(lengths), lengths, strict=True)]
    names = np.frombuffer(b"".join(encoded) + bytes(WORD), dtype=np.uint8).copy()
    slot_groups = (NUMBERS, CODES, TEXTS, NESTED, fields_of(Kind.GAPS))
    slots = {field.name: slot for group in slot_groups for slot, field in enumerate(group)}
    bounds = [_bounds(field) for field in FIELDS]
    required = np.zeros(2, dtype=np.uint64)
    for index, field in enumerate(FIELDS):
        if field.required:
            required[index >> 6] |= np.uint64(1 << (index & 63))
    powers = {scale: len(str(scale)) - 1 for scale in SCALES.values()}
    return FieldTable(
        names=names,
        name_starts=np.array(starts, dtype=np.int32),
        name_lengths=np.array(lengths, dtype=np.int32),
        name_table=_name_table(names, starts, lengths),
        kinds=np.array([_KERNEL_KINDS[field.kind] for field in FIELDS], dtype=np.int8),
        slots=np.array([slots[field.name] for field in FIELDS], dtype=np.int32),
        scales=np.array([powers[SCALES.get(field.kind, 1)] for field in FIELDS], dtype=np.int32),
        minimums=np.array([low for low, _ in bounds], dtype=np.int64),
        maximums=np.array([high for _, high in bounds], dtype=np.int64),
        required=required,
        number_defaults=np.array(
            [stored_number(field, field.default) for field in NUMBERS], dtype=np.int64
        ),
        code_defaults=tuple(str(field.default or "") for field in CODES),
        max_items=np.array(
            [*(MAX_LIST_ITEMS for _ in LISTS), *(MAX_METADATA_KEYS for _ in MAPS)], dtype=np.int32
        ),
    )
