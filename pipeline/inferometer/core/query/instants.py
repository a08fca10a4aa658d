"""Instants as people and programs write them: absolute, in a zone, or relative to now.

`now-7d` goes back by the calendar of the zone (days, weeks, months, years), `now-90m` by exact
seconds, minutes and hours; `/d` rounds down to the start of the day, and so on for the other units.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from inferometer.core.query.local_times import (
    DAYS_OF_WEEK,
    MONTHS_OF_YEAR,
    day_start,
    floor_of_hour,
    floor_of_seconds,
    local_day,
    local_instant,
    shifted_days,
    shifted_months,
    week_of,
)
from inferometer.core.query.questions import Problem, QueryRefusedError

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
LATEST = datetime(2200, 1, 1, tzinfo=UTC)
REMEDY = (
    "write now-24h, now-1d/d, 2026-01-31, 2026-01-31T08:00, 2026-01-31T08:00:00Z "
    "or milliseconds since 1970"
)

_UNITS = "s|mo|m|h|d|w|M|y"
_RELATIVE = re.compile(
    rf"now(?:(?P<count>[+-]\d{{1,6}})(?P<unit>{_UNITS}))?(?:/(?P<rounded>{_UNITS}))?"
)
_MILLISECONDS = re.compile(r"\d{12,15}")
_SECONDS = re.compile(r"\d{9,11}")
_LOST_PLUS = re.compile(r"(?<=[0-9]) (?=\d{2}:?\d{2}$)")

_SECONDS_OF = {"s": 1, "m": 60, "h": 3600}
_DAYS_OF = {"d": 1, "w": DAYS_OF_WEEK}
_MONTHS_OF = {"mo": 1, "M": 1, "y": MONTHS_OF_YEAR}


@dataclass(frozen=True, slots=True)
class WrittenInstant:
    """What a text says."""

    at: datetime
    is_relative: bool
    is_rounded: bool = False
    """By `/unit`, or `now` itself: to be taken as it is."""


def read_instant(parameter: str, text: str, *, zone: ZoneInfo, now: datetime) -> WrittenInstant:
    """Return the instant that a text names. Raises QueryRefusedError."""
    text = text.strip()
    try:
        found = _relative(text, zone, now) if text.startswith("now") else _absolute(text, zone)
    except (ValueError, OverflowError) as error:
        reason = str(error) if isinstance(error, _SecondsError) else f"{text[:80]!r} is no instant"
        raise QueryRefusedError(Problem(parameter, reason, REMEDY)) from error
    if not EARLIEST <= found.at <= LATEST:
        reason = f"{text[:80]!r} is not between {EARLIEST.year} and {LATEST.year}"
        raise QueryRefusedError(Problem(parameter, reason, REMEDY))
    return found


class _SecondsError(ValueError):
    """Seconds where milliseconds are expected."""


def _relative(text: str, zone: ZoneInfo, now: datetime) -> WrittenInstant:
    match = _RELATIVE.fullmatch(text)
    if match is None:
        raise ValueError(text)
    at = _shifted(now, int(match["count"]), match["unit"], zone) if match["count"] else now
    if match["rounded"]:
        at = _rounded(at, match["rounded"], zone)
    is_rounded = bool(match["rounded"]) or text == "now"
    return WrittenInstant(at, is_relative=True, is_rounded=is_rounded)


def _shifted(now: datetime, count: int, unit: str, zone: ZoneInfo) -> datetime:
    if unit in _SECONDS_OF:
        return now + timedelta(seconds=count * _SECONDS_OF[unit])
    if unit in _DAYS_OF:
        return shifted_days(now, count * _DAYS_OF[unit], zone)
    wall = now.astimezone(zone).replace(tzinfo=None)
    day = shifted_months(wall.date(), count * _MONTHS_OF[unit])
    return local_instant(datetime.combine(day, wall.time()), zone)


def _rounded(at: datetime, unit: str, zone: ZoneInfo) -> datetime:
    if unit == "h":
        return floor_of_hour(at, zone)
    if unit in _SECONDS_OF:
        return floor_of_seconds(at, _SECONDS_OF[unit])
    return day_start(_first_day(local_day(at, zone), unit), zone)


def _first_day(day: date, unit: str) -> date:
    if unit == "d":
        return day
    if unit == "w":
        return week_of(day)
    return day.replace(month=1, day=1) if unit == "y" else day.replace(day=1)


def _absolute(text: str, zone: ZoneInfo) -> WrittenInstant:
    if _MILLISECONDS.fullmatch(text):
        at = EARLIEST + timedelta(milliseconds=int(text))
        return WrittenInstant(at, is_relative=False)
    if _SECONDS.fullmatch(text):
        raise _SecondsError(f"{text} looks like seconds since 1970; milliseconds are read")
    # A plus sign that was not escaped in a URL arrives as a space.
    written = datetime.fromisoformat(_LOST_PLUS.sub("+", text))
    if written.tzinfo is not None:
        return WrittenInstant(written.astimezone(UTC), is_relative=False)
    return WrittenInstant(local_instant(written, zone), is_relative=False)
