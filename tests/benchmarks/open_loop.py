"""Sends full events at a rate, on a timetable that nothing delays: each ends when it is due.

Event n of a phase is due at `begin + n / rate`, goes to partition `n % partitions`, and carries that
instant as its `ts_end`; a sender that falls behind makes events late, not fewer, so that nothing is
left out of a latency because of a pause. Values are the fixed-size generator's, with ids of their
own: made once, sent again and again.
"""

from __future__ import annotations

import json
import multiprocessing
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from confluent_kafka import Producer

from inferometer import names
from tests.benchmarks.feeder import COMPRESSION, make_values

if TYPE_CHECKING:
    from collections.abc import Iterable
    from multiprocessing.connection import Connection

Content = Literal["json", "ndjson"]

POOL = 20_000
"""Different events; the next round of them has other ids and instants."""
ENVELOPE_EVENTS = 500
_TICK_S = 0.01
_QUEUE = 1_000_000
_FLUSH_S = 120.0
_STATISTICS_MS = 500
_ID_AT = len(b'{"event_id":"')
_ID_DIGITS = 8
_INSTANT_DIGITS = 16


@dataclass(frozen=True, slots=True)
class Phase:
    """A stretch of a timetable."""

    rate: float
    """Events a second."""
    seconds: float

    @property
    def events(self) -> int:
        """How many it has."""
        return int(self.rate * self.seconds)


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of a timetable."""

    begin_s: float
    """When its first event was due, seconds since 1970."""
    events: int
    records: int
    most_behind_s: float
    """How late the sender was at worst; part of every latency."""


class Values:
    """Record values of full events with the id and the instant that are wanted."""

    def __init__(self, pool: int = POOL, seed: int = 5) -> None:
        self._parts = [_split(value) for value in make_values("full", pool, seed)]
        self._salt = seed

    def value(self, number: int, ts_end_us: int) -> bytes:
        """Return the value of event `number`."""
        parts = self._parts
        after_id, after_instant = parts[number % len(parts)]
        return b'{"event_id":"%08x%s%016d%s' % (number, after_id, ts_end_us, after_instant)


def _split(value: bytes) -> tuple[bytes, bytes]:
    """Return what stands between id and instant, and what stands behind."""
    at = value.index(b'"ts_end":') + len(b'"ts_end":')
    return value[_ID_AT + _ID_DIGITS : at], value[at + _INSTANT_DIGITS :]


@dataclass(frozen=True, slots=True)
class Target:
    """Where to send."""

    bootstrap_servers: str
    topic: str
    partitions: int
    content: Content = "json"


def start_sending(target: Target, phases: tuple[Phase, ...], *, first_number: int = 0) -> Sending:
    """Send a timetable from a process of its own; it begins as soon as it can."""
    return Sending(target, phases, first_number)


class Sending:
    """A sender in a process of its own."""

    def __init__(self, target: Target, phases: tuple[Phase, ...], first_number: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, far_end = context.Pipe()
        self._process = context.Process(
            target=_send_phases, args=(far_end, target, phases, first_number), daemon=True
        )
        self._process.start()

    @property
    def pid(self) -> int:
        """Id of the process."""
        return self._process.pid or 0

    def wait_until_begun(self, timeout_s: float = 120.0) -> float:
        """Return when its first event is due, seconds since 1970."""
        begin_s = self._receive(timeout_s)
        if not isinstance(begin_s, float):
            raise TypeError(f"expected an instant, got {begin_s!r}")
        return begin_s

    def result(self, timeout_s: float) -> Sent:
        """Wait for the end and return what was sent."""
        sent = self._receive(timeout_s)
        self._process.join()
        if not isinstance(sent, Sent):
            raise TypeError(f"expected what was sent, got {sent!r}")
        return sent

    def kill(self) -> None:
        """End it."""
        self._process.kill()
        self._process.join()

    def _receive(self, timeout_s: float) -> object:
        if not self._pipe.poll(timeout_s):
            raise RuntimeError(f"the sender has been silent for {timeout_s:.0f} s")
        found = self._pipe.recv()
        if isinstance(found, BaseException):
            raise found
        return found


def _send_phases(
    pipe: Connection, target: Target, phases: tuple[Phase, ...], first_number: int
) -> None:
    try:
        sender = _Sender(target)
        values = Values()
        begin_s = time.time() + 0.2
        pipe.send(begin_s)
        number, due_s, behind_s = first_number, begin_s, 0.0
        for phase in phases:
            behind_s = max(behind_s, sender.send_phase(values, phase, due_s, number))
            number += phase.events
            due_s += phase.events / phase.rate
        sender.finish()
        pipe.send(Sent(begin_s, number - first_number, sender.records, behind_s))
    except BaseException as error:
        pipe.send(RuntimeError(repr(error)))
        raise


def fill(target: Target, events: int, *, first_number: int = 0, span_s: float = 10.0) -> float:
    """Send events as fast as they go, their instants spread over a span that ends now.

    Returns the bytes that went over the wire for one of them.
    """
    sender, values = _Sender(target), Values()
    start_us = int((time.time() - span_s) * 1e6)
    step_us = span_s * 1e6 / max(events, 1)
    for first in range(0, events, POOL):
        numbers = range(first, min(first + POOL, events))
        sender.send(
            (first_number + number, values.value(first_number + number, int(start_us + number * step_us)))
            for number in numbers
        )  # fmt: skip
    sender.finish()
    return sender.wire_bytes() / max(events, 1)


class _Sender:
    def __init__(self, target: Target) -> None:
        self._target = target
        self.records = 0
        self._transmitted = 0
        self._told = 0
        self._headers: list[tuple[str, str | bytes | None]] = [
            (names.CONTENT_TYPE_HEADER, _content_type(target.content))
        ]
        self._producer = Producer(
            {
                "bootstrap.servers": target.bootstrap_servers,
                "enable.idempotence": True,
                "acks": "all",
                "linger.ms": 20,
                "compression.type": COMPRESSION,
                "queue.buffering.max.messages": _QUEUE,
                "queue.buffering.max.kbytes": 1_000_000,
                "message.max.bytes": 4_000_000,
                "log_level": 0,
                "statistics.interval.ms": _STATISTICS_MS,
                "stats_cb": self._note,
            }
        )

    def send_phase(self, values: Values, phase: Phase, begin_s: float, first: int) -> float:
        """Send a phase on time; return how late it was at worst."""
        sent, behind_s = 0, 0.0
        while sent < phase.events:
            due = min(int((time.time() - begin_s) * phase.rate) + 1, phase.events)
            if due > sent:
                behind_s = max(behind_s, time.time() - (begin_s + sent / phase.rate) - _TICK_S)
                self.send(
                    (first + n, values.value(first + n, int((begin_s + n / phase.rate) * 1e6)))
                    for n in range(sent, due)
                )
                sent = due
            self._producer.poll(0)
            time.sleep(_TICK_S)
        return behind_s

    def send(self, events: Iterable[tuple[int, bytes]]) -> None:
        """Send numbered events to their partitions."""
        partitions = self._target.partitions
        if self._target.content == "json":
            for number, value in events:
                self._produce(value, number % partitions)
            return
        waiting: list[list[bytes]] = [[] for _ in range(partitions)]
        for number, value in events:
            waiting[number % partitions].append(value)
        for partition, lines in enumerate(waiting):
            for at in range(0, len(lines), ENVELOPE_EVENTS):
                self._produce(b"\n".join(lines[at : at + ENVELOPE_EVENTS]), partition)

    def finish(self) -> None:
        """Wait until the broker has all."""
        if self._producer.flush(_FLUSH_S):
            raise RuntimeError("the broker does not take the records")

    def wire_bytes(self) -> int:
        """Return the bytes that were sent so far, compressed, as the client counts them."""
        wanted = self._told + 2
        deadline = time.monotonic() + _FLUSH_S
        # The first that is told from now on may have been counted before the end.
        while self._told < wanted and time.monotonic() < deadline:
            self._producer.poll(0.1)
        return self._transmitted

    def _note(self, statistics: str) -> None:
        brokers = json.loads(statistics)["brokers"].values()
        self._transmitted = sum(broker["txbytes"] for broker in brokers)
        self._told += 1

    def _produce(self, value: bytes, partition: int) -> None:
        self.records += 1
        while True:
            try:
                self._producer.produce(
                    self._target.topic, value, partition=partition, headers=self._headers
                )
            except BufferError:
                self._producer.poll(0.05)
            else:
                return


def _content_type(content: Content) -> str:
    return names.JSON_CONTENT_TYPE if content == "json" else names.NDJSON_CONTENT_TYPE
