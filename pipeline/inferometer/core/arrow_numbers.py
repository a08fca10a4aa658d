"""Arrow numbers of many types become the integers in which columns are stored.

Invariant: a value that is neither absent nor in doubt is exactly what the model makes of its JSON
form; null slots are never looked at.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from inferometer.core.arrow_schema import MONEY
from inferometer.core.events import Kind
from inferometer.core.field_table import field_table
from inferometer.core.fields import FIELD_INDEX, SCALES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from inferometer.core.fields import EventField

    Flags = NDArray[np.bool_]
    Integers = NDArray[np.int64]

_US_PER_UNIT = {"s": 1_000_000, "ms": 1_000, "us": 1}
_NS_PER_US = 1_000
_NEAR_A_TIE = 1e-2
_MAX_INT64 = np.uint64(2**63 - 1)


@dataclass(frozen=True, slots=True)
class StoredNumbers:
    """Values in stored units; undefined where they are absent or in doubt."""

    values: Integers
    absent: Flags | None
    doubtful: Flags | None


def stored_numbers(field: EventField, array: pa.Array) -> StoredNumbers:
    """Return a column's numbers in the units of the field's kind, out of bounds in doubt."""
    if pa.types.is_dictionary(array.type) and _may_be_number(array.type.value_type):
        array = array.dictionary_decode()
    absent: Flags | None = None
    if array.null_count:
        absent = array.is_null().to_numpy(zero_copy_only=False)
    found = _converted(field.kind, array)
    if found is None:
        nothing = np.zeros(len(array), dtype=np.int64)
        return StoredNumbers(nothing, absent, np.ones(len(array), np.bool_) ^ _or_none(absent))
    values, doubtful = found
    low, high = _bounds(field)
    if absent is not None:
        values[absent] = low
    if len(values) and (int(values.min()) < low or int(values.max()) > high):
        outside = (values < low) | (values > high)
        doubtful = outside if doubtful is None else doubtful | outside
    if doubtful is not None and absent is not None:
        doubtful &= ~absent
    return StoredNumbers(values, absent, doubtful)


def _may_be_number(given: pa.DataType) -> bool:
    """Say whether a type is one that is read; pyarrow cannot unfold dictionaries of all others."""
    return bool(pa.types.is_primitive(given) or pa.types.is_decimal(given))


def _bounds(field: EventField) -> tuple[int, int]:
    if field.kind is Kind.BOOL:
        return 0, 1
    at = FIELD_INDEX[field.name]
    return int(field_table().minimums[at]), int(field_table().maximums[at])


def _or_none(flags: Flags | None) -> Flags | bool:
    return False if flags is None else flags


def _converted(kind: Kind, array: pa.Array) -> tuple[Integers, Flags | None] | None:
    """Return values, and which are in doubt; None for a type that only the model can judge."""
    given = array.type
    if kind is Kind.BOOL:
        if not pa.types.is_boolean(given):
            return None
        filled = array.fill_null(False) if array.null_count else array
        return filled.to_numpy(zero_copy_only=False).astype(np.int64), None
    if kind is Kind.MONEY:
        return _money(array)
    if kind in {Kind.DURATION, Kind.SECONDS}:
        if pa.types.is_duration(given):
            return _durations(array)
        if pa.types.is_floating(given):
            return _fractions(array, SCALES[kind])
        if not pa.types.is_integer(given):
            return None
        return _scaled(*_whole(array), SCALES[kind])
    if kind is Kind.INSTANT and pa.types.is_timestamp(given):
        return _instants(array) if given.tz is not None else None
    return _whole(array) if pa.types.is_integer(given) else None


def _raw(array: pa.Array, dtype: str) -> NDArray[np.generic]:
    """Return the slots of an array of fixed width, nulls included."""
    if len(array) == 0:
        return np.zeros(0, dtype=dtype)
    slots = np.frombuffer(array.buffers()[1], dtype=dtype)
    return slots[array.offset : array.offset + len(array)]


def _whole(array: pa.Array) -> tuple[Integers, Flags | None]:
    slots = _raw(array, array.type.to_pandas_dtype())
    if slots.dtype == np.uint64 and len(slots) and slots.max() > _MAX_INT64:
        beyond: Flags = np.asarray(slots > _MAX_INT64)
        return slots.astype(np.int64), beyond
    return slots.astype(np.int64), None


def _scaled(values: Integers, doubtful: Flags | None, scale: int) -> tuple[Integers, Flags | None]:
    """Multiply; what would leave 64 bits becomes -1, below every bound of a scaled kind."""
    if scale == 1:
        return values, doubtful
    limit = np.iinfo(np.int64).max // scale
    return np.where((values < 0) | (values > limit), -1, values) * np.where(
        (values < 0) | (values > limit), 1, scale
    ), doubtful


def _durations(array: pa.Array) -> tuple[Integers, Flags | None]:
    slots = _raw(array, "<i8").astype(np.int64)
    if array.type.unit != "ns":
        return _scaled(slots, None, _US_PER_UNIT[array.type.unit])
    quotients, rests = np.divmod(slots, _NS_PER_US)
    twice = 2 * rests
    up = (twice > _NS_PER_US) | ((twice == _NS_PER_US) & (quotients % 2 == 1))
    # Rounding must not lift a negative one to zero.
    return np.where(slots < 0, -1, quotients + up), None


def _instants(array: pa.Array) -> tuple[Integers, Flags | None]:
    slots = _raw(array, "<i8").astype(np.int64)
    if array.type.unit != "ns":
        return _scaled(slots, None, _US_PER_UNIT[array.type.unit])
    return slots // _NS_PER_US, None


def _fractions(array: pa.Array, scale: int) -> tuple[Integers, Flags]:
    """Round; what is near a tie, negative, not finite or huge is left to exact arithmetic."""
    slots = _raw(array, array.type.to_pandas_dtype()).astype(np.float64) * scale
    with np.errstate(invalid="ignore"):
        plain = (slots >= 0) & (slots < 2.0**52)
        slots = np.where(plain, slots, 0.0)
    near = np.abs(slots - np.floor(slots) - 0.5) < _NEAR_A_TIE
    return np.rint(slots).astype(np.int64), ~plain | near


def _money(array: pa.Array) -> tuple[Integers, Flags | None] | None:
    if array.type != MONEY:
        if not pa.types.is_decimal(array.type) or array.type.scale > MONEY.scale:
            return None
        try:
            array = array.cast(MONEY)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            return None
    if len(array) == 0:
        return np.zeros(0, dtype=np.int64), None
    limbs = np.frombuffer(array.buffers()[1], dtype="<i8").reshape(-1, 2)
    limbs = limbs[array.offset : array.offset + len(array)]
    doubtful: Flags = limbs[:, 1] != 0
    return limbs[:, 0].copy(), doubtful
