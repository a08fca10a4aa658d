"""Compiled walk over an Arrow IPC stream that reads its metadata and touches no data.

It says how many rows a stream has and how large it is when unpacked, before anything of it is
decompressed or allocated. Layout: Arrow's columnar format, "Encapsulated message format", and
FlatBuffers' internals (tables, vtables, vectors).

Invariants: any bytes give an answer; no read lies outside of the record; a stream that is `OK` has
bodies and buffers inside the record.
"""

from __future__ import annotations

import numpy as np
from numba import njit

OK, BROKEN, NO_SCHEMA = range(3)

STATUS, ROWS, BATCHES, UNPACKED, SCHEMA_END, STREAM_END = range(6)
"""Columns of what `scan_streams` finds."""

_CONTINUATION = 0xFFFFFFFF
_SCHEMA, _DICTIONARY, _BATCH = 1, 2, 3
_PREFIX_BYTES = 8
_NOT_COMPRESSED = -1
_ABSURD = 1 << 40
"""Far above every limit, and sums of it stay inside 64 bits."""


@njit(cache=True, nogil=True, inline="always")
def _unsigned(buf, at, size):
    value = np.int64(0)
    for k in range(size):
        value |= np.int64(buf[at + k]) << np.int64(8 * k)
    return value


@njit(cache=True, nogil=True, inline="always")
def _signed32(buf, at):
    value = _unsigned(buf, at, 4)
    return value - (np.int64(1) << np.int64(32)) if value & 0x80000000 else value


@njit(cache=True, nogil=True)
def _field(buf, table, number, start, end):
    """Return where a table's field lies, 0 where it is absent, -1 where the table is broken."""
    if table < start or table + 4 > end:
        return -1
    vtable = table - _signed32(buf, table)
    if vtable < start or vtable + 4 > end:
        return -1
    size = _unsigned(buf, vtable, 2)
    place = 4 + 2 * number
    if place + 2 > size:
        return 0
    if vtable + place + 2 > end:
        return -1
    offset = _unsigned(buf, vtable + place, 2)
    if offset == 0:
        return 0
    return table + offset if table + offset < end else -1


@njit(cache=True, nogil=True)
def _number(buf, table, number, size, start, end):
    """Return a scalar field, 0 where it is absent, and whether the table is well formed."""
    at = _field(buf, table, number, start, end)
    if at == 0:
        return np.int64(0), True
    if at < 0 or at + size > end:
        return np.int64(0), False
    return _unsigned(buf, at, size), True


@njit(cache=True, nogil=True)
def _target(buf, table, number, start, end):
    """Return what an offset field points at, 0 where it is absent, -1 where it is broken."""
    at = _field(buf, table, number, start, end)
    if at <= 0:
        return at
    if at + 4 > end:
        return -1
    target = at + _unsigned(buf, at, 4)
    return target if target + 4 <= end else -1


@njit(cache=True, nogil=True)
def _unpacked(buf, batch, start, end, body, body_end, fixed):
    """Return the bytes that a batch's buffers need, at least `fixed`; -1 where they are broken."""
    buffers = _target(buf, batch, 2, start, end)
    compression = _target(buf, batch, 3, start, end)
    if buffers < 0 or compression < 0:
        return np.int64(-1)
    if buffers == 0:
        return fixed
    count = _unsigned(buf, buffers, 4)
    if buffers + 4 + 16 * count > end:
        return np.int64(-1)
    total = fixed
    for k in range(count):
        offset = _unsigned(buf, buffers + 4 + 16 * k, 8)
        length = _unsigned(buf, buffers + 12 + 16 * k, 8)
        if offset < 0 or length < 0 or offset > body_end - body:
            return np.int64(-1)
        if length > body_end - body - offset:
            return np.int64(-1)
        if compression and length > 0:
            if length < _PREFIX_BYTES:
                return np.int64(-1)
            claimed = _unsigned(buf, body + offset, 8)
            if claimed == _NOT_COMPRESSED:
                length -= _PREFIX_BYTES
            elif claimed < 0:
                return np.int64(-1)
            else:
                length = claimed
        total += length
        if total > _ABSURD:
            return _ABSURD
    return total


@njit(cache=True, nogil=True)
def _scan(buf, start, end, found):
    """Walk one stream; see `scan_streams`."""
    at = start
    found[STATUS] = BROKEN
    while at + _PREFIX_BYTES <= end:
        if _unsigned(buf, at, 4) != _CONTINUATION:
            return
        size = _unsigned(buf, at + 4, 4)
        if size == 0:
            break
        meta = at + _PREFIX_BYTES
        if size > end - meta or size < _PREFIX_BYTES:
            return
        body = meta + size
        message = meta + _unsigned(buf, meta, 4)
        kind, kind_ok = _number(buf, message, 1, 1, meta, body)
        body_bytes, body_ok = _number(buf, message, 3, 8, meta, body)
        header = _target(buf, message, 2, meta, body)
        if not kind_ok or not body_ok or header <= 0:
            return
        if body_bytes < 0 or body_bytes > end - body:
            return
        following = body + body_bytes
        if kind == _SCHEMA:
            if at != start:
                return
            found[SCHEMA_END] = following
        elif found[SCHEMA_END] == 0:
            found[STATUS] = NO_SCHEMA
            return
        elif _DICTIONARY <= kind <= _BATCH:
            batch = header
            if kind == _DICTIONARY:
                batch = _target(buf, header, 1, meta, body)
                if batch <= 0:
                    return
            else:
                rows, rows_ok = _number(buf, batch, 0, 8, meta, body)
                if not rows_ok or rows < 0 or rows > _ABSURD:
                    return
                found[ROWS] += rows
                found[BATCHES] += 1
            # The metadata of each column costs memory as well.
            unpacked = _unpacked(buf, batch, meta, body, body, following, size)
            if unpacked < 0:
                return
            found[UNPACKED] += unpacked
        else:
            return
        at = following
    found[STREAM_END] = at
    found[STATUS] = OK if found[SCHEMA_END] else NO_SCHEMA


@njit(cache=True, nogil=True)
def scan_streams(buf, starts, lengths, wanted, out):
    """Write what the metadata of each wanted record says, one row a record.

    STATUS; ROWS and BATCHES; UNPACKED bytes of all buffers; where the schema message ends and
    where the messages end, both as places in `buf`. A stream without an end marker is read as far
    as it has whole messages.
    """
    for row in range(len(starts)):
        if wanted[row]:
            out[row, :] = 0
            _scan(buf, starts[row], starts[row] + lengths[row], out[row])
