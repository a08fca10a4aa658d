"""Records of the counts topic: what one chunk of one source partition adds to one target partition.

Invariants: a record says which offsets it is of, so that whoever reads it twice can tell; a record
without tables still moves its source's watermark; encoding is a pure function of the value.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from inferometer.core.chunks import StreamPartition
from inferometer.core.slo.counting import BinCounts, CountTable
from inferometer.core.slo.drawn_requests import DrawnRequests
from inferometer.errors import DecodeError

if TYPE_CHECKING:
    from collections.abc import Sequence

RECORD_FORMAT = 1
REASON = "slo_counts"


@dataclass(frozen=True, slots=True, kw_only=True)
class CountsRecord:
    """Counts of the offsets [first, last] of one source partition for one target partition."""

    source: StreamPartition
    first_offset: int
    last_offset: int
    """Below the first where no record was read: a sign of life that only moves the watermark."""
    watermark_us: int
    """Event time up to which the source is complete but for late events; 0: it says nothing."""
    partition_count: int
    """Partitions of the source topic; the watermark of all is that of the slowest."""
    target: int
    events: int = 0
    dead: int = 0
    append_us: int = 0
    """When the broker took the last record, for the lag of the counts."""
    tables: tuple[CountTable, ...] = ()

    @property
    def is_sign_of_life(self) -> bool:
        """Whether it is of no record."""
        return self.last_offset < self.first_offset


class WrittenBins(msgspec.Struct, array_like=True):
    """A `BinCounts` as it is written."""

    row: bytes
    bins: bytes
    counts: bytes


class WrittenDrawn(msgspec.Struct, array_like=True):
    """`DrawnRequests` as they are written."""

    row: bytes
    hashes: bytes
    purposes: bytes
    dimensions: list[str]
    codes: bytes
    texts: list[str]


class WrittenTable(msgspec.Struct, array_like=True):
    """A `CountTable` as it is written.

    Fields are only added, at the end and with a default: versions are mixed during an upgrade.
    """

    name: str
    digest: str
    groups: list[list[str]]
    group: bytes
    cells_s: bytes
    columns: dict[str, bytes]
    bins: dict[str, WrittenBins]
    drawn: WrittenDrawn | None = None


class _Record(msgspec.Struct, array_like=True):
    format: int
    stream_id: str
    topic: str
    partition: int
    first_offset: int
    last_offset: int
    watermark_us: int
    partition_count: int
    target: int
    events: int
    dead: int
    append_us: int
    tables: list[WrittenTable]


def target_of(workspace: str, service: str, targets: int) -> int:
    """Return the partition of the counts topic that an objective's counts go to."""
    return zlib.crc32(f"{workspace}|{service}".encode()) % targets


def encode_counts(record: CountsRecord) -> bytes:
    """Return the bytes of a record (MessagePack; numbers little-endian)."""
    return msgspec.msgpack.encode(
        _Record(
            RECORD_FORMAT,
            record.source.stream_id,
            record.source.topic,
            record.source.partition,
            record.first_offset,
            record.last_offset,
            record.watermark_us,
            record.partition_count,
            record.target,
            record.events,
            record.dead,
            record.append_us,
            encoded_tables(record.tables),
        )
    )


def encoded_tables(tables: Sequence[CountTable]) -> list[WrittenTable]:
    """Return tables in the form that is written."""
    return [
        WrittenTable(
            table.name,
            table.digest,
            [list(group) for group in table.groups],
            table.group.astype("<i4").tobytes(),
            table.cells_s.astype("<i8").tobytes(),
            {name: column.astype("<i8").tobytes() for name, column in table.columns.items()},
            {name: _encoded_bins(bins) for name, bins in table.bins.items()},
            None if table.drawn is None else encoded_drawn(table.drawn),
        )
        for table in tables
    ]


def _encoded_bins(bins: BinCounts) -> WrittenBins:
    return WrittenBins(
        bins.row.astype("<i4").tobytes(),
        bins.bins.astype("<i2").tobytes(),
        bins.counts.astype("<i8").tobytes(),
    )


def encoded_drawn(drawn: DrawnRequests) -> WrittenDrawn:
    """Return drawn requests in the form that is written."""
    return WrittenDrawn(
        drawn.row.astype("<i4").tobytes(),
        drawn.hashes.astype("<u8").tobytes(),
        drawn.purposes.astype("<u1").tobytes(),
        list(drawn.dimensions),
        drawn.codes.astype(_code_type(drawn.texts)).tobytes(),
        list(drawn.texts),
    )


def decoded_drawn(written: WrittenDrawn, rows: int) -> DrawnRequests:
    """Read `encoded_drawn` of a table of so many rows. Raises ValueError."""
    row = np.frombuffer(written.row, "<i4")
    codes = np.frombuffer(written.codes, _code_type(written.texts))
    codes = codes.astype(np.int32).reshape(len(written.dimensions), -1)
    hashes = np.frombuffer(written.hashes, "<u8")
    purposes = np.frombuffer(written.purposes, "<u1")
    is_whole = len(row) == len(hashes) == len(purposes) == codes.shape[1]
    for indexes, count in ((row, rows), (codes, len(written.texts))):
        is_whole &= not indexes.size or 0 <= int(indexes.min()) <= int(indexes.max()) < count
    if not is_whole:
        raise ValueError("drawn requests that do not fit their table")
    return DrawnRequests(
        row, hashes, purposes, tuple(written.dimensions), codes, tuple(written.texts)
    )


def _code_type(texts: Sequence[str]) -> str:
    """Return the least type that numbers so many texts; most records have few."""
    return "<u1" if len(texts) <= 2**8 else "<u2" if len(texts) <= 2**16 else "<i4"


def decode_counts(value: bytes) -> CountsRecord:
    """Read `encode_counts`. Raises DecodeError for anything else."""
    try:
        found = msgspec.msgpack.decode(value, type=_Record)
        if found.format != RECORD_FORMAT:
            raise DecodeError(
                REASON, f"format {found.format}; this version reads {RECORD_FORMAT}, upgrade it"
            )
        tables = decoded_tables(found.tables)
    except (msgspec.DecodeError, ValueError) as error:
        raise DecodeError(REASON, str(error)) from error
    return CountsRecord(
        source=StreamPartition(found.topic, found.partition, found.stream_id),
        first_offset=found.first_offset,
        last_offset=found.last_offset,
        watermark_us=found.watermark_us,
        partition_count=found.partition_count,
        target=found.target,
        events=found.events,
        dead=found.dead,
        append_us=found.append_us,
        tables=tables,
    )


def decoded_tables(tables: Sequence[WrittenTable]) -> tuple[CountTable, ...]:
    """Read `encoded_tables`. Raises ValueError."""
    return tuple(_decoded_table(table) for table in tables)


def _decoded_table(table: WrittenTable) -> CountTable:
    read = CountTable(
        name=table.name,
        digest=table.digest,
        groups=tuple(tuple(group) for group in table.groups),
        group=np.frombuffer(table.group, "<i4"),
        cells_s=np.frombuffer(table.cells_s, "<i8"),
        columns={name: np.frombuffer(data, "<i8") for name, data in table.columns.items()},
        bins={
            name: BinCounts(
                np.frombuffer(bins.row, "<i4"),
                np.frombuffer(bins.bins, "<i2"),
                np.frombuffer(bins.counts, "<i8"),
            )
            for name, bins in table.bins.items()
        },
    )
    count = len(read)
    is_whole = len(read.group) == count and all(len(c) == count for c in read.columns.values())
    if not is_whole or (count and not 0 <= int(read.group.max()) < len(read.groups)):
        raise ValueError(f"the table of {table.name} has columns of unlike lengths")
    if table.drawn is None:
        return read
    return replace(read, drawn=decoded_drawn(table.drawn, count))
