"""The reducer: each chunk once, in any order, and nothing before all have spoken."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferometer.core.chunks import StreamPartition
from inferometer.core.slo.count_records import (
    CountsRecord,
    decode_counts,
    encode_counts,
    target_of,
)
from inferometer.core.slo.counting import BinCounts, CountTable
from inferometer.core.slo.reducer import CountReducer, Verdict, part_of
from inferometer.errors import DecodeError, StateError

if TYPE_CHECKING:
    from collections.abc import Sequence

TOPIC = "inference.requests"
START_S = 1_767_225_600


def table(cells: Sequence[tuple[int, int]], name: str = "w/s") -> CountTable:
    """One group, (cell, total) by row, all bad."""
    totals = np.array([total for _, total in cells], dtype=np.int64)
    return CountTable(
        name=name,
        digest="d",
        groups=(("m",),),
        group=np.zeros(len(cells), np.int32),
        cells_s=np.array([cell for cell, _ in cells], dtype=np.int64),
        columns={"total": totals, "bad": totals},
        bins={"b": BinCounts(np.arange(len(cells), dtype=np.int32),
                             np.full(len(cells), -1, np.int16), totals)},
    )  # fmt: skip


def record(
    first: int,
    last: int,
    watermark_s: int,
    *,
    partition: int = 0,
    partitions: int = 1,
    stream_id: str = "run-1",
    topic: str = TOPIC,
    cells: Sequence[tuple[int, int]] = (),
) -> CountsRecord:
    return CountsRecord(
        source=StreamPartition(topic, partition, stream_id),
        first_offset=first,
        last_offset=last,
        watermark_us=watermark_s * 1_000_000,
        partition_count=partitions,
        target=0,
        events=sum(total for _, total in cells),
        tables=(table(cells),) if cells else (),
    )


def drained(reducer: CountReducer) -> dict[int, dict[int, int]]:
    """Return what each due tick releases: totals by cell."""
    found: dict[int, dict[int, int]] = {}
    for tick_s in reducer.due():
        cells: dict[int, int] = {}
        for released in reducer.release(tick_s):
            for cell, total in zip(
                released.cells_s.tolist(), released.columns["total"].tolist(), strict=True
            ):
                cells[cell] = cells.get(cell, 0) + total
        found[tick_s] = cells
    return found


def test_counts_are_released_with_the_tick_at_their_end_and_none_before() -> None:
    reducer = CountReducer(topics=(TOPIC,))
    cells = [(START_S, 1), (START_S + 10, 2), (START_S + 20, 3)]
    assert reducer.take(record(0, 9, START_S + 20, cells=cells)) is Verdict.COUNTED
    assert drained(reducer) == {START_S + 10: {START_S: 1}, START_S + 20: {START_S + 10: 2}}
    reducer.take(record(10, 10, START_S + 30))
    assert drained(reducer) == {START_S + 30: {START_S + 20: 3}}


@pytest.mark.parametrize(
    ("first", "last", "verdict"),
    [
        (0, 9, Verdict.DUPLICATE),
        (4, 9, Verdict.DUPLICATE),
        (5, 12, Verdict.OVERLAP),
        (10, 12, Verdict.COUNTED),
        (14, 20, Verdict.COUNTED),
    ],
    ids=["the same", "within", "only partly new", "the next", "after a hole of the log"],
)
def test_offsets_tell_what_has_been_counted(first: int, last: int, verdict: Verdict) -> None:
    reducer = CountReducer(topics=(TOPIC,))
    reducer.take(record(0, 9, START_S))
    assert reducer.take(record(first, last, START_S)) is verdict


def test_the_slowest_partition_holds_the_watermark() -> None:
    reducer = CountReducer(topics=(TOPIC,))
    reducer.take(record(0, 0, START_S + 100, partitions=2))
    assert reducer.watermark_us == 0
    reducer.take(record(0, 0, START_S + 40, partition=1, partitions=2))
    assert reducer.watermark_us == (START_S + 40) * 1_000_000


def test_every_topic_must_have_spoken() -> None:
    reducer = CountReducer(topics=(TOPIC, "signals"))
    reducer.take(record(0, 0, START_S))
    assert reducer.watermark_us == 0
    reducer.take(record(0, -1, START_S, topic="signals"))
    assert reducer.watermark_us == START_S * 1_000_000


def test_a_sign_of_life_vouches_only_for_what_has_come() -> None:
    reducer = CountReducer(topics=(TOPIC,))
    reducer.take(record(0, 9, START_S))
    reducer.take(record(20, 19, START_S + 60))
    assert reducer.watermark_us == START_S * 1_000_000
    reducer.take(record(10, 9, START_S + 60))
    assert reducer.watermark_us == (START_S + 60) * 1_000_000


def test_the_watermark_never_falls() -> None:
    reducer = CountReducer(topics=(TOPIC,))
    reducer.take(record(0, 9, START_S + 60))
    reducer.take(record(10, 19, START_S))
    assert reducer.watermark_us == (START_S + 60) * 1_000_000


def test_late_counts_come_with_the_next_tick_and_are_counted_as_late() -> None:
    reducer = CountReducer(topics=(TOPIC,))
    reducer.take(record(0, 9, START_S + 100, cells=[(START_S, 1)]))
    drained(reducer)
    reducer.take(record(10, 19, START_S + 110, cells=[(START_S + 50, 7)]))
    assert drained(reducer) == {START_S + 110: {START_S + 50: 7}}
    assert reducer.counters.late == 7


def test_a_topic_made_anew_begins_again_and_the_old_one_is_over() -> None:
    reducer = CountReducer(topics=(TOPIC,))
    reducer.take(record(0, 9, START_S))
    assert reducer.take(record(0, 4, START_S + 10, stream_id="run-2")) is Verdict.COUNTED
    assert reducer.take(record(10, 19, START_S + 90)) is Verdict.OLD_STREAM
    assert reducer.watermark_us == (START_S + 10) * 1_000_000


def test_a_start_far_behind_is_cut() -> None:
    reducer = CountReducer(topics=(TOPIC,))
    reducer.take(record(0, 9, START_S, cells=[(START_S - 30 * 86_400, 5), (START_S - 20, 1)]))
    ticks = list(drained(reducer).items())
    assert ticks[0] == (START_S - 3 * 86_400 + 10, {START_S - 30 * 86_400: 5})


@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.lists(st.integers(0, 8), min_size=1, max_size=4)),
        max_size=12,
    ),
    st.randoms(use_true_random=False),
)
def test_repetitions_and_the_order_of_partitions_change_nothing(
    chunks: list[tuple[int, list[int]]], chance: object
) -> None:
    by_partition: dict[int, list[CountsRecord]] = {p: [] for p in range(4)}
    for partition, cells in chunks:
        mine = by_partition[partition]
        at = len(mine) * 10
        rows = [(START_S + 10 * cell, 1) for cell in cells]
        mine.append(record(at, at + 9, START_S, partition=partition, partitions=4, cells=rows))
    for partition, mine in by_partition.items():
        last = len(mine) * 10
        mine.append(record(last, last - 1, START_S + 100, partition=partition, partitions=4))
    in_order = [one for mine in by_partition.values() for one in mine]
    mixed: list[CountsRecord] = []
    waiting = {p: list(mine) for p, mine in by_partition.items()}
    while any(waiting.values()):
        partition = chance.choice([p for p, mine in waiting.items() if mine])  # type: ignore[attr-defined]
        one = waiting[partition].pop(0)
        mixed += [one] * chance.randint(1, 2)  # type: ignore[attr-defined]
        if chance.random() < 0.3:  # type: ignore[attr-defined]
            mixed.append(chance.choice(mixed))  # type: ignore[attr-defined]
    assert totals(mixed) == totals(in_order)


def totals(records: list[CountsRecord]) -> dict[int, dict[int, int]]:
    reducer = CountReducer(topics=(TOPIC,))
    for one in records:
        reducer.take(one)
    return drained(reducer)


def test_a_snapshot_goes_on_as_if_nothing_had_happened() -> None:
    reducer = CountReducer(topics=(TOPIC,))
    reducer.take(record(0, 9, START_S + 15, cells=[(START_S, 1), (START_S + 40, 2)]))
    drained(reducer)
    again = CountReducer.from_snapshot(reducer.to_snapshot(), topics=(TOPIC,))
    for one in (reducer, again):
        assert one.take(record(0, 9, START_S)) is Verdict.DUPLICATE
        one.take(record(10, 19, START_S + 60))
    assert drained(again) == drained(reducer)


def test_a_snapshot_of_another_kind_is_refused() -> None:
    with pytest.raises(StateError, match="cannot be read"):
        CountReducer.from_snapshot(b"{}", topics=())


def test_records_survive_their_encoding() -> None:
    one = record(3, 9, START_S, cells=[(START_S, 2), (START_S + 10, 5)])
    again = decode_counts(encode_counts(one))
    assert encode_counts(again) == encode_counts(one)
    assert again.tables[0].bins["b"].bins.tolist() == [-1, -1]


@given(st.binary(max_size=80))
def test_any_bytes_are_counts_or_a_decode_error(data: bytes) -> None:
    with contextlib.suppress(DecodeError):
        decode_counts(data)


def test_a_part_keeps_the_sketches_of_its_rows() -> None:
    whole = table([(START_S, 1), (START_S + 10, 2), (START_S + 20, 3)])
    part = part_of(whole, np.array([False, True, True]))
    assert part.bins["b"].row.tolist() == [0, 1]
    assert part.bins["b"].counts.tolist() == [2, 3]


def test_targets_are_spread_and_stay() -> None:
    found = {target_of("acme", f"service-{n}", 4) for n in range(40)}
    assert found == {0, 1, 2, 3}
    assert target_of("acme", "chat", 4) == target_of("acme", "chat", 4)
