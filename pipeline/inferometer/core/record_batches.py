"""Record batches of a Kafka fetch response to columns, without a Python object for each record.

The format is version 2 (KIP-98): a header of 61 bytes, then length-prefixed records of varints.

Invariants: offsets ascend and are at or after the wanted start; control batches and aborted
transactions yield nothing, but move the next offset; a batch that was cut off by the fetch limit is
left for the next fetch; any other bytes that are not batches raise DecodeError.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numba
import numpy as np

from inferometer.core.batch_compression import COMPRESSION_MASK, decompress
from inferometer.core.crc32c import crc32c
from inferometer.core.records import ContentType, RecordColumns
from inferometer.errors import DecodeError
from inferometer.names import (
    ARROW_CONTENT_TYPE,
    CONTENT_TYPE_HEADER,
    JSON_CONTENT_TYPE,
    NDJSON_CONTENT_TYPE,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    Bytes = NDArray[np.uint8]
    Ints = NDArray[np.int64]

HEADER_BYTES = 61
LOG_APPEND_TIME = 0x08
TRANSACTIONAL = 0x10
CONTROL = 0x20
ABORT_MARKER = 0

_PREFIX_BYTES = 12
_MIN_RECORD_BYTES = 7
_CONTROL_KEY_BYTES = 4
_START, _STOP, _BASE, _LAST, _ATTRIBUTES, _BASE_TIME, _MAX_TIME, _COUNT, _PRODUCER = range(9)
_OK, _OLD_FORMAT, _CORRUPT, _BAD_CRC = range(4)
_NAME = np.frombuffer(CONTENT_TYPE_HEADER.encode(), dtype=np.uint8)
_JSON = np.frombuffer(JSON_CONTENT_TYPE.encode(), dtype=np.uint8)
_NDJSON = np.frombuffer(NDJSON_CONTENT_TYPE.encode(), dtype=np.uint8)
_ARROW = np.frombuffer(ARROW_CONTENT_TYPE.encode(), dtype=np.uint8)
_JSON_CODE, _NDJSON_CODE = int(ContentType.JSON), int(ContentType.NDJSON)
_ARROW_CODE, _UNKNOWN_CODE = int(ContentType.ARROW), int(ContentType.UNKNOWN)


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
    batches, status, where = _scan(raw)
    _raise_on(status, f"at byte {where} of the record set from offset {start_offset}")
    if len(batches) == 0:
        return RecordSet(records=RecordColumns.empty(), next_offset=start_offset)
    next_offset = max(start_offset, int(batches[-1, _LAST]) + 1)
    kept = _kept(raw, batches, start_offset, list(aborted))
    source, kept = _uncompressed(data, raw, kept)
    records = _columns(source, kept, start_offset)
    return RecordSet(records=records, next_offset=next_offset)


def _raise_on(status: int, where: str) -> None:
    if status == _OLD_FORMAT:
        raise DecodeError(
            "old_message_format",
            f"a message set of format 0 or 1 {where}; only record batches of format 2 (Kafka 0.11 "
            "and later) are read: let the topic use message.format.version 2 and produce again",
        )
    if status == _BAD_CRC:
        raise DecodeError(
            "record_batch_checksum",
            f"a record batch {where} does not have its CRC-32C; it was damaged on its way or on the "
            "broker's disk: fetch again, then check the broker's log",
        )
    if status == _CORRUPT:
        raise DecodeError(
            "corrupt_record_batch",
            f"a record batch {where} is not well formed; check the broker's log",
        )


def _kept(raw: Bytes, batches: Ints, start_offset: int, aborted: Sequence[tuple[int, int]]) -> Ints:
    """Return the batches that hold wanted records."""
    wanted = (batches[:, _ATTRIBUTES] & CONTROL == 0) & (batches[:, _LAST] >= start_offset)
    if aborted:
        wanted &= ~_aborted_batches(raw, batches, aborted)
    return batches[wanted]


def _aborted_batches(
    raw: Bytes, batches: Ints, aborted: Sequence[tuple[int, int]]
) -> NDArray[np.bool_]:
    """Mark the batches of aborted transactions (KIP-98, consumer in read-committed mode)."""
    upcoming = sorted(aborted, key=lambda transaction: transaction[1], reverse=True)
    producers: set[int] = set()
    marks = np.zeros(len(batches), dtype=np.bool_)
    for index, batch in enumerate(batches.tolist()):
        while upcoming and upcoming[-1][1] <= batch[_LAST]:
            producers.add(upcoming.pop()[0])
        attributes, producer = batch[_ATTRIBUTES], batch[_PRODUCER]
        if attributes & CONTROL:
            if _control_type(raw, batch[_START], batch[_STOP]) == ABORT_MARKER:
                producers.discard(producer)
        elif attributes & TRANSACTIONAL and producer in producers:
            marks[index] = True
    return marks


def _control_type(raw: Bytes, start: int, stop: int) -> int:
    """Return what a control batch marks: its key is a version and a type, 16 bits each."""
    _length, at = _varint(raw, start, stop)
    _time_delta, at = _varint(raw, at + 1, stop)
    _offset_delta, at = _varint(raw, at, stop)
    key_length, at = _varint(raw, at, stop)
    if at < 0 or key_length < _CONTROL_KEY_BYTES or stop - at < _CONTROL_KEY_BYTES:
        _raise_on(_CORRUPT, f"with a control record at byte {start}")
    return int(_big_endian(raw, at + 2, 2))


def _uncompressed(data: bytes, raw: Bytes, batches: Ints) -> tuple[Bytes, Ints]:
    """Return bytes that hold the records of all batches in the clear, and where."""
    compressions = batches[:, _ATTRIBUTES] & COMPRESSION_MASK
    if not compressions.any():
        return raw, batches
    pieces: list[bytes] = []
    moved = batches.copy()
    at = 0
    for index, compression in enumerate(compressions.tolist()):
        piece = data[batches[index, _START] : batches[index, _STOP]]
        if compression:
            piece = decompress(compression, piece)
        moved[index, _START] = at
        at += len(piece)
        moved[index, _STOP] = at
        pieces.append(piece)
    return np.frombuffer(b"".join(pieces), dtype=np.uint8), moved


def _columns(source: Bytes, batches: Ints, start_offset: int) -> RecordColumns:
    counts = batches[:, _COUNT]
    if (counts < 0).any() or (
        counts * _MIN_RECORD_BYTES > batches[:, _STOP] - batches[:, _START]
    ).any():
        _raise_on(_CORRUPT, f"from offset {start_offset} on claims more records than it has bytes")
    spans, types, count, failed = _walk(source, batches, start_offset, int(counts.sum()))
    if failed >= 0:
        _raise_on(_CORRUPT, f"with base offset {batches[failed, _BASE]}")
    spans, types = spans[:, :count], types[:count]
    lengths = spans[1]
    ends = np.cumsum(lengths)
    total = int(ends[-1]) if count else 0
    return RecordColumns(
        buffer=_gather(source, spans[0], lengths, total),
        starts=ends - lengths,
        lengths=lengths,
        offsets=spans[2],
        append_times_ms=spans[3],
        content_types=types,
    )


def _compiled(function: Any) -> Any:
    return numba.njit(nogil=True, cache=True)(function)


def _big_endian_body(data: Bytes, at: int, size: int) -> int:
    value = np.int64(0)
    for index in range(size):
        value = (value << 8) | np.int64(data[at + index])
    return value


_big_endian = _compiled(_big_endian_body)


def _scan_body(data: Bytes) -> tuple[Ints, int, int]:
    """Return the header fields of each complete batch, a status, and the place of a failure."""
    size = len(data)
    count = 0
    at = 0
    while at + 17 <= size:
        if data[at + 16] < 2:
            return np.empty((0, 9), dtype=np.int64), _OLD_FORMAT, at
        length = _big_endian(data, at + 8, 4)
        if length < HEADER_BYTES - _PREFIX_BYTES or length > 0x7FFFFFFF or data[at + 16] != 2:
            return np.empty((0, 9), dtype=np.int64), _CORRUPT, at
        if at + _PREFIX_BYTES + length > size:
            break
        count += 1
        at += _PREFIX_BYTES + length
    batches = np.empty((count, 9), dtype=np.int64)
    at = 0
    for index in range(count):
        stop = at + _PREFIX_BYTES + _big_endian(data, at + 8, 4)
        if crc32c(data, at + 21, stop) != _big_endian(data, at + 17, 4):
            return batches, _BAD_CRC, at
        base = _big_endian(data, at, 8)
        batches[index, _START] = at + HEADER_BYTES
        batches[index, _STOP] = stop
        batches[index, _BASE] = base
        batches[index, _LAST] = base + _big_endian(data, at + 23, 4)
        batches[index, _ATTRIBUTES] = _big_endian(data, at + 21, 2)
        batches[index, _BASE_TIME] = _big_endian(data, at + 27, 8)
        batches[index, _MAX_TIME] = _big_endian(data, at + 35, 8)
        batches[index, _PRODUCER] = _big_endian(data, at + 43, 8)
        batches[index, _COUNT] = _big_endian(data, at + 57, 4)
        at = stop
    return batches, _OK, 0


_scan = _compiled(_scan_body)


def _varint_body(data: Bytes, at: int, stop: int) -> tuple[int, int]:
    """Return a zigzag varint and the place after it; the place is -1 where the bytes end early."""
    value = np.uint64(0)
    shift = np.uint64(0)
    while at < stop and shift < 70:
        byte = np.uint64(data[at])
        at += 1
        value |= (byte & np.uint64(0x7F)) << shift
        if byte < 0x80:
            half = np.int64(value >> np.uint64(1))
            return (half ^ -np.int64(value & np.uint64(1))), at
        shift += np.uint64(7)
    return np.int64(0), -1


_varint = _compiled(_varint_body)


def _equals_body(data: Bytes, start: int, stop: int, text: Bytes) -> bool:
    """Compare ASCII text without regard to case; `text` is in lower case."""
    if stop - start != len(text):
        return False
    for index in range(len(text)):
        byte = data[start + index]
        if 65 <= byte <= 90:
            byte += np.uint8(32)
        if byte != text[index]:
            return False
    return True


_equals = _compiled(_equals_body)


def _content_type_body(data: Bytes, start: int, stop: int) -> int:
    """Return the code of a content type; parameters after a semicolon are not looked at."""
    end = start
    while end < stop and data[end] != 59:
        end += 1
    while start < end and (data[start] == 32 or data[start] == 9):
        start += 1
    while end > start and (data[end - 1] == 32 or data[end - 1] == 9):
        end -= 1
    if start == stop or _equals(data, start, end, _JSON):
        return _JSON_CODE
    if _equals(data, start, end, _NDJSON):
        return _NDJSON_CODE
    if _equals(data, start, end, _ARROW):
        return _ARROW_CODE
    return _UNKNOWN_CODE


_content_type = _compiled(_content_type_body)


def _headers_body(data: Bytes, at: int, stop: int) -> tuple[int, int]:
    """Return the content type that the headers of a record state, and the place after them."""
    found = _JSON_CODE
    count, at = _varint(data, at, stop)
    if at < 0 or count < 0:
        return found, -1
    for _ in range(count):
        key_length, at = _varint(data, at, stop)
        if at < 0 or key_length < 0 or key_length > stop - at:
            return found, -1
        key = at
        at += key_length
        value_length, at = _varint(data, at, stop)
        if at < 0 or value_length > stop - at:
            return found, -1
        value_length = max(value_length, 0)
        if _equals(data, key, key + key_length, _NAME):
            found = _content_type(data, at, at + value_length)
        at += value_length
    return found, at


_headers = _compiled(_headers_body)


def _walk_body(
    data: Bytes, batches: Ints, start_offset: int, capacity: int
) -> tuple[Ints, NDArray[np.uint8], int, int]:
    """Return (start, length, offset, time) and content type of each record, their count, and the
    batch that failed (-1 for none).
    """
    spans = np.empty((4, capacity), dtype=np.int64)
    types = np.empty(capacity, dtype=np.uint8)
    count = 0
    for index in range(len(batches)):
        at, stop = batches[index, _START], batches[index, _STOP]
        appended = batches[index, _ATTRIBUTES] & LOG_APPEND_TIME != 0
        for _ in range(batches[index, _COUNT]):
            length, at = _varint(data, at, stop)
            if at < 0 or length < _MIN_RECORD_BYTES - 1 or length > stop - at:
                return spans, types, count, index
            end = at + length
            time_delta, at = _varint(data, at + 1, end)
            if at < 0:
                return spans, types, count, index
            offset_delta, at = _varint(data, at, end)
            if at < 0:
                return spans, types, count, index
            key_length, at = _varint(data, at, end)
            if at < 0 or key_length > end - at:
                return spans, types, count, index
            value_length, at = _varint(data, at + max(key_length, 0), end)
            if at < 0 or value_length > end - at:
                return spans, types, count, index
            value_length = max(value_length, 0)
            content_type, after = _headers(data, at + value_length, end)
            if after != end:
                return spans, types, count, index
            offset = batches[index, _BASE] + offset_delta
            if offset >= start_offset:
                spans[0, count] = at
                spans[1, count] = value_length
                spans[2, count] = offset
                if appended:
                    spans[3, count] = batches[index, _MAX_TIME]
                else:
                    spans[3, count] = batches[index, _BASE_TIME] + time_delta
                types[count] = content_type
                count += 1
            at = end
        if at != stop:
            return spans, types, count, index
    return spans, types, count, -1


_walk = _compiled(_walk_body)


def _gather_body(data: Bytes, starts: Ints, lengths: Ints, total: int) -> Bytes:
    """Copy values back to back."""
    values = np.empty(total, dtype=np.uint8)
    at = 0
    for index in range(len(starts)):
        start, length = starts[index], lengths[index]
        values[at : at + length] = data[start : start + length]
        at += length
    return values


_gather = _compiled(_gather_body)
