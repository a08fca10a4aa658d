"""A transport that keeps what it is given, and a clock that moves when told."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson

from inferometer.errors import BrokerError
from inferometer.names import NDJSON_CONTENT_TYPE
from inferometer.sdk.client import Client
from inferometer.sdk.transport import Refusal

if TYPE_CHECKING:
    from inferometer.sdk.settings import ClientSettings
    from inferometer.sdk.transport import Observer, Outgoing, Report

WALL_NS = 1_790_000_000_000_000_000


@dataclass
class Clock:
    """Seconds since the test began, for both clocks of a client."""

    now_s: float = 0.0

    def monotonic(self) -> float:
        return self.now_s

    def wall_ns(self) -> int:
        return WALL_NS + round(self.now_s * 1e9)

    def pass_ms(self, duration_ms: float) -> None:
        self.now_s += duration_ms / 1000


@dataclass
class RecordingTransport:
    """Keeps records as delivered, up to `room`; refuses all once `is_broken`.

    With `holds` reports wait for `report`, as they do at a broker that is slow.
    """

    settings: ClientSettings
    observer: Observer
    room: int = 1_000
    topic_partitions: int = 4
    is_broken: bool = False
    is_closed: bool = False
    holds: bool = False
    sent: list[Outgoing] = field(default_factory=list)
    held: list[tuple[Outgoing, Report]] = field(default_factory=list)

    def send(self, record: Outgoing, on_report: Report) -> bool:
        if self.is_broken:
            raise BrokerError("fatal", retryable=True)
        if len(self.sent) >= self.room:
            return False
        self.sent.append(record)
        if self.holds:
            self.held.append((record, on_report))
        else:
            on_report(None)
        return True

    def report(self, refusal: Refusal | None = None) -> None:
        """Tell the fate of all that is held."""
        held, self.held = self.held, []
        for _record, on_report in held:
            on_report(refusal)

    def partitions(self, topic: str) -> int:
        return self.topic_partitions

    def in_flight(self) -> int:
        return len(self.held)

    def flush(self, timeout_s: float) -> int:
        return len(self.held)

    def close(self) -> None:
        self.is_closed = True
        self.report(Refusal("purged", is_for_the_record=False))

    def events(self, topic: str = "inference.requests") -> list[dict[str, Any]]:
        return [event for each in self.sent if each.topic == topic for event in events_of(each)]

    def signals(self) -> list[dict[str, Any]]:
        return self.events("inference.signals")


def events_of(record: Outgoing) -> list[dict[str, Any]]:
    """Return the events of a record, one or a line each."""
    lines = [record.value]
    if ("content-type", NDJSON_CONTENT_TYPE.encode()) in record.headers:
        lines = record.value.split(b"\n")
    assert record.events == len(lines)
    return [orjson.loads(line) for line in lines]


@dataclass
class Bench:
    """A client over recording transports and a hand-moved clock."""

    client: Client
    clock: Clock
    transports: list[RecordingTransport]

    @property
    def transport(self) -> RecordingTransport:
        """The newest transport, with everything in it that was emitted so far."""
        if self.client._sender is not None and not self.client._is_closed:
            self.client._sender.step()
        return self.transports[-1]


def bench(**arguments: Any) -> Bench:
    """Return a client that touches neither a broker nor the environment."""
    clock = Clock()
    transports: list[RecordingTransport] = []

    def new_transport(settings: ClientSettings, observer: Observer) -> RecordingTransport:
        transports.append(RecordingTransport(settings, observer))
        return transports[-1]

    client = Client(
        **{
            "bootstrap_servers": "nowhere:9092",
            "environ": {},
            "monotonic": clock.monotonic,
            "clock_ns": clock.wall_ns,
            "new_transport": new_transport,
            # The thread that sends by the clock on the wall comes too late for any test: a batch
            # ends where a test says so, however slow the machine.
            "linger_ms": 60_000,
            **arguments,
        }
    )
    return Bench(client, clock, transports)
