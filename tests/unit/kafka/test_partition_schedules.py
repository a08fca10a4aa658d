"""Workers that come, die, freeze and wake by chance, over a store that fails by chance."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from inferometer.core.price_book import PriceBook
from inferometer.jobs.process_chunk import ProcessChunk
from inferometer.jobs.sink_policy import SinkPolicy
from inferometer.testing.failing import FailingChunkStore
from inferometer.testing.stores import MemoryChunkStore
from tests.unit.kafka.accounts import POISON, assert_exactly_once, event
from tests.unit.kafka.group import Fate, Group, Trap, TrappedStore, Worker, until

NOW = datetime(2025, 11, 21, 1, 53, 20, tzinfo=UTC)
EXAMPLES = 60


@dataclass(frozen=True)
class Shift:
    """One worker's time as the owner."""

    fate: Fate
    at_step: int
    is_after: bool
    chunk_events: int
    store_fails_at: int
    is_answer_lost: bool
    is_told: bool
    """Whether it hears that it is the owner no more."""


shifts = st.builds(
    Shift,
    fate=st.sampled_from(Fate),
    at_step=st.integers(0, 40),
    is_after=st.booleans(),
    chunk_events=st.integers(1, 5),
    store_fails_at=st.integers(0, 60),
    is_answer_lost=st.booleans(),
    is_told=st.booleans(),
)
values = st.lists(
    st.one_of(st.just(POISON), st.sampled_from("abcdefgh").map(event)), min_size=1, max_size=12
)


async def lived_through(
    sent: list[bytes], schedule: list[Shift], expires_after: int | None
) -> MemoryChunkStore:
    """Let one worker follow another; the frozen ones wake when the last one has finished."""
    memory, group = MemoryChunkStore(), Group(sent)
    workers: list[Worker] = []
    try:
        for number, shift in enumerate(schedule):
            worker = hired(f"worker {number}", shift, group, memory, hour=number)
            workers.append(worker)
            await group.give_to(worker)
            await until(lambda: worker.trap.sprung.is_set() or worker.has_finished)  # noqa: B023
            if number == expires_after:
                group.committed = None
            if shift.is_told:
                await worker.sink.drain()
        calm = Shift(Fate.KILLED, -1, False, 3, -1, False, False)
        last = hired("the last", calm, group, memory, hour=len(schedule))
        workers.append(last)
        await group.give_to(last)
        await until(lambda: last.has_finished)
    finally:
        for worker in workers:
            await worker.stop()
    return memory


def hired(name: str, shift: Shift, group: Group, memory: MemoryChunkStore, hour: int) -> Worker:
    trap = Trap(shift.fate, shift.at_step, shift.is_after)
    failing = FailingChunkStore(
        memory, fail_at=shift.store_fails_at, is_applied=shift.is_answer_lost
    )
    job = ProcessChunk(
        store=TrappedStore(failing, trap),
        book=PriceBook("test", ()),
        policy=SinkPolicy(),
        clock=lambda: NOW + timedelta(hours=hour),
    )
    return Worker(name, group, job, trap, chunk_events=shift.chunk_events)


@settings(max_examples=EXAMPLES)
@given(
    sent=values,
    schedule=st.lists(shifts, max_size=4),
    expires_after=st.none() | st.integers(0, 3),
)
def test_whatever_happens_every_event_counts_once(
    sent: list[bytes], schedule: list[Shift], expires_after: int | None
) -> None:
    memory = asyncio.run(lived_through(sent, schedule, expires_after))
    assert_exactly_once(memory, sent)
