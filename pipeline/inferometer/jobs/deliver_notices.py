"""Delivers notices: into the ledger, out to receivers, again until they arrive or are given up."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from inferometer.core.alerts.delivery_book import DeliveryBook
from inferometer.core.alerts.ledger import attempt_record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from inferometer.alert_ports import AttemptLog, NoticeLedger, NoticeSender
    from inferometer.core.alerts.ledger import AttemptRecord, LedgerEntry, NoticeState
    from inferometer.core.alerts.notices import Notice
    from inferometer.core.alerts.receivers import Receiver

SECOND_US = 1_000_000
LONGEST_REST_S = 5.0
SHORTEST_REST_S = 0.01
"""Many attempts that end together are answered by one turn."""


class NoticeDelivery:
    """Delivers notices; each receiver by itself, each incident in order.

    The ledger is written before what it says is done. So after a crash at any instant every notice
    is sent, under its own id; only one that was under way then may arrive twice.
    All methods belong to one event loop.
    """

    def __init__(
        self,
        *,
        receivers: Mapping[str, Receiver],
        ledger: NoticeLedger,
        log: AttemptLog,
        sender: NoticeSender,
        clock_us: Callable[[], int],
        at_once_per_receiver: int = 8,
        keep_days: int = 7,
    ) -> None:
        self._receivers = receivers
        self._book = DeliveryBook(
            receivers=receivers, at_once=at_once_per_receiver, keep_days=keep_days
        )
        self._ledger = ledger
        self._log = log
        self._sender = sender
        self._clock_us = clock_us
        self._tasks: set[asyncio.Task[None]] = set()
        self._wake = asyncio.Event()
        self._failure: BaseException | None = None

    async def restore(self) -> None:
        """Read the ledger; once, before anything else. Raises BrokerError, StateError."""
        self._book.restore(await self._ledger.entries(), now_us=self._clock_us())

    async def accept(self, notices: Iterable[Notice]) -> None:
        """Take notices; once it returns they are in the ledger, and their input may be committed.

        Those that are known are left alone, so input may be repeated; but a request of
        `redelivery_request` is met, once. Raises BrokerError.
        """
        await self._conclude(self._book.plan(notices, now_us=self._clock_us()))
        self._wake.set()

    def entries(self, *states: NoticeState) -> list[LedgerEntry]:
        """Return the entries in these states, or all, oldest first."""
        return self._book.entries(*states)

    def next_due_us(self) -> int | None:
        """Return when something may be started next; None if nothing waits."""
        return self._book.next_due_us()

    async def forget(self) -> int:
        """Drop from the ledger what has been over for long; returns how many entries.

        Raises BrokerError; another call drops them then.
        """
        now_us = self._clock_us()
        await self._ledger.remove(self._book.outdated(now_us=now_us))
        return len(self._book.forget(now_us=now_us))

    async def run(self, stop: asyncio.Event) -> None:
        """Deliver until told to stop, then let the attempts under way end.

        Raises the BrokerError of a ledger that could not be written: without it nothing is sent.
        """
        stopping = asyncio.create_task(self._wake_when(stop))
        try:
            while not stop.is_set():
                await self.turn()
                await self._rest()
        finally:
            stopping.cancel()
            await asyncio.gather(stopping, *self._tasks, return_exceptions=True)
        self._raise_failure()

    async def turn(self) -> set[asyncio.Task[None]]:
        """Write off what is stale, start every attempt that is due, return those under way."""
        self._raise_failure()
        now_us = self._clock_us()
        await self._conclude(self._book.settle(now_us=now_us))
        for entry in self._book.start(now_us=now_us):
            task = asyncio.create_task(self._attempt(entry))
            self._tasks.add(task)
            task.add_done_callback(self._note_end)
        return set(self._tasks)

    async def _attempt(self, entry: LedgerEntry) -> None:
        # 1. The ledger says that it is under way: a crash from here on sends it again, same id.
        await self._write([entry])
        # 2. The message goes out. A crash here is the only one that can make it arrive twice.
        receiver = self._receivers[entry.notice.receiver]
        attempt = await self._sender.send(receiver, entry.notice)
        # 3. History and ledger say how it ended: a crash after this changes nothing.
        now_us = self._clock_us()
        await self._conclude(self._book.finish(entry.notification_id, attempt, now_us=now_us))

    async def _conclude(self, entries: list[LedgerEntry]) -> None:
        """Write entries, and before them the rows of what they decide, which may come twice."""
        decided = [e for e in entries if e.state.is_final or e.last_kind is not None]
        try:
            await self._log.write([self._row(entry) for entry in decided])
        except BaseException as error:
            self._failure = self._failure or error
            raise
        await self._write(entries)

    def _row(self, entry: LedgerEntry) -> AttemptRecord:
        receiver = self._receivers.get(entry.notice.receiver)
        return attempt_record(entry, format_name=str(receiver.format) if receiver else "")

    async def _write(self, entries: list[LedgerEntry]) -> None:
        if not entries:
            return
        try:
            await self._ledger.write(entries)
        except BaseException as error:
            # The book is ahead of the ledger now: only a restore may go on.
            self._failure = self._failure or error
            raise

    def _note_end(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            self._failure = self._failure or task.exception()
        self._wake.set()

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure

    async def _rest(self) -> None:
        due_us = self._book.next_due_us()
        rest_s = LONGEST_REST_S
        if due_us is not None:
            rest_s = min(rest_s, (due_us - self._clock_us()) / SECOND_US)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(rest_s, SHORTEST_REST_S)):
                await self._wake.wait()
                self._wake.clear()
                await asyncio.sleep(SHORTEST_REST_S)

    async def _wake_when(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self._wake.set()
