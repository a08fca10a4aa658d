"""What there is in the model: a topic of a few records, a group, a store, two workers; all hashable.

One partition. A worker is the owner, to whom the group gave the partition last, or a former owner,
who may be frozen, cut off or merely slow, and knows nothing of it. Requests to the store that nobody
waits for any more are in flight: they land at any later time, or never.
"""

from __future__ import annotations

from enum import Enum, IntEnum
from functools import cache
from typing import NamedTuple


class Table(IntEnum):
    """What a chunk is inserted into."""

    INTENTS = 0
    LOG = 1
    ROLLUP = 2
    LEDGER = 3


class Chunk(NamedTuple):
    """Records [first, stop) under the name of a stream; what they are is known to the model only."""

    stream: int
    first: int
    stop: int
    read_from: int
    """The incarnation of the topic that its records were really read from."""
    decided: int = 0
    """Which of the chunks with this beginning, in the order of their decision; 0: not yet committed."""


class Position(NamedTuple):
    """What the group has committed."""

    stream: int
    offset: int
    intent: Chunk | None


class Phase(Enum):
    """Where a worker stands with its partition."""

    ASSIGNED = "has the partition"
    POSITIONED = "knows the group's position"
    PLACED = "goes on where the group does not stand"
    READY = "is between chunks"
    CUT = "has cut"
    CONFIRMED = "has cut and confirmed the topic"
    INSERTING = "is to insert"
    SENT = "waits for the store"
    STORED = "has stored"

    # Members are the same objects for ever, and states are hashed by the million.
    __hash__ = object.__hash__


class Worker(NamedTuple):
    """What a worker remembers; a crash takes all of it."""

    phase: Phase
    stream: int = 0
    seen: Position | None = None
    offset: int = 0
    chunk: Chunk | None = None
    step: int = 0
    """Which insert of the chunk is next."""


class Request(NamedTuple):
    """An insert on its way, whose sender no longer waits."""

    table: Table
    chunk: Chunk


class State(NamedTuple):
    """Everything that the future depends on."""

    group: Position | None
    past: frozenset[Position]
    """What the group had committed before, as long as it may fall back to it."""
    rows: tuple[tuple[Chunk, ...], ...]
    """Chunks by table, in the order in which they landed."""
    owner: Worker | None
    former: Worker | None
    in_flight: tuple[Request, ...]
    stream: int
    """Incarnation of the topic."""
    losses: int
    """How many times the group may still lose what it has committed."""
    remakes: int
    """How many times the topic may still be made anew."""


EMPTY: tuple[tuple[Chunk, ...], ...] = ((), (), (), ())


@cache
def stored(chunks: tuple[Chunk, ...], stream: int) -> int:
    """Return the records of an incarnation that chunks hold, a bit each."""
    held = 0
    for chunk in chunks:
        if chunk.read_from == stream:
            held |= (1 << chunk.stop) - (1 << chunk.first)
    return held


@cache
def doubled(chunks: tuple[Chunk, ...]) -> Chunk | None:
    """Return a chunk with a record that an earlier one holds."""
    for place, chunk in enumerate(chunks):
        bits = (1 << chunk.stop) - (1 << chunk.first)
        if bits & stored(chunks[:place], chunk.read_from):
            return chunk
    return None


@cache
def show_chunk(chunk: Chunk | None) -> str:
    """Return `[first-last]`, with a prime for each time that the topic was made anew."""
    if chunk is None:
        return "-"
    return f"[{chunk.first}-{chunk.stop - 1}]{chr(39) * chunk.stream}"


@cache
def show_position(position: Position | None) -> str:
    """Return what the group has committed."""
    if position is None:
        return "nothing"
    intent = "" if position.intent is None else f" with intent {show_chunk(position.intent)}"
    return f"{position.offset}{chr(39) * position.stream}{intent}"


def show_state(state: State) -> str:
    """Return a state as one line."""
    tables = "  ".join(
        f"{table.name.lower()}: {' '.join(map(show_chunk, state.rows[table])) or '-'}"
        for table in Table
    )
    return f"group: {show_position(state.group)}  {tables}"
