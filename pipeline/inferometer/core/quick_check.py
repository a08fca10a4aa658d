"""A quick look at an event that is sure about nearly all events, and says so where it is not.

It costs a sixth of the contract's own validation, which judges every event that this is unsure of.

Invariants: an event that it vouches for is one that `codec.decode` accepts; it may be unsure of any.
"""

from __future__ import annotations

from decimal import Decimal
from operator import attrgetter, lt
from typing import TYPE_CHECKING, Annotated, Any, Literal

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

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

_ID = "event_id"
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


def _event_type(optional: Collection[str] = (), *, is_closed: bool = False) -> Any:
    """Return the type of an event; `optional` names required fields that may be absent all the same.

    A closed type takes no names but those of the contract.
    """
    return msgspec.defstruct(
        "CheckedEvent",
        [
            (field.name, _type_of(field))
            if field.required and field.name not in optional
            else (field.name, _type_of(field) | None, None)
            for field in FIELDS
        ],
        kw_only=True,
        gc=False,
        omit_defaults=True,
        forbid_unknown_fields=is_closed,
    )


CheckedEvent = _event_type()
"""An event's fields as they stand on the wire; None for what is absent."""

_decode = msgspec.json.Decoder(CheckedEvent).decode
_encode = msgspec.json.Encoder().encode
_money_of = attrgetter(*(field.name for field in FIELDS if field.kind is Kind.MONEY))
_UNSURE = (msgspec.ValidationError, TypeError, UnicodeError, RecursionError)
"""Of values that have no place in the contract or in JSON."""


def checked(value: bytes) -> Any:
    """Return the `CheckedEvent` that a record value certainly is; None where the contract must judge."""
    try:
        event: Any = _decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    gaps = event.itl
    return event if gaps is None or _is_sketch(gaps) else None


class EventWriter:
    """Checks the fields of an event and writes them as JSON, completed by defaults and an id."""

    def __init__(self, defaults: Mapping[str, Any]) -> None:
        """`defaults` stand for what an event's fields leave out. Raises ValueError for wrong ones."""
        defaults = {name: value for name, value in defaults.items() if value is not None}
        self._type = _event_type({_ID, *defaults}, is_closed=True)
        try:
            every = _event_type([field.name for field in FIELDS], is_closed=True)
            known = msgspec.convert(defaults, every)
            _encode(known)
        except _UNSURE as error:
            raise ValueError(f"no fields of an event: {error}") from error
        if not _is_kept(known, defaults):
            raise ValueError("gaps that are no sketch, or money with digits beyond a double's")
        self._defaults = [(name, getattr(known, name)) for name in defaults]

    def write(self, fields: Mapping[str, Any], new_id: Callable[[], str]) -> bytes | None:
        """Return the JSON of the event that fields certainly make; None where the contract must judge."""
        try:
            event: Any = msgspec.convert(fields, self._type)
            if not _is_kept(event, fields):
                return None
            for name, value in self._defaults:
                if getattr(event, name) is None:
                    setattr(event, name, value)
            if event.event_id is None:
                event.event_id = new_id()
            return _encode(event)
        except _UNSURE:
            return None


def _is_kept(event: Any, fields: Mapping[str, Any]) -> bool:
    """Whether an event has all that its fields say, and gaps that make a sketch."""
    gaps = event.itl
    if gaps is not None and not _is_sketch(gaps):
        return False
    # A decimal would pass through a double, which has too few digits for it.
    return not any(_money_of(event)) or Decimal not in map(type, fields.values())


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
