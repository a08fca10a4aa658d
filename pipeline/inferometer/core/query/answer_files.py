"""Writes answers that are short lists as files: CSV, JSON lines, Parquet.

Long ones are written by the store, piece by piece. Both write alike: nothing for what is not known,
all digits of money, and no text in CSV that a spreadsheet would run (`spreadsheets`).
"""

from __future__ import annotations

import csv
import enum
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from inferometer.core.query.spreadsheets import guarded

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


class Kind(enum.Enum):
    """What a column holds; any value may be None."""

    TEXT = "text"
    WHOLE = "whole"
    NUMBER = "number"
    MONEY = "money"
    FLAG = "flag"
    DAY = "day"


@dataclass(frozen=True, slots=True)
class FileColumn:
    """A column of a file."""

    name: str
    kind: Kind


_TYPES = {
    Kind.TEXT: pa.string(),
    Kind.WHOLE: pa.int64(),
    Kind.NUMBER: pa.float64(),
    Kind.MONEY: pa.decimal128(38, 12),
    Kind.FLAG: pa.bool_(),
    Kind.DAY: pa.date32(),
}
_JSON = msgspec.json.Encoder(decimal_format="number")


def file_of(rows: Iterable[Mapping[str, Any]], columns: Sequence[FileColumn], form: str) -> bytes:
    """Return a file as csv, jsonl or parquet; what a row lacks is None."""
    found = [{each.name: _value(row.get(each.name), each.kind) for each in columns} for row in rows]
    if form == "csv":
        return _csv(found, columns)
    if form == "jsonl":
        return b"".join(_JSON.encode(row) + b"\n" for row in found)
    return _parquet(found, columns)


def _value(value: Any, kind: Kind) -> Any:
    if value is None:
        return None
    if kind is Kind.NUMBER:
        return float(value)
    return int(value) if kind is Kind.WHOLE else value


def _csv(rows: Sequence[Mapping[str, Any]], columns: Sequence[FileColumn]) -> bytes:
    pieces = _Pieces()
    writer = csv.writer(pieces, lineterminator="\n")
    writer.writerow([each.name for each in columns])
    writer.writerows([_text(value) for value in row.values()] for row in rows)
    return "".join(pieces).encode()


class _Pieces(list[str]):
    """Texts that a writer of CSV has written."""

    def write(self, text: str) -> None:
        self.append(text)


def _text(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case Decimal():
            # Not `normalize`, which would round to 28 digits.
            digits = f"{value:f}"
            return digits.rstrip("0").rstrip(".") if "." in digits else digits
        case date():
            return value.isoformat()
        case str():
            return guarded(value)
        case _:
            return str(value)


def _parquet(rows: Sequence[Mapping[str, Any]], columns: Sequence[FileColumn]) -> bytes:
    schema = pa.schema([(each.name, _TYPES[each.kind]) for each in columns])
    file = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(list(rows), schema), file)
    return bytes(file.getvalue())
