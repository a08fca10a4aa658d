"""Short lists as files."""

from __future__ import annotations

import io
from datetime import date
from decimal import Decimal
from typing import Any

import pyarrow.parquet as pq

from inferometer.core.query.answer_files import FileColumn, Kind, file_of

COLUMNS = tuple(FileColumn(str(kind.value), kind) for kind in Kind)
ROW = {
    "text": "=1+1,\n",
    "whole": 3.0,
    "number": 2,
    "money": Decimal("12345678901234567890123456.120000000000"),
    "flag": True,
    "day": date(2026, 1, 5),
    "other": "is left out",
}


def test_csv_has_every_digit_and_no_formula() -> None:
    assert file_of([ROW, {"money": Decimal("1E+2")}], COLUMNS, "csv").decode() == (
        "text,whole,number,money,flag,day\n"
        '"\'=1+1,\n",3,2.0,12345678901234567890123456.12,true,2026-01-05\n'
        ",,,100,,\n"
    )


def test_json_lines_have_null_for_what_is_not_known() -> None:
    assert file_of([ROW, {}], COLUMNS, "jsonl").splitlines() == [
        b'{"text":"=1+1,\\n","whole":3,"number":2.0,'
        b'"money":12345678901234567890123456.120000000000,"flag":true,"day":"2026-01-05"}',
        b'{"text":null,"whole":null,"number":null,"money":null,"flag":null,"day":null}',
    ]


def test_parquet_keeps_types_even_of_no_rows() -> None:
    lists: tuple[list[dict[str, Any]], ...] = ([ROW], [], [{}])
    schemas = {
        str(pq.read_table(io.BytesIO(file_of(rows, COLUMNS, "parquet"))).schema) for rows in lists
    }
    assert len(schemas) == 1
    assert "decimal128(38, 12)" in schemas.pop()
