"""Instants on the command line: a date, a time in UTC, or how long ago."""

from __future__ import annotations

import argparse
import re
from datetime import UTC, datetime

_AGO = re.compile(r"(\d+)([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}

INSTANT_HELP = (
    "2026-01-31, 2026-01-31T08:00, 2026-01-31T08:00:00+01:00 (UTC unless told), or 6h, 2d ago"
)


class Instant:
    """A point in time, or a distance to now; made from text by `argparse`."""

    def __init__(self, text: str) -> None:
        """Read the text. Raises argparse.ArgumentTypeError."""
        ago = _AGO.fullmatch(text)
        self._ago_s = int(ago[1]) * _SECONDS[ago[2]] if ago else 0
        self._at: datetime | None = None
        if ago is None:
            try:
                at = datetime.fromisoformat(text)
            except ValueError as error:
                raise argparse.ArgumentTypeError(
                    f"{text!r} is no time; try {INSTANT_HELP}"
                ) from error
            self._at = at if at.tzinfo is not None else at.replace(tzinfo=UTC)

    def seconds(self, now: datetime) -> int:
        """Return seconds since 1970."""
        if self._at is None:
            return int(now.timestamp()) - self._ago_s
        return int(self._at.timestamp())
