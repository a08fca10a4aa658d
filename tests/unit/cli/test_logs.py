"""Lines of the log, for people and for machines."""

from __future__ import annotations

import io
import json
import logging
from typing import Any

import pytest

from inferometer.cli import logs
from inferometer.config import LogConfig, Secret

WHERE = {"topic": "inference.requests", "partition": 3, "first_offset": 10, "last_offset": 19}

logger = logging.getLogger("inferometer.test")


def logged(log_format: str, message: str, *arguments: object, **extra: object) -> str:
    stream = io.StringIO()
    with logs.on(stream, LogConfig(format=log_format)):
        logger.warning(message, *arguments, extra=extra)
    return stream.getvalue()


def as_json(message: str, *arguments: object, **extra: object) -> dict[str, Any]:
    line: dict[str, Any] = json.loads(logged("json", message, *arguments, **extra))
    return line


def test_what_a_line_is_about_are_fields_of_it() -> None:
    line = as_json("fenced", **WHERE, reason="fenced")
    assert line["message"] == "fenced"
    assert {name: line[name] for name in WHERE} == WHERE
    assert line["reason"] == "fenced"


def test_people_read_where_in_the_stream_it_happened() -> None:
    line = logged("text", "fenced", **WHERE, lag_records=7)
    assert line.rstrip().endswith(
        "fenced [topic=inference.requests partition=3 first_offset=10 last_offset=19]"
    )


def test_without_a_place_the_line_is_the_message() -> None:
    assert logged("text", "no broker yet", reason="broker_away").endswith(": no broker yet\n")


@pytest.mark.parametrize("field", ["level", "time", "logger"])
def test_a_field_never_takes_the_place_of_what_every_line_has(field: str) -> None:
    assert as_json("m", **{field: "mine"})[field] != "mine"


@pytest.mark.parametrize("log_format", ["json", "text"])
def test_a_secret_is_not_shown(log_format: str) -> None:
    secret = Secret("hunter2")
    assert "hunter2" not in logged(log_format, "with %s and %r", secret, secret, table=secret)


def test_a_message_of_several_lines_stays_one_line_for_machines() -> None:
    assert logged("json", "first\nsecond").count("\n") == 1


def test_a_traceback_stays_in_the_line_of_its_event() -> None:
    stream = io.StringIO()
    with logs.on(stream, LogConfig(format="json")):
        try:
            int("inner")
        except ValueError:
            logger.exception("failed", extra=WHERE)
    (line,) = stream.getvalue().splitlines()
    assert "inner" in json.loads(line)["traceback"]


@pytest.mark.parametrize(("level", "is_shown"), [("info", False), ("debug", True)])
def test_what_a_client_library_repeats_is_shown_only_to_those_who_debug(
    level: str, is_shown: bool
) -> None:
    stream = io.StringIO()
    with logs.on(stream, LogConfig(format="text", level=level)):
        logging.getLogger("urllib3.connectionpool").warning("Retrying")
    assert ("Retrying" in stream.getvalue()) is is_shown


def test_a_chatty_library_says_the_same_once_in_ten_seconds() -> None:
    passes = logs.FewerRepetitions()

    def says(message: str, at: float, name: str = "aiokafka.consumer") -> str | None:
        record = logging.LogRecord(name, logging.ERROR, "", 0, message, ("x",), None)
        record.created = at
        return record.getMessage() if passes(record) else None

    assert says("no node %s", 0.0) == "no node x"
    assert [says("no node %s", at) for at in (0.1, 5.0, 9.9)] == [None] * 3
    assert says("other %s", 5.0) == "other x"
    assert says("no node %s", 10.0) == "no node x (and 3 times more in between)"
    assert says("no node %s", 10.1, name="inferometer.kafka") == "no node x"
