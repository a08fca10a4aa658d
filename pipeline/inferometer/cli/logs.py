"""Logs of a command: to its stderr, as text for people or one JSON object a line for machines.

A line says one thing; what it is about stands beside it in fields of the same names everywhere:
topic, partition, first_offset, last_offset, offset, table, store, reason, and the figures.
"""

from __future__ import annotations

import contextlib
import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TextIO

import orjson

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inferometer.config import LogConfig

TEXT_FORMAT = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"

STANDARD_FIELDS = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}

PLACE_FIELDS = ("topic", "partition", "first_offset", "last_offset", "offset", "table")
"""Fields that people need to understand a line; the others repeat what the message says."""

REPEATING_LIBRARIES = ("clickhouse_connect", "urllib3")
"""What they warn of we meet as an error, and say it with what is done about it."""


CHATTY_LIBRARIES = ("aiokafka",)
"""They say the same dozens of times a second while a broker is away."""
CHATTER_EVERY_S = 10.0


class TextFormatter(logging.Formatter):
    """A line for people; where in the stream it happened stands after the message."""

    def __init__(self) -> None:
        super().__init__(TEXT_FORMAT)

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - of the superclass
        """Return the line without a traceback."""
        given = vars(record)
        place = " ".join(f"{name}={given[name]}" for name in PLACE_FIELDS if name in given)
        line = super().formatMessage(record)
        return f"{line} [{place}]" if place else line


class JsonFormatter(logging.Formatter):
    """One JSON object a line; what a caller passes as `extra` becomes fields of it."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one line of JSON."""
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= {
            key: value
            for key, value in vars(record).items()
            if key not in STANDARD_FIELDS and key not in line
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return orjson.dumps(line, default=str, option=orjson.OPT_NON_STR_KEYS).decode()


def _is_no_repetition(record: logging.LogRecord) -> bool:
    # Not by their levels, which the libraries set themselves when they are imported.
    library = record.name.partition(".")[0]
    return record.levelno >= logging.ERROR or library not in REPEATING_LIBRARIES


class FewerRepetitions:
    """Lets a chatty library say each thing once in a while, and counts what it kept back."""

    def __init__(self) -> None:
        self._said: dict[tuple[str, str], tuple[float, int]] = {}

    def __call__(self, record: logging.LogRecord) -> bool:
        """Say whether a record is to be written."""
        if record.name.partition(".")[0] not in CHATTY_LIBRARIES:
            return True
        key = (record.name, str(record.msg))
        at, kept_back = self._said.get(key, (float("-inf"), 0))
        if record.created - at < CHATTER_EVERY_S:
            self._said[key] = (at, kept_back + 1)
            return False
        self._said[key] = (record.created, 0)
        if kept_back:
            record.msg = f"{record.msg} (and {kept_back} times more in between)"
        return True


@contextlib.contextmanager
def on(stream: TextIO, settings: LogConfig) -> Iterator[None]:
    """Send the logs of all libraries to a stream, and leave the root logger as it was found."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter() if settings.format == "json" else TextFormatter())
    level = logging.getLevelNamesMapping()[settings.level.upper()]
    root, own = logging.getLogger(), logging.getLogger("inferometer")
    levels_before = root.level, own.level
    if level > logging.DEBUG:
        handler.addFilter(_is_no_repetition)
        handler.addFilter(FewerRepetitions())
    root.addHandler(handler)
    own.setLevel(level)
    # What libraries say at info is about their own insides; at debug everything is wanted.
    root.setLevel(level if level <= logging.DEBUG else max(level, logging.WARNING))
    try:
        yield
    finally:
        root.removeHandler(handler)
        for logger, before in zip((root, own), levels_before, strict=True):
            logger.setLevel(before)
