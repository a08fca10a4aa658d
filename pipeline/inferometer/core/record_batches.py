"""Record batches of a Kafka fetch response to columns, without a Python object for each record.

The format is version 2 (KIP-98): a header of 61 bytes, then length-prefixed records of varints.

Invariants: offsets ascend and are at or after the wanted start; control batches and aborted
transactions yield nothing, but move the next offset; a batch that was cut off by the fetch limit is
left for the next fetch; any other bytes that are not batches raise DecodeError.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from inferometer.core.batch_compression import COMPRESSION_MASK, decompress
from inferometer.core.batch_kernel import (
    ATTRIBUTES,
    BAD_CRC,
    BASE,
    CORRUPT,
    COUNT,
    LAST,
    MIN_RECORD_BYTES,
    OLD_FORMAT,
    PRODUCER,
    START,
    STOP,
    big_endian,
    gather,
    scan,
    varint,
    walk,
)
from inferometer.core.records import RecordColumns
from inferometer.errors import DecodeError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    Bytes = NDArray[np.uint8]
    Ints = NDArray[np.int64]

CONTROL = 0x20
TRANSACTIONAL = 0x10
ABORT_MARKER = 0
_CONTROL_KEY_BYTES = 4
_ONE_RECORD = bytes.fromhex(
    "0000000000000000 00000039 ffffffff 02 7f6dd031 0000 00000000 0000000000000000"
    "0000000000000000 ffffffffffffffff 0000 00000000 00000001 0e0000000102 78 00"
)
"""A batch of the value `x`."""
_NO_SPANS = np.empty((4, 0), dtype=np.int64)
_NO_TYPES = np.empty(0, dtype=np.uint8)


@dataclass(frozen=True, slots=True)
class RecordSet:
    """What one fetch brought of one partition."""

    records: RecordColumns
    next_offset: int
    """Where to fetch on: after the last complete batch, whatever of it was skipped."""


def read_record_set(
    data: bytes, *, start_offset: int, aborted: Iterable[tuple[int, int]] = ()
) -> RecordSet:
    """Read the record set of one partition of a fetch response from `start_offset` on.

    `aborted` lists (producer id, first offset) of aborted transactions, as the response does.
    Raises DecodeError for a wrong checksum, an older message format, or corrupt batches.
    """
    raw = np.frombuffer(data, dtype=np.uint8)
    batches, status, where = scan(raw)
    _raise_on(status, f"at byte {where} of the record set from offset {start_offset}")
    if len(batches) == 0:
        return RecordSet(records=RecordColumns.empty(), next_offset=start_offset)
    next_offset = max(start_offset, int(batches[-1, LAST]) + 1)
    kept = _kept(raw, batches, start_offset, list(aborted))
    records = _columns(_uncompressed(data, raw, kept), start_offset)
    return RecordSet(records=records, next_offset=next_offset)


def compile_reader() -> None:
    """Compile what reading needs: seconds at the first time on a machine, later read from a cache."""
    read_record_set(_ONE_RECORD, start_offset=0)


def _raise_on(status: int, where: str) -> None:
    if status == OLD_FORMAT:
        raise DecodeError(
            "old_message_format",
            f"a message set of format 0 or 1 {where}; only record batches of format 2 (Kafka 0.11 "
            "and later) are read: let the topic use message.format.version 2 and produce again",
        )
    if status == BAD_CRC:
        raise DecodeError(
            "record_batch_checksum",
            f"a record batch {where} does not have its CRC-32C; it was damaged on its way or on the "
            "broker's disk: fetch again, then check the broker's log",
        )
    if status == CORRUPT:
        raise DecodeError(
            "corrupt_record_batch",
            f"a record batch {where} is not well formed; check the broker's log",
        )


def _kept(raw: Bytes, batches: Ints, start_offset: int, aborted: Sequence[tuple[int, int]]) -> Ints:
    """Return the batches that hold wanted records."""
    wanted: NDArray[np.bool_] = batches[:, ATTRIBUTES] & CONTROL == 0
    wanted &= batches[:, LAST] >= start_offset
    if aborted:
        wanted &= ~_aborted_batches(raw, batches, aborted)
    kept: Ints = batches[wanted]
    return kept


def _aborted_batches(
    raw: Bytes, batches: Ints, aborted: Sequence[tuple[int, int]]
) -> NDArray[np.bool_]:
    """Mark the batches of aborted transactions (KIP-98, consumer in read-committed mode)."""
    upcoming = sorted(aborted, key=lambda transaction: transaction[1], reverse=True)
    producers: set[int] = set()
    marks = np.zeros(len(batches), dtype=np.bool_)
    for index, batch in enumerate(batches.tolist()):
        while upcoming and upcoming[-1][1] <= batch[LAST]:
            producers.add(upcoming.pop()[0])
        attributes, producer = batch[ATTRIBUTES], batch[PRODUCER]
        if attributes & CONTROL:
            if _control_type(raw, batch[START], batch[STOP]) == ABORT_MARKER:
                producers.discard(producer)
        elif attributes & TRANSACTIONAL and producer in producers:
            marks[index] = True
    return marks


def _control_type(raw: Bytes, start: int, stop: int) -> int:
    """Return what a control batch marks: its key is a version and a type, 16 bits each."""
    _length, at = varint(raw, start, stop)
    _time_delta, at = varint(raw, at + 1, stop)
    _offset_delta, at = varint(raw, at, stop)
    key_length, at = varint(raw, at, stop)
    if at < 0 or key_length < _CONTROL_KEY_BYTES or stop - at < _CONTROL_KEY_BYTES:
        _raise_on(CORRUPT, f"with a control record at byte {start}")
    return int(big_endian(raw, at + 2, 2))


def _uncompressed(data: bytes, raw: Bytes, batches: Ints) -> list[tuple[Bytes, Ints]]:
    """Return bytes that hold records in the clear, and the batches in each of them."""
    compressions = batches[:, ATTRIBUTES] & COMPRESSION_MASK
    if not compressions.any():
        return [(raw, batches)]
    pieces = []
    for index, compression in enumerate(compressions.tolist()):
        batch = batches[index : index + 1].copy()
        piece = data[batch[0, START] : batch[0, STOP]]
        records = decompress(compression, piece) if compression else piece
        batch[0, START], batch[0, STOP] = 0, len(records)
        # Read-only as bytes are, for which the kernels were compiled.
        pieces.append((np.frombuffer(memoryview(records).toreadonly(), dtype=np.uint8), batch))
    return pieces


def _columns(pieces: Sequence[tuple[Bytes, Ints]], start_offset: int) -> RecordColumns:
    found = [_walked(source, batches, start_offset) for source, batches in pieces]
    spans = np.concatenate([spans for spans, _ in found], axis=1) if found else _NO_SPANS
    lengths = spans[1]
    ends = np.cumsum(lengths)
    # The only copy of the values: what lies between them would stay in memory uncounted.
    values = np.empty(int(ends[-1]) if len(ends) else 0, dtype=np.uint8)
    at = 0
    for (source, _), (here, _) in zip(pieces, found, strict=True):
        at = gather(source, here[0], here[1], values, at)
    return RecordColumns(
        buffer=values,
        starts=ends - lengths,
        lengths=lengths,
        offsets=spans[2],
        append_times_ms=spans[3],
        content_types=np.concatenate([types for _, types in found] or [_NO_TYPES]),
    )


def _walked(source: Bytes, batches: Ints, start_offset: int) -> tuple[Ints, Bytes]:
    counts = batches[:, COUNT]
    if (counts < 0).any() or (
        counts * MIN_RECORD_BYTES > batches[:, STOP] - batches[:, START]
    ).any():
        _raise_on(CORRUPT, f"from offset {start_offset} on claims more records than it has bytes")
    spans, types, count, failed = walk(source, batches, start_offset, int(counts.sum()))
    if failed >= 0:
        _raise_on(CORRUPT, f"with base offset {batches[failed, BASE]}")
    return spans[:, :count], types[:count]
