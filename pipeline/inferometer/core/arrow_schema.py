"""The Arrow schema of events: one type for each kind of field of the contract.

Invariants: types follow from the kinds of the contract's fields and from nothing else; null and an
absent column both say that the field has its default.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from inferometer.core.events import Kind
from inferometer.core.fields import FIELDS, EventField
from inferometer.names import REQUEST_EVENT_TYPE

if TYPE_CHECKING:
    from collections.abc import Iterable

CONTRACT_KEY = "inferometer.contract"
DURATION = pa.duration("us")
INSTANT = pa.timestamp("us", "UTC")
MONEY = pa.decimal128(38, 12)
GAPS = pa.struct(
    [
        pa.field("count", pa.int64()),
        pa.field("sum", DURATION),
        pa.field("max", DURATION),
        pa.field("bins", pa.map_(pa.int16(), pa.int64())),
    ]
)
TYPES = {
    Kind.CODE: pa.dictionary(pa.int32(), pa.string()),
    Kind.TEXT: pa.string(),
    Kind.INT: pa.int64(),
    Kind.BOOL: pa.bool_(),
    Kind.DURATION: DURATION,
    Kind.SECONDS: DURATION,
    Kind.MONEY: MONEY,
    Kind.INSTANT: INSTANT,
    Kind.TEXT_LIST: pa.list_(pa.string()),
    Kind.TEXT_MAP: pa.map_(pa.string(), pa.string()),
    Kind.GAPS: GAPS,
}
"""The canonical type of each kind of field."""


def arrow_field(field: EventField) -> pa.Field:
    """Return the canonical Arrow field of a field of the contract."""
    return pa.field(field.name, TYPES[field.kind])


SCHEMA = pa.schema(
    [arrow_field(field) for field in FIELDS], metadata={CONTRACT_KEY: REQUEST_EVENT_TYPE}
)
"""Every field; a batch has the columns that it needs, in this order."""


def schema_of(names: Iterable[str]) -> pa.Schema:
    """Return the canonical schema of some fields, in the order of the contract."""
    wanted = set(names)
    unknown = wanted.difference(SCHEMA.names)
    if unknown:
        raise ValueError(f"no fields of {REQUEST_EVENT_TYPE}: {', '.join(sorted(unknown))}")
    return pa.schema([field for field in SCHEMA if field.name in wanted], metadata=SCHEMA.metadata)
