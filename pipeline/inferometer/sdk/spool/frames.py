"""The bytes of a spool: one frame an item, each with its length and its checksum.

A frame is a header (`_HEADER`), the key, the content type (empty for JSON), the number of events
where there are several, and the value. The
checksum is CRC-32 over all after itself, begun with the frame's own position: bytes that look like
a frame inside a value, or a frame in a wrong place, do not pass for one.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from inferometer.names import JSON_CONTENT_TYPE
from inferometer.sdk.items import Item

if TYPE_CHECKING:
    from collections.abc import Iterator

_MAGIC = b"\xf5IS1"
# magic, checksum, bytes after the header, partition, flags, content type's and key's bytes, ms
_HEADER = struct.Struct("<4sIIiBBIQ")
HEADER_BYTES = _HEADER.size
_CHECKED_FROM = 8
_MAX_BODY_BYTES = 1 << 28
_32_BITS = 0xFFFFFFFF
_HAS_KEY, _IS_EVENT, _WAS_SENT, _HAS_COUNT = 1, 2, 4, 8
_COUNT = struct.Struct("<I")


@dataclass(frozen=True, slots=True)
class Frame:
    """One item as it stands in the spool."""

    start: int
    """Position of its first byte, counted over all segments."""
    end: int
    at_ms: int
    """When it was written, milliseconds since 1970."""
    item: Item


@dataclass(frozen=True, slots=True)
class Damage:
    """Bytes that are no frame."""

    start: int
    end: int
    reason: str
    is_torn: bool
    """The end of a write that was cut short: never promised to anybody."""


def frame_bytes(item: Item, position: int, at_ms: int) -> bytes:
    """Return the frame of an item that begins at a position.

    Raises ValueError for a content type above 255 bytes.
    """
    key = item.key or b""
    kind = b"" if item.content_type == JSON_CONTENT_TYPE else item.content_type.encode()
    if len(kind) > 0xFF:
        raise ValueError("the content type is too long for a frame: 255 bytes at most")
    flags = (
        (_HAS_KEY if item.key is not None else 0)
        | (_IS_EVENT if item.is_event else 0)
        | (_WAS_SENT if item.was_sent else 0)
        | (_HAS_COUNT if item.events > 1 else 0)
    )
    count = _COUNT.pack(item.events) if item.events > 1 else b""
    size = len(key) + len(kind) + len(count) + len(item.value)
    head = _HEADER.pack(_MAGIC, 0, size, item.partition, flags, len(kind), len(key), at_ms)
    checked = b"".join((head[_CHECKED_FROM:], key, kind, count, item.value))
    checksum = zlib.crc32(checked, position & _32_BITS)
    return b"".join((_MAGIC, checksum.to_bytes(4, "little"), checked))


def frames(data: bytes, position: int, *, is_whole: bool) -> Iterator[Frame | Damage]:
    """Yield what stands in bytes that begin at a position, in order.

    Where more may follow (`is_whole` is false), a last frame that is cut off is not yielded.
    """
    at = 0
    while at < len(data):
        frame = _frame_at(data, at, position)
        if frame is not None:
            yield frame
            at = frame.end - position
            continue
        wanted = wanted_bytes(data, at)
        if not is_whole and at + wanted > len(data):
            return
        damage = _damage(data, at, position, wanted)
        yield damage
        at = damage.end - position


def wanted_bytes(data: bytes, at: int) -> int:
    """Return how many bytes the frame that begins here takes; 0 where none begins."""
    head = data[at : at + HEADER_BYTES]
    if not _MAGIC.startswith(head[:4]):
        return 0
    if len(head) < HEADER_BYTES:
        return HEADER_BYTES
    size = int.from_bytes(head[8:12], "little")
    return HEADER_BYTES + size if size <= _MAX_BODY_BYTES else 0


def _frame_at(data: bytes, at: int, position: int) -> Frame | None:
    if at + HEADER_BYTES > len(data):
        return None
    magic, checksum, size, partition, flags, kind_bytes, key_bytes, at_ms = _HEADER.unpack_from(
        data, at
    )
    body, end = at + HEADER_BYTES, at + HEADER_BYTES + size
    if magic != _MAGIC or end > len(data) or kind_bytes + key_bytes > size:
        return None
    start = position + at
    if zlib.crc32(data[at + _CHECKED_FROM : end], start & _32_BITS) != checksum:
        return None
    value_from = body + key_bytes + kind_bytes
    kind = data[body + key_bytes : value_from].decode()
    events = 1
    if flags & _HAS_COUNT:
        (events,) = _COUNT.unpack_from(data, value_from)
        value_from += _COUNT.size
    item = Item(
        data[value_from:end],
        data[body : body + key_bytes] if flags & _HAS_KEY else None,
        kind or JSON_CONTENT_TYPE,
        bool(flags & _IS_EVENT),
        partition=partition,
        was_sent=bool(flags & _WAS_SENT),
        events=events,
    )
    return Frame(start, position + end, at_ms, item)


def _damage(data: bytes, at: int, position: int, wanted: int) -> Damage:
    """Describe the bytes from here up to the next frame."""
    after = data.find(_MAGIC, at + 1)
    while after >= 0 and _frame_at(data, after, position) is None:
        after = data.find(_MAGIC, after + 1)
    if after >= 0:
        return Damage(position + at, position + after, "the checksum does not fit", False)
    end = position + len(data)
    rest = data[at:]
    if at + wanted > len(data) or not rest.strip(b"\0"):
        return Damage(position + at, end, "the last write was cut short", True)
    return Damage(position + at, end, "the checksum does not fit", False)
