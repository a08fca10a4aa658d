"""Fakes of the ports that deliver notices, and an example of a notice."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from inferometer.core.alerts.ledger import decode_entry, encode_entry
from inferometer.core.alerts.notices import (
    BudgetFacts,
    ConditionFacts,
    Driver,
    Family,
    Notice,
    Status,
    Transition,
    WindowFacts,
)
from inferometer.core.alerts.retries import Attempt, AttemptKind
from inferometer.core.slo.definitions import Severity
from inferometer.errors import BrokerError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from inferometer.core.alerts.ledger import AttemptRecord, LedgerEntry
    from inferometer.core.alerts.receivers import Receiver
    from inferometer.core.alerts.trials import Heartbeat


class MemoryNoticeLedger:
    """A NoticeLedger that holds bytes, as a compacted topic would; write `fail_at`, from 0, fails.

    With `is_applied` the failing write is kept, as when only its acknowledgement is lost.
    """

    def __init__(self, *, fail_at: int | None = None, is_applied: bool = False) -> None:
        self.stored: dict[str, bytes] = {}
        self.history: list[LedgerEntry] = []
        """Every entry that was written, in order."""
        self._fail_at = fail_at
        self._is_applied = is_applied
        self._writes = 0

    async def entries(self) -> Sequence[LedgerEntry]:
        """See `NoticeLedger.entries`."""
        return [decode_entry(raw) for raw in self.stored.values()]

    async def write(self, entries: Iterable[LedgerEntry]) -> None:
        """See `NoticeLedger.write`."""
        is_failing = self._writes == self._fail_at
        self._writes += 1
        if not is_failing or self._is_applied:
            for entry in entries:
                self.stored[entry.notification_id] = encode_entry(entry)
                self.history.append(entry)
        if is_failing:
            raise BrokerError("the ledger is to fail here", retryable=True)

    async def remove(self, notification_ids: Iterable[str]) -> None:
        """See `NoticeLedger.remove`."""
        for id_ in notification_ids:
            self.stored.pop(id_, None)


class MemoryAttemptLog:
    """An AttemptLog that keeps its rows."""

    def __init__(self) -> None:
        self.rows: list[AttemptRecord] = []

    async def write(self, records: Iterable[AttemptRecord]) -> None:
        """See `AttemptLog.write`."""
        self.rows += records


DELIVERED = Attempt(kind=AttemptKind.ANSWERED, status=200)


class NotingSender:
    """A NoticeSender that notes what it was to send and answers as it is told."""

    def __init__(self, answer: Callable[[Receiver, Notice], Attempt] | None = None) -> None:
        self.answer = answer or (lambda _receiver, _notice: DELIVERED)
        self.sent: list[Notice] = []
        self.heartbeats: list[Heartbeat] = []
        self.was_called = asyncio.Event()

    async def send(self, receiver: Receiver, notice: Notice) -> Attempt:
        """See `NoticeSender.send`."""
        self.sent.append(notice)
        self.was_called.set()
        return self.answer(receiver, notice)

    async def send_heartbeat(self, receiver: Receiver, beat: Heartbeat) -> Attempt:
        """See `NoticeSender.send_heartbeat`."""
        del receiver
        self.heartbeats.append(beat)
        self.was_called.set()
        return DELIVERED


EXAMPLE = Notice(
    notification_id="msg_example1",
    receiver="oncall",
    family=Family.SLO,
    transition=Transition.FIRING,
    reason="first_notification",
    incident_id="q7cexampleincident00000000",
    seq=1,
    episode=1,
    severity=Severity.PAGE,
    status=Status.FIRING,
    fingerprint="9f86d081884c7d65",
    labels={
        "workspace": "acme",
        "service": "chat-api",
        "slo": "chat-success",
        "model": "m-large",
    },
    annotations={"owner": "team-inference"},
    starts_at_us=1_767_607_260_000_000,
    detected_at_us=1_767_607_310_000_000,
    budget=BudgetFacts(
        target=Decimal("0.999"), period_s=2_592_000, remaining=0.913, exhausts_in_s=216_000
    ),
    conditions=(
        ConditionFacts(
            rule="page-fast",
            severity=Severity.PAGE,
            is_true=True,
            threshold=14.4,
            long=WindowFacts(window_s=3600, burn=15.1, bad=151, total=10_021),
            short=WindowFacts(window_s=300, burn=181.0, bad=150, total=829),
            p_value=1e-12,
        ),
    ),
    drivers=(Driver(dimension="error_class", value="timeout", share=0.92),),
    links={"runbook": "https://runbooks.example/chat", "dashboard": "https://boards.example/chat"},
)


def example_notice(**changes: Any) -> Notice:
    """Return a notice with all its parts, changed where asked; its id follows what it says."""
    notice = replace(EXAMPLE, **changes)
    if "notification_id" in changes:
        return notice
    id_ = f"msg_{notice.receiver}_{notice.incident_id}_{notice.transition}_{notice.seq}"
    return replace(notice, notification_id=id_.replace(".", "_"))


def example_resolve(**changes: Any) -> Notice:
    """Return the resolve of the example, changed where asked."""
    fixed = {
        "transition": Transition.RESOLVED,
        "status": Status.RESOLVED,
        "reason": "condition_cleared",
        "seq": 2,
        "condition_cleared_at_us": EXAMPLE.starts_at_us + 600_000_000,
        "resolved_at_us": EXAMPLE.starts_at_us + 900_000_000,
    }
    return example_notice(**(fixed | changes))
