"""Delivery over fakes, with a clock that is moved by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inferometer.core.alerts.receivers import Receiver
from inferometer.core.alerts.retries import SECOND_US
from inferometer.jobs.deliver_notices import NoticeDelivery
from inferometer.testing.notices import (
    MemoryAttemptLog,
    MemoryNoticeLedger,
    NotingSender,
    example_notice,
    example_resolve,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inferometer.core.alerts.notices import Notice

START_US = 1_767_607_310_000_000
MINUTE_US = 60 * SECOND_US
RECEIVERS = {
    "oncall": Receiver(name="oncall", fallback="chat"),
    "chat": Receiver(name="chat"),
    "quiet": Receiver(name="quiet", sends_resolved=False),
}


class World:
    """A clock that is moved by hand, a ledger, and receivers that note what they get."""

    def __init__(self) -> None:
        self.now_us = START_US
        self.ledger = MemoryNoticeLedger()
        self.log = MemoryAttemptLog()
        self.sender = NotingSender()
        self.delivery = self.started()

    def started(self) -> NoticeDelivery:
        return NoticeDelivery(
            receivers=RECEIVERS,
            ledger=self.ledger,
            log=self.log,
            sender=self.sender,
            clock_us=lambda: self.now_us,
        )

    async def restart(self) -> None:
        self.delivery = self.started()
        await self.delivery.restore()

    async def turn(self) -> None:
        for task in await self.delivery.turn():
            await task

    async def until_quiet(self, *, limit: int = 2000) -> None:
        for _ in range(limit):
            await self.turn()
            due_us = self.delivery.next_due_us()
            if due_us is None:
                return
            self.now_us = max(self.now_us, due_us)
        raise AssertionError("it never becomes quiet")


def notices_of(incidents: int, receivers: Sequence[str] = tuple(RECEIVERS)) -> list[Notice]:
    return [
        notice
        for at in range(incidents)
        for name in receivers
        for notice in (
            example_notice(receiver=name, incident_id=f"i{at}"),
            example_resolve(receiver=name, incident_id=f"i{at}"),
        )
    ]
