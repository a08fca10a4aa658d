"""A quick look at an event's JSON that is sure about nearly all events, and says so where it is not.

It costs a sixth of the contract's own validation, which judges every event that this is unsure of.

Invariants: an event that it vouches for is one that `codec.decode` accepts; it may be unsure of any.
"""

from __future__ import annotations

from operator import lt
from typing import Annotated, Any, Literal

import msgspec

from inferometer.core.bins import MAX_BIN, ZERO_BIN
from inferometer.core.events import (
    MAX_COST_USD,
    MAX_DURATION_MS,
    MAX_METADATA_CHARS,
    MAX_UINT32,
    Kind,
)
from inferometer.core.fields import FIELDS, EventField

_MAX_BINS = 8192

_Bound = Annotated[str, msgspec.Meta(max_length=MAX_METADATA_CHARS)]
_Count = Annotated[int, msgspec.Meta(ge=0, le=MAX_UINT32)]
_Ms = Annotated[float, msgspec.Meta(ge=0, le=MAX_DURATION_MS)]
_Money = (
    Annotated[float, msgspec.Meta(ge=0, le=float(MAX_COST_USD))]
    | Annotated[str, msgspec.Meta(pattern=r"\A\d{1,5}(\.\d{1,12})?\Z")]
)
_Bins = Annotated[
    list[Annotated[int, msgspec.Meta(ge=ZERO_BIN, le=MAX_UINT32)]],
    msgspec.Meta(max_length=_MAX_BINS),
]


class CheckedGaps(msgspec.Struct, gc=False):
    """The gaps of one request as they stand on the wire."""

    count: _Count
    sum_ms: _Ms
    max_ms: _Ms | None = None
    bins: _Bins = []


def _type_of(field: EventField) -> Any:
    minimum, maximum = field.minimum, field.maximum
    if field.choices:
        return Literal[field.choices]
    if field.kind in {Kind.CODE, Kind.TEXT}:
        limits = msgspec.Meta(min_length=int(minimum or 0), max_length=int(maximum or 0))
        return Annotated[str, limits]
    if field.kind in {Kind.INT, Kind.INSTANT}:
        return Annotated[int, msgspec.Meta(ge=int(minimum or 0), le=int(maximum or 0))]
    if field.kind in {Kind.DURATION, Kind.SECONDS}:
        return Annotated[float, msgspec.Meta(ge=float(minimum or 0), le=float(maximum or 0))]
    return {
        Kind.BOOL: bool,
        Kind.MONEY: _Money,
        Kind.TEXT_LIST: Annotated[list[_Bound], msgspec.Meta(max_length=int(maximum or 0))],
        Kind.TEXT_MAP: Annotated[dict[_Bound, _Bound], msgspec.Meta(max_length=int(maximum or 0))],
        Kind.GAPS: CheckedGaps,
    }[field.kind]


CheckedEvent = msgspec.defstruct(
    "CheckedEvent",
    [
        (field.name, _type_of(field))
        if field.required
        else (field.name, _type_of(field) | None, None)
        for field in FIELDS
    ],
    kw_only=True,
    gc=False,
)
"""An event's fields as they stand on the wire; None for what is absent."""

_decode = msgspec.json.Decoder(CheckedEvent).decode


def checked(value: bytes) -> Any:
    """Return the `CheckedEvent` that a record value certainly is; None where the contract must judge."""
    try:
        event: Any = _decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    gaps = event.itl
    return event if gaps is None or _is_sketch(gaps) else None


def _is_sketch(gaps: CheckedGaps) -> bool:
    bins = gaps.bins
    if not bins:
        return True
    indexes, counts = bins[::2], bins[1::2]
    return (
        len(indexes) == len(counts)
        and sum(counts) == gaps.count
        and min(counts) >= 1
        and indexes[-1] <= MAX_BIN
        and all(map(lt, indexes, indexes[1:]))
    )
