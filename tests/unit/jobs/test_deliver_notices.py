"""Delivery over fakes: hours of faults in moments."""

from __future__ import annotations

import asyncio
import random
from itertools import pairwise

import pytest

from inferometer.core.alerts.ledger import NoticeState, redelivery_request
from inferometer.core.alerts.notices import Notice, Status
from inferometer.core.alerts.receivers import Receiver
from inferometer.core.alerts.retries import SECOND_US, Attempt, AttemptKind
from inferometer.core.slo.definitions import Severity
from inferometer.errors import BrokerError
from inferometer.testing.notices import (
    DELIVERED,
    MemoryNoticeLedger,
    NotingSender,
    example_notice,
    example_resolve,
)
from tests.unit.jobs.delivery_world import MINUTE_US, START_US, World, notices_of


def test_what_is_accepted_is_in_the_ledger_before_it_is_acknowledged() -> None:
    async def run() -> None:
        world = World()
        await world.delivery.accept([example_notice()])
        assert list(world.ledger.stored) == [example_notice().notification_id]
        assert world.sender.sent == []

    asyncio.run(run())


def test_a_notice_is_delivered_and_has_its_row() -> None:
    async def run() -> World:
        world = World()
        await world.delivery.accept([example_notice()])
        await world.until_quiet()
        return world

    world = asyncio.run(run())
    states = [entry.state for entry in world.ledger.history]
    assert states == [NoticeState.PLANNED, NoticeState.INFLIGHT, NoticeState.DELIVERED]
    (row,) = world.log.rows
    assert (row.outcome, row.attempt, row.http_status, row.receiver) == (
        "delivered",
        1,
        200,
        "oncall",
    )
    assert row.format == "standard"


def test_what_is_not_sent_has_its_row_too() -> None:
    async def run() -> World:
        world = World()
        pair = [example_notice(receiver="quiet"), example_resolve(receiver="quiet")]
        await world.delivery.accept(pair)
        await world.until_quiet()
        return world

    rows = {row.transition: row for row in asyncio.run(run()).log.rows}
    assert (rows["resolved"].outcome, rows["resolved"].attempt) == ("dropped", 0)
    assert rows["resolved"].error == "the receiver wants no resolves"


def test_a_ledger_that_cannot_be_written_stops_the_delivery() -> None:
    async def run() -> NotingSender:
        world = World()
        world.ledger = MemoryNoticeLedger(fail_at=1)
        world.delivery = world.started()
        await world.delivery.accept([example_notice()])
        with pytest.raises(BrokerError):
            await world.turn()
        with pytest.raises(BrokerError):
            await world.delivery.run(asyncio.Event())
        return world.sender

    assert asyncio.run(run()).sent == []


FAULTS = [
    *[Attempt(kind=AttemptKind.ANSWERED, status=503)] * 10,
    *[Attempt(kind=AttemptKind.LOST)] * 5,
    *[Attempt(kind=AttemptKind.LOST)] * 2,
    *[Attempt(kind=AttemptKind.UNREACHED)] * 2,
    *[Attempt(kind=AttemptKind.ANSWERED, status=429, retry_after_s=20)] * 3,
]


class FaultyReceivers(NotingSender):
    """10 % answer 503, 5 % time out after they took it, and more; all are gone for half an hour."""

    def __init__(self, world: World, outage_us: tuple[int, int]) -> None:
        super().__init__()
        self.world, self.outage_us = world, outage_us
        self.chance = random.Random(7)
        self.tries: dict[str, list[tuple[int, Attempt]]] = {}
        self.arrived: list[Notice] = []

    async def send(self, receiver: Receiver, notice: Notice) -> Attempt:
        del receiver
        attempt = self._attempt()
        tries = self.tries.setdefault(notice.notification_id, [])
        tries.append((self.world.now_us, attempt))
        if attempt in (DELIVERED, Attempt(kind=AttemptKind.LOST)):
            self.arrived.append(notice)
        return attempt

    def _attempt(self) -> Attempt:
        if self.outage_us[0] <= self.world.now_us < self.outage_us[1]:
            return Attempt(kind=AttemptKind.UNREACHED)
        if self.outage_us[1] <= self.world.now_us < self.outage_us[1] + 2 * MINUTE_US:
            return DELIVERED
        roll = self.chance.randrange(100)
        return FAULTS[roll] if roll < len(FAULTS) else DELIVERED


def test_through_faults_and_an_outage_everything_arrives_in_order() -> None:
    """The faults of target T9, at one page a minute over three hours."""
    world = World()
    outage_us = (START_US + 60 * MINUTE_US, START_US + 90 * MINUTE_US)
    sender = world.sender = FaultyReceivers(world, outage_us)
    world.delivery = world.started()

    async def run() -> list[Notice]:
        given = []
        for second in range(0, 3 * 3600, 5):
            world.now_us = START_US + second * SECOND_US
            if second % 60 == 0:
                given.append(example_notice(receiver="chat", incident_id=f"i{second}"))
                await world.delivery.accept(given[-1:])
            # Open for an hour: longer than the outage, so that no pair is stale.
            if second >= 3600 and second % 60 == 0:
                over = f"i{second - 3600}"
                given.append(example_resolve(receiver="chat", incident_id=over))
                await world.delivery.accept(given[-1:])
            await world.turn()
        await world.until_quiet()
        return given

    given = asyncio.run(run())
    entries = world.delivery.entries()
    assert {entry.state for entry in entries} == {NoticeState.DELIVERED}
    assert {n.notification_id for n in given} == {n.notification_id for n in sender.arrived}
    _assert_firing_first(sender.arrived)
    late_us = [e.final_at_us for e in entries if e.planned_at_us < outage_us[1] <= e.final_at_us]
    assert len(late_us) >= 30
    assert max(late_us) - outage_us[1] <= MINUTE_US


def _assert_firing_first(arrived: list[Notice]) -> None:
    over: set[str] = set()
    for notice in arrived:
        if notice.status is Status.RESOLVED:
            over.add(notice.incident_id)
        assert notice.status is Status.RESOLVED or notice.incident_id not in over


def test_a_lone_page_is_tried_each_minute_of_an_outage_and_arrives_soon_after() -> None:
    world = World()
    outage_us = (START_US, START_US + 30 * MINUTE_US)
    sender = world.sender = FaultyReceivers(world, outage_us)
    sender.chance.randrange = lambda *_: 99  # type: ignore[method-assign]  # no other fault
    world.delivery = world.started()
    page = example_notice(receiver="chat")

    async def run() -> None:
        await world.delivery.accept([page])
        await world.until_quiet()

    asyncio.run(run())
    times = [at_us for at_us, _ in sender.tries[page.notification_id]]
    assert max(b - a for a, b in pairwise(times)) <= MINUTE_US
    assert times[-1] - outage_us[1] <= MINUTE_US


class SlowReceiver(NotingSender):
    """One receiver never answers; the others do."""

    async def send(self, receiver: Receiver, notice: Notice) -> Attempt:
        if receiver.name == "oncall":
            await asyncio.Event().wait()
        return await super().send(receiver, notice)


def test_a_receiver_that_hangs_delays_no_other() -> None:
    async def run() -> list[Notice]:
        world = World()
        world.sender = SlowReceiver()
        world.delivery = world.started()
        for at in range(50):
            await world.delivery.accept([example_notice(incident_id=f"i{at}")])
        await world.delivery.turn()
        await world.delivery.accept([example_notice(receiver="chat")])
        tasks = await world.delivery.turn()
        done, waiting = await asyncio.wait(tasks, timeout=60, return_when=asyncio.FIRST_COMPLETED)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        assert len(done) == 1
        return world.sender.sent

    assert [notice.receiver for notice in asyncio.run(run())] == ["chat"]


def test_running_delivers_what_arrives_and_stops_when_told() -> None:
    async def run() -> World:
        world = World()
        stop = asyncio.Event()
        running = asyncio.create_task(world.delivery.run(stop))
        await asyncio.sleep(0)
        await world.delivery.accept([n for n in notices_of(3) if n.status is Status.FIRING])
        await world.sender.was_called.wait()
        stop.set()
        await running
        return world

    assert {e.state for e in asyncio.run(run()).delivery.entries()} == {NoticeState.DELIVERED}


def test_dead_letters_are_listed_and_sent_again() -> None:
    async def run() -> World:
        world = World()
        refused = Attempt(kind=AttemptKind.ANSWERED, status=404, detail="answered 404")
        world.sender.answer = lambda _r, _n: refused
        ticket = example_notice(receiver="chat", severity=Severity.TICKET)
        await world.delivery.accept([ticket])
        await world.until_quiet()
        (letter,) = world.delivery.entries(NoticeState.DEAD)
        assert (letter.attempts, letter.reason) == (3, "answered 404")
        await world.restart()
        world.sender.answer = lambda _r, _n: DELIVERED
        await world.delivery.accept([redelivery_request(letter.notice, token="now")])
        await world.until_quiet()
        return world

    world = asyncio.run(run())
    assert world.delivery.entries(NoticeState.DEAD) == []
    assert len({notice.notification_id for notice in world.sender.sent}) == 1


def test_what_is_long_over_leaves_the_ledger() -> None:
    async def run() -> World:
        world = World()
        for notice in (example_notice(), example_resolve()):
            await world.delivery.accept([notice])
            await world.until_quiet()
        world.now_us += 8 * 24 * 60 * MINUTE_US
        assert await world.delivery.forget() == 2
        return world

    assert asyncio.run(run()).ledger.stored == {}
