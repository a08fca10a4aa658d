"""What waits to be sent: a record value with its key, and where it must go when it is sent again."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import orjson

from inferometer.core import codec
from inferometer.core.events import InferenceRequest
from inferometer.errors import DecodeError
from inferometer.names import ARROW_CONTENT_TYPE, CONTENT_TYPE_HEADER, JSON_CONTENT_TYPE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from inferometer.core.codec import Header

ANY_PARTITION = -1


@dataclass(slots=True)
class Item:
    """One record on its way, or one event that will share a record."""

    value: bytes
    key: bytes | None = None
    content_type: str = JSON_CONTENT_TYPE
    is_event: bool = False
    """The value is an event that was validated here, so its headers can be made again, or columns
    that were written here."""
    event: InferenceRequest | None = None
    """The event itself, while it is at hand; a spool keeps the value alone."""
    partition: int = ANY_PARTITION
    """Where it was sent first; sent again it goes there."""
    was_sent: bool = False
    """The broker may have it already."""
    events: int = 1
    """How many it carries; more than one only in columns."""
    is_judged: bool = True
    """False for an event of `emit` that must still be held against the contract."""

    def __len__(self) -> int:
        """Return the bytes of value and key, as a bare line has its own."""
        return len(self.value) + len(self.key or b"")


Entry = bytes | Item
"""Bytes are the JSON of an event, with nothing more to say about it."""


def item_of(event: InferenceRequest) -> Item:
    """Return the item of a validated event."""
    return Item(codec.encode(event), codec.key(event), is_event=True, event=event)


def as_item(entry: Entry) -> Item:
    """Return an entry as an item."""
    return entry if isinstance(entry, Item) else Item(entry, is_event=True)


def is_line(value: bytes) -> bool:
    """Return whether bytes look like one JSON object on one line, which may stand among others.

    Nothing but the bytes decides, so that whoever sends an event again puts it where it was.
    """
    return value[:1] == b"{" and value[-1:] == b"}" and b"\n" not in value


def may_share(item: Item) -> bool:
    """Return whether an item may share a record with others."""
    return item.content_type == JSON_CONTENT_TYPE and is_line(item.value)


def key_of(entry: Entry) -> bytes | None:
    """Return the request id of an event, None where it has none."""
    if isinstance(entry, Item) and (entry.key is not None or not may_share(entry)):
        return entry.key
    try:
        fields = orjson.loads(value_of(entry))
    except orjson.JSONDecodeError:
        return None
    return _request_id(fields) if isinstance(fields, dict) else None


def value_of(entry: Entry) -> bytes:
    """Return the bytes of an entry."""
    return entry if isinstance(entry, bytes) else entry.value


def events_in(entries: Sequence[Entry]) -> int:
    """Return how many events the entries carry."""
    return len(entries) + sum(
        [entry.events - 1 for entry in entries if not isinstance(entry, bytes)]
    )


def bytes_in(entries: Iterable[Entry]) -> int:
    """Return the bytes of the entries, their keys included."""
    return sum(map(len, entries))


def as_is(value: bytes) -> Item:
    """Return the JSON object that makes no event as it is; the sink keeps it as a dead letter."""
    return Item(value, _request_id(orjson.loads(value)))


def headers(item: Item) -> list[Header]:
    """Return the headers of the record."""
    if item.is_event and item.event is None and item.content_type == JSON_CONTENT_TYPE:
        try:
            item.event = codec.decode(item.value)
        except DecodeError:
            # Another version wrote it; the sink judges it.
            item.is_event = False
    if item.event is not None:
        return codec.headers(item.event)
    return [(CONTENT_TYPE_HEADER, item.content_type.encode())]


def resent(item: Item) -> Item:
    """Return the item marked as sent again, where its value is a JSON object or has columns.

    Raises ImportError where columns meet a process without pyarrow.
    """
    if item.content_type == ARROW_CONTENT_TYPE and item.is_event:
        from inferometer.sdk.columns import marked_resent

        return replace(item, value=marked_resent(item.value), was_sent=True)
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


def _request_id(fields: Mapping[str, Any]) -> bytes | None:
    request_id = fields.get("request_id")
    return request_id.encode() if isinstance(request_id, str) and request_id else None
