"""The parts that measure ours alone, from inside: pipeline, protocol, steps, store, faust."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.benchmarks import faust_process, feeder, machine, steps, store_cost, worker_process
from tests.benchmarks.feeder import Feed
from tests.benchmarks.orchestration import in_process, measure
from tests.benchmarks.report import Findings, Rate

if TYPE_CHECKING:
    import argparse

    from tests.benchmarks.contestants import Shape
    from tests.benchmarks.measuring import Span

EVENTS = 400_000
WARM_UP = 160_000
STEP_CHUNKS = 5
STORE_TIMEOUT_S = 1800.0
# It reads one record at a time, so that a tenth of the events takes it as long.
FAUST_SHARE = 8

_WHAT = {
    "pipeline": "whole process, {} events: raw + two cubes with five sketches, stored",
    "faust": "stock Faust, {} events: agent that does nothing",
}


def measure_own(part: str, shapes: tuple[Shape, ...], arguments: argparse.Namespace) -> Findings:
    """Return what one part has found."""
    findings = Findings(machine.facts(), _settings(arguments.kafka))
    for shape in shapes if part == "pipeline" else shapes[:1]:
        _add(findings, part, shape, arguments)
    return findings


def _add(findings: Findings, part: str, shape: Shape, arguments: argparse.Namespace) -> None:
    events, warm_up = arguments.events or EVENTS, arguments.warm_up or WARM_UP
    if part == "steps":
        chunk = min(steps.CHUNK_EVENTS, events)
        findings.breakdowns.append(in_process(steps.run, shape, STEP_CHUNKS, chunk))
        return
    if part == "store":
        chunks, size = arguments.store_chunks, steps.CHUNK_EVENTS
        found = in_process(store_cost.run, shape, chunks, size, timeout_s=STORE_TIMEOUT_S)
        findings.store_costs.append(found)
        return
    if part == "protocol":
        _add_pairs(findings, Feed(shape, warm_up, events, arguments.kafka), arguments.runs)
        return
    if part == "faust":
        events, warm_up = events // FAUST_SHARE, warm_up // FAUST_SHARE
    work = worker_process.run if part == "pipeline" else faust_process.run
    kafka = arguments.kafka if part == "pipeline" else ""
    spans = measure(Feed(shape, warm_up, events, kafka), work, runs=arguments.runs)
    findings.rates.append(Rate(f"{part}_{shape}", _WHAT[part].format(shape), spans))


def _add_pairs(findings: Findings, feed: Feed, runs: int) -> None:
    """Measure exactly once against at least once in turn, so that the machine's mood meets both."""
    spans: tuple[list[Span], list[Span]] = ([], [])
    for _ in range(runs):
        for kept, work in zip(
            spans, (worker_process.run, worker_process.run_without_protocol), strict=True
        ):
            kept += measure(feed, work, runs=1)
    for name, kept in zip(("exactly once", "at least once"), spans, strict=True):
        what = f"whole process, {feed.shape} events, {name}, in turn"
        findings.rates.append(Rate(f"protocol_{name.replace(' ', '_')}_{feed.shape}", what, kept))


def _settings(kafka: str) -> dict[str, str]:
    broker = "Apache Kafka, filled before" if kafka else "embedded, fed meanwhile"
    return {
        "broker": f"{broker}; {feeder.PARTITIONS} partitions, {feeder.COMPRESSION}, idempotent",
        "records": "values, keys and headers as the SDK sends them",
        "event time": f"{feeder.EVENT_RATE:,.0f} events a second",
        "worker": "default settings; its process holds the embedded store",
    }
