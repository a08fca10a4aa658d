from __future__ import annotations

import pytest

from inferometer.kafka.partitioning import partition_of


@pytest.mark.parametrize(
    ("key", "hashed"),
    [
        # The vectors of Kafka's own test of its hash (UtilsTest.testMurmur2).
        (b"21", -973932308),
        (b"foobar", -790332482),
        (b"a-little-bit-long-string", -985981536),
        (b"a-little-bit-longer-string", -1486304829),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        (b"abc", 479470107),
    ],
)
def test_the_partition_is_that_of_kafkas_own_clients(key: bytes, hashed: int) -> None:
    for partitions in (1, 4, 12, 97):
        assert partition_of(key, partitions) == (hashed & 0x7FFFFFFF) % partitions
