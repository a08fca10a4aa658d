"""Crashes at every step of a delivery: nothing is lost, and only what was under way is repeated."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING

import pytest

from inferometer.core.alerts.notices import Notice, Status
from inferometer.errors import BrokerError
from inferometer.testing.notices import MemoryNoticeLedger, NotingSender
from tests.unit.jobs.delivery_world import World, notices_of

if TYPE_CHECKING:
    from inferometer.core.alerts.receivers import Receiver
    from inferometer.core.alerts.retries import Attempt


class Crash(BaseException):
    """The process is gone."""


class CrashingSender(NotingSender):
    """Dies at its n-th call, before or after the message has arrived."""

    def __init__(self, at: int, *, is_after: bool) -> None:
        super().__init__()
        self.at, self.is_after, self.calls = at, is_after, 0

    async def send(self, receiver: Receiver, notice: Notice) -> Attempt:
        is_now = self.calls == self.at
        self.calls += 1
        if is_now and not self.is_after:
            raise Crash
        attempt = await super().send(receiver, notice)
        if is_now:
            raise Crash
        return attempt


async def _crashed_and_replayed(world: World, notices: list[Notice], batch: int) -> None:
    """Feed input from a log with an offset that moves only after acceptance; restart on a crash."""
    offset = 0
    for _ in range(10_000):
        try:
            if offset < len(notices):
                await world.delivery.accept(notices[offset : offset + batch])
                offset += batch
            await world.turn()
        except (Crash, BrokerError):
            world.ledger._fail_at = None
            await asyncio.sleep(0)
            await world.restart()
            # The offset was not committed either: the last batch comes again.
            offset = max(0, offset - batch)
            continue
        due_us = world.delivery.next_due_us()
        if offset >= len(notices) and due_us is None:
            return
        world.now_us = max(world.now_us, due_us or 0)
    raise AssertionError("it never ends")


def _assert_each_once(world: World, notices: list[Notice], *, repeats: int) -> None:
    wanted = {n.notification_id for n in notices if n.receiver != "quiet"}
    wanted |= {n.notification_id for n in notices if n.status is Status.FIRING}
    sent = [notice.notification_id for notice in world.sender.sent]
    assert set(sent) == wanted
    assert len(sent) - len(wanted) <= repeats


@pytest.mark.parametrize("is_after", [False, True], ids=["before it arrives", "after"])
@pytest.mark.parametrize("at", range(10))
def test_a_crash_during_a_call_loses_nothing(at: int, *, is_after: bool) -> None:
    world = World()
    world.sender = CrashingSender(at, is_after=is_after)
    world.delivery = world.started()
    notices = notices_of(2)
    asyncio.run(_crashed_and_replayed(world, notices, batch=1))
    _assert_each_once(world, notices, repeats=1 if is_after else 0)


@pytest.mark.parametrize("is_applied", [False, True], ids=["lost", "applied"])
@pytest.mark.parametrize("at", range(40))
def test_a_crash_at_any_write_of_the_ledger_loses_nothing(at: int, *, is_applied: bool) -> None:
    world = World()
    world.ledger = MemoryNoticeLedger(fail_at=at, is_applied=is_applied)
    world.delivery = world.started()
    notices = notices_of(2)
    asyncio.run(_crashed_and_replayed(world, notices, batch=1))
    _assert_each_once(world, notices, repeats=1)


class DyingSender(NotingSender):
    """Dies at most of its calls, before or after the message has arrived."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.chance = random.Random(seed)
        self.before = self.after = 0

    async def send(self, receiver: Receiver, notice: Notice) -> Attempt:
        roll = self.chance.random()
        if roll < 0.4:
            self.before += 1
            raise Crash
        attempt = await super().send(receiver, notice)
        if roll > 0.7:
            self.after += 1
            raise Crash
        return attempt


def test_a_thousand_crashes_lose_nothing_and_repeat_only_what_was_under_way() -> None:
    crashes = 0
    for seed in range(45):
        world, notices = World(), notices_of(2)
        sender = world.sender = DyingSender(seed)
        world.delivery = world.started()
        asyncio.run(_crashed_and_replayed(world, notices, batch=1))
        _assert_each_once(world, notices, repeats=sender.after)
        crashes += sender.before + sender.after
    assert crashes >= 1000
