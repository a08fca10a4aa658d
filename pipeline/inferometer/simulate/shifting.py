"""Moving a recorded trace in time, so that it ends (or starts) at a chosen instant."""

from __future__ import annotations

import json
from array import array
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import TYPE_CHECKING, Any

import orjson

from inferometer.core.events import EPOCH, MAX_TS_US

if TYPE_CHECKING:
    from collections.abc import Iterable

RETENTION_US = 14 * 86_400_000_000
"""Retention of the log: an event further than this from the middle of its trace is an outlier."""

_MICROSECOND = timedelta(microseconds=1)
_SHIFTED_FIELDS = frozenset({"ts", "ts_end"})
_DECODER = json.JSONDecoder()


@dataclass(frozen=True, slots=True)
class Shift:
    """A distance in time, and the original instants that it applies to (both included)."""

    by_us: int
    first_us: int
    last_us: int

    def applies_to(self, at_us: int | None) -> bool:
        """Whether an event of this original time moves."""
        return at_us is not None and self.first_us <= at_us <= self.last_us


NO_SHIFT = Shift(by_us=0, first_us=0, last_us=-1)


def shift_to(
    times_us: Iterable[int], *, end_at_us: int | None = None, start_at_us: int | None = None
) -> Shift:
    """Return the shift that puts the last event at `end_at_us`, or the first at `start_at_us`.

    Times further than the retention from the median take no part and will not move.
    """
    times = array("q", times_us)
    if not times:
        return NO_SHIFT
    middle = int(median(times))
    first_us, last_us = middle - RETENTION_US, middle + RETENTION_US
    plausible = [at for at in times if first_us <= at <= last_us]
    if start_at_us is not None:
        by_us = start_at_us - min(plausible)
    elif end_at_us is not None:
        by_us = end_at_us - max(plausible)
    else:
        by_us = 0
    return Shift(by_us=by_us, first_us=first_us, last_us=last_us)


def instant_us(value: object) -> int | None:
    """Return the instant of a wire value in microseconds; None where it is none."""
    if isinstance(value, str):
        try:
            instant = datetime.fromisoformat(value)
        except ValueError:
            return None
        return None if instant.tzinfo is None else (instant - EPOCH) // _MICROSECOND
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MAX_TS_US * 2:
        return None
    return value


def parse_object(line: bytes) -> dict[str, Any] | None:
    """Return the object of a JSON line; None where it is none."""
    try:
        document = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    return document if isinstance(document, dict) else None


def shifted_line(line: bytes, by_us: int) -> bytes:
    """Return a JSON object with its own `ts` and `ts_end` moved, every other byte as it was."""
    text = line.decode()
    pieces: list[str] = []
    kept = 0
    position = _skip_space(text, text.index("{") + 1)
    while text[position] != "}":
        name, position = _DECODER.raw_decode(text, position)
        start = _skip_space(text, _skip_space(text, position) + 1)
        value, end = _DECODER.raw_decode(text, start)
        if name in _SHIFTED_FIELDS and (at_us := instant_us(value)) is not None:
            pieces += [text[kept:start], json.dumps(_like(value, at_us + by_us))]
            kept = end
        position = _skip_space(text, end)
        if text[position] == ",":
            position = _skip_space(text, position + 1)
    return "".join([*pieces, text[kept:]]).encode()


def _like(value: object, at_us: int) -> int | str:
    """Write an instant the way the original was written."""
    if isinstance(value, str):
        return (EPOCH + timedelta(microseconds=at_us)).astimezone(UTC).isoformat()
    return at_us


def _skip_space(text: str, position: int) -> int:
    while text[position] in " \t\r\n":
        position += 1
    return position
