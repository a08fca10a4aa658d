"""Delivery by whoever owns the notices, over fakes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from inferometer.core.alerts.receivers import Receiver
from inferometer.errors import BrokerError
from inferometer.jobs.deliver_notices import NoticeDelivery
from inferometer.runtime.alert_delivery import OwnedDelivery
from inferometer.testing.notices import (
    MemoryAttemptLog,
    MemoryNoticeLedger,
    NotingSender,
    example_notice,
    example_resolve,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

NOW_US = 1_767_607_310_000_000
EIGHT_DAYS_US = 8 * 86_400_000_000
RECEIVERS = {"oncall": Receiver(name="oncall")}


class AwayLedger(MemoryNoticeLedger):
    """Its broker answers an error to the first removal."""

    def __init__(self) -> None:
        super().__init__()
        self.removals = 0
        self.is_tidy = asyncio.Event()

    async def remove(self, notification_ids: Iterable[str]) -> None:
        """See `NoticeLedger.remove`."""
        self.removals += 1
        if self.removals == 1:
            raise BrokerError("no leader just now", retryable=True)
        await super().remove(notification_ids)
        self.is_tidy.set()


async def deliver(ledger: MemoryNoticeLedger) -> None:
    """Deliver one incident, its end too."""
    delivery = NoticeDelivery(
        receivers=RECEIVERS,
        ledger=ledger,
        log=MemoryAttemptLog(),
        sender=NotingSender(),
        clock_us=lambda: NOW_US,
    )
    for notice in (example_notice(), example_resolve()):
        await delivery.accept([notice])
        for attempt in await delivery.turn():
            await attempt


def test_an_error_of_the_broker_does_not_end_the_tidying_of_the_ledger() -> None:
    async def run() -> AwayLedger:
        ledger = AwayLedger()
        await deliver(ledger)
        assert len(ledger.stored) == 2
        owned = OwnedDelivery(
            receivers=RECEIVERS,
            ledger=ledger,
            log=MemoryAttemptLog(),
            sender=NotingSender(),
            clock_us=lambda: NOW_US + EIGHT_DAYS_US,
            forget_every_s=0.001,
        )
        await owned.begin()
        try:
            async with asyncio.timeout(10):
                await ledger.is_tidy.wait()
        finally:
            await owned.end()
        return ledger

    ledger = asyncio.run(run())
    assert ledger.removals > 1
    assert ledger.stored == {}
