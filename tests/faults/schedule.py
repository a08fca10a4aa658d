"""The seeded timetable of faults: what happens when, a pure function of seed and length.

Faults come in waves: those of one wave overlap, and before the next one begins the fleet has had the
time to be at work again. Faults that come faster than the recovery would meet nothing to disturb.
"""

from __future__ import annotations

import enum
import random
from dataclasses import dataclass, replace

from tests.faults.steps import RARE_STEPS, STEPS
from tests.faults.store_proxy import Spoil


class Kind(enum.StrEnum):
    """What is done."""

    KILL = "kill"
    """kill -9 of a worker, now."""
    STEP = "step"
    """The next worker that starts will kill itself at `detail`."""
    FREEZE = "freeze"
    """SIGSTOP of a worker for longer than the session, then SIGCONT."""
    LEAVE = "leave"
    """A worker stops in order, and comes back after a while."""
    JOIN = "join"
    """One worker more than usual, for a while."""
    BROKER = "broker"
    """kill -9 of the broker, and a start after a while."""
    STORE = "store"
    """kill -9 of the store, and a start after a while."""
    SPOIL = "spoil"
    """An insert is spoiled on its way, as `detail` says."""
    PRODUCER = "producer"
    """kill -9 of a producer, and a start after a while."""


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """One entry of the timetable."""

    wave: int
    at_s: float
    """After the wave began."""
    kind: Kind
    lasts_s: float = 0.0
    victim: int = 0
    detail: str = ""
    nth: int = 1


@dataclass(frozen=True, slots=True)
class Mix:
    """How many faults of each kind fall into a minute; each kind comes once at least."""

    kill: float = 3.0
    step: float = 4.0
    freeze: float = 0.6
    leave: float = 0.6
    join: float = 0.4
    broker: float = 0.6
    store: float = 0.6
    spoil: float = 3.0
    producer: float = 0.6
    steps: tuple[str, ...] = (*STEPS, *RARE_STEPS)
    """At which a worker kills itself."""

    def count(self, kind: Kind, minutes: float) -> int:
        """Return how often a kind comes in a run; zero only where it is switched off."""
        rate: float = getattr(self, kind.value)
        return max(1, round(rate * minutes)) if rate else 0


LONG = Mix()
SHORT = Mix(
    kill=4.0, step=11.0, freeze=0.8, leave=0.8, join=0.4, broker=0.8, store=1.2, spoil=5.0,
    producer=1.2,
)  # fmt: skip
"""Denser, so that the named steps and the kinds of spoiled inserts all come in a few minutes."""
KILLS_ONLY = Mix(
    kill=9.0, step=9.0, freeze=0, leave=0, join=0, broker=0, store=0, spoil=0, producer=0
)
HALF_STORED = Mix(
    kill=0, step=7.5, freeze=0, leave=0, join=0, broker=0, store=0, spoil=0, producer=0,
    steps=tuple(f"after:insert:{table}" for table in ("service_10s_rows", "service_1m_rows")),
)  # fmt: skip
"""Kills that leave a chunk with some of its roll-ups: made good by the protocol, and by no luck."""
CALM = Mix(kill=1.0, step=0, freeze=0, leave=0, join=0, broker=0, store=0, spoil=0, producer=0)
"""One kill a minute and nothing else: how long a recovery takes."""

WAVE_S, OVERLAP_S = 12.0, 4.0
"""Waves begin this far apart at least; the faults of one begin within the overlap."""

_LASTS_S: dict[Kind, tuple[float, float]] = {
    Kind.LEAVE: (1.0, 8.0), Kind.JOIN: (10.0, 20.0), Kind.BROKER: (0.2, 3.0),
    Kind.STORE: (0.2, 4.0), Kind.SPOIL: (1.0, 5.0), Kind.PRODUCER: (0.1, 2.0),
}  # fmt: skip


def timetable(seed: int, *, minutes: float, mix: Mix, session_timeout_s: float) -> list[Fault]:
    """Return the faults of a run in order of time."""
    draw = random.Random(seed)
    waves = max(1, round(minutes * 60.0 / WAVE_S))
    faults = []
    for kind in Kind:
        count = mix.count(kind, minutes)
        for place in range(count):
            low, high = _LASTS_S.get(kind, (0.0, 0.0))
            if kind is Kind.FREEZE:
                low, high = session_timeout_s + 1.0, session_timeout_s + 5.0
            faults.append(
                Fault(
                    # Spread over the run, each somewhere in its own share of it.
                    wave=int((place + draw.random()) / count * waves),
                    at_s=round(draw.uniform(0.0, OVERLAP_S), 3),
                    kind=kind,
                    lasts_s=round(draw.uniform(low, high), 3),
                    victim=draw.randrange(1 << 16),
                    nth=draw.choice((1, 1, 2, 3)),
                )
            )
    return sorted(_with_details(faults, draw, mix.steps))


def _with_details(faults: list[Fault], draw: random.Random, steps: tuple[str, ...]) -> list[Fault]:
    """Deal steps and ways to spoil in turn, so that none is left out before another comes again."""
    decks: dict[Kind, list[str]] = {Kind.STEP: [], Kind.SPOIL: []}
    whole: dict[Kind, tuple[str, ...]] = {
        Kind.STEP: steps,
        Kind.SPOIL: tuple(Spoil),
    }
    dealt = []
    for fault in faults:
        if fault.kind not in decks:
            dealt.append(fault)
            continue
        deck = decks[fault.kind]
        if not deck:
            deck.extend(draw.sample(whole[fault.kind], len(whole[fault.kind])))
        dealt.append(replace(fault, detail=deck.pop()))
    return dealt
