"""A transport that keeps what it is given, and a clock that moves when told."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson

from inferometer.errors import BrokerError
from inferometer.sdk.client import Client
from inferometer.sdk.refusals import EventTooLargeError

if TYPE_CHECKING:
    from inferometer.core.codec import Header
    from inferometer.sdk.settings import ClientSettings
    from inferometer.sdk.transport import Observer

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
    """Keeps records as delivered, up to `room`; refuses all once `is_broken`."""

    settings: ClientSettings
    observer: Observer
    room: int = 1_000
    is_broken: bool = False
    is_closed: bool = False
    sent: list[tuple[str, bytes | None, bytes, list[Header]]] = field(default_factory=list)

    def send(self, topic: str, key: bytes | None, value: bytes, headers: list[Header]) -> bool:
        if self.is_broken:
            raise BrokerError("fatal", retryable=True)
        if len(value) > self.settings.max_event_bytes:
            raise EventTooLargeError(len(value), self.settings.max_event_bytes)
        if len(self.sent) >= self.room:
            return False
        self.sent.append((topic, key, value, headers))
        return True

    def in_flight(self) -> int:
        return 0

    def flush(self, timeout_s: float) -> int:
        return 0

    def close(self) -> None:
        self.is_closed = True

    def events(self, topic: str = "inference.requests") -> list[dict[str, Any]]:
        return [orjson.loads(value) for to, _, value, _ in self.sent if to == topic]

    def signals(self) -> list[dict[str, Any]]:
        return self.events("inference.signals")


@dataclass
class Bench:
    """A client over recording transports and a hand-moved clock."""

    client: Client
    clock: Clock
    transports: list[RecordingTransport]

    @property
    def transport(self) -> RecordingTransport:
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
            **arguments,
        }
    )
    return Bench(client, clock, transports)
