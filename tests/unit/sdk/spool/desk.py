"""One backlog over files, a transport whose reports wait, and a clock that moves when told."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson

from inferometer.core import codec
from inferometer.sdk.envelopes import Packer
from inferometer.sdk.items import Item, item_of
from inferometer.sdk.settings import ClientSettings
from inferometer.sdk.spool.backlog import Backlog
from inferometer.sdk.spool.journal import Fsync, Journal
from inferometer.sdk.spool.marks import Marks
from inferometer.sdk.transport import Outgoing, Refusal, Report

if TYPE_CHECKING:
    from pathlib import Path

TOPIC = "requests"
AWAY = Refusal("away", is_for_the_record=False)
TOO_LARGE = Refusal("too large", is_for_the_record=True)


def event(number: int) -> Item:
    """Return an event whose id says its number."""
    return item_of(
        codec.event_of(
            {
                "event_id": f"e-{number}",
                "request_id": f"r-{number}",
                "model": "m",
                "ts_end": 5,
                "status_code": 200,
            }
        )
    )


@dataclass
class Broker:
    """Takes up to `room` records and reports when told."""

    room: int = 1_000
    topic_partitions: int = 4
    under_way: list[tuple[Outgoing, Report]] = field(default_factory=list)
    taken: list[Outgoing] = field(default_factory=list)

    def send(self, record: Outgoing, on_report: Report) -> bool:
        if len(self.under_way) >= self.room:
            return False
        self.under_way.append((record, on_report))
        return True

    def report(self, *refusals: Refusal | None) -> None:
        """Tell the fates of the first under way, or that all arrived where none are given."""
        for refusal in refusals or [None] * len(self.under_way):
            record, on_report = self.under_way.pop(0)
            if refusal is None:
                self.taken.append(record)
            on_report(refusal)

    def partitions(self, topic: str) -> int:
        return self.topic_partitions

    def in_flight(self) -> int:
        return len(self.under_way)

    def flush(self, timeout_s: float) -> int:
        return len(self.under_way)

    def close(self) -> None:
        self.report(*[AWAY] * len(self.under_way))


@dataclass
class Desk:
    """A process that spools to a folder; `restart` is what follows a kill."""

    folder: Path
    max_bytes: int = 1 << 20
    broker: Broker = field(default_factory=Broker)
    now_s: float = 0.0
    boot: int = 7
    envelope: str = "json"
    batch_max_events: int = 500
    producer: int = 0
    refused: list[str] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        self.marks = Marks(self.folder, boot=self.boot)
        self.journal = Journal(
            self.folder,
            max_bytes=self.max_bytes,
            fsync=Fsync.NEVER,
            fsync_interval_s=1.0,
            monotonic=lambda: self.now_s,
            now_ms=lambda: int(self.now_s * 1000),
            begin=self.marks.acknowledged,
        )
        self.backlog = Backlog(
            self.journal,
            self.marks,
            monotonic=lambda: self.now_s,
            on_refused=self.refused.append,
            on_damaged=self.damaged.append,
            packer=Packer(
                ClientSettings(
                    bootstrap_servers="nowhere:9092",
                    requests_topic=TOPIC,
                    envelope=self.envelope,
                    batch_max_events=self.batch_max_events,
                )
            ),
            producer=self.producer,
        )
        self.broker.under_way.clear()

    def emit(self, *numbers: int) -> int:
        return self.backlog.append([event(number) for number in numbers])

    def step(self, pass_s: float = 0.0) -> None:
        self.now_s += pass_s
        self.backlog.settle()
        self.backlog.send(self.broker, TOPIC)

    def deliver(self) -> None:
        """Let the broker take all that there is."""
        for _ in range(50):
            self.step(10)
            self.broker.report()
            self.backlog.settle()

    @property
    def sent(self) -> list[str]:
        """Ids under way, `!` behind those marked as sent again."""
        return [label(record) for record, _ in self.broker.under_way]

    @property
    def arrived(self) -> list[str]:
        return [label(record) for record in self.broker.taken]


def label(record: Outgoing) -> str:
    fields: dict[str, Any] = orjson.loads(record.value)
    return f"{fields['event_id']}{'!' if fields.get('resent') else ''}"
