from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferometer.kafka.fill_order import FillOrder, Holding

CHUNK = 100


def holding(
    key: str, waiting: int = 0, coming: int = 0, *, lacks_open_chunk: bool = False
) -> Holding[str]:
    return Holding(key, waiting, coming, lacks_open_chunk=lacks_open_chunk)


@pytest.mark.parametrize(
    ("holdings", "room", "chosen"),
    [
        ([holding("a", 0, 40), holding("b", 90, 50)], 90, "ab"),
        ([holding("a", 0, 900), holding("b", 0, 900), holding("c", 0, 900)], 100, "a"),
        ([holding("a", 0, 900), holding("b", 0, 900), holding("c", 0, 900)], 250, "ab"),
        ([holding("a", 0, 900), holding("b", 50, 0), holding("c", 0, 12)], 60, "bc"),
        ([holding("a", 100, 900), holding("b", 0, 900)], 150, "b"),
        ([holding("a", 100, 900), holding("b", 0, 900)], 200, "ba"),
        ([holding("a", 0, 900), holding("b", 0, 900, lacks_open_chunk=True)], 100, "b"),
        ([holding("a", 0, 900)], 1, "a"),
        ([holding("a", 0, 900), holding("b")], 1, "ba"),
        ([holding("a", 0, 900), holding("b", 0, 900, lacks_open_chunk=True)], 0, "b"),
        ([holding("a", 0, 900)], 0, ""),
        ([], 100, ""),
    ],
    ids=[
        "all while everything fits",
        "one where one chunk fits",
        "two where two fit",
        "those that keep up come first",
        "a full one comes last",
        "a full one as well while there is room for its next chunk",
        "an open chunk comes before all",
        "somebody while there is any room",
        "somebody who needs it, beside those who need none",
        "an open chunk even without room",
        "nobody without room",
        "nobody of none",
    ],
)
def test_who_is_fetched_for(holdings: list[Holding[str]], room: int, chosen: str) -> None:
    assert FillOrder[str](CHUNK).choose(holdings, room) == list(chosen)


def test_turns_go_round() -> None:
    order = FillOrder[str](CHUNK)
    holdings = [holding(key, 0, 900) for key in "abc"]
    served = []
    for _ in range(6):
        (chosen,) = order.choose(holdings, CHUNK)
        order.served(chosen)
        served.append(chosen)
    assert "".join(served) == "abcabc"


def test_who_has_something_left_over_waits_for_its_turn_all_the_same() -> None:
    order = FillOrder[str](CHUNK)
    order.served("a")
    assert order.choose([holding("a", 60, 900), holding("b", 0, 900)], 100) == ["b"]


@given(
    backlogs=st.lists(st.integers(1, 2_000), min_size=1, max_size=8),
    fetch=st.integers(5, CHUNK // 2),
    chunks_of_room=st.integers(2, 4),
)
def test_every_backlog_is_worked_off_in_full_chunks_by_fair_turns(
    backlogs: list[int], fetch: int, chunks_of_room: int
) -> None:
    order = FillOrder[str](CHUNK)
    coming = {f"p{number}": size for number, size in enumerate(backlogs)}
    waiting = dict.fromkeys(coming, 0)
    chunks: Counter[str] = Counter()
    limit = chunks_of_room * CHUNK
    queue = list(coming)
    rounds = 0
    while any(coming.values()) or any(waiting.values()):
        rounds += 1
        assert rounds <= sum(backlogs), "nothing moves"
        holdings = [holding(key, waiting[key], coming[key]) for key in coming]
        for key in order.choose(holdings, limit - sum(waiting.values())):
            part = min(fetch, coming[key])
            coming[key] -= part
            waiting[key] += part
        # At most what one round of fetches brings above the limit.
        assert sum(waiting.values()) < limit + fetch * len(coming)
        due = [key for key in coming if waiting[key] and (waiting[key] >= CHUNK or not coming[key])]
        if not due and sum(waiting.values()) >= limit:
            due = [max(waiting, key=waiting.__getitem__)]
        for key in sorted(due, key=lambda each: queue.index(each))[:1]:
            is_behind = bool(coming[key])
            waiting[key] -= min(waiting[key], CHUNK)
            chunks[key] += 1
            queue.append(queue.pop(queue.index(key)))
            order.served(key)
            if is_behind:
                others = [chunks[other] for other in coming if coming[other] > CHUNK]
                assert chunks[key] - min(others, default=chunks[key]) <= 3
