"""Measures events per CPU-second, ours and its peers', on this machine: `make bench`.

The race: every contestant reads the same topic of an Apache Kafka, pinned to one core, in turn with
the others, several rounds; its CPU is that of all its processes, taken from outside. Beside it
stand parts that measure ours alone. Each keeps a page of Markdown and a JSON file in `results/`.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

# Before any kernel is compiled: its cache must belong to exactly these sources.
import tests.conftest as _kernel_cache
from inferometer.kafka.broker_jars import kafka_version
from tests.benchmarks import machine, race, standings, tabular
from tests.benchmarks.contestants import all_contestants
from tests.benchmarks.envelopes import COMPRESSION, EVENTS_A_RECORD
from tests.benchmarks.environments import CACHE
from tests.benchmarks.feeder import EVENT_RATE, PARTITIONS
from tests.benchmarks.kafka_place import apache_kafka
from tests.benchmarks.parts import OWN_PARTS, PARTS, Surroundings, find_part
from tests.benchmarks.process_tree import is_measurable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.benchmarks.contestants import Contestant, Shape
    from tests.benchmarks.parts import Part, Table

RESULTS = Path(__file__).parent / "results"
RACE_EVENTS: dict[Shape, int] = {"lean": 2_000_000, "full": 1_200_000}
RUNS = 3
QUICK_EVENTS: dict[Shape, int] = {"lean": 1_000_000, "full": 800_000}
QUICK_RUNS = 2
"""Of our rows alone, which are to be seen in a few minutes."""
RACES = {"race": "everybody", "ours": "our rows alone", "peers": "the others' rows alone"}
DEFAULT = ("race", "steps", *PARTS)
WITHOUT_BROKER = frozenset({"steps", "store", "faust", "sdk"})
"""These do without Apache Kafka."""


def main(argv: list[str]) -> int:
    """Run what was asked for, print it, keep it."""
    arguments = _parser().parse_args(argv)
    console = Console(width=max(100, Console().width))
    if not is_measurable():
        console.print("CPU of other processes is read from /proc, which this system has not")
        return 1
    began = time.monotonic()
    asked = (arguments.only,) if arguments.only else DEFAULT
    with _broker(asked, arguments.kafka) as (address, reason):
        bench = _Bench(arguments, console, address, reason)
        failed = [name for name in asked if not bench.run(name)]
    console.print(f"[dim]{(time.monotonic() - began) / 60:.1f} min[/dim]")
    return 1 if failed else 0


@contextmanager
def _broker(asked: tuple[str, ...], given: str) -> Iterator[tuple[str, str]]:
    if WITHOUT_BROKER.issuperset(asked):
        yield "", ""
        return
    with apache_kafka(given) as found:
        yield found


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="make bench ARGS=...",
        description="Events per CPU-second, ours and its peers', on this machine.",
        epilog='example: make bench ONLY=ours ARGS="--shape full --runs 5"',
    )
    parser.add_argument(
        "--only", choices=(*RACES, *OWN_PARTS, *PARTS), help="one part instead of the default ones"
    )
    parser.add_argument(
        "--contestants", metavar="A,B", help="these rows of the race only, by their names"
    )
    parser.add_argument(
        "--runs", type=int, default=0, help="runs of each measurement; default 3, for `ours` 2"
    )
    parser.add_argument("--shape", choices=("both", "full", "lean"), default="both")
    parser.add_argument(
        "--events",
        type=int,
        default=0,
        help="race: events of the topic, half of them measured (default 2,000,000 lean and "
        "1,200,000 full, for `ours` 1,000,000 and 800,000); else: events measured in a run (default 400,000)",
    )
    parser.add_argument(
        "--warm-up", type=int, default=0, help="not race: events before the first mark"
    )
    parser.add_argument(
        # Merges begin at sixteen parts; what they cost shows from two rounds of them on.
        "--store-chunks",
        type=int,
        default=40,
        help="chunks of the part store",
    )
    parser.add_argument(
        "--kafka", default="", metavar="HOST:PORT", help="this broker instead of one of our own"
    )
    parser.add_argument("--no-store", action="store_true", help="leave the results folder alone")
    return parser


@dataclass(frozen=True, slots=True)
class _Bench:
    """One call of the benchmarks."""

    arguments: argparse.Namespace
    console: Console
    address: str
    reason: str
    """Why there is no address of an Apache Kafka."""

    def run(self, name: str) -> bool:
        """Run one part; say whether all of it was measured."""
        if name in RACES:
            return self._race(name)
        if name in PARTS:
            return self._part(name)
        return self._own(name)

    def _race(self, name: str) -> bool:
        events, rounds = (QUICK_EVENTS, QUICK_RUNS) if name == "ours" else (RACE_EVENTS, RUNS)
        sizes = {shape: self.arguments.events or count for shape, count in events.items()}
        starters = race.entries(
            _chosen(name, self.arguments.contestants), _shapes(self.arguments), sizes
        )
        if self.address:
            race.prepare(starters, CACHE, self._report)
            rounds = self.arguments.runs or rounds
            race.race(starters, self.address, CACHE, rounds=rounds, report=self._report)
        else:
            self._loud(self.reason)
            for entry in starters:
                entry.reason = self.reason
        tables = standings.tables(starters)
        for table in tables[:-1]:
            self._show(table, standings.BRIEF)
        conditions = (
            machine.facts()
            | _race_settings(self.arguments.kafka)
            | standings.conditions_of_runs(starters)
        )
        page = tabular.markdown("The race", tables, conditions)
        self._keep(name, page, standings.to_json(starters, conditions))
        if not self.address and name != "peers":
            self._loud("ours alone, on the embedded broker, which is fed meanwhile:")
            return self._own("pipeline")
        return not any(entry.has_failed for entry in starters)

    def _part(self, name: str) -> bool:
        try:
            part = find_part(name)
            if part.needs_kafka and not self.address:
                self._loud(f"{name} is left out: {self.reason}")
                return False
            self._report(f"{name}: {part.what} ...")
            tables = self._tables(part)
        except Exception as error:  # noqa: BLE001 - the other parts are worth measuring
            self._loud(f"{name} could not be measured: {error}")
            return False
        for table in tables:
            self._show(table)
        conditions = machine.facts()
        page = tabular.markdown(part.what.capitalize(), tables, conditions)
        self._keep(name, page, tabular.tables_json(tables, conditions))
        return True

    def _tables(self, part: Part) -> list[Table]:
        with tempfile.TemporaryDirectory(
            prefix="inferometer-bench-", ignore_cleanup_errors=True
        ) as folder:
            return part.run(
                Surroundings(
                    bootstrap_servers=self.address,
                    folder=Path(folder),
                    results=RESULTS,
                    is_quick=self.arguments.only is None,
                )
            )

    def _own(self, name: str) -> bool:
        # Only here, since it imports all of ours, which the race of others does without.
        from tests.benchmarks.own_parts import measure_own

        self._report(f"{name} ...")
        changed = {"kafka": self.address, "runs": self.arguments.runs or RUNS}
        arguments = argparse.Namespace(**{**vars(self.arguments), **changed})
        findings = measure_own(name, _shapes(arguments), arguments)
        for table in findings.rich_tables():
            self.console.print(table)
        self._keep(name, findings.to_markdown(name), findings.to_json())
        return True

    def _keep(self, name: str, page: str, document: str) -> None:
        if not self.arguments.no_store:
            tabular.keep(RESULTS, name, page, document)
            self._report(f"stored in {os.path.relpath(RESULTS)}/{name}.md and .json")

    def _show(self, table: Table, columns: int | None = None) -> None:
        self.console.print(tabular.for_terminal(table, columns))
        for note in table.notes:
            self._report(note)

    def _report(self, line: str) -> None:
        self.console.print(line, style="dim", highlight=False, markup=False)

    def _loud(self, line: str) -> None:
        self.console.print(line, style="bold", markup=False)


def _chosen(name: str, only: str | None) -> list[Contestant]:
    wanted = set(only.split(",")) if only else None
    found = [
        each
        for each in all_contestants()
        if (
            each.name in wanted
            if wanted
            else name == "race" or (each.kind == "ours") == (name == "ours")
        )
    ]
    missing = (wanted or set()) - {each.name for each in found}
    if missing:
        names = ", ".join(each.name for each in all_contestants())
        raise SystemExit(f"no contestant is called {', '.join(sorted(missing))}; there are {names}")
    return found


def _shapes(arguments: argparse.Namespace) -> tuple[Shape, ...]:
    return ("lean", "full") if arguments.shape == "both" else (arguments.shape,)


def _race_settings(given: str) -> dict[str, str]:
    broker = "a broker that was given" if given else f"Apache Kafka {kafka_version()}"
    return {
        "broker": f"{broker}; topics filled before, {PARTITIONS} partitions, LogAppendTime, "
        f"{COMPRESSION['json']}, columns {COMPRESSION['arrow']}",
        "records": "values, keys and headers as the SDK sends them; one event each, or "
        f"{EVENTS_A_RECORD} where the row says so",
        "event time": f"{EVENT_RATE:,.0f} events a second",
        "measured": "CPU of all processes and threads of the contestant, on a core of its own, from a "
        "sixth to two thirds of the events; contestants in turn",
    }


if __name__ == "__main__":
    del _kernel_cache
    sys.exit(main(sys.argv[1:]))
