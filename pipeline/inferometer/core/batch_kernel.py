"""Compiled readers of Kafka's record batches, format 2: headers, checksums, records, values."""

from __future__ import annotations

import numpy as np
from numba import njit

from inferometer.core.crc32c import crc32c
from inferometer.core.memory_kernel import copy_bytes
from inferometer.core.records import ContentType
from inferometer.names import (
    ARROW_CONTENT_TYPE,
    CONTENT_TYPE_HEADER,
    JSON_CONTENT_TYPE,
    NDJSON_CONTENT_TYPE,
)

HEADER_BYTES = 61
LOG_APPEND_TIME = 0x08
MIN_RECORD_BYTES = 7
_PREFIX_BYTES = 12

START, STOP, BASE, LAST, ATTRIBUTES, BASE_TIME, MAX_TIME, COUNT, PRODUCER = range(9)
"""Columns of what `scan` finds: where the records begin and end, and fields of the header."""
OK, OLD_FORMAT, CORRUPT, BAD_CRC = range(4)

_NAME = np.frombuffer(CONTENT_TYPE_HEADER.encode(), dtype=np.uint8)
_JSON = np.frombuffer(JSON_CONTENT_TYPE.encode(), dtype=np.uint8)
_NDJSON = np.frombuffer(NDJSON_CONTENT_TYPE.encode(), dtype=np.uint8)
_ARROW = np.frombuffer(ARROW_CONTENT_TYPE.encode(), dtype=np.uint8)
_JSON_CODE, _NDJSON_CODE = int(ContentType.JSON), int(ContentType.NDJSON)
_ARROW_CODE, _UNKNOWN_CODE = int(ContentType.ARROW), int(ContentType.UNKNOWN)


@njit(cache=True, nogil=True)
def big_endian(data, at, size):
    """Return a big-endian integer, as two's complement where it has eight bytes."""
    value = np.int64(0)
    for index in range(size):
        value = (value << 8) | np.int64(data[at + index])
    return value


@njit(cache=True, nogil=True)
def scan(data):
    """Return the header fields of each complete batch, a status, and the place of a failure."""
    size = len(data)
    count = 0
    at = 0
    while at + 17 <= size:
        if data[at + 16] < 2:
            return np.empty((0, 9), dtype=np.int64), OLD_FORMAT, at
        length = big_endian(data, at + 8, 4)
        if length < HEADER_BYTES - _PREFIX_BYTES or length > 0x7FFFFFFF or data[at + 16] != 2:
            return np.empty((0, 9), dtype=np.int64), CORRUPT, at
        if at + _PREFIX_BYTES + length > size:
            break
        count += 1
        at += _PREFIX_BYTES + length
    batches = np.empty((count, 9), dtype=np.int64)
    at = 0
    for index in range(count):
        stop = at + _PREFIX_BYTES + big_endian(data, at + 8, 4)
        if crc32c(data, at + 21, stop) != big_endian(data, at + 17, 4):
            return batches, BAD_CRC, at
        base = big_endian(data, at, 8)
        batches[index, START] = at + HEADER_BYTES
        batches[index, STOP] = stop
        batches[index, BASE] = base
        batches[index, LAST] = base + big_endian(data, at + 23, 4)
        batches[index, ATTRIBUTES] = big_endian(data, at + 21, 2)
        batches[index, BASE_TIME] = big_endian(data, at + 27, 8)
        batches[index, MAX_TIME] = big_endian(data, at + 35, 8)
        batches[index, PRODUCER] = big_endian(data, at + 43, 8)
        batches[index, COUNT] = big_endian(data, at + 57, 4)
        at = stop
    return batches, OK, 0


@njit(cache=True, nogil=True)
def varint(data, at, stop):
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


@njit(cache=True, nogil=True)
def equals(data, start, stop, text):
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


@njit(cache=True, nogil=True)
def content_type(data, start, stop):
    """Return the code of a content type; parameters after a semicolon are not looked at."""
    end = start
    while end < stop and data[end] != 59:
        end += 1
    while start < end and (data[start] == 32 or data[start] == 9):
        start += 1
    while end > start and (data[end - 1] == 32 or data[end - 1] == 9):
        end -= 1
    if start == stop or equals(data, start, end, _JSON):
        return _JSON_CODE
    if equals(data, start, end, _NDJSON):
        return _NDJSON_CODE
    if equals(data, start, end, _ARROW):
        return _ARROW_CODE
    return _UNKNOWN_CODE


@njit(cache=True, nogil=True)
def headers(data, at, stop):
    """Return the content type that the headers of a record state, and the place after them."""
    found = _JSON_CODE
    count, at = varint(data, at, stop)
    if at < 0 or count < 0:
        return found, -1
    for _ in range(count):
        key_length, at = varint(data, at, stop)
        if at < 0 or key_length < 0 or key_length > stop - at:
            return found, -1
        key = at
        at += key_length
        value_length, at = varint(data, at, stop)
        if at < 0 or value_length > stop - at:
            return found, -1
        value_length = max(value_length, 0)
        if equals(data, key, key + key_length, _NAME):
            found = content_type(data, at, at + value_length)
        at += value_length
    return found, at


@njit(cache=True, nogil=True)
def walk(data, batches, start_offset, capacity):
    """Return (start, length, offset, time) and content type of each record, their count, and the
    batch that failed (-1 for none).
    """
    spans = np.empty((4, capacity), dtype=np.int64)
    types = np.empty(capacity, dtype=np.uint8)
    count = 0
    for index in range(len(batches)):
        at, stop = batches[index, START], batches[index, STOP]
        appended = batches[index, ATTRIBUTES] & LOG_APPEND_TIME != 0
        for _ in range(batches[index, COUNT]):
            length, at = varint(data, at, stop)
            if at < 0 or length < MIN_RECORD_BYTES - 1 or length > stop - at:
                return spans, types, count, index
            end = at + length
            time_delta, at = varint(data, at + 1, end)
            if at < 0:
                return spans, types, count, index
            offset_delta, at = varint(data, at, end)
            if at < 0:
                return spans, types, count, index
            key_length, at = varint(data, at, end)
            if at < 0 or key_length > end - at:
                return spans, types, count, index
            value_length, at = varint(data, at + max(key_length, 0), end)
            if at < 0 or value_length > end - at:
                return spans, types, count, index
            value_length = max(value_length, 0)
            kind, after = headers(data, at + value_length, end)
            if after != end:
                return spans, types, count, index
            offset = batches[index, BASE] + offset_delta
            if offset >= start_offset:
                spans[0, count] = at
                spans[1, count] = value_length
                spans[2, count] = offset
                if appended:
                    spans[3, count] = batches[index, MAX_TIME]
                else:
                    spans[3, count] = batches[index, BASE_TIME] + time_delta
                types[count] = kind
                count += 1
            at = end
        if at != stop:
            return spans, types, count, index
    return spans, types, count, -1


@njit(cache=True, nogil=True)
def gather(data, starts, lengths, values, at):
    """Copy values back to back from a place on; return the place behind them."""
    for index in range(len(starts)):
        copy_bytes(data, starts[index], lengths[index], values, at)
        at += lengths[index]
    return at
