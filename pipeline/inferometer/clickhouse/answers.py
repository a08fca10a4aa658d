"""Answers one read-only query as bytes, in the form that a person or a program asked for."""

from __future__ import annotations

import enum
import re
from typing import TYPE_CHECKING, Protocol, cast

from inferometer.clickhouse.refusals import READONLY_CODE, error_code
from inferometer.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inferometer.clickhouse.connect import StoreConnection

CHUNK_BYTES = 1 << 20


class Format(enum.StrEnum):
    """How an answer is written."""

    TABLE = "table"
    JSON = "json"
    """One array of one object a row; 64-bit integers and decimals are plain numbers, all digits."""
    CSV = "csv"
    TSV = "tsv"


_CLICKHOUSE_NAMES = {
    Format.TABLE: "PrettyCompactMonoBlock",
    Format.JSON: "JSONEachRow",
    Format.CSV: "CSVWithNames",
    Format.TSV: "TabSeparatedWithNames",
}

_TABLE_SETTINGS = {
    "output_format_pretty_color": "0",
    "output_format_pretty_row_numbers": "0",
    "output_format_pretty_display_footer_column_names": "0",
    "output_format_pretty_single_large_number_tip_threshold": "0",
    "output_format_pretty_max_rows": "10000",
}

_OWN_FORMAT = re.compile(r"\bFORMAT\s+\w+\s*$", re.IGNORECASE)
_OUTFILE = re.compile(r"\bINTO\s+OUTFILE\b", re.IGNORECASE)
_QUOTED = re.compile(r"'(?:[^'\\]|\\.|'')*'|--[^\n]*|/\*.*?\*/", re.DOTALL)


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...

    def close(self) -> None: ...


def answer(connection: StoreConnection, query: str, form: Format) -> Iterator[bytes]:
    """Yield the answer in pieces; a query that ends with a FORMAT of its own keeps it.

    Embedded, tables and CSV are complete in memory before the first piece; JSON is not.
    Raises StoreError.
    """
    text = query.strip().rstrip(";").rstrip()
    if not text:
        raise StoreError("the query is empty; try: SHOW TABLES", retryable=False)
    bare = _QUOTED.sub("", text)
    if _OUTFILE.search(bare):
        raise StoreError(
            "INTO OUTFILE would write a file; redirect the output instead", retryable=False
        )
    try:
        with connection.errors():
            yield from _pieces(connection, text, None if _OWN_FORMAT.search(bare) else form)
    except StoreError as error:
        cause = error.__cause__
        if isinstance(cause, Exception) and error_code(cause) == READONLY_CODE:
            raise StoreError(
                "only reading is allowed here; rows are written by the pipeline, the schema by "
                "`inferometer migrate`",
                retryable=False,
            ) from error
        raise


def _pieces(connection: StoreConnection, text: str, form: Format | None) -> Iterator[bytes]:
    stream = cast(
        "_Readable",
        connection.reader().raw_stream(
            # A comment at the end must not swallow the FORMAT clause that is appended.
            text + "\n",
            fmt=None if form is None else _CLICKHOUSE_NAMES[form],
            settings=_TABLE_SETTINGS if form is Format.TABLE else None,
        ),
    )
    try:
        pieces = iter(lambda: stream.read(CHUNK_BYTES), b"")
        yield from _as_array(pieces) if form is Format.JSON else pieces
    finally:
        stream.close()


def _as_array(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Turn rows on lines of their own into one array; a line break inside a text is escaped."""
    yield b"["
    held = b""
    for piece in pieces:
        # The last line break is held back, because no comma follows the last row.
        joined = held + piece
        body = joined.removesuffix(b"\n")
        held = joined[len(body) :]
        yield body.replace(b"\n", b",\n")
    yield b"]\n"
