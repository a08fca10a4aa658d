"""Instants as RFC 3339 texts, to microseconds since 1970 and back, without rounding."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LATEST_US = 253_402_300_799_999_999
"""The last instant of the year 9999."""
_US = timedelta(microseconds=1)


def instant_text(at_us: int) -> str:
    """Return an instant with six digits after the second, in UTC; years end with 9999."""
    at = EPOCH + timedelta(microseconds=min(at_us, LATEST_US))
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond:06}Z"


def instant_us(text: object) -> int:
    """Read an instant; digits beyond microseconds are cut. Raises ValueError."""
    try:
        at = datetime.fromisoformat(text) if isinstance(text, str) else None
        if at is not None and at.tzinfo is not None:
            return (at - EPOCH) // _US
    except (ValueError, OverflowError):
        pass
    raise ValueError(f"{text!r} is no instant; write it like 2026-01-31T08:00:00Z")
