"""Bodies of messages: JSON of a limited size with its headers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

JSON = "application/json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What goes over the wire, before it is signed."""

    id: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=lambda: {"Content-Type": JSON})


def encode(value: Any) -> bytes:
    """Return JSON; keys keep their order, so that people can read it."""
    return orjson.dumps(value)


def encode_within(
    value: dict[str, Any], part: dict[str, Any], names: Sequence[str], limit: int
) -> bytes:
    """Return the JSON of a value, without those entries of a part of it that make it too long.

    The names are given up in their order; `truncated` in the part says which were.
    """
    body = encode(value)
    for name in names:
        if len(body) <= limit:
            break
        if part.pop(name, None):
            part["truncated"] = [*part.get("truncated", []), name]
            body = encode(value)
    return body
