"""Spans of time: read from texts, held against the span before, and cut into windows.

Invariants: windows follow each other without gap or overlap, and cover the range; the first and the
last may reach beyond it.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from inferometer.core.query.instants import read_instant
from inferometer.core.query.local_times import (
    ceiling_of_seconds,
    day_start,
    floor_of_hour,
    floor_of_seconds,
    is_day_start,
    local_day,
    local_instant,
    shifted_months,
    week_of,
    zone_of,
)
from inferometer.core.query.questions import Granularity, Problem, QueryRefusedError, TimeRange

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_WINDOWS = 1500
MOST_AUTO_WINDOWS = 300
HOUR_S = 3600
MINUTE_S = 60
DAY_S = 86_400

LENGTHS_S = {
    Granularity.S10: 10,
    Granularity.S30: 30,
    Granularity.M1: MINUTE_S,
    Granularity.M5: 5 * MINUTE_S,
    Granularity.M15: 15 * MINUTE_S,
    Granularity.M30: 30 * MINUTE_S,
    Granularity.H1: HOUR_S,
    Granularity.H3: 3 * HOUR_S,
    Granularity.H6: 6 * HOUR_S,
    Granularity.H12: 12 * HOUR_S,
    Granularity.DAY: DAY_S,
    Granularity.WEEK: 7 * DAY_S,
    Granularity.MONTH: 30 * DAY_S,
}
"""Seconds of a window, on an ordinary day of an ordinary month; rising."""

_BY_INSTANT = frozenset(
    {Granularity.S10, Granularity.S30, Granularity.M1, Granularity.M5, Granularity.M15}
)
"""Every zone's offset is a multiple of these, so its clocks agree with UTC on where they begin."""
_BY_STEPS = frozenset({Granularity.M30, Granularity.H1})
"""As long on every day: counted from the day's start."""

# A relative start is rounded down, so that roll-ups serve it and numbers of one page agree, by
# little next to the span.
_SHORT = timedelta(minutes=5)
_LONG = timedelta(days=2)
_STEP_OF_SHORT_S = 10


def read_time_range(from_text: str, to_text: str, zone_name: str, *, now: datetime) -> TimeRange:
    """Return the range that texts of the query API name; `to` is at most now.

    Raises QueryRefusedError with every problem.
    """
    problems: list[Problem] = []
    zone = ZoneInfo("UTC")
    try:
        zone = zone_of(zone_name)
    except QueryRefusedError as error:
        problems += error.problems
    ends = []
    for parameter, text in (("from", from_text), ("to", to_text)):
        try:
            ends.append(read_instant(parameter, text, zone=zone, now=now))
        except QueryRefusedError as error:
            problems += error.problems
    if problems:
        raise QueryRefusedError(*problems)
    first, last = ends
    span = last.at - first.at
    start = first.at if not first.is_relative or first.is_rounded else _down(first.at, span, zone)
    end = last.at if not last.is_relative or last.is_rounded else _down(last.at, span, zone)
    _check(start, end, now, from_text, to_text)
    return TimeRange(start, min(end, now), zone_name)


def _check(start: datetime, end: datetime, now: datetime, from_text: str, to_text: str) -> None:
    if start >= now:
        raise QueryRefusedError(
            Problem("from", f"{from_text[:80]} is not in the past", "ask for what has happened")
        )
    if start >= end:
        raise QueryRefusedError(
            Problem("from", f"{from_text[:80]} is not before {to_text[:80]}", "swap from and to")
        )


def _down(at: datetime, span: timedelta, zone: ZoneInfo) -> datetime:
    if span > _LONG:
        return floor_of_hour(at, zone)
    return floor_of_seconds(at, _STEP_OF_SHORT_S if span <= _SHORT else MINUTE_S)


def auto_granularity(time_range: TimeRange) -> Granularity:
    """Return the finest granularity that makes at most 300 windows."""
    span_s = (time_range.end - time_range.start).total_seconds()
    for granularity, length_s in LENGTHS_S.items():
        # A range cuts at most one window at each end.
        if span_s / length_s + 1 <= MOST_AUTO_WINDOWS:
            return granularity
    return Granularity.MONTH


def coarser(granularity: Granularity) -> tuple[Granularity, ...]:
    """Return every longer granularity, rising; none for the total."""
    order = tuple(LENGTHS_S)
    return order[order.index(granularity) + 1 :] if granularity in LENGTHS_S else ()


def window_bounds(time_range: TimeRange, granularity: Granularity) -> list[datetime]:
    """Return where windows begin, and where the last one ends. Raises QueryRefusedError."""
    if granularity is Granularity.TOTAL:
        return [time_range.start, time_range.end]
    _check_count(time_range, granularity)
    bounds: list[datetime] = []
    for bound in _bounds_before(time_range.start, granularity, ZoneInfo(time_range.zone)):
        if bound <= time_range.start:
            bounds = [bound]
        # A day that a zone never had begins with the one after it.
        elif bound > bounds[-1]:
            bounds.append(bound)
        if bound >= time_range.end:
            break
    return bounds


def _check_count(time_range: TimeRange, granularity: Granularity) -> None:
    span_s = (time_range.end - time_range.start).total_seconds()
    if span_s / LENGTHS_S[granularity] <= MOST_WINDOWS:
        return
    fitting = next(each for each, s in LENGTHS_S.items() if span_s / s <= MOST_WINDOWS)
    raise QueryRefusedError(
        Problem(
            "granularity",
            f"{granularity} makes {span_s / LENGTHS_S[granularity]:.0f} windows of this range, "
            f"more than {MOST_WINDOWS}",
            f"ask for {fitting} or auto, or for a shorter range",
        )
    )


def _bounds_before(start: datetime, granularity: Granularity, zone: ZoneInfo) -> Iterator[datetime]:
    """Yield bounds of windows for ever, from at or before an instant on."""
    if granularity in _BY_INSTANT:
        length_s = LENGTHS_S[granularity]
        bound = floor_of_seconds(start, length_s)
        while True:
            yield bound
            bound += timedelta(seconds=length_s)
    day = _first_day(local_day(start, zone), granularity)
    while True:
        following = _next_day(day, granularity)
        if LENGTHS_S[granularity] >= DAY_S:
            yield day_start(day, zone)
        else:
            yield from _bounds_of_day(day, following, granularity, zone)
        day = following


def _first_day(day: date, granularity: Granularity) -> date:
    if granularity is Granularity.WEEK:
        return week_of(day)
    return day.replace(day=1) if granularity is Granularity.MONTH else day


def _next_day(day: date, granularity: Granularity) -> date:
    if granularity is Granularity.MONTH:
        return shifted_months(day, 1)
    return day + timedelta(days=7 if granularity is Granularity.WEEK else 1)


def _bounds_of_day(
    day: date, following: date, granularity: Granularity, zone: ZoneInfo
) -> Iterator[datetime]:
    start, end = day_start(day, zone), day_start(following, zone)
    length_s = LENGTHS_S[granularity]
    if granularity in _BY_STEPS:
        bound = start
        while bound < end:
            yield bound
            bound += timedelta(seconds=length_s)
        return
    # Clocks name these: 06:00 begins a window whether or not an hour was left out before it.
    yield start
    for hour in range(length_s // HOUR_S, DAY_S // HOUR_S, length_s // HOUR_S):
        yield local_instant(datetime(day.year, day.month, day.day, hour), zone)  # noqa: DTZ001


def previous_range(time_range: TimeRange) -> TimeRange:
    """Return the span of the same length before: as many months or days where it is made of them.

    A span that ends inside a roll-up's hour or minute, because that is now, is taken without it.
    """
    zone = ZoneInfo(time_range.zone)
    start, end = time_range.start, time_range.end
    if is_day_start(start, zone) and is_day_start(end, zone):
        first, last = local_day(start, zone), local_day(end, zone)
        before = first - (last - first)
        if first.day == last.day == 1:
            months = (last.year - first.year) * 12 + last.month - first.month
            before = shifted_months(first, -months)
        return TimeRange(day_start(before, zone), start, time_range.zone)
    unit_s = _unit_of(start, end - start)
    length_s = int((end - start).total_seconds() // unit_s) * unit_s
    length = timedelta(seconds=length_s) if length_s else end - start
    return TimeRange(start - length, start, time_range.zone)


def _unit_of(start: datetime, span: timedelta) -> int:
    """Return the longest window of roll-ups that a start fits to, among those short for a span."""
    start_s = start.timestamp()
    units = (HOUR_S, MINUTE_S, _STEP_OF_SHORT_S) if span > _LONG else (MINUTE_S, _STEP_OF_SHORT_S)
    return next((unit for unit in units if start_s % unit == 0), 1)


def widened(time_range: TimeRange, unit_s: int, *, now: datetime) -> TimeRange:
    """Return a range that begins and ends at multiples of some seconds, or ends now."""
    start = floor_of_seconds(time_range.start, unit_s)
    end = max(min(ceiling_of_seconds(time_range.end, unit_s), now), time_range.end)
    return TimeRange(start, end.astimezone(UTC), time_range.zone)
