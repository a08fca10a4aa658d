"""Times of the week and the year in a place, as Alertmanager's `time_intervals` write them.

Invariants: an instant belongs to an interval exactly if what a clock on the wall shows there then
does, so an hour that a change of clocks skips is in none, and one that it repeats is in twice; the
spans of an interval hold exactly the instants that it contains.
"""

from __future__ import annotations

import calendar
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_US = timedelta(microseconds=1)
_US_PER_S = 1_000_000
_US_PER_MINUTE = 60 * _US_PER_S
_US_PER_DAY = 1440 * _US_PER_MINUTE
_PROBE_US = _US_PER_DAY // 2
"""No place has changed its clocks twice within so short a time."""
MINUTES_PER_DAY = 1440

Range = tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeInterval:
    """All of its parts must hold; an empty part always does. Bounds are inclusive except times."""

    times: tuple[Range, ...] = ()
    """Minutes of the day, the second exclusive, 1440 at most."""
    weekdays: tuple[Range, ...] = ()
    """Sunday is 0, as Alertmanager counts."""
    days_of_month: tuple[Range, ...] = ()
    """From 1; from the end of the month from -1 down."""
    months: tuple[Range, ...] = ()
    years: tuple[Range, ...] = ()
    location: str = "UTC"
    """IANA name of the time zone."""

    def contains(self, at_us: int) -> bool:
        """Return whether an instant belongs to it."""
        wall_us = at_us + _offset_us(self.location, at_us)
        day, rest_us = divmod(wall_us, _US_PER_DAY)
        if not self._has_day(day):
            return False
        minute = rest_us // _US_PER_MINUTE
        return any(start <= minute < end for start, end in self._times())

    def spans(self, from_us: int, until_us: int) -> list[Range]:
        """Return when between two instants it holds: pairs of start and end, in order, apart."""
        found: list[Range] = []
        for start, end, offset in _even_pieces(self.location, from_us, until_us):
            for span in self._spans_on_wall(start + offset, end + offset):
                begins, ends = span[0] - offset, span[1] - offset
                if found and found[-1][1] == begins:
                    begins = found.pop()[0]
                found.append((begins, ends))
        return found

    def _times(self) -> tuple[Range, ...]:
        return self.times or ((0, MINUTES_PER_DAY),)

    def _spans_on_wall(self, from_us: int, until_us: int) -> Iterator[Range]:
        for day in range(from_us // _US_PER_DAY, -(-until_us // _US_PER_DAY)):
            if not self._has_day(day):
                continue
            for start, end in _united(self._times()):
                begins = max(from_us, day * _US_PER_DAY + start * _US_PER_MINUTE)
                ends = min(until_us, day * _US_PER_DAY + end * _US_PER_MINUTE)
                if begins < ends:
                    yield begins, ends

    def _has_day(self, day: int) -> bool:
        on = EPOCH.date() + timedelta(days=day)
        return (
            _is_in(self.years, on.year)
            and _is_in(self.months, on.month)
            and _is_in(self.weekdays, on.isoweekday() % 7)
            and (not self.days_of_month or _is_day_of_month(self.days_of_month, on))
        )


class IntervalBook:
    """Named time intervals, as routes refer to them; a name stands for any of several intervals."""

    def __init__(self, intervals: Mapping[str, tuple[TimeInterval, ...]]) -> None:
        self._intervals = dict(intervals)

    def named(self) -> Mapping[str, tuple[TimeInterval, ...]]:
        """Return the intervals by name."""
        return self._intervals

    def is_active(self, name: str, now_s: int) -> bool:
        """Return whether an instant is in one of a name's intervals; an unknown name has none."""
        at_us = now_s * _US_PER_S
        return any(interval.contains(at_us) for interval in self._intervals.get(name, ()))


def _is_in(ranges: tuple[Range, ...], value: int) -> bool:
    return not ranges or any(first <= value <= last for first, last in ranges)


def _is_day_of_month(ranges: tuple[Range, ...], on: date) -> bool:
    days = calendar.monthrange(on.year, on.month)[1]

    def counted(day: int) -> int:
        return day if day > 0 else days + 1 + day

    return any(counted(first) <= on.day <= counted(last) for first, last in ranges)


def _united(ranges: tuple[Range, ...]) -> list[Range]:
    found: list[Range] = []
    for start, end in sorted(ranges):
        if found and start <= found[-1][1]:
            found[-1] = found[-1][0], max(found[-1][1], end)
        else:
            found.append((start, end))
    return found


def _even_pieces(location: str, from_us: int, until_us: int) -> Iterator[tuple[int, int, int]]:
    """Yield pieces of a time with what a place's clocks are ahead of UTC during each."""
    at = from_us
    while at < until_us:
        offset = _offset_us(location, at)
        end = min(at + _PROBE_US, until_us)
        if _offset_us(location, end) != offset:
            end = _change(location, at, end, offset)
        yield at, end, offset
        at = end


def _change(location: str, before_us: int, after_us: int, offset: int) -> int:
    """Return the first instant with another offset; clocks change at whole seconds."""
    low, high = before_us // _US_PER_S, -(-after_us // _US_PER_S)
    while high - low > 1:
        middle = (low + high) // 2
        if _offset_us(location, middle * _US_PER_S) == offset:
            low = middle
        else:
            high = middle
    return high * _US_PER_S


def _offset_us(location: str, at_us: int) -> int:
    if location == "UTC":
        return 0
    there = (EPOCH + timedelta(microseconds=at_us)).astimezone(_zone(location))
    ahead = there.utcoffset()
    return 0 if ahead is None else ahead // _US


@lru_cache(maxsize=256)
def _zone(location: str) -> ZoneInfo:
    return ZoneInfo(location)
