"""What waits to be sent: a record value with its key, and where it must go when it is sent again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from inferometer.core import codec
from inferometer.core.events import InferenceRequest
from inferometer.errors import DecodeError
from inferometer.names import CONTENT_TYPE_HEADER, JSON_CONTENT_TYPE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from inferometer.core.codec import Header

ANY_PARTITION = -1

_EXACT = orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_DATACLASS
_NULL = b"null"


@dataclass(slots=True)
class Item:
    """One record on its way."""

    value: bytes
    key: bytes | None = None
    content_type: str = JSON_CONTENT_TYPE
    is_event: bool = False
    """The value is an event that was validated here, so its headers can be made again."""
    event: InferenceRequest | None = None
    """The event itself, while it is at hand; a spool keeps the value alone."""
    partition: int = ANY_PARTITION
    """Where it was sent first; sent again it goes there."""
    was_sent: bool = False
    """The broker may have it already."""


def item_of(event: InferenceRequest) -> Item:
    """Return the item of a validated event."""
    return Item(codec.encode(event), codec.key(event), is_event=True, event=event)


def snapshot(fields: Mapping[str, Any]) -> bytes | None:
    """Return the fields as JSON, so that the caller may change them; None where JSON loses something.

    A number that is not finite would silently become null, which means absent: those and all
    values that JSON does not know go the slow way, where they are refused by name.
    """
    try:
        text = orjson.dumps(fields, option=_EXACT)
        if _NULL in text:
            present = {name: value for name, value in fields.items() if value is not None}
            text = orjson.dumps(present, option=_EXACT)
    except TypeError:
        return None
    return None if _NULL in text else text


def as_is(fields: Mapping[str, Any]) -> Item:
    """Return fields that make no event as they are; the sink keeps them as a dead letter."""
    request_id = fields.get("request_id")
    key = request_id.encode() if isinstance(request_id, str) and request_id else None
    return Item(orjson.dumps(fields), key)


def headers(item: Item) -> list[Header]:
    """Return the headers of the record."""
    if item.is_event and item.event is None:
        try:
            item.event = codec.decode(item.value)
        except DecodeError:
            # Another version wrote it; the sink judges it.
            item.is_event = False
    if item.event is not None:
        return codec.headers(item.event)
    return [(CONTENT_TYPE_HEADER, item.content_type.encode())]


def resent(item: Item) -> Item:
    """Return the item marked as sent again, where its value is a JSON object."""
    if item.content_type != JSON_CONTENT_TYPE:
        return item
    try:
        fields = orjson.loads(item.value)
    except orjson.JSONDecodeError:
        return item
    if not isinstance(fields, dict) or fields.get("resent") is True:
        return item
    value = orjson.dumps({**fields, "resent": True})
    return Item(value, item.key, item.content_type, item.is_event, partition=item.partition,
                was_sent=True)  # fmt: skip
