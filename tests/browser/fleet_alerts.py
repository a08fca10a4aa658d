"""What alerts say of the seeded fleet: the jobs of `inferometer alerts` over its records.

Nothing is written by hand: counts, evaluation, delivery and history are the product's, over topics
in memory, at the clock of the records' arrival.
"""

from __future__ import annotations

import asyncio
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from inferometer.config.loading import load
from inferometer.core.alerts.instant_texts import instant_text
from inferometer.core.alerts.mute_json import maintenance_from, silence_from
from inferometer.core.alerts.retries import Attempt, AttemptKind
from inferometer.core.chunks import Chunk, StreamPartition
from inferometer.core.records import RecordColumns
from inferometer.core.resumption import GroupPosition
from inferometer.core.slo.counting_plan import CountingPlan
from inferometer.jobs.count_slos import CountPolicy, CountSlos
from inferometer.jobs.count_sources import RequestSource
from inferometer.jobs.deliver_notices import NoticeDelivery
from inferometer.jobs.evaluate_alerts import EvaluateAlerts
from inferometer.names import REQUESTS_TOPIC
from inferometer.runtime.alert_desk import AlertSources, RunningDesk, RunningStatus
from inferometer.runtime.alert_setup import load_setup
from inferometer.runtime.alert_status import status_rows
from inferometer.runtime.objective_facts import DeclaredObjectives
from inferometer.testing.alerts import (
    MemoryAlertOutput,
    MemoryCounts,
    MemorySnapshots,
    MemorySourceLog,
)
from inferometer.testing.leases import CertainLease
from inferometer.testing.notices import (
    DELIVERED,
    MemoryAttemptLog,
    MemoryNoticeLedger,
    NotingSender,
)
from inferometer.testing.silences import MemorySilenceStore
from tests.browser.data_set import DAY_US, HOUR_US

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from inferometer.core.alerts.history import TransitionRecord
    from inferometer.core.alerts.ledger import AttemptRecord
    from inferometer.core.alerts.mute_book import Entry
    from inferometer.core.alerts.notices import Notice
    from inferometer.core.alerts.receivers import Receiver
    from inferometer.core.price_book import PriceBook
    from tests.browser.data_set import DataSet, Sent

FOLDER = Path(__file__).parent
SECOND_US = 1_000_000
STEP_US = 30 * SECOND_US
"""Records are counted in steps of their arrival: so soon after an event it can be told."""
SOURCE = StreamPartition(REQUESTS_TOPIC, 0, "seeded")
COUNTS = StreamPartition("inference.slo_counts", 0, "seeded-counts")
SECRETS = {"HOOK_SECRET": "whsec_c2NyZWVuc2hvdHMtc2NyZWVuc2hvdHMhIQ=="}


def mutes_of(data_set: DataSet) -> list[Entry]:
    """Return what is planned and silenced in the fleet, with one silence that is over."""
    begin_us, hour_us = data_set.end_us - DAY_US, HOUR_US

    def mute(**said: Any) -> dict[str, Any]:
        matchers = {"workspace": "acme", **said.pop("matchers")}
        return {
            "matchers": [{"name": name, "value": value} for name, value in matchers.items()],
            "startsAt": instant_text(begin_us + said.pop("from_h") * hour_us),
            "endsAt": instant_text(begin_us + said.pop("to_h") * hour_us),
            **said,
        }

    drivers = mute(id="new-drivers", matchers={"slo": "image-e2e"}, from_h=0, to_h=30,
                   createdBy="ada", comment="new drivers on the image nodes, INF-214")  # fmt: skip
    failover = mute(id="failover", matchers={"slo": "speech-success"}, from_h=6, to_h=8,
                    createdBy="grace", comment="failover test")  # fmt: skip
    weekly = mute(matchers={"service": "search"}, from_h=-72, to_h=24 * 30, effect="both",
                  createdBy="ole", reason="index is rebuilt",
                  time_intervals=[{"weekdays": ["sunday"], "location": "Europe/Berlin",
                                   "times": [{"start_time": "02:00", "end_time": "04:00"}]}])  # fmt: skip
    return [
        silence_from(drivers, now_us=begin_us),
        silence_from(failover, now_us=begin_us),
        maintenance_from(weekly, now_us=begin_us, new_id="index-rebuild"),
    ]


class FleetAlerts:
    """Counter, evaluator and notifier; give it the records in the order of their arrival.

    Enter it first: what is told goes out on a loop of its own, since Playwright holds that of the
    thread that it is used in.
    """

    def __init__(self, book: PriceBook, begin_us: int, mutes: Sequence[Entry]) -> None:
        """Begin at an instant, with silences and maintenance windows that are known from it on."""
        self._now_us = begin_us
        paths = {"slo_path": "fleet_slos.yaml", "receivers_file": "fleet_receivers.yaml"}
        flags = {f"alerts.{name}": str(FOLDER / file) for name, file in paths.items()}
        self._setup = load_setup(load({}, flags=flags), SECRETS)
        self._silences = MemorySilenceStore(mutes)
        self._counts, self._told = MemoryCounts(), MemoryAlertOutput()
        self._counter = self._new_counter(book)
        self._evaluator = self._new_evaluator()
        self._attempts = MemoryAttemptLog()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="fleet-alerts")
        self._delivery = NoticeDelivery(
            receivers=self._setup.receivers.receivers,
            ledger=MemoryNoticeLedger(),
            log=self._attempts,
            sender=NotingSender(self._answer),
            clock_us=lambda: self._now_us,
        )
        self._refused: set[str] = set()
        self._next_offset = self._read = 0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def sources(self) -> AlertSources:
        """Return whom the query API asks about these alerts."""
        return AlertSources(
            status=RunningStatus(self._status),
            desk=RunningDesk(lambda: (self._silences, self._loop)),
            objectives=DeclaredObjectives(self._setup),
        )

    def take(self, sent: Sequence[Sent]) -> None:
        """Count records, evaluate the ticks that they complete, and tell what came of them."""
        for step in _steps(sent):
            self._now_us = step[-1].arrival_us
            self._count([one.value for one in step])
            self._evaluate()
            asyncio.run_coroutine_threadsafe(self._deliver(), self._loop).result()

    def told(self) -> tuple[list[TransitionRecord], list[AttemptRecord]]:
        """Return what happened, and every attempt to tell somebody, since the last call."""
        found = [*self._told.transitions], [*self._attempts.rows]
        self._told.transitions.clear()
        self._attempts.rows.clear()
        return found

    def _clock(self) -> datetime:
        return datetime.fromtimestamp(self._now_us / SECOND_US, UTC)

    def _new_counter(self, book: PriceBook) -> CountSlos:
        plan = CountingPlan(
            slos=self._setup.declared.slos,
            targets=1,
            book=book,
            measures=self._setup.measures(),
            gauges=(),
        )
        counter = CountSlos(
            plan=plan,
            source=RequestSource(),
            output=self._counts,
            log=MemorySourceLog(),
            policy=CountPolicy(),
            clock=self._clock,
        )
        counter.assigned(SOURCE, GroupPosition(0, None, earliest=0), 1)
        return counter

    def _new_evaluator(self) -> EvaluateAlerts:
        evaluator = EvaluateAlerts(
            topics=(REQUESTS_TOPIC,),
            lanes=self._setup.lanes,
            new_alerts=self._setup.alerts,
            output=self._told,
            snapshots=MemorySnapshots(),
            mutes=self._silences.book,
            intervals=self._setup.receivers.intervals,
            clock=self._clock,
            monotonic=lambda: self._now_us / SECOND_US,
        )
        evaluator.assigned(COUNTS, GroupPosition(0, None, earliest=0), 1)
        return evaluator

    def _count(self, values: list[bytes]) -> None:
        records = RecordColumns.from_values(
            values,
            content_types=[0] * len(values),
            first_offset=self._next_offset,
            append_time_ms=self._now_us // 1000,
        )
        self._counter.run(
            Chunk(SOURCE, self._counter.plan(SOURCE, records), records), CertainLease()
        )
        self._next_offset += len(values)

    def _evaluate(self) -> None:
        (counted,) = self._counts.partitions
        records = RecordColumns.from_values(counted[self._read :], first_offset=self._read)
        self._evaluator.run(
            Chunk(COUNTS, self._evaluator.plan(COUNTS, records), records), CertainLease()
        )
        self._read = len(counted)

    async def _deliver(self) -> None:
        await self._delivery.accept(self._told.notices)
        self._told.notices.clear()
        while (due_us := self._delivery.next_due_us()) is not None:
            self._now_us = max(self._now_us, due_us)
            if under_way := await self._delivery.turn():
                await asyncio.wait(under_way)

    def _answer(self, receiver: Receiver, notice: Notice) -> Attempt:
        """Let whatever the one who is paged is told come through at the second try."""
        self._now_us += SECOND_US // 5
        is_first = notice.notification_id not in self._refused
        self._refused.add(notice.notification_id)
        if is_first and receiver.name == "oncall":
            return Attempt(kind=AttemptKind.ANSWERED, status=503)
        return DELIVERED

    def _status(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = []
        for board, lock in self._evaluator.boards().values():
            with lock:
                rows += status_rows(board)
        return rows


def _steps(sent: Sequence[Sent]) -> Iterator[list[Sent]]:
    step: list[Sent] = []
    for one in sent:
        if step and one.arrival_us >= step[0].arrival_us + STEP_US:
            yield step
            step = []
        step.append(one)
    if step:
        yield step
