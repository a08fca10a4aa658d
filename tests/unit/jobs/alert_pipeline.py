"""Counter and evaluator over topics in memory: a day of requests through both, cut at will."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np

from inferometer.core.alerts.engine import Alerts
from inferometer.core.alerts.mute_book import MuteBook
from inferometer.core.alerts.routing import NO_INTERVALS, Route
from inferometer.core.alerts.subjects import Definition
from inferometer.core.chunks import Chunk, StreamPartition
from inferometer.core.price_book import PriceBook
from inferometer.core.records import RecordColumns
from inferometer.core.resumption import GroupPosition
from inferometer.core.slo.count_records import target_of
from inferometer.core.slo.counting_plan import CountingPlan
from inferometer.core.slo.definitions import (
    HOUR_S,
    MINUTE_S,
    Availability,
    BurnWindow,
    Severity,
    Slo,
)
from inferometer.core.slo.slo_lane import SloLane
from inferometer.jobs.count_slos import CountPolicy, CountSlos
from inferometer.jobs.count_sources import RequestSource
from inferometer.jobs.evaluate_alerts import EvaluateAlerts, EvaluationPolicy
from inferometer.testing.alerts import (
    MemoryAlertOutput,
    MemoryCounts,
    MemorySnapshots,
    MemorySourceLog,
)
from inferometer.testing.leases import CertainLease

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from inferometer.core.slo.counting import MeasureCount
    from inferometer.jobs.count_sources import CountSource
    from inferometer.ports import Lease

TOPIC = "inference.requests"
SIGNALS = "inference.signals"
COUNTS = "inference.slo_counts"
START_S = 1_767_225_600
"""2026-01-01T00:00:00Z."""

WINDOWS = (
    BurnWindow(name="page-fast", severity=Severity.PAGE, long_s=HOUR_S, short_s=5 * MINUTE_S,
               budget_share=Decimal("0.02"), significance=1e-3),
)  # fmt: skip


def chat_slo(**changes: Any) -> Slo:
    given = {
        "name": "chat-success", "workspace": "acme", "service": "chat", "group_by": ("model",),
        "indicator": Availability(), "objective": Decimal("0.999"), "burn_windows": WINDOWS,
        "min_distinct_principals": 1, **changes,
    }  # fmt: skip
    return Slo(**given)


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it comes: when it ended, when it was appended, how it went."""

    event_id: str
    ts_end_us: int
    appended_us: int
    status: int
    model: str = "m"
    caller: str = ""
    node: str = ""

    def value(self) -> bytes:
        return json.dumps(
            {"event_id": self.event_id, "request_id": self.event_id, "model": self.model,
             "workspace_id": "acme", "status_code": self.status, "ts_end": self.ts_end_us,
             "user_id": self.caller, "node_id": self.node}
        ).encode()  # fmt: skip


def signal_of(request: Request) -> bytes:
    """The signal that a request sends which hangs instead of ending."""
    return json.dumps(
        {"event_id": f"s-{request.event_id}", "request_id": request.event_id, "deadline": "e2e",
         "deadline_ms": 1000.0, "ts": request.ts_end_us, "model": request.model,
         "workspace_id": "acme"}
    ).encode()  # fmt: skip


def incident_trace(
    *, minutes: int = 60, incident: tuple[int, int] = (20, 35), every_s: int = 5
) -> list[Request]:
    """One request each few seconds and model; all of model m fail during the incident."""
    found = []
    for second in range(0, minutes * 60, every_s):
        ended_us = (START_S + second) * 1_000_000 + 1
        fails = incident[0] * 60 <= second < incident[1] * 60
        for model in ("m", "n"):
            status = 500 if fails and model == "m" else 200
            event_id = f"{model}{second}"
            found.append(Request(event_id, ended_us, ended_us, status, model, f"user-{second % 7}"))
    return found


def node_trace(*, minutes: int = 28, incident: tuple[int, int] = (16, 19)) -> list[Request]:
    """Two requests a second, over two models and four nodes; those of n3 fail during the incident,
    others seldom."""
    found = []
    for number in range(minutes * 120):
        ended_us = START_S * 1_000_000 + number * 500_000 + 1
        node, model, user = f"n{number % 4}", "mn"[number // 4 % 2], f"user-{number % 9}"
        fails = incident[0] * 120 <= number < incident[1] * 120
        status = 503 if fails and (node == "n3" or number % 17 == 0) else 200
        found.append(Request(f"e{number}", ended_us, ended_us, status, model, user, node))
    return found


def shuffled(requests: Sequence[Request], seed: int, by_s: float = 20.0) -> list[Request]:
    """Return requests in an order in which each comes up to `by_s` late."""
    chance = random.Random(seed)
    delays = {r.event_id: chance.uniform(0, by_s) * 1e6 for r in requests}
    moved = sorted(requests, key=lambda r: r.ts_end_us + delays[r.event_id])
    return [
        Request(r.event_id, r.ts_end_us, int(r.ts_end_us + delays[r.event_id]), r.status, r.model,
                r.caller, r.node)
        for r in moved
    ]  # fmt: skip


@dataclass
class Pipeline:
    """Counter and evaluator; feed it, then ask for what was told."""

    slos: tuple[Slo, ...] = (chat_slo(),)
    source_partitions: int = 1
    targets: int = 1
    topics: tuple[str, ...] = (TOPIC,)
    stream_id: str = "run-1"
    output: MemoryAlertOutput = field(default_factory=MemoryAlertOutput)
    snapshots: MemorySnapshots = field(default_factory=MemorySnapshots)
    mutes: MuteBook = field(default_factory=MuteBook)
    policy: EvaluationPolicy = field(default_factory=EvaluationPolicy)
    gauges: dict[str, float] = field(default_factory=dict)
    sampled: tuple[MeasureCount, ...] = ()
    lease: Lease = field(default_factory=CertainLease)
    """Of the evaluator."""

    def __post_init__(self) -> None:
        self.counts = MemoryCounts(self.targets)
        self.log = MemorySourceLog()
        self.now_us = START_S * 1_000_000
        self.jumped_us = 0
        """How far the clock was set forward, or back; time itself goes on as before."""
        self.read = [0] * self.targets
        self.next_offsets = [0] * self.source_partitions
        self.counter = self.new_counter()
        self.evaluator = self.new_evaluator()

    def clock(self) -> datetime:
        return datetime.fromtimestamp((self.now_us + self.jumped_us) / 1e6, tz=UTC)

    def source(self, partition: int, topic: str = TOPIC) -> StreamPartition:
        return StreamPartition(topic, partition, self.stream_id)

    def definitions(self) -> list[Definition]:
        return [Definition.of_slo(slo) for slo in self.slos]

    def new_counter(self, source: CountSource | None = None, topic: str = TOPIC) -> CountSlos:
        job = CountSlos(
            plan=CountingPlan(
                slos=self.slos,
                targets=self.targets,
                book=PriceBook("test", ()),
                gauges=self.sampled,
            ),
            source=source or RequestSource(),
            output=self.counts,
            log=self.log if topic == TOPIC else MemorySourceLog(),
            policy=CountPolicy(),
            clock=self.clock,
        )
        for partition, offset in enumerate(self.next_offsets):
            position = GroupPosition(offset, None, earliest=0)
            job.assigned(self.source(partition, topic), position, self.source_partitions)
        return job

    def lanes(self, partition: int, count: int) -> dict[str, Any]:
        lanes = [SloLane(slo) for slo in self.slos
                 if target_of(slo.workspace, slo.service, count) == partition]  # fmt: skip
        return {lane.name: lane for lane in lanes}

    def new_evaluator(self) -> EvaluateAlerts:
        job = EvaluateAlerts(
            topics=self.topics,
            lanes=self.lanes,
            new_alerts=lambda state: Alerts(
                self.definitions(),
                routes=Route(receiver="oncall"),
                state=state,
            ),
            output=self.output,
            snapshots=self.snapshots,
            mutes=lambda: self.mutes,
            intervals=NO_INTERVALS,
            clock=self.clock,
            monotonic=lambda: self.now_us / 1e6,
            gauges=lambda: self.gauges,
            policy=self.policy,
        )
        for target in range(self.targets):
            source = StreamPartition(COUNTS, target, "counts-1")
            found = job.assigned(source, GroupPosition(None, None, earliest=0), self.targets)
            self.read[target] = found.offset
        return job

    def count(self, requests: Sequence[Request], partition: int = 0) -> None:
        """Count one chunk."""
        self.now_us = max([self.now_us, *(r.appended_us for r in requests)])
        records = chunk_records(requests, self.next_offsets[partition])
        self.log.put(partition, records)
        source = self.source(partition)
        intent = self.counter.plan(source, records)
        self.counter.run(Chunk(source, intent, records), CertainLease())
        self.next_offsets[partition] += len(requests)

    def evaluate(self) -> None:
        """Let the evaluator read what has been counted."""
        for target, values in enumerate(self.counts.partitions):
            fresh = values[self.read[target] :]
            if not fresh:
                continue
            records = RecordColumns.from_values(fresh, first_offset=self.read[target])
            source = StreamPartition(COUNTS, target, "counts-1")
            chunk = Chunk(source, self.evaluator.plan(source, records), records)
            self.evaluator.run(chunk, self.lease)
            self.read[target] += len(fresh)

    def feed(self, requests: Sequence[Request], *, chunk: int = 50) -> None:
        """Send requests to their partitions and let both jobs work, a chunk at a time."""
        for part in pieces(requests, chunk):
            for partition in range(self.source_partitions):
                mine = [r for r in part if _partition(r, self.source_partitions) == partition]
                if mine:
                    self.count(mine, partition)
            self.evaluate()

    def finish(self, minutes: int = 2) -> None:
        """Let time pass without requests."""
        self.now_us += minutes * 60_000_000
        for partition in range(self.source_partitions):
            self.counter.idle(self.source(partition), self.now_us)
        self.evaluate()

    def told(self) -> list[tuple[Any, ...]]:
        """Return the transitions, repetitions left out."""
        found = {t.transition_id: (t.transition_id, t.at_us, t.kind, t.rule, t.incident_id)
                 for t in self.output.transitions}  # fmt: skip
        return sorted(found.values(), key=lambda one: (one[1], one[0]))

    def notice_ids(self) -> list[str]:
        """Return the ids of all notices, repetitions left out."""
        return sorted({notice.notification_id for notice in self.output.notices})

    def drivers(self) -> dict[str, list[tuple[str, str, float]]]:
        """Return the drivers of each notice, by its id."""
        return {
            notice.notification_id: [(d.dimension, d.value, d.share) for d in notice.drivers]
            for notice in self.output.notices
        }


def _partition(request: Request, partitions: int) -> int:
    return sum(request.event_id.encode()) % partitions


def pieces(requests: Sequence[Request], size: int) -> Iterator[Sequence[Request]]:
    for start in range(0, len(requests), size):
        yield requests[start : start + size]


def chunk_records(requests: Iterable[Request], first_offset: int) -> RecordColumns:
    listed = list(requests)
    records = RecordColumns.from_values([r.value() for r in listed], first_offset=first_offset)
    times = np.array([r.appended_us // 1000 for r in listed], dtype=np.int64)
    object.__setattr__(records, "append_times_ms", times)
    return records
