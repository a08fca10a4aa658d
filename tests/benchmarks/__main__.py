"""Measures events per CPU-second of the whole process: `python -m tests.benchmarks --help`.

What is measured: fetch over TCP, decode, deduplicate, price, aggregate two cubes with five sketches,
store in the embedded engine, acknowledge; the CPU of all threads of that process, merges included,
between a warm-up and the last acknowledgement. Broker and producer are another process.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from rich.console import Console

# Before any kernel is compiled: its cache must belong to exactly these sources.
import tests.conftest as _kernel_cache
from tests.benchmarks import faust_process, feeder, machine, steps, store_cost, worker_process
from tests.benchmarks.feeder import Feed, Shape
from tests.benchmarks.measuring import Span
from tests.benchmarks.orchestration import in_process, measure
from tests.benchmarks.report import Findings, Rate

RESULTS = Path(__file__).parent / "results"
PARTS = ("pipeline", "protocol", "steps", "store", "faust")
STEP_CHUNKS = 5
# Merges begin at sixteen parts; what they cost shows from two rounds of them on.
STORE_CHUNKS = 40
STORE_TIMEOUT_S = 1800.0
# It reads one record at a time, so that a tenth of the events takes it as long.
FAUST_SHARE = 8

_WHAT = {
    "pipeline": "whole process, {} events: raw + two cubes with five sketches, stored",
    "faust": "stock Faust, {} events: agent that does nothing",
}


def main(argv: list[str]) -> int:
    """Run what was asked for, print it, keep it."""
    arguments = _parser().parse_args(argv)
    shapes: tuple[Shape, ...] = (
        ("full", "lean") if arguments.shape == "both" else (arguments.shape,)
    )
    console = Console(width=max(100, Console().width))
    findings = Findings(machine.facts(), _settings(arguments.kafka))
    for part in PARTS if arguments.only is None else (arguments.only,):
        for shape in shapes if part == "pipeline" else shapes[:1]:
            console.print(f"[dim]{part}, {shape} events ...[/dim]")
            _add(findings, part, shape, arguments)
    for table in findings.rich_tables():
        console.print(table)
    if not arguments.no_store:
        findings.store(RESULTS)
        console.print(f"stored in {RESULTS.relative_to(Path.cwd())}/pipeline.json and .md")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="make bench ARGS=...",
        description="Events per CPU-second of the whole process, on this machine.",
        epilog='example: make bench ARGS="--only pipeline --shape full --runs 5"',
    )
    parser.add_argument("--events", type=int, default=400_000, help="events measured in a run")
    parser.add_argument("--warm-up", type=int, default=160_000, help="events before the first mark")
    parser.add_argument("--runs", type=int, default=3, help="runs of each measurement")
    parser.add_argument(
        "--store-chunks", type=int, default=STORE_CHUNKS, help="chunks of the part store"
    )
    parser.add_argument("--shape", choices=("both", "full", "lean"), default="both")
    parser.add_argument("--only", choices=PARTS, help="one part instead of all")
    parser.add_argument(
        "--kafka",
        default="",
        metavar="HOST:PORT",
        help="read the pipeline's events from this broker, filled before each run, instead of the "
        "embedded one, which keeps no backlog and shares the cores with its producer",
    )
    parser.add_argument("--no-store", action="store_true", help="leave the results folder alone")
    return parser


def _add(findings: Findings, part: str, shape: Shape, arguments: argparse.Namespace) -> None:
    events, warm_up = arguments.events, arguments.warm_up
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
        _add_pairs(findings, shape, arguments)
        return
    if part == "faust":
        events, warm_up = events // FAUST_SHARE, warm_up // FAUST_SHARE
    work = worker_process.run if part == "pipeline" else faust_process.run
    kafka = arguments.kafka if part == "pipeline" else ""
    spans = measure(Feed(shape, warm_up, events, kafka), work, runs=arguments.runs)
    findings.rates.append(Rate(f"{part}_{shape}", _WHAT[part].format(shape), spans))


def _add_pairs(findings: Findings, shape: Shape, arguments: argparse.Namespace) -> None:
    """Measure exactly once against at least once in turn, so that the machine's mood meets both."""
    feed = Feed(shape, arguments.warm_up, arguments.events, arguments.kafka)
    spans: tuple[list[Span], list[Span]] = ([], [])
    for _ in range(arguments.runs):
        for kept, work in zip(
            spans, (worker_process.run, worker_process.run_without_protocol), strict=True
        ):
            kept += measure(feed, work, runs=1)
    for name, kept in zip(("exactly once", "at least once"), spans, strict=True):
        what = f"whole process, {shape} events, {name}, in turn"
        findings.rates.append(Rate(f"protocol_{name.replace(' ', '_')}_{shape}", what, kept))


def _settings(kafka: str) -> dict[str, str]:
    broker = "Apache Kafka, filled before" if kafka else "embedded, fed meanwhile"
    return {
        "broker": f"{broker}; {feeder.PARTITIONS} partitions, {feeder.COMPRESSION}, idempotent",
        "records": "values, keys and headers as the SDK sends them",
        "event time": f"{feeder.EVENT_RATE:,.0f} events a second",
        "worker": "default settings; its process holds the embedded store",
    }


if __name__ == "__main__":
    del _kernel_cache
    sys.exit(main(sys.argv[1:]))
