"""The wall clock of commands."""

from __future__ import annotations

from datetime import UTC, datetime


def now() -> datetime:
    """Return the time, in UTC."""
    return datetime.now(UTC)  # noqa: TID251 - this is the edge that makes the clock


def now_us() -> int:
    """Return the time in microseconds since 1970."""
    at = now()
    # A float of seconds would be off by a microsecond now and then.
    return int(at.timestamp()) * 1_000_000 + at.microsecond
