"""Runs one part by itself: `python -m tests.benchmarks.<part>`; `make bench` runs them all."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from tests.benchmarks import machine, tabular
from tests.benchmarks.kafka_place import apache_kafka
from tests.benchmarks.parts import Surroundings

if TYPE_CHECKING:
    from tests.benchmarks.parts import Part

RESULTS = Path(__file__).parent / "results"


def run_alone(name: str, part: Part, description: str) -> int:
    """Run a part as a command line says; return the exit code."""
    arguments = _parser(name, description).parse_args()
    # Told to end, it ends its services first, as it does at an error.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    load = "{:.1f} {:.1f} {:.1f}".format(*os.getloadavg())
    with (
        tempfile.TemporaryDirectory(prefix="inferometer-bench-") as folder,
        apache_kafka(arguments.kafka) as (address, reason),
    ):
        if reason and part.needs_kafka:
            print(reason, file=sys.stderr)
            return 1
        surroundings = Surroundings(
            bootstrap_servers=address,
            folder=Path(folder),
            results=RESULTS,
            is_quick=arguments.quick,
        )
        tables = part.run(surroundings)
    console = Console(width=max(110, Console().width))
    for table in tables:
        console.print(tabular.for_terminal(table))
        for note in table.notes:
            console.print(f"  {note}")
    conditions = {**machine.facts(), "load before": load, "quick": str(arguments.quick)}
    if arguments.store:
        page = tabular.markdown(part.what, tables, conditions)
        tabular.keep(RESULTS, name, page, tabular.tables_json(tables, conditions))
        console.print(f"stored in tests/benchmarks/results/{name}.md and .json")
    return 0


def _parser(name: str, description: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"python -m tests.benchmarks.{name}",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=f"example: python -m tests.benchmarks.{name} --quick",
    )
    parser.add_argument("--quick", action="store_true", help="a minute at most, coarser figures")
    parser.add_argument(
        "--kafka", default="", metavar="HOST:PORT", help="this broker instead of one of our own"
    )
    parser.add_argument("--store", action="store_true", help="keep the tables in results/")
    return parser
