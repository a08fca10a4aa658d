from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferometer.core.records import ContentType, RecordColumns
from inferometer.errors import BrokerError
from inferometer.kafka.chunk_buffer import ChunkBuffer
from inferometer.kafka.chunk_policy import ChunkPolicy, Waiting
from inferometer.kafka.fetched import FetchedRecords


def policy(max_events: int = 1_000, max_bytes: int = 1_000_000) -> ChunkPolicy:
    return ChunkPolicy(
        max_events=max_events,
        max_bytes=max_bytes,
        min_wait_s=1.0,
        max_wait_s=2.0,
        behind_wait_s=9.0,
    )


ROOMY = policy()


def fetched(
    values: list[bytes],
    *,
    start: int,
    offsets: list[int] | None = None,
    next_offset: int | None = None,
    log_end: int = 0,
    content_types: list[int] | None = None,
) -> FetchedRecords:
    columns = RecordColumns.from_values(values, first_offset=start, content_types=content_types)
    if offsets is not None:
        columns = RecordColumns(
            buffer=columns.buffer,
            starts=columns.starts,
            lengths=columns.lengths,
            offsets=np.array(offsets, dtype=np.int64),
            append_times_ms=columns.append_times_ms,
            content_types=columns.content_types,
        )
    after = int(columns.offsets[-1]) + 1 if len(columns) else start
    return FetchedRecords(
        topic="t",
        partition=0,
        epoch=1,
        start_offset=start,
        records=columns,
        next_offset=after if next_offset is None else next_offset,
        raw_bytes=0,
        log_end=log_end,
    )


def buffer(bounds: ChunkPolicy = ROOMY, *, at: int = 0, gapless: bool = False) -> ChunkBuffer:
    return ChunkBuffer(policy=bounds, position=at, next_offset=at, gapless=gapless)


def values(records: RecordColumns) -> list[bytes]:
    return [records.value(index) for index in range(len(records))]


def test_a_chunk_takes_as_many_events_as_it_may() -> None:
    waiting = buffer(policy(max_events=3))
    waiting.add(fetched([b"a", b"b"], start=0), 0.0)
    waiting.add(fetched([b"c", b"d"], start=2), 0.0)
    assert values(waiting.cut(0.0)) == [b"a", b"b", b"c"]
    assert waiting.position == 3
    assert (waiting.records, waiting.events) == (1, 1)


def test_a_chunk_takes_as_many_bytes_as_it_may() -> None:
    waiting = buffer(policy(max_bytes=10))
    waiting.add(fetched([b"aaaa", b"bbbb", b"cccc"], start=0), 0.0)
    assert values(waiting.cut(0.0)) == [b"aaaa", b"bbbb"]
    assert (waiting.position, waiting.size_bytes) == (2, 4)


def test_events_are_counted_and_not_the_records_that_carry_them() -> None:
    lines = [b"{}\n{}\n{}\n", b"{}\n{}\n", b"{}\n"]
    waiting = buffer(policy(max_events=5))
    waiting.add(fetched(lines, start=0, content_types=[ContentType.NDJSON] * 3), 0.0)
    assert (waiting.records, waiting.events) == (3, 6)
    assert values(waiting.cut(0.0)) == lines[:2]
    assert waiting.events == 1


def test_a_record_with_more_events_than_a_chunk_goes_alone() -> None:
    lines = [b"{}\n", b"{}\n{}\n{}\n", b"{}\n"]
    waiting = buffer(policy(max_events=2))
    waiting.add(fetched(lines, start=0, content_types=[ContentType.NDJSON] * 3), 0.0)
    assert [values(waiting.cut(0.0)) for _ in lines] == [[line] for line in lines]


def test_a_record_above_the_bytes_of_a_chunk_goes_alone() -> None:
    waiting = buffer(policy(max_events=100, max_bytes=10))
    waiting.add(fetched([b"a", b"b" * 50, b"c"], start=0), 0.0)
    assert [values(waiting.cut(0.0)) for _ in range(3)] == [[b"a"], [b"b" * 50], [b"c"]]


def test_what_waits_is_as_old_as_its_first_record() -> None:
    waiting = buffer()
    assert waiting.waiting(5.0) == Waiting(events=0, size_bytes=0, age_s=0.0, since_cut_s=math.inf)
    waiting.add(fetched([b"a"], start=0), 10.0)
    waiting.add(fetched([b"b"], start=1), 11.5)
    assert waiting.waiting(12.0) == Waiting(events=2, size_bytes=2, age_s=2.0, since_cut_s=math.inf)
    waiting.cut(12.0)
    assert waiting.waiting(12.5).since_cut_s == 0.5


def test_what_a_chunk_leaves_over_has_waited_since_it_came() -> None:
    waiting = buffer(policy(max_events=2))
    waiting.add(fetched([b"a", b"b", b"c"], start=0), 10.0)
    waiting.cut(0.0)
    assert waiting.waiting(11.5).age_s == pytest.approx(1.5)


def test_what_is_to_come_is_reckoned_from_what_came() -> None:
    waiting = buffer()
    two_lines = [b"{}\n{}\n", b"{}\n{}\n"]
    kinds = [int(ContentType.NDJSON)] * 2
    waiting.add(fetched(two_lines, start=0, log_end=102, content_types=kinds), 0.0)
    found = waiting.waiting(0.0)
    assert (found.coming_events, found.coming_bytes) == (200, 600)
    waiting.add(fetched([], start=2, next_offset=110, log_end=102), 0.0)
    assert waiting.waiting(0.0).coming_events == 0


def test_what_is_left_of_a_fetch_does_not_keep_the_whole_of_it() -> None:
    waiting = buffer(policy(max_bytes=900))
    part = fetched([b"x" * 100] * 10, start=0)
    owned = dataclasses.replace(part.records, buffer=part.records.buffer.copy())
    waiting.add(dataclasses.replace(part, records=owned), 0.0)
    waiting.cut(0.0)
    left = waiting.cut(0.0)
    assert len(left) == 1
    assert left.buffer.base is None


def test_an_open_chunk_ends_at_its_offset_whatever_holes_there_are() -> None:
    waiting = buffer(at=5)
    waiting.add(fetched([b"a", b"b"], start=5, offsets=[6, 9]), 0.0)
    waiting.add(fetched([b"c", b"d"], start=10, offsets=[12, 20], next_offset=25), 0.0)
    assert values(waiting.cut_through(13)) == [b"a", b"b", b"c"]
    assert waiting.position == 20
    assert values(waiting.cut_through(22)) == [b"d"]
    assert waiting.position == 25
    assert values(waiting.cut_through(30)) == []


def test_a_fetch_without_records_moves_only_where_the_next_begins() -> None:
    waiting = buffer(gapless=True)
    waiting.add(fetched([], start=0, next_offset=4), 0.0)
    assert (waiting.next_offset, waiting.records) == (4, 0)


def test_a_fetch_that_begins_elsewhere_is_refused() -> None:
    with pytest.raises(BrokerError, match="expected was 0"):
        buffer().add(fetched([b"a"], start=1), 0.0)


@pytest.mark.parametrize(
    "offsets", [[1, 2], [0, 2]], ids=["before the first record", "between two records"]
)
def test_a_hole_is_lost_data_where_the_broker_leaves_none(offsets: list[int]) -> None:
    with pytest.raises(BrokerError, match="records are missing"):
        buffer(gapless=True).add(fetched([b"a", b"b"], start=0, offsets=offsets), 0.0)
    buffer().add(fetched([b"a", b"b"], start=0, offsets=offsets), 0.0)


@given(
    parts=st.lists(st.lists(st.binary(max_size=12), max_size=9), max_size=8),
    max_events=st.integers(1, 7),
    max_bytes=st.integers(1, 30),
    through=st.integers(0, 30),
)
def test_records_come_out_once_in_order_and_unchanged(
    parts: list[list[bytes]], max_events: int, max_bytes: int, through: int
) -> None:
    waiting, start = buffer(policy(max_events, max_bytes), gapless=True), 0
    for part in parts:
        waiting.add(fetched(part, start=start), 0.0)
        start += len(part)

    chunks = [waiting.cut_through(through - 1)]
    while waiting.records:
        chunk = waiting.cut(0.0)
        assert 1 <= len(chunk) <= max_events
        assert len(chunk) == 1 or int(chunk.lengths.sum()) <= max_bytes
        assert waiting.position == int(chunk.offsets[-1]) + 1
        chunks.append(chunk)

    assert len(chunks[0]) == min(through, start)
    assert [value for chunk in chunks for value in values(chunk)] == [
        value for part in parts for value in part
    ]
    offsets = [offset for chunk in chunks for offset in chunk.offsets.tolist()]
    assert offsets == list(range(start))
    assert (waiting.size_bytes, waiting.events, waiting.position) == (0, 0, start)
