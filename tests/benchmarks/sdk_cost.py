"""What the SDK costs its host: CPU of the whole process an event, the request path, bytes on the wire.

Each way of sending runs in a process of its own against a broker in another; the CPU is that of all
threads, librdkafka's included, from the first event after the warm-up until the last is
acknowledged. Events vary in every field (`inferometer.simulate.fixed_size`).
"""

from __future__ import annotations

import argparse
import gc
import multiprocessing
import statistics
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

import orjson

from inferometer.kafka.embedded import EmbeddedBroker
from inferometer.names import REQUESTS_TOPIC, SIGNALS_TOPIC
from inferometer.sdk import Client
from inferometer.simulate.fixed_size import full_events, lean_events
from tests.benchmarks.measuring import Mark, Span

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from multiprocessing.connection import Connection

Shape = Literal["full", "lean"]

PARTITIONS = 4
EVENTS = 100_000
RUNS = 3
EVENT_RATE = 10_000.0
_BATCH = 500
_AHEAD = 20_000
"""Events that may wait for the broker; without a bound the cost of new memory would be measured."""
_LOOK_EVERY = 100
_WAIT_S = 0.001
_FLUSH_S = 120.0
_MAKERS = {"full": full_events, "lean": lean_events}


@dataclass(frozen=True, slots=True)
class Way:
    """One way of sending."""

    name: str
    call: Literal["emit", "emit_record", "emit_records", "emit_table"]
    title: str
    settings: dict[str, Any]
    is_spooled: bool = False


WAYS = (
    Way("emit", "emit", "emit(fields), lines", {}),
    Way("emit-spool", "emit", "emit(fields), lines, spool on disk", {}, is_spooled=True),
    Way("emit-record", "emit_record", "emit_record(bytes), lines", {}),
    Way("emit-records", "emit_records", "emit_records(list of bytes), lines", {}),
    Way("emit-records-zstd", "emit_records", "the same, zstd", {"compression": "zstd"}),
    Way("emit-arrow", "emit", "emit(fields), columns", {"envelope": "arrow"}),
    Way("emit-table", "emit_table", "emit_table(table of 500), zstd", {"compression": "zstd"}),
    Way("emit-json", "emit", "emit(fields), one event a record", {"envelope": "json"}),
)


@dataclass(frozen=True, slots=True)
class Cost:
    """What one way came to, medians over the runs."""

    way: str
    title: str
    shape: Shape
    json_bytes: float
    """An event as JSON."""
    events_per_cpu_s: float
    cpu_us: float
    cpu_us_spread: tuple[float, float]
    """The least and the most of the runs."""
    caller_us: float
    """CPU of the calling thread an event: what the request path pays."""
    wire_bytes: float
    """What librdkafka sent to the broker, requests and headers included."""


def run(
    *,
    kafka: str | None = None,
    events: int = EVENTS,
    runs: int = RUNS,
    shapes: Sequence[Shape] = ("full", "lean"),
    ways: Sequence[str] = (),
    report: Callable[[str], None] = lambda _line: None,
) -> list[Cost]:
    """Measure all ways, in turn; `kafka` is a broker with the topic, none for the embedded one."""
    chosen = [way for way in WAYS if not ways or way.name in ways]
    context = multiprocessing.get_context("spawn")
    with _Broker(context, kafka) as address:
        taken: dict[tuple[str, Shape], list[_Measured]] = {}
        for number in range(runs):
            for shape in shapes:
                for way in chosen:
                    found = _in_process(context, address, way, shape, events)
                    taken.setdefault((way.name, shape), []).append(found)
                    report(f"run {number + 1} {shape} {way.name}: {found.cpu_us:.2f} us")
    by_name = {way.name: way for way in WAYS}
    return [_cost(by_name[name], shape, found) for (name, shape), found in taken.items()]


def as_json(costs: Sequence[Cost]) -> list[dict[str, Any]]:
    """Return costs as plain values."""
    return [asdict(cost) for cost in costs]


def table(costs: Sequence[Cost]) -> str:
    """Return costs as a Markdown table."""
    lines = [
        "| way | shape | events a CPU-second | us an event (least to most) | caller us | "
        "bytes on the wire | bytes as JSON |",
        "|---|---|---:|---:|---:|---:|---:|",
    ]
    for cost in costs:
        least, most = cost.cpu_us_spread
        lines.append(
            f"| {cost.title} | {cost.shape} | {cost.events_per_cpu_s:,.0f} | "
            f"{cost.cpu_us:.2f} ({least:.2f} to {most:.2f}) | {cost.caller_us:.2f} | "
            f"{cost.wire_bytes:.0f} | {cost.json_bytes:.0f} |"
        )
    return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class _Measured:
    cpu_us: float
    caller_us: float
    wire_bytes: float
    json_bytes: float


def _cost(way: Way, shape: Shape, found: list[_Measured]) -> Cost:
    cpu_us = statistics.median(each.cpu_us for each in found)
    return Cost(
        way=way.name,
        title=way.title,
        shape=shape,
        json_bytes=found[0].json_bytes,
        events_per_cpu_s=1e6 / cpu_us,
        cpu_us=cpu_us,
        cpu_us_spread=(min(each.cpu_us for each in found), max(each.cpu_us for each in found)),
        caller_us=statistics.median(each.caller_us for each in found),
        wire_bytes=statistics.median(each.wire_bytes for each in found),
    )


def _in_process(context: Any, address: str, way: Way, shape: Shape, events: int) -> _Measured:
    ours, theirs = context.Pipe()
    process = context.Process(target=_measure, args=(theirs, address, way, shape, events))
    process.start()
    theirs.close()
    try:
        found: _Measured = ours.recv()
    except EOFError as error:
        raise RuntimeError(f"{way.name} ended without a result; see above") from error
    finally:
        process.join(60)
    return found


def _measure(answer: Connection, address: str, way: Way, shape: Shape, events: int) -> None:
    warm_up = max(_BATCH, events // 5)
    start_us = int((time.time() - (warm_up + events) / EVENT_RATE) * 1e6)
    values = list(_MAKERS[shape](warm_up + events, 1, start_us=start_us, rate=EVENT_RATE))
    inputs = _inputs(way, values)
    before = warm_up // _BATCH if way.call in {"emit_records", "emit_table"} else warm_up
    with tempfile.TemporaryDirectory() as folder:
        told: list[int] = [0]
        client = Client(
            bootstrap_servers=address,
            spool_dir=folder if way.is_spooled else "",
            buffer_events=2 * _AHEAD,
            kafka={
                "statistics.interval.ms": 500,
                "stats_cb": lambda text: told.append(orjson.loads(text)["tx_bytes"]),
            },
            environ={},
            **way.settings,
        )
        _send(client, way, inputs[:before])
        # What was made for the measurement must not be looked through while it runs.
        gc.collect()
        gc.freeze()
        sent_bytes, start, caller_s = _settled(told), Mark.now(), time.thread_time()
        caller_s = _send(client, way, inputs[before:])
        span = Span.between(start, Mark.now(), events)
        wire_bytes = (_settled(told) - sent_bytes) / events
        stats = client.stats()
        if (
            stats.delivered != warm_up // _BATCH * _BATCH + events
            and stats.delivered != stats.emitted
        ):
            raise RuntimeError(f"not all events were delivered: {stats}")
        client.close()
    json_bytes = sum(map(len, values)) / len(values)
    answer.send(
        _Measured(span.cpu_s / events * 1e6, caller_s / events * 1e6, wire_bytes, json_bytes)
    )


def _inputs(way: Way, values: list[bytes]) -> list[Any]:
    if way.call == "emit":
        return [orjson.loads(value) for value in values]
    if way.call == "emit_record":
        return list(values)
    groups = [values[first : first + _BATCH] for first in range(0, len(values), _BATCH)]
    if way.call == "emit_records":
        return list(groups)
    import pyarrow as pa

    from inferometer.sdk.columns import LineColumns

    return [pa.ipc.open_stream(LineColumns().write(group)[0]).read_all() for group in groups]


def _send(client: Client, way: Way, inputs: Sequence[Any]) -> float:
    """Send all and wait for the broker; return the CPU of the calls, seconds."""
    call = getattr(client, way.call)
    step = 1 if way.call in {"emit_records", "emit_table"} else _LOOK_EVERY
    caller_s = 0.0
    for first in range(0, len(inputs), step):
        while client.stats().in_flight > _AHEAD:
            time.sleep(_WAIT_S)
        part = inputs[first : first + step]
        began = time.thread_time()
        for each in part:
            call(each)
        caller_s += time.thread_time() - began
    if client.flush(_FLUSH_S):
        raise RuntimeError("the broker does not take the events")
    return caller_s


def _settled(told: list[int]) -> int:
    """Return the bytes sent, once librdkafka's count stands still."""
    deadline = time.monotonic() + 10.0
    seen = -1
    while time.monotonic() < deadline:
        count = len(told)
        while len(told) == count and time.monotonic() < deadline:
            time.sleep(0.05)
        if told[-1] - seen < 2_000:
            break
        seen = told[-1]
    return told[-1]


class _Broker:
    """The address of a broker: a given one, or an embedded one in a process of its own."""

    def __init__(self, context: Any, kafka: str | None) -> None:
        self._kafka = kafka
        self._ours, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs,)) if kafka is None else None

    def __enter__(self) -> str:
        if self._kafka is not None:
            return self._kafka
        assert self._process is not None
        self._process.start()
        address: str = self._ours.recv()
        return address

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._ours.send("end")
            self._process.join(30)


def _serve(commands: Connection) -> None:
    with EmbeddedBroker() as broker:
        broker.start({REQUESTS_TOPIC: PARTITIONS, SIGNALS_TOPIC: 1})
        commands.send(broker.bootstrap_servers)
        commands.recv()


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kafka", help="HOST:PORT of a broker; default: the embedded one")
    parser.add_argument("--events", type=int, default=EVENTS)
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--shape", choices=("full", "lean"), action="append")
    parser.add_argument("--way", choices=[way.name for way in WAYS], action="append")
    parser.add_argument("--json", action="store_true", help="print JSON instead of the table")
    given = parser.parse_args(argv)
    costs = run(
        kafka=given.kafka,
        events=given.events,
        runs=given.runs,
        shapes=given.shape or ("full", "lean"),
        ways=given.way or (),
        report=lambda line: print(line, file=sys.stderr),
    )
    print(orjson.dumps(as_json(costs)).decode() if given.json else table(costs))
    return 0


if __name__ == "__main__":
    sys.exit(main())
