"""Translates what the client library raises into StoreError: one line, redacted, retryable or not."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

from clickhouse_connect.driver.exceptions import ClickHouseError
from urllib3.exceptions import HTTPError

from inferometer.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_MESSAGE_CHARS = 400

RETRYABLE_CODES = frozenset(
    {
        3,  # UNEXPECTED_END_OF_FILE
        159,  # TIMEOUT_EXCEEDED
        198,  # DNS_ERROR
        202,  # TOO_MANY_SIMULTANEOUS_QUERIES
        209,  # SOCKET_TIMEOUT
        210,  # NETWORK_ERROR
        225,  # NO_ZOOKEEPER
        236,  # ABORTED
        241,  # MEMORY_LIMIT_EXCEEDED
        242,  # TABLE_IS_READ_ONLY: a replica without its Keeper
        243,  # NOT_ENOUGH_SPACE
        252,  # TOO_MANY_PARTS
        279,  # ALL_CONNECTION_TRIES_FAILED
        285,  # TOO_FEW_LIVE_REPLICAS
        286,  # UNSATISFIED_QUORUM_FOR_PREVIOUS_WRITE
        287,  # UNKNOWN_STATUS_OF_DISTRIBUTED_DDL_TASK
        319,  # UNKNOWN_STATUS_OF_INSERT
        394,  # QUERY_WAS_CANCELLED
        415,  # ALL_REPLICAS_LOST
        425,  # SYSTEM_ERROR
        473,  # DEADLOCK_AVOIDED
        999,  # KEEPER_EXCEPTION
    }
)
"""Refusals that pass without anybody changing the query or the data."""

READONLY_CODE = 164
ACCESS_DENIED_CODE = 497

_NEXT_STEPS = {
    READONLY_CODE: "this connection only reads",
    16: "store and program are of different versions; `inferometer migrate --check` compares them",
    47: "DESCRIBE TABLE lists the columns of a table or view",
    46: "schemas/clickhouse/README.md lists the functions; `inferometer migrate` creates them",
    60: "SHOW TABLES lists what is there; `inferometer migrate` creates the schema",
    81: "`inferometer migrate` creates the database",
    193: "check user and password",
    194: "check user and password",
    243: "make room on the store's disk",
    ACCESS_DENIED_CODE: "ask for the grant, or use another user",
    516: "check user and password",
}

_UNOPENED = "Error initializing EmbeddedServer: ."
"""What is left of the reason for which an embedded engine did not start; stderr has the rest."""

_CREDENTIALS = re.compile(r"(?<=://)[^/@\s]+@")
_CODE = re.compile(r"\bCode:\s*(\d+)")
_PREFIX = re.compile(r"^.*?Code:\s*\d+\.\s*(?:DB::(?:NetException|Exception):\s*)?", re.DOTALL)
_NOISE = re.compile(r"^default: |\. Expected one of: .*(?= \()", re.DOTALL)
_TRAILER = re.compile(r"\s*\(version [^)]*(?:\([^)]*\)[^)]*)?\)\s*$|\s*Stack trace:.*$", re.DOTALL)


def redact(text: str) -> str:
    """Hide user and password of every URL in a text."""
    return _CREDENTIALS.sub("***@", text)


def error_code(error: Exception) -> int | None:
    """Return ClickHouse's number of an error, None where the server was not reached."""
    code = getattr(error, "code", None)
    if isinstance(code, int):
        return code
    found = _CODE.search(str(error))
    return int(found[1]) if found else None


def to_store_error(error: Exception, *, place: str) -> StoreError:
    """Return the error as this project reports it: what, and what to do next."""
    if _UNOPENED in str(error):
        return StoreError(
            f"the engine cannot open the store in {place}; its own message on stderr says why. A "
            "copy of a folder must keep symbolic links (cp -a); where the disk was full, restore a "
            "backup",
            retryable=False,
        )
    code = error_code(error)
    text = _NOISE.sub("", _TRAILER.sub("", _PREFIX.sub("", str(error), count=1)))
    text = " ".join(text.split())
    if len(text) > MAX_MESSAGE_CHARS:
        text = text[: MAX_MESSAGE_CHARS - 3] + "..."
    message = redact(text) or type(error).__name__
    if code is None:
        return StoreError(
            f"no answer from the store at {redact(place)}: {message}; is it running?",
            retryable=True,
        )
    step = _NEXT_STEPS.get(code)
    return StoreError(f"{message}; {step}" if step else message, retryable=code in RETRYABLE_CODES)


@contextmanager
def store_errors(place: str) -> Iterator[None]:
    """Raise StoreError for whatever the client library raises inside."""
    try:
        yield
    except (ClickHouseError, HTTPError, OSError) as error:
        raise to_store_error(error, place=place) from error
