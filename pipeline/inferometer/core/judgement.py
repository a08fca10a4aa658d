"""The slow path: one record at a time, by the pydantic model, for all that the kernel left open.

Invariants: any bytes give an event or a refusal, never an exception; an accepted event comes back
as canonical bytes that the kernel accepts and that decode to the same event.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson
from pydantic import ValidationError

from inferometer.core.codec import json_refusal
from inferometer.core.door import check_event, quantised
from inferometer.core.events import Gaps, InferenceRequest, Kind
from inferometer.core.fields import FIELD_INDEX, FIELDS, SCALES, EventField
from inferometer.core.reasons import Reason, Refusal

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

    from inferometer.core.door import DoorPolicy

_RANGE_ERRORS = {
    "greater_than_equal", "less_than_equal", "string_too_long", "string_too_short",
    "too_long", "too_short", "finite_number",
}  # fmt: skip
_MAX_DETAIL_CHARS = 500


@dataclass(frozen=True, slots=True)
class Accepted:
    """An event that may enter, as canonical bytes, with its number of unknown fields."""

    canonical: bytes
    unknown_fields: int


def judge(value: bytes, policy: DoorPolicy) -> Accepted | Refusal:
    """Return what becomes of one JSON record."""
    document = _parse(value)
    if isinstance(document, Refusal):
        return document
    if not isinstance(document, dict):
        return Refusal(Reason.NOT_AN_OBJECT, f"a JSON {type(document).__name__}, not an object")
    try:
        event = InferenceRequest.model_validate(document)
    except ValidationError as error:
        return _refusal(error.errors(include_url=False, include_context=False))
    refusal = check_event(event, policy)
    if refusal is not None:
        return refusal
    unknown = sum(1 for key in document if key not in FIELD_INDEX)
    return Accepted(canonical=canonical(event), unknown_fields=unknown)


def _parse(value: bytes) -> Any:
    if not value:
        return Refusal(Reason.EMPTY_RECORD, "the record has no value")
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError as error:
        return json_refusal(value, error)


def _refusal(errors: list[ErrorDetails]) -> Refusal:
    first = errors[0]
    field = str(first["loc"][0]) if first["loc"] else ""
    kind = first["type"]
    if field == "metadata":
        reason = Reason.INVALID_METADATA
    elif kind == "missing":
        reason = Reason.MISSING_FIELD
    elif kind == "literal_error":
        is_text = isinstance(first["input"], str)
        reason = Reason.UNKNOWN_VALUE if is_text else Reason.WRONG_TYPE
    elif kind in _RANGE_ERRORS:
        reason = Reason.OUT_OF_RANGE
    else:
        reason = Reason.WRONG_TYPE
    detail = "; ".join(
        f"{'.'.join(str(part) for part in error['loc'])}: {error['msg']}" for error in errors[:5]
    )
    return Refusal(reason, detail[:_MAX_DETAIL_CHARS])


def _decimal_text(stored: int, scale: int) -> bytes:
    """Return stored units as a decimal number, without an exponent and with no digit to spare."""
    whole, rest = divmod(stored, scale)
    if rest == 0:
        return str(whole).encode()
    digits = len(str(scale)) - 1
    return f"{whole}.{rest:0{digits}d}".rstrip("0").encode()


def _canonical_value(field: EventField, value: Any) -> bytes:
    scale = SCALES.get(field.kind, 1)
    if isinstance(value, bool) or scale == 1:
        return orjson.dumps(value.model_dump() if isinstance(value, Gaps) else value)
    text = _decimal_text(quantised(value, scale), scale)
    return b'"' + text + b'"' if field.kind is Kind.MONEY else text


def canonical(event: InferenceRequest) -> bytes:
    """Return an event as the plainest JSON: numbers quantised, instants as integers, no nulls."""
    parts: list[bytes] = []
    for field in FIELDS:
        value = getattr(event, field.name)
        if value is None or (not field.required and value == field.default):
            continue
        body = _canonical_gaps(value) if field.kind is Kind.GAPS else _canonical_value(field, value)
        parts.append(b'"' + field.name.encode() + b'":' + body)
    return b"{" + b",".join(parts) + b"}"


def _canonical_gaps(gaps: Gaps) -> bytes:
    pairs = [
        f'"count":{gaps.count}'.encode(),
        b'"sum_ms":' + _decimal_text(quantised(gaps.sum_ms, 1000), 1000),
    ]
    if gaps.max_ms is not None:
        pairs.append(b'"max_ms":' + _decimal_text(quantised(gaps.max_ms, 1000), 1000))
    if gaps.bins:
        pairs.append(b'"bins":' + orjson.dumps(gaps.bins))
    return b"{" + b",".join(pairs) + b"}"
