"""Where an event goes that shares its record: the same place whoever sends it, all places in turn."""

from __future__ import annotations

from collections import Counter

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferometer.sdk.partitioning import murmur2, partition_of
from inferometer.sdk.spread import Spread, producer_of, second_of, shared_key

END_US = 1_790_000_000_123_456


@pytest.mark.parametrize(
    ("value", "second"),
    [
        (b'{"ts_end":1790000000123456}', b"1790000000"),
        (b'{"ts_end":1790000000123456,"a":1}', b"1790000000"),
        (b'{"ts_end" : 1790000000123456}', b"1790000000"),
        (b'{"ts_end":"2026-09-21T14:13:20.5Z"}', b"2026-09-21T14:13:20"),
        (b'{"ts_end":5}', b""),
        (b'{"ts_end":17900000001234567}', b""),
        (b'{"ts_end":179000000012345', b""),
        (b'{"model":"m"}', b""),
        (b"", b""),
    ],
)
def test_the_second_is_read_off_the_bytes(value: bytes, second: bytes) -> None:
    assert second_of(value) == second


@given(st.binary(max_size=60))
def test_any_bytes_have_a_second(value: bytes) -> None:
    assert second_of(value) == second_of(value)


@given(st.dictionaries(st.text(max_size=8), st.floats() | st.text(max_size=20), max_size=5))
def test_the_mark_of_a_copy_does_not_move_it(fields: dict[str, object]) -> None:
    event = {**fields, "ts_end": END_US}
    copy = {**orjson.loads(orjson.dumps(event)), "resent": True}
    assert second_of(orjson.dumps(event)) == second_of(orjson.dumps(copy))


def test_seconds_spread_evenly_over_partitions() -> None:
    spread = Spread(producer_of("gw-1"))
    chosen = Counter(spread.place(b"%d" % (1_790_000_000 + n), 12)[1] for n in range(12_000))
    assert set(chosen) == set(range(12))
    assert max(chosen.values()) < 1.15 * 1_000


def test_producers_are_at_different_partitions_at_one_second() -> None:
    chosen = {Spread(producer_of(f"gw-{n}")).place(b"1790000000", 12)[1] for n in range(100)}
    assert chosen == set(range(12))


def test_the_partition_is_the_one_that_kafka_chooses_by_the_key() -> None:
    key, partition = Spread(7).place(b"1790000000", 12)
    assert key == shared_key(7, b"1790000000")
    assert partition == partition_of(key, b"", 12) == (murmur2(key) & 0x7FFFFFFF) % 12


def test_without_a_number_of_partitions_the_key_decides() -> None:
    spread = Spread(7)
    assert spread.place(b"1", 0) == (shared_key(7, b"1"), -1)
    assert spread.place(b"1", 4)[1] in range(4)


def test_a_source_names_a_producer_for_good_and_none_does_not() -> None:
    assert producer_of("gw-1") == producer_of("gw-1") != producer_of("gw-2")
    assert producer_of("") != producer_of("")
    assert 0 < producer_of("gw-1") < 1 << 63
