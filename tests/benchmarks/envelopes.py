"""Puts events into records as the SDK sends them: one each, or many in an envelope."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from inferometer.names import ARROW_CONTENT_TYPE, CONTENT_TYPE_HEADER, NDJSON_CONTENT_TYPE
from inferometer.sdk.settings import ClientSettings
from tests.benchmarks.feeder import Record, as_record

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tests.benchmarks.contestants import Content

_SDK = ClientSettings(bootstrap_servers="localhost:9092")
EVENTS_A_RECORD = _SDK.batch_max_events
COMPRESSION = {"json": _SDK.compression, "ndjson": _SDK.compression, "arrow": "zstd"}
"""What the SDK lets Kafka's batches be compressed by, by content."""


def in_envelopes(values: Iterable[bytes], content: Content) -> Iterator[Record]:
    """Yield the records of some events. Raises ValueError for an event that has no columns."""
    if content == "json":
        return map(as_record, values)
    return map(_as_lines, _many(values)) if content == "ndjson" else _in_columns(values)


def _many(values: Iterable[bytes]) -> Iterator[list[bytes]]:
    rest = iter(values)
    while lines := list(islice(rest, EVENTS_A_RECORD)):
        yield lines


def _as_lines(lines: list[bytes]) -> Record:
    header = (CONTENT_TYPE_HEADER, NDJSON_CONTENT_TYPE.encode())
    return Record(b"\n".join(lines), b"", [header])


def _in_columns(values: Iterable[bytes]) -> Iterator[Record]:
    # Here, because it needs pyarrow, which no other content does.
    from inferometer.sdk.columns import LineColumns

    columns = LineColumns()
    for lines in _many(values):
        value, odd = columns.write(lines)
        if odd:
            raise ValueError(f"{len(odd)} events have no columns")
        yield Record(value, b"", [(CONTENT_TYPE_HEADER, ARROW_CONTENT_TYPE.encode())])
