"""The partition of a record, chosen as Kafka's own clients choose it, so that it can be kept."""

from __future__ import annotations

import struct
import zlib

_M = 0x5BD1E995
_SEED = 0x9747B28C
_32_BITS = 0xFFFFFFFF
_POSITIVE = 0x7FFFFFFF


def partition_of(key: bytes | None, value: bytes, partitions: int) -> int:
    """Return the partition of a record: by its key, or evenly by its value where it has none."""
    if key is None:
        return zlib.crc32(value) % partitions
    return (murmur2(key) & _POSITIVE) % partitions


def murmur2(data: bytes) -> int:
    """Return the 32-bit MurmurHash2 with the seed of Kafka's default partitioner."""
    size = len(data)
    whole = size & ~3
    digest = _SEED ^ size
    for word in struct.unpack_from(f"<{whole >> 2}I", data):
        mixed = word * _M & _32_BITS
        mixed = (mixed ^ mixed >> 24) * _M & _32_BITS
        digest = (digest * _M & _32_BITS) ^ mixed
    if size > whole:
        digest = (digest ^ int.from_bytes(data[whole:], "little")) * _M & _32_BITS
    digest = (digest ^ digest >> 13) * _M & _32_BITS
    return digest ^ digest >> 15
