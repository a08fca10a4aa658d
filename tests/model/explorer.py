"""Breadth-first search through every state that a model can reach; the first fault has the shortest way.

A model is two functions: what may happen next in a state, and what is wrong with it.
"""

from __future__ import annotations

import gc
from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Iterator, Mapping

S = TypeVar("S", bound="Hashable")


class Model(Protocol[S]):
    """What is explored."""

    @property
    def initial(self) -> S:
        """Where everything begins."""

    def successors(self, state: S) -> Iterable[tuple[str, S]]:
        """Return what may happen next, each with the state it leads to."""

    def undisturbed(self, state: S) -> S | None:
        """Return the next state when nothing fails any more; None once all work is done."""

    def fault(self, state: S) -> str | None:
        """Say what is wrong with a state."""

    def lack(self, state: S) -> str | None:
        """Say what is wrong with a state in which all work is done."""

    def show(self, state: S) -> str:
        """Return a state as one line."""


@dataclass(frozen=True, slots=True)
class Exploration(Generic[S]):
    """What a search has seen."""

    states: int
    transitions: int
    finished: int
    """States in which all work is done."""
    fault: str | None = None
    trace: str = ""
    """The shortest way to the fault, to be read by a person."""


class SpaceTooLargeError(Exception):
    """The model has more states than the test meant to look at."""


@contextmanager
def _nothing_is_garbage() -> Iterator[None]:
    """Spare the search for garbage among states that all stay: a sixth of the time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def explore(model: Model[S], *, limit: int = 2_000_000) -> Exploration[S]:
    """Visit every reachable state; stop at the first that is wrong or from which work never ends.

    Raises SpaceTooLargeError.
    """
    with _nothing_is_garbage():
        return _explore(model, limit)


def _explore(model: Model[S], limit: int) -> Exploration[S]:
    parents: dict[S, tuple[S, str] | None] = {model.initial: None}
    waiting = deque([model.initial])
    undisturbed: dict[S, S | None] = {}
    transitions = finished = 0
    while waiting:
        state = waiting.popleft()
        undisturbed[state] = onward = model.undisturbed(state)
        finished += onward is None
        fault = model.fault(state) or (model.lack(state) if onward is None else None)
        if fault is not None:
            return _found(model, parents, state, fault, transitions)
        for label, following in model.successors(state):
            transitions += 1
            if following not in parents:
                parents[following] = (state, label)
                waiting.append(following)
        if len(parents) > limit:
            raise SpaceTooLargeError(f"more than {limit} states")
    stuck = _first_stuck(undisturbed)
    if stuck is not None:
        return _found(model, parents, stuck, "from here the work never ends", transitions)
    return Exploration(len(parents), transitions, finished)


def _first_stuck(undisturbed: Mapping[S, S | None]) -> S | None:
    """Return the first state that does not reach the end although nothing fails any more."""
    reaching: set[S] = set()
    for state in undisturbed:
        way: dict[S, None] = {}
        here: S | None = state
        while here is not None and here not in reaching:
            if here in way:
                return state
            way[here] = None
            here = undisturbed[here]
        reaching.update(way)
    return None


def _found(
    model: Model[S],
    parents: dict[S, tuple[S, str] | None],
    state: S,
    fault: str,
    transitions: int,
) -> Exploration[S]:
    steps: list[str] = []
    here = state
    while (came := parents[here]) is not None:
        steps.append(f"{came[1]}\n        {model.show(here)}")
        here = came[0]
    lines = [f"{number:4}. {step}" for number, step in enumerate(reversed(steps), start=1)]
    trace = "\n".join([f"   0. start: {model.show(here)}", *lines, f"FAULT: {fault}"])
    return Exploration(len(parents), transitions, 0, fault, trace)
