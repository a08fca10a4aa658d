"""The partition of a record is the one that Kafka's own clients choose."""

from __future__ import annotations

import pytest
from aiokafka.partitioner import murmur2 as murmur2_of_aiokafka
from hypothesis import given
from hypothesis import strategies as st

from inferometer.sdk.partitioning import partition_of

_POSITIVE = 0x7FFFFFFF


@given(key=st.binary(max_size=70), partitions=st.integers(1, 300))
def test_a_key_goes_where_kafka_sends_it(key: bytes, partitions: int) -> None:
    expected = (murmur2_of_aiokafka(key) & _POSITIVE) % partitions
    assert partition_of(key, b"", partitions) == expected


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
def test_the_partition_is_that_of_kafkas_own_vectors(key: bytes, hashed: int) -> None:
    for partitions in (1, 4, 12, 97):
        assert partition_of(key, b"", partitions) == (hashed & _POSITIVE) % partitions


def test_records_without_a_key_are_spread_and_stay() -> None:
    values = [b"%d" % number for number in range(100)]
    first = [partition_of(None, value, 4) for value in values]
    assert set(first) == {0, 1, 2, 3}
    assert first == [partition_of(None, value, 4) for value in values]
