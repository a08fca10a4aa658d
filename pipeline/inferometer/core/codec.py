"""The wire format: one JSON object a record, its headers, its key, and the way back.

Fields that are absent or have their default are left out; instants are integer microseconds;
money is decimal text, so that no digit passes through a double.
The headers are the CloudEvents 1.0 attributes in the Kafka binding's binary mode (attribute names
prefixed `ce_`, the content type in `content-type`); consumers read the content type alone.

Invariants: `decode(encode(event)) == event`; equal events give equal bytes (fields go in the
order of the contract); any bytes give an event or a DecodeError.
"""

from __future__ import annotations

import json
import math
from codecs import BOM_UTF8
from datetime import timedelta
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

import orjson
from pydantic import BaseModel, ValidationError

from inferometer.core.events import EPOCH, Gaps, InferenceRequest
from inferometer.core.gauges import GAUGE_KIND, GaugeSample
from inferometer.core.reasons import Reason, Refusal
from inferometer.core.signals import InferenceSignal
from inferometer.errors import DecodeError
from inferometer.names import (
    CONTENT_TYPE_HEADER,
    GAUGE_EVENT_TYPE,
    JSON_CONTENT_TYPE,
    REQUEST_EVENT_TYPE,
    SIGNAL_EVENT_TYPE,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic_core import ErrorDetails

Header = tuple[str, bytes]
Contract = TypeVar("Contract", InferenceRequest, InferenceSignal, GaugeSample)

FALLBACK_SOURCE = "inferometer"
"""CloudEvents demands a source; this one stands where the event names none."""

_NEVER = object()
_PLAIN_EXPONENTS = range(-40, 41)
_MAX_DETAIL_CHARS = 500


class _Defaults:
    """The defaults of a model, by field in contract order."""

    def __init__(self, model: type[BaseModel]) -> None:
        self._of = {
            name: _NEVER if info.is_required() else info.get_default(call_default_factory=True)
            for name, info in model.model_fields.items()
        }

    def present(self, model: BaseModel) -> dict[str, Any]:
        """Return the fields that were set to something else than their default."""
        values, defaults = model.__dict__, self._of
        # `filter` runs outside of Python, and leaves two thirds of the fields out of the loop.
        given = filter(model.model_fields_set.__contains__, defaults)
        return {name: value for name in given if (value := values[name]) != defaults[name]}


_REQUEST_DEFAULTS = _Defaults(InferenceRequest)
_SIGNAL_DEFAULTS = _Defaults(InferenceSignal)
_SAMPLE_DEFAULTS = _Defaults(GaugeSample)
_GAPS_DEFAULTS = _Defaults(Gaps)


def encode(event: InferenceRequest) -> bytes:
    """Return the record value of a request event."""
    return orjson.dumps(_REQUEST_DEFAULTS.present(event), default=_beyond_json)


def encode_signal(signal: InferenceSignal | GaugeSample) -> bytes:
    """Return the record value of a signal or a sample."""
    is_sample = isinstance(signal, GaugeSample)
    defaults = _SAMPLE_DEFAULTS if is_sample else _SIGNAL_DEFAULTS
    return orjson.dumps(defaults.present(signal), default=_beyond_json)


def key(event: InferenceRequest | InferenceSignal | GaugeSample) -> bytes:
    """Return the record key: all attempts of one request, all samples of one source go together."""
    if isinstance(event, GaugeSample):
        return event.source.encode()
    return event.request_id.encode()


def headers(event: InferenceRequest) -> list[Header]:
    """Return the record headers of a request event.

    The subject is whose usage this is: the virtual account, else the user, else the workspace.
    """
    subject = event.virtual_account_id or event.user_id or event.workspace_id
    return _headers(event.event_id, event.source, _REQUEST_TYPE, event.ts_end, subject)


def signal_headers(signal: InferenceSignal | GaugeSample) -> list[Header]:
    """Return the record headers of a signal or a sample."""
    kind = _GAUGE_TYPE if isinstance(signal, GaugeSample) else _SIGNAL_TYPE
    return _headers(signal.event_id, signal.source, kind, signal.ts, signal.workspace_id)


def decode(value: bytes) -> InferenceRequest:
    """Read one record value; raises DecodeError with the reason that a dead letter would carry."""
    return _validated(InferenceRequest, _object(value))


def decode_signal(value: bytes) -> InferenceSignal:
    """Read one signal; raises DecodeError."""
    return _validated(InferenceSignal, _object(value))


def decode_signal_or_sample(value: bytes) -> InferenceSignal | GaugeSample:
    """Read one record of the signals topic, which its `kind` tells apart; raises DecodeError."""
    fields = _object(value)
    if fields.get("kind") == GAUGE_KIND:
        return _validated(GaugeSample, fields)
    return _validated(InferenceSignal, fields)


def sample_of(fields: Mapping[str, Any]) -> GaugeSample:
    """Return the sample that these fields make; raises DecodeError."""
    return _validated(GaugeSample, {"kind": GAUGE_KIND, **fields})


def event_of(fields: Mapping[str, Any]) -> InferenceRequest:
    """Return the event that these fields make; raises DecodeError."""
    return _validated(InferenceRequest, fields)


def signal_of(fields: Mapping[str, Any]) -> InferenceSignal:
    """Return the signal that these fields make; raises DecodeError."""
    return _validated(InferenceSignal, fields)


_REQUEST_TYPE = REQUEST_EVENT_TYPE.encode()
_SIGNAL_TYPE = SIGNAL_EVENT_TYPE.encode()
_GAUGE_TYPE = GAUGE_EVENT_TYPE.encode()
_CONTENT_TYPE: Header = (CONTENT_TYPE_HEADER, JSON_CONTENT_TYPE.encode())
_SPEC_VERSION: Header = ("ce_specversion", b"1.0")


def _beyond_json(value: object) -> object:
    if isinstance(value, Gaps):
        return _GAPS_DEFAULTS.present(value)
    if isinstance(value, Decimal):
        # Readers of the wire need not know exponents; only absurd ones keep theirs.
        return f"{value:f}" if value.as_tuple().exponent in _PLAIN_EXPONENTS else str(value)
    raise TypeError(f"{type(value).__name__} has no place on the wire")


def _headers(event_id: str, source: str, kind: bytes, at_us: int, subject: str) -> list[Header]:
    found = [
        _CONTENT_TYPE,
        _SPEC_VERSION,
        ("ce_id", event_id.encode()),
        ("ce_source", _source_uri(source)),
        ("ce_type", kind),
        ("ce_time", _rfc3339(at_us)),
    ]
    if subject:
        found.append(("ce_subject", subject.encode()))
    return found


@lru_cache(maxsize=256)
def _source_uri(source: str) -> bytes:
    return quote(source or FALLBACK_SOURCE, safe="/:@!$&'()*+,;=-._~?#").encode()


def _rfc3339(at_us: int) -> bytes:
    second, micros = divmod(at_us, 1_000_000)
    return b"%s.%06dZ" % (_second_text(second), micros)


@lru_cache(maxsize=256)
def _second_text(second: int) -> bytes:
    return (EPOCH + timedelta(seconds=second)).strftime("%Y-%m-%dT%H:%M:%S").encode()


def _object(value: bytes) -> dict[str, Any]:
    if not value:
        raise DecodeError(Reason.EMPTY_RECORD, "the record has no value")
    try:
        document = orjson.loads(value)
    except orjson.JSONDecodeError as error:
        refusal = json_refusal(value, error)
        raise DecodeError(refusal.reason, refusal.detail) from error
    if not isinstance(document, dict):
        raise DecodeError(Reason.NOT_AN_OBJECT, f"got {type(document).__name__}, send one object")
    return document


def _validated(model: type[Contract], fields: Mapping[str, Any]) -> Contract:
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        raise DecodeError(_reason(first), _detail(first, error.error_count())) from error


def json_refusal(value: bytes, error: orjson.JSONDecodeError) -> Refusal:
    """Return why bytes that a parser did not take are no JSON document."""
    if value.startswith(BOM_UTF8):
        return Refusal(
            Reason.INVALID_JSON, "it begins with a byte order mark; send UTF-8 without one"
        )
    if _holds_infinity(value):
        return Refusal(Reason.NOT_FINITE, "NaN or Infinity is no JSON number; leave the field out")
    return Refusal(Reason.INVALID_JSON, str(error)[:_MAX_DETAIL_CHARS])


def _holds_infinity(value: bytes) -> bool:
    """Say whether Python's own parser reads them, and finds a number that is none of JSON."""
    found: list[str] = []

    def read(text: str) -> float:
        number = float(text)
        if not math.isfinite(number):
            found.append(text)
        return number

    try:
        json.loads(value.decode(), parse_float=read, parse_constant=read)
    except (ValueError, RecursionError):
        return False
    return bool(found)


def _reason(error: ErrorDetails) -> Reason:
    field = error["loc"][0] if error["loc"] else ""
    if field == "metadata":
        return Reason.INVALID_METADATA
    if error["type"] == "literal_error":
        return Reason.UNKNOWN_VALUE if isinstance(error["input"], str) else Reason.WRONG_TYPE
    return _REASONS.get(error["type"], Reason.WRONG_TYPE)


_REASONS = {
    "missing": Reason.MISSING_FIELD,
    "finite_number": Reason.NOT_FINITE,
    "greater_than_equal": Reason.OUT_OF_RANGE,
    "less_than_equal": Reason.OUT_OF_RANGE,
    "string_too_long": Reason.OUT_OF_RANGE,
    "string_too_short": Reason.OUT_OF_RANGE,
    "too_long": Reason.OUT_OF_RANGE,
}


def _detail(error: ErrorDetails, count: int) -> str:
    place = ".".join(map(str, error["loc"])) or "event"
    more = f" (and {count - 1} more)" if count > 1 else ""
    return f"{place}: {error['msg']}{more}"
