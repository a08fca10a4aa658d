"""A worker killed or frozen at each of its steps, and its heir: every record counts once."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from inferometer import names
from inferometer.core.price_book import PriceBook
from inferometer.jobs.process_chunk import ProcessChunk
from inferometer.jobs.sink_policy import SinkPolicy
from inferometer.kafka.commits import FENCED_CODES
from inferometer.testing.stores import MemoryChunkStore
from tests.unit.kafka.accounts import POISON, assert_exactly_once, event
from tests.unit.kafka.group import Fate, Group, Trap, TrappedStore, Worker, until

if TYPE_CHECKING:
    import pyarrow as pa

    from inferometer.ports import ChunkStore

NOW = datetime(2025, 11, 21, 1, 53, 20, tzinfo=UTC)
VALUES = [event("a"), POISON, event("b"), event("a"), event("c"), event("b"), event("d"), POISON]


def processor(store: ChunkStore, hours_later: int = 0) -> ProcessChunk:
    return ProcessChunk(
        store=store,
        book=PriceBook("test", ()),
        policy=SinkPolicy(),
        clock=lambda: NOW + timedelta(hours=hours_later),
    )


async def handed_over(
    trap: Trap,
    *,
    memory: MemoryChunkStore | None = None,
    is_lease_blind: bool = False,
    is_told: bool = False,
) -> MemoryChunkStore:
    """Let a worker step into a trap and another finish; then thaw the first, if it is frozen."""
    memory, group = memory or MemoryChunkStore(), Group(VALUES)
    first = Worker(
        "first", group, processor(TrappedStore(memory, trap)), trap,
        chunk_events=4, is_lease_blind=is_lease_blind,
    )  # fmt: skip
    # Another size of chunks: what is not pinned shows.
    second = Worker("second", group, processor(memory, 1), Trap(), chunk_events=3)
    try:
        await group.give_to(first)
        await until(lambda: trap.sprung.is_set() or first.has_finished)
        if is_told:
            await first.sink.drain()
        await group.give_to(second)
        await until(lambda: second.has_finished)
    finally:
        # Waits for whatever still runs.
        await first.stop()
        await second.stop()
    return memory


def steps_of_a_run() -> list[str]:
    """Return the steps of a worker that nothing happens to."""
    trap = Trap()
    asyncio.run(handed_over(trap))
    return trap.steps


def test_a_run_steps_through_the_whole_protocol() -> None:
    steps = steps_of_a_run()
    assert steps[:5] == ["progress", "commit 0", "seek", "confirm the topic", "commit 0"]
    inserts = [step.removeprefix("insert ") for step in steps if step.startswith("insert")]
    second = inserts.index(names.LEDGER_TABLE) + 1
    assert inserts[0] == inserts[second] == names.INTENTS_TABLE
    assert inserts[-1] == names.LEDGER_TABLE
    assert [step for step in steps if step.startswith("commit")] == [
        "commit 0", "commit 0", "commit 4", "commit 8",
    ]  # fmt: skip


@pytest.mark.parametrize("is_after", [False, True], ids=["before", "after"])
def test_a_worker_killed_at_any_step_leaves_nothing_lost_or_doubled(*, is_after: bool) -> None:
    for number, step in enumerate(steps_of_a_run()):
        trap = Trap(Fate.KILLED, number, is_after)
        memory = asyncio.run(handed_over(trap))
        assert trap.sprung.is_set()
        assert_exactly_once(memory, VALUES, f"step {number}, {step}")


@pytest.mark.parametrize("is_lease_blind", [False, True], ids=["lease", "no lease"])
@pytest.mark.parametrize("is_after", [False, True], ids=["before", "after"])
def test_a_worker_frozen_at_any_step_that_wakes_when_all_is_done_writes_nothing_twice(
    *, is_after: bool, is_lease_blind: bool
) -> None:
    for number, step in enumerate(steps_of_a_run()):
        trap = Trap(Fate.FROZEN, number, is_after)
        memory = asyncio.run(handed_over(trap, is_lease_blind=is_lease_blind))
        assert trap.sprung.is_set()
        where = f"step {number}, {step}"
        assert_exactly_once(memory, VALUES, where)
        if not is_lease_blind:
            assert not [late for late in trap.steps[number + 1 :] if "insert" in late], where


@pytest.mark.parametrize("is_after", [False, True], ids=["before", "after"])
def test_a_worker_that_is_told_to_go_at_any_step_leaves_nothing_lost_or_doubled(
    *, is_after: bool
) -> None:
    for number, step in enumerate(steps_of_a_run()):
        trap = Trap(Fate.FROZEN, number, is_after)
        memory = asyncio.run(handed_over(trap, is_lease_blind=True, is_told=True))
        assert_exactly_once(memory, VALUES, f"step {number}, {step}")
        late = trap.steps[number + 1 :]
        assert not [each for each in late if "insert" in each], f"step {number}: {late}"


@pytest.mark.parametrize("is_after", [False, True], ids=["before", "after"])
def test_a_worker_that_gets_its_partition_back_while_a_call_still_runs_waits_for_it(
    *, is_after: bool
) -> None:
    for number, step in enumerate(steps_of_a_run()):
        memory = asyncio.run(given_back(Trap(Fate.FROZEN, number, is_after)))
        assert_exactly_once(memory, VALUES, f"step {number}, {step}")


async def given_back(trap: Trap) -> MemoryChunkStore:
    memory, group = MemoryChunkStore(), Group(VALUES)
    worker = Worker("one", group, processor(TrappedStore(memory, trap)), trap, chunk_events=4)
    try:
        await group.give_to(worker)
        await until(trap.sprung.is_set)
        worker.place = None
        await group.give_to(worker)
        trap.thaw.set()
        await until(lambda: worker.has_finished)
    finally:
        await worker.stop()
    return memory


class ForgetfulStore(MemoryChunkStore):
    """A store whose tables have no window of tokens."""

    def insert(self, *, table: str, rows: pa.Table, token: str) -> None:
        super().insert(table=table, rows=rows, token=f"{token}/{len(self.blocks(table))}")


@pytest.mark.parametrize("fate", list(Fate))
def test_without_tokens_the_same_steps_double(fate: Fate) -> None:
    inserts = [n for n, step in enumerate(steps_of_a_run()) if step.startswith("insert req")]
    trap = Trap(fate, inserts[0], is_after=True)
    memory = asyncio.run(handed_over(trap, memory=ForgetfulStore(), is_lease_blind=True))
    with pytest.raises(AssertionError):
        assert_exactly_once(memory, VALUES)


@pytest.mark.parametrize("code", sorted(FENCED_CODES))
def test_a_commit_that_is_refused_with_any_fencing_code_drops_the_chunk(code: int) -> None:
    for number, step in enumerate(steps_of_a_run()):
        if step.startswith("commit"):
            memory = asyncio.run(fenced_at(number, code))
            assert_exactly_once(memory, VALUES, f"step {number}, {step}")


async def fenced_at(number: int, code: int) -> MemoryChunkStore:
    trap = Trap(Fate.FROZEN, number)
    memory, group = MemoryChunkStore(), Group(VALUES)
    group.fence_code = code
    first = Worker("first", group, processor(TrappedStore(memory, trap)), trap, chunk_events=4)
    second = Worker("second", group, processor(memory, 1), Trap(), chunk_events=3)
    try:
        await group.give_to(first)
        await until(trap.sprung.is_set)
        await group.give_to(second)
        # Refused while the heir is at work, not only after it.
        trap.thaw.set()
        await until(lambda: first.sink.counters.fenced)
        assert group.refusals == [code]
        await until(lambda: second.has_finished)
    finally:
        await first.stop()
        await second.stop()
    return memory
