"""The partition of a record is the one that Kafka's own clients choose."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from inferometer.kafka import partitioning as of_the_worker
from inferometer.sdk.partitioning import partition_of


@given(key=st.binary(max_size=70), partitions=st.integers(1, 300))
def test_a_key_goes_where_kafka_sends_it(key: bytes, partitions: int) -> None:
    assert partition_of(key, b"", partitions) == of_the_worker.partition_of(key, partitions)


def test_records_without_a_key_are_spread_and_stay() -> None:
    values = [b"%d" % number for number in range(100)]
    first = [partition_of(None, value, 4) for value in values]
    assert set(first) == {0, 1, 2, 3}
    assert first == [partition_of(None, value, 4) for value in values]
