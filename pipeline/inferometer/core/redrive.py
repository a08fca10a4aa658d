"""Redrive: the bytes of a dead letter as an event that may be sent once more.

Invariants: fields that nobody asked to change keep their bytes; the event carries `resent`, and an
`event_id` that is always the same for one letter, so that however often it is sent, it counts once;
any bytes give an event or the reason why not.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_NAMESPACE = uuid.UUID("6f1f3a0e-8c0e-5d0c-9c55-3d3f9b8f6a10")
_DECODER = json.JSONDecoder()
_SPACE = " \t\n\r"


@dataclass(frozen=True, slots=True)
class LetterPlace:
    """Where a dead letter came from."""

    topic: str
    partition: int
    stream_id: str
    offset: int
    index: int

    def __str__(self) -> str:
        """Return how people name it: partition, offset and index of the event in its record."""
        return f"{self.partition}:{self.offset}:{self.index}"


@dataclass(frozen=True, slots=True)
class DeadLetterRow:
    """A dead letter as the store has it."""

    place: LetterPlace
    reason: str
    detail: str
    decided_at_us: int
    append_time_ms: int
    content_type: str
    size: int
    """Bytes of its value."""
    redriven: str = ""
    """Empty, `begun` (may or may not have been sent) or `sent`."""
    times_sent: int = 0


@dataclass(frozen=True, slots=True)
class LetterFilter:
    """Which dead letters are meant; what is empty does not narrow."""

    topic: str
    reasons: tuple[str, ...] = ()
    partitions: tuple[int, ...] = ()
    places: tuple[tuple[int, int, int | None], ...] = ()
    """(partition, offset, index); without an index every event of the record."""
    from_us: int | None = None
    """When it was decided, microseconds since 1970."""
    to_us: int | None = None
    limit: int | None = None

    @property
    def is_narrow(self) -> bool:
        """Say whether it means less than everything."""
        given = (self.reasons, self.partitions, self.places, self.from_us, self.to_us, self.limit)
        return any(value not in ((), None) for value in given)


@dataclass(frozen=True, slots=True)
class Changes:
    """What to mend in an event: fields with their JSON text, and fields to leave out."""

    set: Mapping[str, str]
    unset: frozenset[str] = frozenset()

    def as_json(self) -> str:
        """Return the changes as text, for the record of what was done."""
        if not self.set and not self.unset:
            return ""
        values = {name: json.loads(text) for name, text in self.set.items()}
        return json.dumps({"set": values, "unset": sorted(self.unset)}, sort_keys=True)


NO_CHANGES = Changes({})


@dataclass(frozen=True, slots=True)
class ResentEvent:
    """An event that is ready to be sent again."""

    event_id: str
    value: bytes


@dataclass(frozen=True, slots=True)
class Unmendable:
    """Why a letter cannot be made into an event."""

    detail: str


def resent_event(value: bytes, place: LetterPlace, changes: Changes) -> ResentEvent | Unmendable:
    """Return a letter's event with the changes made, `resent`, and its identity."""
    try:
        # A byte order mark is all that some producers have to mend.
        members = _members(value.decode("utf-8-sig"))
    except UnicodeDecodeError:
        return Unmendable("its bytes are no UTF-8, and so no JSON")
    except (ValueError, RecursionError) as error:
        return Unmendable(f"it is no JSON object: {error}")
    for name in changes.unset:
        members.pop(name, None)
    members |= changes.set
    members["resent"] = "true"
    event_id = _text(members.get("event_id"))
    if not event_id:
        event_id = derived_id(place)
        members["event_id"] = json.dumps(event_id)
    body = ",".join(f"{json.dumps(name)}:{text}" for name, text in members.items())
    return ResentEvent(event_id, f"{{{body}}}".encode())


def derived_id(place: LetterPlace) -> str:
    """Return the id of an event that came without one: always the same for one letter."""
    name = f"{place.topic}/{place.stream_id}/{place.partition}/{place.offset}/{place.index}"
    return str(uuid.uuid5(_NAMESPACE, name))


def value_text(value: str) -> str:
    """Return what a person gave for a field as JSON text: JSON as it is, all else as a text."""
    try:
        json.loads(value)
    except ValueError:
        return json.dumps(value)
    return value


def _text(raw: str | None) -> str | None:
    """Return a member that is a text; null and absence are none, other types are left to the door."""
    if raw is None:
        return None
    found: Any = json.loads(raw)
    return found if isinstance(found, str) else None if found is None else raw


def _members(text: str) -> dict[str, str]:
    """Return the members of a JSON object, each with the text of its value; the last of a name wins.

    Raises ValueError.
    """
    at = _skip(text, 0)
    if text[at : at + 1] != "{":
        raise ValueError("it does not begin with {")
    at = _skip(text, at + 1)
    members: dict[str, str] = {}
    if text[at : at + 1] == "}":
        return _ended(text, at, members)
    while True:
        if text[at : at + 1] != '"':
            raise ValueError(f"a name is missing at character {at}")
        name, at = _DECODER.raw_decode(text, at)
        at = _skip(text, at)
        if text[at : at + 1] != ":":
            raise ValueError(f"a colon is missing at character {at}")
        start = _skip(text, at + 1)
        _, at = _DECODER.raw_decode(text, start)
        members[name] = text[start:at]
        at = _skip(text, at)
        if text[at : at + 1] == "}":
            return _ended(text, at, members)
        if text[at : at + 1] != ",":
            raise ValueError(f"a comma is missing at character {at}")
        at = _skip(text, at + 1)


def _ended(text: str, at: int, members: dict[str, str]) -> dict[str, str]:
    if _skip(text, at + 1) != len(text):
        raise ValueError("something stands behind it")
    return members


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at] in _SPACE:
        at += 1
    return at
