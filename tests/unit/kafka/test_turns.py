from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from inferometer.kafka.turns import Turns


class Taker:
    """Implements the protocol of who takes turns."""

    def __init__(self) -> None:
        self.woken = 0

    def wake(self) -> None:
        self.woken += 1


def test_the_first_to_ask_is_the_first_to_go() -> None:
    turns = Turns(at_work=1, computing=1)
    first, second, third = Taker(), Taker(), Taker()
    assert turns.take(first)
    assert not turns.take(second)
    assert not turns.take(third)
    turns.give_back(first)
    assert (second.woken, third.woken) == (1, 0)
    assert not turns.take(third)
    assert turns.take(second)


def test_one_computes_while_another_stores() -> None:
    turns = Turns(at_work=2, computing=1)
    first, second, third = Taker(), Taker(), Taker()
    assert turns.take(first)
    assert not turns.take(second)
    turns.computed(first)
    assert second.woken == 1
    assert turns.take(second)
    turns.computed(second)
    assert not turns.take(third)
    turns.give_back(first)
    assert third.woken == 1
    assert turns.take(third)


def test_who_leaves_the_queue_holds_nobody_up() -> None:
    turns = Turns(at_work=1, computing=1)
    first, second, third = Taker(), Taker(), Taker()
    turns.take(first)
    turns.take(second)
    turns.take(third)
    turns.give_back(second)
    turns.give_back(first)
    assert not second.woken
    assert turns.take(third)


def test_turns_are_free_when_nobody_is_in_front() -> None:
    turns = Turns(at_work=2, computing=2)
    first, second, third = Taker(), Taker(), Taker()
    seen = [turns.are_free]
    for taker in (first, second, third):
        turns.take(taker)
        seen.append(turns.are_free)
    turns.give_back(first)
    seen.append(turns.are_free)
    assert seen == [True, True, False, False, False]


@given(
    at_work=st.integers(1, 3),
    computing=st.integers(1, 3),
    steps=st.lists(st.tuples(st.integers(0, 4), st.sampled_from("tcg")), max_size=60),
)
def test_limits_hold_and_nobody_waits_while_there_is_a_turn(
    at_work: int, computing: int, steps: list[tuple[int, str]]
) -> None:
    turns = Turns(at_work=at_work, computing=computing)
    takers = [Taker() for _ in range(5)]
    working: set[int] = set()
    busy: set[int] = set()
    queue: list[int] = []
    for place, step in steps:
        taker = takers[place]
        if step == "t" and place not in working:
            if place not in queue:
                queue.append(place)
            free = max(0, min(at_work - len(working), computing - len(busy)))
            may = place in queue[:free]
            assert turns.take(taker) is may
            if may:
                queue.remove(place)
                working.add(place)
                busy.add(place)
        elif step == "c":
            turns.computed(taker)
            busy.discard(place)
        elif step == "g":
            turns.give_back(taker)
            working.discard(place)
            busy.discard(place)
            queue = [each for each in queue if each != place]
        assert len(working) <= at_work
        assert len(busy) <= computing
