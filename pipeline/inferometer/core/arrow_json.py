"""Rows of Arrow tables as JSON events: what is judged, kept and sent again where columns are unsure.

Invariants: any row gives bytes; a value whose type is none of the field's gives JSON of a type
that the model refuses, never one that it would take for something else; null is left out.
"""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING

import pyarrow as pa

from inferometer.core.events import Kind
from inferometer.core.fields import FIELD_INDEX, FIELDS

if TYPE_CHECKING:
    from collections.abc import Callable

_PER_S = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
_US_PER_S = 1_000_000
_MS_PER_S = 1_000
_QUOTE = '"'
_GAP_NAMES = {"sum": "sum_ms", "max": "max_ms"}


def row_json(table: pa.Table | pa.RecordBatch, row: int) -> bytes:
    """Return one row as a JSON object in the units of the contract."""
    members = []
    for name, column in zip(table.schema.names, table.columns, strict=True):
        scalar = column[row]
        if scalar.is_valid:
            kind = FIELDS[FIELD_INDEX[name]].kind if name in FIELD_INDEX else None
            members.append(f"{_text(name)}:{value_json(scalar, kind)}")
    return f"{{{','.join(members)}}}".encode("utf-8", "replace")


def value_json(scalar: pa.Scalar, kind: Kind | None) -> str:
    """Return a valid or null scalar as JSON text for a field of this kind, or for an unknown one."""
    if not scalar.is_valid:
        return "null"
    given = scalar.type
    if pa.types.is_dictionary(given):
        return value_json(scalar.value, kind)
    for is_of, render in _RENDERERS:
        if is_of(given):
            return render(scalar, kind)
    return _foreign(scalar)


def _text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)


def _plain(scalar: pa.Scalar, _kind: Kind | None) -> str:
    # NaN and infinities keep their names, which no JSON number has, so that they are refused.
    return json.dumps(scalar.as_py(), ensure_ascii=False)


def _decimal(scalar: pa.Scalar, kind: Kind | None) -> str:
    text = f"{scalar.as_py():f}"
    return _text(text) if kind is Kind.MONEY else text


def _duration(scalar: pa.Scalar, kind: Kind | None) -> str:
    units = scalar.value * (1 if kind is Kind.SECONDS else _MS_PER_S)
    return f"{Decimal(units) / _PER_S[scalar.type.unit]:f}"


def _instant(scalar: pa.Scalar, kind: Kind | None) -> str:
    if scalar.type.tz is None or kind not in {Kind.INSTANT, None}:
        return _foreign(scalar)
    per_s = _PER_S[scalar.type.unit]
    return str(scalar.value * _US_PER_S // per_s)


def _list(scalar: pa.Scalar, _kind: Kind | None) -> str:
    return f"[{','.join(value_json(item, None) for item in scalar.values)}]"


def _map(scalar: pa.Scalar, _kind: Kind | None) -> str:
    pairs = []
    for entry in scalar.values:
        key, value = (entry[index] for index in range(2))
        name = value_json(key, None)
        pairs.append(
            f"{name if name.startswith(_QUOTE) else _text(name)}:{value_json(value, None)}"
        )
    return f"{{{','.join(pairs)}}}"


def _struct(scalar: pa.Scalar, kind: Kind | None) -> str:
    members = []
    for index, field in enumerate(scalar.type):
        item = scalar[index]
        if not item.is_valid:
            continue
        name = field.name
        if kind is Kind.GAPS:
            name = _GAP_NAMES.get(name, name)
        is_bins = kind is Kind.GAPS and name == "bins" and pa.types.is_map(item.type)
        members.append(f"{_text(name)}:{_bins(item) if is_bins else value_json(item, None)}")
    return f"{{{','.join(members)}}}"


def _bins(scalar: pa.Scalar) -> str:
    numbers = [value_json(entry[index], None) for entry in scalar.values for index in range(2)]
    return f"[{','.join(numbers)}]"


def _foreign(scalar: pa.Scalar) -> str:
    """Return a value of a type that no field has, as an object that says so."""
    try:
        value = str(scalar.as_py())
    except (ValueError, OverflowError, ArithmeticError, NotImplementedError, pa.ArrowException):
        value = ""
    return f'{{"type":{_text(str(scalar.type))},"value":{_text(value)}}}'


def _is_text(given: pa.DataType) -> bool:
    return given in (pa.string(), pa.large_string(), pa.string_view())


def _is_plain(given: pa.DataType) -> bool:
    return (
        _is_text(given)
        or pa.types.is_integer(given)
        or pa.types.is_boolean(given)
        or pa.types.is_floating(given)
    )


def _is_list(given: pa.DataType) -> bool:
    return any(is_of(given) for is_of in _LISTS)


_LISTS: tuple[Callable[[pa.DataType], bool], ...] = (
    pa.types.is_list,
    pa.types.is_large_list,
    pa.types.is_fixed_size_list,
)
_RENDERERS: tuple[
    tuple[Callable[[pa.DataType], bool], Callable[[pa.Scalar, Kind | None], str]], ...
] = (
    (_is_plain, _plain),
    (pa.types.is_decimal, _decimal),
    (pa.types.is_duration, _duration),
    (pa.types.is_timestamp, _instant),
    (pa.types.is_map, _map),
    (_is_list, _list),
    (pa.types.is_struct, _struct),
)
