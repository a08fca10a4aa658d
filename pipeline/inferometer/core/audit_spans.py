"""Spans of event time that an audit reads at once: whole windows, bounded in hours and rows.

Invariants: slices are disjoint, ascending and aligned to hours inside, so that each window of every
resolution lies in one slice; a window that is not whole inside the span, or whose log may have begun
to expire, is in none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

HOUR_S = 3600
DAY_S = 86_400
MAX_SLICE_HOURS = 24
MAX_SLICE_ROWS = 1_000_000
"""Log rows that one comparison groups at most, unless a single hour has more."""
EXPIRY_MARGIN_S = HOUR_S
"""A window this near to its expiry is left alone: an audit takes time, and clocks differ."""


@dataclass(frozen=True, slots=True)
class Slice:
    """Event time [from_s, to_s), seconds since 1970."""

    from_s: int
    to_s: int


@dataclass(frozen=True, slots=True)
class HourRows:
    """How many log rows one hour of event time has; an hour may have roll-up rows only."""

    hour_s: int
    rows: int


def whole_windows(span: Slice, window_s: int) -> Slice:
    """Return the part of a span that whole windows fill; it may be empty."""
    first = -(-span.from_s // window_s) * window_s
    return Slice(first, max(first, span.to_s // window_s * window_s))


def kept_since(now_s: int, days: int) -> int:
    """Return the event time from which a table that keeps so many days holds every row."""
    return now_s - days * DAY_S + EXPIRY_MARGIN_S


def slices(
    hours: Sequence[HourRows],
    span: Slice,
    *,
    max_hours: int = MAX_SLICE_HOURS,
    max_rows: int = MAX_SLICE_ROWS,
) -> list[Slice]:
    """Cut a span into slices around the hours that have rows, which are in order."""
    result: list[Slice] = []
    start: int | None = None
    end = rows = 0
    for hour in hours:
        is_far = start is not None and hour.hour_s + HOUR_S - start > max_hours * HOUR_S
        if start is not None and (is_far or rows + hour.rows > max_rows):
            result.append(Slice(start, end))
            start, rows = None, 0
        if start is None:
            start = hour.hour_s
        end, rows = hour.hour_s + HOUR_S, rows + hour.rows
    if start is not None:
        result.append(Slice(start, end))
    clipped = [Slice(max(s.from_s, span.from_s), min(s.to_s, span.to_s)) for s in result]
    return [s for s in clipped if s.from_s < s.to_s]
