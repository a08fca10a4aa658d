"""What is remembered of drawn requests: the same however they came, and never much."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferometer.core.alerts.subjects import Definition
from inferometer.core.slo.counting import CountTable
from inferometer.core.slo.drawn_requests import BAD, MOST_DRAWN, TRAFFIC, DrawnRequests
from inferometer.core.slo.principals import NO_LOW
from inferometer.core.slo.request_memory import (
    FEW_LATELY,
    LATELY_S,
    LONGER_S,
    RequestMemory,
    WrittenMemory,
)
from inferometer.core.slo.slo_lane import SloLane
from tests.unit.jobs.alert_pipeline import chat_slo

if TYPE_CHECKING:
    from collections.abc import Sequence

    Request = tuple[int, int, int, str]
    """Group, cell, hash, node."""

START_S = 1_767_225_600
TICK_S = START_S + 60
DIMENSIONS = ("node_id",)


def drawn(
    requests: Sequence[Request], purposes: int, dimensions: tuple[str, ...] = DIMENSIONS
) -> DrawnRequests:
    texts = tuple(dict.fromkeys(node for *_, node in requests))
    codes = np.array([[texts.index(node) for *_, node in requests]] * len(dimensions), np.int32)
    return DrawnRequests(
        np.arange(len(requests), dtype=np.int32),
        np.array([found for _, _, found, _ in requests], np.uint64),
        np.full(len(requests), purposes, np.uint8),
        dimensions, codes.reshape(len(dimensions), -1), texts,
    )  # fmt: skip


def fill(memory: RequestMemory, requests: Sequence[Request], purposes: int = BAD | TRAFFIC) -> None:
    if requests:
        groups = np.array([group for group, *_ in requests], np.int64)
        cells_s = np.array([cell_s for _, cell_s, *_ in requests], np.int64)
        memory.add(drawn(requests, purposes), groups, cells_s)


def filled(*parts: Sequence[Request], purposes: int = BAD | TRAFFIC) -> RequestMemory:
    memory = RequestMemory(DIMENSIONS)
    for part in parts:
        fill(memory, part, purposes)
    return memory


def answers(memory: RequestMemory, tick_s: int = TICK_S, groups: int = 3) -> list[list[list[str]]]:
    """Return what is known of each group, where the order of requests means nothing."""
    found = [ask(group, tick_s) for group in range(groups) for ask in (memory.bad, memory.traffic)]
    return [[sorted(texts) for texts in each] for each in found]


def lane_with(requests: Sequence[Request]) -> SloLane:
    """Return a lane of one group of which requests were counted, all bad, at its last tick."""
    lane = SloLane(chat_slo())
    lane.add(table_of(requests))
    list(lane.observe(TICK_S, ()))
    return lane


def table_of(requests: Sequence[Request]) -> CountTable:
    cells_s = np.array(sorted({cell_s for _, cell_s, *_ in requests}), np.int64)
    found = drawn(requests, BAD)
    rows = [cells_s.tolist().index(cell_s) for _, cell_s, *_ in requests]
    counts = np.bincount(rows).astype(np.int64)
    none = np.zeros(len(cells_s), np.int64)
    return CountTable(
        "acme/chat-success", "", (("m",),), none.astype(np.int32), cells_s,
        {"total": counts, "bad": counts, "principal_low": none + NO_LOW, "principal_high": none},
        drawn=replace(found, row=np.array(rows, np.int32)),
    )  # fmt: skip


def test_a_lane_is_asked_of_its_own_groups_after_a_tick() -> None:
    lane = SloLane(chat_slo())
    lane.add(table_of(lots(30, START_S)))
    assert lane.drivers(lane.definition.subject(("m",))) is None
    list(lane.observe(TICK_S, ()))
    assert lane.drivers(lane.definition.subject(("m",))) == ()
    assert lane.drivers(Definition.of_slo(chat_slo(name="other")).subject(("m",))) is None


def test_requests_that_maintenance_excludes_are_not_remembered() -> None:
    lane = SloLane(chat_slo())
    requests = [*lots(30, START_S, node="a"), *lots(30, START_S + 10, seed=2, node="b")]
    lane.add(table_of(requests), lambda _labels, cell_s: ("m",) if cell_s == START_S else ())
    _, texts, parts = msgspec.msgpack.decode(lane.to_snapshot())[3]
    codes = np.concatenate([np.frombuffer(part[4], "<i4") for part in parts])
    assert {texts[code] for code in codes.tolist()} - {""} == {"b"}


def test_a_lane_goes_on_from_the_snapshot_of_a_release_without_drawn_requests() -> None:
    lane = lane_with(lots(30, START_S))
    whole = msgspec.msgpack.decode(lane.to_snapshot())
    assert len(whole) == 4
    old = msgspec.msgpack.encode(whole[:3])
    again = SloLane(lane.slo)
    assert again.restore(old)
    assert again.to_snapshot() == msgspec.msgpack.encode([*whole[:3], None])


def test_groups_that_are_idle_for_the_whole_period_are_forgotten_with_their_requests() -> None:
    lane = lane_with(lots(30, START_S))
    period_s = lane.slo.period_s
    end_s = (START_S + period_s) // 3600 * 3600 + 7200
    list(lane.observe(end_s, ()))
    assert len(lane) == 0
    assert msgspec.msgpack.decode(lane.to_snapshot())[3] is None


REQUESTS = st.lists(
    st.tuples(st.integers(0, 2), st.integers(-400, 5).map(lambda n: START_S + 10 * n),
              st.integers(0, 2**64 - 1), st.sampled_from("abcd")),
    unique_by=lambda request: request[2], max_size=300,
)  # fmt: skip


@given(REQUESTS, st.data())
def test_order_cuts_and_repetitions_change_nothing(
    requests: list[Request], data: st.DataObject
) -> None:
    cut = data.draw(st.integers(0, len(requests)))
    mixed = data.draw(st.permutations(requests[:50])) + requests[50:]
    expected = answers(filled(requests))
    assert answers(filled(requests[cut:], requests[:cut])) == expected
    assert answers(filled(mixed, requests[:cut])) == expected


@given(REQUESTS, st.integers(0, 300))
def test_who_goes_on_from_a_snapshot_knows_the_same(requests: list[Request], cut: int) -> None:
    memory = filled(requests[:cut])
    raw = msgspec.msgpack.encode(memory.to_state([2, 0, 1]))
    again = RequestMemory(DIMENSIONS)
    # What was the third group is the first there, and here it has yet another number.
    again.restore(msgspec.msgpack.decode(raw, type=WrittenMemory), [2, 0, 1])
    for each in (memory, again):
        fill(each, requests[cut:])
    assert answers(again) == answers(memory)


def lots(count: int, cell_s: int, seed: int = 1, node: str = "") -> list[Request]:
    chance = random.Random(seed)
    return [
        (0, cell_s, chance.getrandbits(64), node or chance.choice("abbb")) for _ in range(count)
    ]


def test_a_group_that_fails_all_the_time_takes_a_bounded_number_of_rows() -> None:
    memory = RequestMemory(DIMENSIONS)
    for tick in range(400):
        fill(memory, lots(MOST_DRAWN, START_S + 10 * tick, seed=tick))
        if tick % 30 == 0:
            memory.advance(START_S + 10 * tick)
    memory.to_state([0])
    assert len(memory) <= 9 * MOST_DRAWN


def test_requests_are_drawn_alike_from_a_full_part_and_one_that_is_not() -> None:
    # Ten thousand on node a in the part before, twenty on node b in this one.
    memory = filled(lots(10_000, START_S - 10, node="a"), lots(20, START_S, seed=2, node="b"))
    (nodes,) = memory.bad(0, TICK_S)
    assert nodes.count("a") == MOST_DRAWN
    assert nodes.count("b") <= 1


@pytest.mark.parametrize(
    ("lately", "expected"), [(FEW_LATELY, {"b"}), (FEW_LATELY - 1, {"a", "b"})]
)
def test_the_longer_span_is_asked_where_little_was_bad_lately(
    lately: int, expected: set[str]
) -> None:
    old = lots(10, START_S - LATELY_S - 10, node="a")
    memory = filled(old, lots(lately, START_S, seed=2, node="b"))
    (nodes,) = memory.bad(0, TICK_S)
    assert set(nodes) == expected


def test_good_requests_are_traffic_and_never_bad() -> None:
    memory = filled(lots(5, START_S, node="a"), purposes=TRAFFIC)
    assert memory.bad(0, TICK_S) == [[]]
    assert memory.traffic(0, TICK_S) == [["a"] * 5]


def test_what_is_past_or_forgotten_is_gone() -> None:
    memory = filled(lots(30, START_S), [(1, START_S, 5, "x")])
    memory.forget([0])
    assert memory.bad(0, TICK_S) == [[]]
    assert memory.bad(1, TICK_S) == [["x"]]
    assert memory.bad(1, START_S + 3 * LONGER_S) == [[]]
    memory.advance(START_S + 3 * LONGER_S)
    assert not memory


def test_texts_that_nothing_uses_any_more_are_let_go() -> None:
    memory = RequestMemory(DIMENSIONS)
    turn, start_s = 0, START_S
    for turn in range(40):
        start_s = START_S + turn * LONGER_S
        fill(memory, [(0, start_s, n, f"user-{turn}-{n}") for n in range(500)])
        memory.advance(start_s + 60)
    state = memory.to_state([0])
    assert len(state.texts) < 10_000
    (nodes,) = memory.traffic(0, start_s + 60)
    assert set(nodes) <= {f"user-{turn - before}-{n}" for before in (0, 1) for n in range(500)}
    assert len(nodes) == 2 * MOST_DRAWN


def test_another_version_may_have_drawn_other_dimensions() -> None:
    memory = RequestMemory(("region", "node_id"))
    requests = lots(3, START_S, node="a")
    memory.add(drawn(requests, BAD), np.zeros(3, np.int64), np.full(3, START_S))
    assert memory.bad(0, TICK_S) == [["", "", ""], ["a", "a", "a"]]
