from __future__ import annotations

import dataclasses
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferometer.kafka.chunk_policy import (
    BUSY_SHARE,
    ChunkPolicy,
    ChunkRhythm,
    CutReason,
    Waiting,
)

POLICY = ChunkPolicy(
    max_events=1_000,
    max_bytes=10_000,
    min_wait_s=1.0,
    max_wait_s=2.0,
    behind_wait_s=15.0,
    small_events=100,
)
NOTHING = Waiting(events=0, size_bytes=0, age_s=0.0, since_cut_s=math.inf)
SOME = Waiting(events=50, size_bytes=500, age_s=0.1, since_cut_s=0.5)
MANY = Waiting(events=400, size_bytes=4_000, age_s=0.1, since_cut_s=0.5)
MORE = {"coming_events": 100, "coming_bytes": 1_000}
BACKLOG = {"coming_events": 5_000, "coming_bytes": 50_000}

waitings = st.builds(
    Waiting,
    events=st.integers(0, 1_500),
    size_bytes=st.integers(0, 15_000),
    age_s=st.floats(0, 20),
    since_cut_s=st.floats(0, 30) | st.just(math.inf),
    coming_events=st.integers(0, 3_000),
    coming_bytes=st.integers(0, 30_000),
)
durations = st.tuples(st.floats(0, 60), st.integers(0, 2_000), st.floats(0.01, 4))


def rhythm(*durations_s: float, share: float = 1.0) -> ChunkRhythm:
    found = ChunkRhythm(POLICY)
    for seconds in durations_s:
        found.chunk_took(seconds, events=1, share=share)
    return found


@pytest.mark.parametrize(
    ("waiting", "reason", "is_cut"),
    [
        (NOTHING, CutReason.EMPTY, False),
        (dataclasses.replace(SOME, events=1_000), CutReason.EVENTS, True),
        (dataclasses.replace(SOME, size_bytes=10_000), CutReason.BYTES, True),
        (dataclasses.replace(SOME, since_cut_s=0.9), CutReason.FILLING, False),
        (dataclasses.replace(SOME, since_cut_s=1.0), CutReason.RESTED, True),
        (dataclasses.replace(SOME, since_cut_s=1.0, **MORE), CutReason.FILLING, False),
        (dataclasses.replace(SOME, since_cut_s=1.0, age_s=1.0, **MORE), CutReason.RESTED, True),
        (dataclasses.replace(MANY, since_cut_s=0.9), CutReason.FILLING, False),
        (dataclasses.replace(MANY, since_cut_s=1.0), CutReason.ENOUGH, True),
        (dataclasses.replace(MANY, age_s=2.5), CutReason.AGE, True),
        (dataclasses.replace(MANY, age_s=2.5, **BACKLOG), CutReason.FILLING, False),
        (dataclasses.replace(MANY, age_s=15.0, **BACKLOG), CutReason.AGE, True),
        (dataclasses.replace(MANY, size_bytes=10_000, **BACKLOG), CutReason.BYTES, True),
    ],
    ids=[
        "nothing waits",
        "as many events as may be",
        "as many bytes as may be",
        "a few, soon after a chunk",
        "a few after a rest",
        "a few after a rest, and more on its way",
        "a few that have waited for more",
        "many, soon after a chunk",
        "many after a rest",
        "older than a record may be",
        "behind, and not full",
        "behind, and not full for long",
        "behind and full",
    ],
)
def test_a_chunk_is_cut_for_a_reason(waiting: Waiting, reason: CutReason, is_cut: bool) -> None:
    decision = rhythm().decide(waiting)
    assert (decision.reason, decision.is_cut) == (reason, is_cut)


def test_small_chunks_never_take_more_than_their_share_of_the_time() -> None:
    calm = rhythm(0.1, share=0.25)
    assert calm.rest_s == pytest.approx(0.1 / (BUSY_SHARE * 0.25))
    assert not calm.decide(dataclasses.replace(SOME, since_cut_s=1.1)).is_cut
    assert calm.decide(dataclasses.replace(SOME, since_cut_s=1.3)).reason is CutReason.RESTED


def test_a_chunk_that_is_worth_its_inserts_does_not_wait_for_small_ones() -> None:
    assert rhythm(0.6, share=1.0).decide(dataclasses.replace(MANY, since_cut_s=1.0)).is_cut


def test_large_chunks_ask_for_no_rest() -> None:
    found = ChunkRhythm(POLICY)
    found.chunk_took(30.0, events=POLICY.small_events, share=0.1)
    assert found.rest_s == POLICY.min_wait_s


def test_a_rest_grows_at_once_and_shrinks_by_and_by() -> None:
    found = rhythm(0.6)
    assert found.rest_s == pytest.approx(1.8)
    rests = []
    for _ in range(4):
        found.chunk_took(0.01, events=1, share=1.0)
        rests.append(found.rest_s)
    assert rests == pytest.approx([1.35, 1.0125, 1.0, 1.0])


def test_falling_behind_begins_at_a_full_chunk_and_ends_at_a_small_part_of_one() -> None:
    found = rhythm()
    seen = []
    for coming in (500, 650, 500, 200, 126, 125, 500, 601):
        found.decide(dataclasses.replace(MANY, coming_events=coming))
        seen.append(found.is_behind)
    assert seen == [False, True, True, True, True, False, False, True]


@given(st.lists(st.integers(126, 599), max_size=30), st.booleans())
def test_between_the_two_bounds_nothing_changes(coming: list[int], is_behind: bool) -> None:
    found = rhythm()
    found.decide(dataclasses.replace(MANY, coming_events=2_000 if is_behind else 0))
    for events in coming:
        found.decide(dataclasses.replace(MANY, coming_events=events))
        assert found.is_behind is is_behind


@given(st.lists(st.tuples(waitings, durations), max_size=10), waitings)
def test_no_chunk_is_empty_none_waits_too_long_and_the_next_look_is_in_time(
    past: list[tuple[Waiting, tuple[float, int, float]]], waiting: Waiting
) -> None:
    found = ChunkRhythm(POLICY)
    for earlier, (seconds, events, share) in past:
        found.decide(earlier)
        found.chunk_took(seconds, events=events, share=share)
        assert POLICY.min_wait_s <= found.rest_s <= POLICY.max_wait_s
    decision = found.decide(waiting)
    longest_s = POLICY.behind_wait_s if found.is_behind else POLICY.max_wait_s
    if decision.is_cut:
        assert waiting.events > 0
        assert decision.look_again_in_s is None
    elif waiting.events:
        assert waiting.age_s < longest_s
        assert waiting.events < POLICY.max_events
        assert waiting.size_bytes < POLICY.max_bytes
        assert decision.look_again_in_s is not None
        assert 0 < decision.look_again_in_s <= longest_s - waiting.age_s
        later_s = decision.look_again_in_s + 1e-6
        due = dataclasses.replace(
            waiting,
            age_s=waiting.age_s + later_s,
            since_cut_s=waiting.since_cut_s + later_s,
        )
        assert found.decide(due).is_cut
    else:
        assert decision.reason is CutReason.EMPTY


def test_what_comes_after_a_rest_is_cut_at_once() -> None:
    first = dataclasses.replace(SOME, events=1, age_s=0.0, since_cut_s=math.inf)
    assert rhythm().decide(first).reason is CutReason.RESTED
