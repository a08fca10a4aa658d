"""Time intervals as files and requests write them, in Alertmanager's words, to values and back.

Invariant: `interval_from(interval_to(interval)) == interval` for every interval that was read.
"""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from inferometer.core.alerts.time_intervals import MINUTES_PER_DAY, TimeInterval

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from inferometer.core.alerts.time_intervals import Range

WEEKDAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
MONTHS = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september",
    "october", "november", "december",
)  # fmt: skip
KEYS = ("times", "weekdays", "days_of_month", "months", "years", "location")
MAX_RANGES = 100
MAX_YEAR = 9999
_TIME = re.compile(r"(\d\d):(\d\d)")
_NUMBER = re.compile(r"-?\d{1,4}")


def interval_from(raw: Mapping[str, Any]) -> tuple[TimeInterval, list[str]]:
    """Return the interval and everything that is wrong with it; what is wrong is left out."""
    problems = [
        f"{key}: unknown; a time interval has {', '.join(KEYS)}" for key in raw if key not in KEYS
    ]

    def ranges(key: str, read: Callable[[str], Range]) -> tuple[Range, ...]:
        found = []
        for item in _items(key, raw.get(key), problems):
            try:
                found.append(read(str(item).strip().lower()))
            except ValueError as error:
                problems.append(f"{key}: {error}")
        return tuple(found)

    interval = TimeInterval(
        times=_times(raw.get("times"), problems),
        weekdays=ranges("weekdays", lambda text: _rising(text, _weekday)),
        days_of_month=ranges("days_of_month", _days),
        months=ranges("months", lambda text: _rising(text, _month)),
        years=ranges("years", lambda text: _rising(text, _year)),
        location=_location(raw.get("location"), problems),
    )
    return interval, problems


def interval_to(interval: TimeInterval) -> dict[str, Any]:
    """Return an interval in the words of a file."""
    said: dict[str, Any] = {}
    if interval.times:
        said["times"] = [
            {"start_time": _clock(start), "end_time": _clock(end)} for start, end in interval.times
        ]
    named: dict[str, Callable[[int], str]] = {
        "weekdays": lambda number: WEEKDAYS[number],
        "days_of_month": str,
        "months": lambda number: MONTHS[number - 1],
        "years": str,
    }
    for key, name in named.items():
        if found := getattr(interval, key):
            said[key] = [_joined(name(first), name(last)) for first, last in found]
    if interval.location != "UTC":
        said["location"] = interval.location
    return said


def _items(key: str, raw: object, problems: list[str]) -> Sequence[object]:
    if raw is None:
        return ()
    if not isinstance(raw, list):
        problems.append(f"{key}: must be a list")
        return ()
    if len(raw) > MAX_RANGES:
        problems.append(f"{key}: {len(raw)} ranges, of which there may be {MAX_RANGES}")
        return ()
    return raw


def _times(raw: object, problems: list[str]) -> tuple[Range, ...]:
    found = []
    for item in _items("times", raw, problems):
        if not isinstance(item, dict) or set(item) != {"start_time", "end_time"}:
            problems.append("times: each needs start_time and end_time, as HH:MM")
            continue
        try:
            start, end = _minute(item["start_time"]), _minute(item["end_time"])
        except ValueError as error:
            problems.append(f"times: {error}")
            continue
        if start >= end:
            problems.append(
                f"times: {item['start_time']} is not before {item['end_time']}; a time over "
                "midnight is two ranges, one until 24:00 and one from 00:00"
            )
            continue
        found.append((start, end))
    return tuple(found)


def _minute(raw: object) -> int:
    found = _TIME.fullmatch(raw) if isinstance(raw, str) else None
    minute = int(found[1]) * 60 + int(found[2]) if found else -1
    if found is None or int(found[2]) > 59 or minute > MINUTES_PER_DAY:
        # YAML reads 22:00 without quotes as the number 1320.
        raise ValueError(f"{raw!r} is no time of day; write it in quotes, from '00:00' to '24:00'")
    return minute


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


def _joined(first: str, last: str) -> str:
    return first if first == last else f"{first}:{last}"


def _parts(text: str) -> tuple[str, str]:
    first, colon, last = text.partition(":")
    return first.strip(), (last if colon else first).strip()


def _rising(text: str, read: Callable[[str], int]) -> Range:
    first, last = map(read, _parts(text))
    if first > last:
        raise ValueError(f"{text} ends before it begins; write it as two ranges")
    return first, last


def _weekday(text: str) -> int:
    if text not in WEEKDAYS:
        raise ValueError(f"{text!r} is no weekday; write monday or monday:friday")
    return WEEKDAYS.index(text)


def _month(text: str) -> int:
    if text in MONTHS:
        return MONTHS.index(text) + 1
    return _number(text, 1, len(MONTHS), "a month: january or 1 to december or 12")


def _year(text: str) -> int:
    return _number(text, 1, MAX_YEAR, "a year")


def _days(text: str) -> Range:
    what = "a day of the month: 1 to 31, or -1 to -31 from its end"
    first, last = (_number(part, -31, 31, what) for part in _parts(text))
    if not first or not last:
        raise ValueError(f"0 is not {what}")
    if (first < 0) == (last < 0) and first > last:
        raise ValueError(f"{text} ends before it begins; write it as two ranges")
    if first < 0 < last:
        raise ValueError(f"{text} begins at the end of the month; write it as two ranges")
    return first, last


def _number(text: str, least: int, most: int, what: str) -> int:
    number = int(text) if _NUMBER.fullmatch(text) else None
    if number is None or not least <= number <= most:
        raise ValueError(f"{text!r} is not {what}")
    return number


def _location(raw: object, problems: list[str]) -> str:
    if raw is None:
        return "UTC"
    # A zone that is not found is a KeyError; a folder's name or a path is one of the others.
    with contextlib.suppress(KeyError, ValueError, OSError):
        if isinstance(raw, str) and raw:
            return ZoneInfo(raw).key
    problems.append(f"location: {raw!r} is no IANA time zone, such as Europe/Berlin")
    return "UTC"
