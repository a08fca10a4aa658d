"""The calendar of a time zone: where its hours, days, weeks, months and years begin, in UTC.

Invariants: a day begins at its first midnight, or where there is none, when the clocks have been put
forward over it; so each instant is in exactly one day, which is 23, 24 or 25 hours long (half an
hour more or less on Lord Howe).
"""

from __future__ import annotations

import difflib
import zoneinfo
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from inferometer.core.query.questions import Problem, QueryRefusedError

MONTHS_OF_YEAR = 12
LATEST_DAY_OF_ALL_MONTHS = 28
DAYS_OF_WEEK = 7


@lru_cache(maxsize=1)
def known_zones() -> frozenset[str]:
    """Return the names of all time zones of this machine."""
    return frozenset(zoneinfo.available_timezones())


def zone_of(name: str) -> ZoneInfo:
    """Return a time zone by its IANA name. Raises QueryRefusedError."""
    if name in known_zones():
        return ZoneInfo(name)
    raise QueryRefusedError(
        Problem("time_zone", f"no time zone is called {name[:80]!r}", _hint(name))
    )


def _hint(name: str) -> str:
    folded = name.casefold().replace(" ", "_")
    cities = {zone.casefold().rpartition("/")[2]: zone for zone in sorted(known_zones())}
    by_folded = {zone.casefold(): zone for zone in known_zones()}
    if meant := by_folded.get(folded) or cities.get(folded):
        return f"did you mean {meant}?"
    close = difflib.get_close_matches(folded, list(by_folded), n=1)
    return f"did you mean {by_folded[close[0]]}?" if close else "write it like Europe/Berlin"


def local_instant(wall: datetime, zone: ZoneInfo) -> datetime:
    """Return the instant at which clocks of a zone show a time; the first, if they do so twice."""
    return wall.replace(tzinfo=zone, fold=0).astimezone(UTC)


def day_start(day: date, zone: ZoneInfo) -> datetime:
    """Return the instant at which a day begins."""
    return local_instant(datetime.combine(day, time()), zone)


def local_day(instant: datetime, zone: ZoneInfo) -> date:
    """Return the day that an instant is in."""
    day = instant.astimezone(zone).date()
    # Where the first midnight is followed by a second, the hour between is of this day, though
    # clocks show the one before.
    following = day + timedelta(days=1)
    return following if day_start(following, zone) <= instant else day


def is_day_start(instant: datetime, zone: ZoneInfo) -> bool:
    """Return whether a day begins at an instant."""
    return day_start(local_day(instant, zone), zone) == instant


def shifted_months(day: date, months: int) -> date:
    """Return the same day of another month, or the last day of that month if it has none."""
    number = day.year * MONTHS_OF_YEAR + day.month - 1 + months
    first = date(number // MONTHS_OF_YEAR, number % MONTHS_OF_YEAR + 1, 1)
    if day.day <= LATEST_DAY_OF_ALL_MONTHS:
        return first.replace(day=day.day)
    after = date(first.year + first.month // MONTHS_OF_YEAR, first.month % MONTHS_OF_YEAR + 1, 1)
    return min(first + timedelta(days=day.day - 1), after - timedelta(days=1))


def shifted_days(instant: datetime, days: int, zone: ZoneInfo) -> datetime:
    """Return the same time of day some days later, or earlier."""
    wall = instant.astimezone(zone).replace(tzinfo=None)
    return local_instant(wall + timedelta(days=days), zone)


def floor_of_hour(instant: datetime, zone: ZoneInfo) -> datetime:
    """Return when the clocks last showed a whole hour."""
    wall = instant.astimezone(zone)
    past = timedelta(minutes=wall.minute, seconds=wall.second, microseconds=wall.microsecond)
    return instant - past


def floor_of_seconds(instant: datetime, seconds: int) -> datetime:
    """Return the last multiple of some seconds since 1970 (UTC)."""
    whole_s = int(instant.timestamp() // seconds) * seconds
    return datetime.fromtimestamp(whole_s, UTC)


def ceiling_of_seconds(instant: datetime, seconds: int) -> datetime:
    """Return the next multiple of some seconds since 1970 (UTC), or the instant itself."""
    floor = floor_of_seconds(instant, seconds)
    return floor if floor == instant else floor + timedelta(seconds=seconds)


def week_of(day: date) -> date:
    """Return the Monday of a day's week."""
    return day - timedelta(days=day.weekday())
