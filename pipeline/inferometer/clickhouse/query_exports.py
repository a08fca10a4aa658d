"""Writes answers as files, piece by piece: CSV, JSON lines, Parquet.

A file is read in pieces by whatever thread has time, and an embedded client is tied to the thread
that began; so each file has a client of its own, closed with it.
"""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any, Protocol, cast

from inferometer.clickhouse.query_limits import limited
from inferometer.core.query.spreadsheets import FORMULA, GUARD
from inferometer.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from inferometer.clickhouse.connect import StoreConnection
    from inferometer.clickhouse.query_limits import QueryLimits

CHUNK_BYTES = 1 << 18

_FORMULA, _GUARD = (
    "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'" for text in (FORMULA, GUARD)
)

_FORMATS = {"csv": "CSV", "jsonl": "JSONEachRow", "parquet": "Parquet"}
"""Those without head or foot are handed out block by block by the embedded engine as well."""
_SETTINGS = {
    "date_time_output_format": "'iso'",
    "output_format_json_quote_64bit_integers": "0",
    "output_format_json_quote_decimals": "0",
    "output_format_decimal_trailing_zeros": "0",
    "format_csv_null_representation": "''",
    "output_format_parquet_string_as_string": "1",
    # A failure within an answer shall end it with an error, not with a line of text.
    "http_write_exception_in_output_format": "0",
}


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...

    def close(self) -> None: ...


def is_of_texts(form: str) -> bool:
    """Say whether a file of a form has texts only, no lists or maps."""
    return form == "csv"


def guarded(column: str) -> str:
    """Return a column of texts as CSV has them; see `core.query.spreadsheets`."""
    return f"if(match({column}, {_FORMULA}), concat({_GUARD}, {column}), {column})"


def file_pieces(
    connection: StoreConnection,
    limits: QueryLimits,
    question: tuple[str, dict[str, Any]],
    form: str,
    names: Sequence[str],
) -> Iterator[bytes]:
    """Yield a file. Raises StoreError, QueryTooCostlyError, also between pieces."""
    engine_name = _FORMATS.get(form)
    if engine_name is None:
        raise StoreError(f"no form of a file {form!r}; csv, jsonl, parquet are", retryable=False)
    text, parameters = question
    more = ", ".join(f"{name} = {value}" for name, value in _SETTINGS.items())
    whole = f"{text}\n{limits.settings(is_export=True)}, {more}\n"
    head = _head(names) if form == "csv" else b""
    return _pieces(connection, limits, (whole, parameters, engine_name), head)


def _pieces(
    connection: StoreConnection,
    limits: QueryLimits,
    question: tuple[str, dict[str, Any], str],
    head: bytes,
) -> Iterator[bytes]:
    text, parameters, engine_name = question
    place = connection.settings.place
    client = connection.new_reader()
    try:
        with limited(place, limits, is_export=True):
            stream = cast("_Readable", client.raw_stream(text, parameters, fmt=engine_name))
            try:
                # With the first rows, so that a question that fails at once makes no file.
                if first := head + stream.read(CHUNK_BYTES):
                    yield first
                while piece := stream.read(CHUNK_BYTES):
                    yield piece
            finally:
                stream.close()
    finally:
        client.close()


def _head(names: Sequence[str]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(names)
    return text.getvalue().encode()
