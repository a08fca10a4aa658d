"""Delivery for whoever owns the notices: restores the ledger, sends, and ends with the ownership."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING

from inferometer.errors import PipelineError
from inferometer.jobs.deliver_notices import NoticeDelivery

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from inferometer.alert_ports import AttemptLog, NoticeLedger, NoticeSender
    from inferometer.core.alerts.notices import Notice
    from inferometer.core.alerts.receivers import Receiver

FORGET_EVERY_S = 3600.0

logger = logging.getLogger(__name__)


class OwnedDelivery:
    """A `Delivery`: each ownership begins with a restored book; all calls belong to one loop."""

    def __init__(
        self,
        *,
        receivers: Mapping[str, Receiver],
        ledger: NoticeLedger,
        log: AttemptLog,
        sender: NoticeSender,
        clock_us: Callable[[], int],
        forget_every_s: float = FORGET_EVERY_S,
    ) -> None:
        self._receivers = receivers
        self._ledger = ledger
        self._log = log
        self._sender = sender
        self._clock_us = clock_us
        self._forget_every_s = forget_every_s
        self._delivery: NoticeDelivery | None = None
        self._stopping = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def book(self) -> NoticeDelivery | None:
        """The delivery of the present ownership; None while another process delivers."""
        return self._delivery

    async def begin(self) -> None:
        """Restore the ledger and begin to send."""
        delivery = NoticeDelivery(
            receivers=self._receivers,
            ledger=self._ledger,
            log=self._log,
            sender=self._sender,
            clock_us=self._clock_us,
        )
        await delivery.restore()
        self._stopping = asyncio.Event()
        self._delivery = delivery
        self._tasks = [
            asyncio.create_task(delivery.run(self._stopping), name="deliver-notices"),
            asyncio.create_task(self._forget_now_and_then(delivery), name="forget-notices"),
        ]

    async def accept(self, notices: Sequence[Notice]) -> None:
        """Take notices; raises what has ended the sending, so that it begins anew."""
        delivery = self._delivery
        if delivery is None:
            raise RuntimeError("notices came before the delivery began")
        if self._tasks[0].done():
            self._tasks[0].result()
        # Those for receivers that are not configured become dead letters there.
        await delivery.accept(notices)

    async def end(self) -> None:
        """Stop sending; attempts under way end first."""
        self._stopping.set()
        tasks, self._tasks, self._delivery = self._tasks, [], None
        if len(tasks) > 1:
            tasks[1].cancel()
        for task in tasks:
            with contextlib.suppress(asyncio.CancelledError, PipelineError):
                await task

    async def _forget_now_and_then(self, delivery: NoticeDelivery) -> None:
        while True:
            await asyncio.sleep(self._forget_every_s)
            try:
                await delivery.forget()
            except PipelineError as error:
                logger.warning(
                    "notices that are long over stay in the ledger until the next try: %s",
                    error,
                    extra={"reason": "ledger_not_tidied"},
                )
