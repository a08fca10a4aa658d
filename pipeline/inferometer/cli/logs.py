"""Logs of a command: to its stderr, as text for people or one JSON object a line for machines."""

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
        line |= {key: value for key, value in vars(record).items() if key not in STANDARD_FIELDS}
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return orjson.dumps(line, default=str, option=orjson.OPT_NON_STR_KEYS).decode()


@contextlib.contextmanager
def on(stream: TextIO, settings: LogConfig) -> Iterator[None]:
    """Send the logs of all libraries to a stream, and leave the root logger as it was found."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        JsonFormatter() if settings.format == "json" else logging.Formatter(TEXT_FORMAT)
    )
    level = logging.getLevelNamesMapping()[settings.level.upper()]
    root, own = logging.getLogger(), logging.getLogger("inferometer")
    levels_before = root.level, own.level
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
