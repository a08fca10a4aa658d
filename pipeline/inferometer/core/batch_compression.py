"""The compressions of Kafka's record batches: bytes in, bytes out.

Invariant: whatever the bytes are, the result is the batch's records or a DecodeError.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

import cramjam

from inferometer.errors import DecodeError

if TYPE_CHECKING:
    from collections.abc import Callable

COMPRESSION_MASK = 0x07
"""Bits of a batch's attributes that name its compression; 0 is none."""

_GZIP_OR_ZLIB_WINDOW = 47
_XERIAL_MAGIC = b"\x82SNAPPY\x00"
_XERIAL_HEADER_BYTES = 16
_XERIAL_BLOCK_PREFIX_BYTES = 4


def decompress(compression: int, data: bytes) -> bytes | memoryview:
    """Return the records of a compressed batch, without a copy of what the codec has made.

    Raises DecodeError for an unknown compression or bytes that do not decompress.
    """
    decoder = _DECODERS.get(compression)
    if decoder is None:
        raise DecodeError(
            "unknown_compression",
            f"a record batch has compression {compression}; known are gzip, snappy, lz4, zstd",
        )
    try:
        return decoder(data)
    except (zlib.error, cramjam.DecompressionError, ValueError) as error:
        raise DecodeError(
            "corrupt_record_batch", f"its records do not decompress ({error})"
        ) from error


def _gzip(data: bytes) -> bytes:
    return zlib.decompress(data, _GZIP_OR_ZLIB_WINDOW)


def _snappy(data: bytes) -> bytes | memoryview:
    if not data.startswith(_XERIAL_MAGIC):
        return memoryview(cramjam.snappy.decompress_raw(data))
    blocks = []
    at = _XERIAL_HEADER_BYTES
    while at < len(data):
        start = at + _XERIAL_BLOCK_PREFIX_BYTES
        at = start + int.from_bytes(data[at:start], "big")
        blocks.append(memoryview(cramjam.snappy.decompress_raw(data[start:at])))
    return b"".join(blocks)


def _lz4(data: bytes) -> memoryview:
    return memoryview(cramjam.lz4.decompress(data))


def _zstd(data: bytes) -> memoryview:
    return memoryview(cramjam.zstd.decompress(data))


_DECODERS: dict[int, Callable[[bytes], bytes | memoryview]] = {
    1: _gzip,
    2: _snappy,
    3: _lz4,
    4: _zstd,
}
