"""Rows as files: what a QueryStore in memory exports."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from inferometer.core.query.spreadsheets import guarded

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    Row = dict[str, Any]


def exported(rows: Sequence[Row], names: Sequence[str], form: str) -> Iterator[bytes]:
    """Yield rows as csv, jsonl or parquet."""
    if form == "csv":
        text = io.StringIO()
        writer = csv.DictWriter(text, names, lineterminator="\n")
        writer.writeheader()
        writer.writerows({name: _text(row.get(name)) for name in names} for row in rows)
        yield text.getvalue().encode()
    elif form == "jsonl":
        for row in rows:
            yield json.dumps({name: _plain(row.get(name)) for name in names}).encode() + b"\n"
    else:
        sink = io.BytesIO()
        columns = {name: [_plain(row.get(name)) for row in rows] for name in names}
        pq.write_table(pa.table(columns), sink)
        yield sink.getvalue()


def _text(value: Any) -> Any:
    return guarded(value) if isinstance(value, str) else _plain(value)


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, Decimal):
        return format(value, "f")
    return value
