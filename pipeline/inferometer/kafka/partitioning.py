"""The partition of a key, as Kafka's own clients choose it."""

from __future__ import annotations

from aiokafka.partitioner import murmur2

_POSITIVE = 0x7FFF_FFFF


def partition_of(key: bytes, partitions: int) -> int:
    """Return the partition of a record with this key (Kafka's default, murmur2)."""
    return int(murmur2(key) & _POSITIVE) % partitions
