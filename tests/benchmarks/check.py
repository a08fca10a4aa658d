"""Fails where this tree is slower than another commit by more than a bound: `make bench-check`.

Both run their own `inferometer worker` over the same topic, in turn, so that the machine's mood
meets both; events per CPU-second are compared by their medians.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

# Before any kernel is compiled: its cache must belong to exactly these sources.
import tests.conftest as _kernel_cache
from tests.benchmarks import machine
from tests.benchmarks.contest import ContestError
from tests.benchmarks.environments import InstallError
from tests.benchmarks.kafka_place import apache_kafka
from tests.benchmarks.other_commit import default_base, short_name, these_files, tree_of
from tests.benchmarks.pinning import all_but_measured, pinned
from tests.benchmarks.topic_filling import TopicKind, fill
from tests.benchmarks.worker_command import events_per_cpu_s

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.benchmarks.contestants import Shape
    from tests.benchmarks.other_commit import Tree
    from tests.benchmarks.topic_filling import FilledTopic

BASELINE = Path(__file__).parent / "results" / "baseline.json"
MAX_REGRESSION = 0.15
EVENTS = 1_200_000
BEGIN, UNTIL = 1 / 6, 2 / 3


@dataclass(slots=True)
class Pair:
    """Rates of both trees over one shape, round by round."""

    shape: Shape
    base: list[float] = field(default_factory=list)
    these: list[float] = field(default_factory=list)

    @property
    def change(self) -> float:
        """How much faster these files are, by medians: -0.2 is a fifth fewer events a CPU-second."""
        return statistics.median(self.these) / statistics.median(self.base) - 1

    def is_regression(self, bound: float) -> bool:
        """Say whether these files are slower by more than a bound."""
        return self.change < -bound

    def line(self, base: str) -> str:
        """Return it as one line for people."""
        return (
            f"{self.shape}: {statistics.median(self.base) / 1e3:,.1f} k events per CPU-second at "
            f"{base}, {statistics.median(self.these) / 1e3:,.1f} k now: {self.change:+.1%} "
            f"(single runs {_spread(self.base)} and {_spread(self.these)})"
        )


def main(argv: list[str]) -> int:
    """Compare; 1 where it has become slower, 2 where it cannot be measured."""
    arguments = _parser().parse_args(argv)
    try:
        pairs, base = _compare(arguments)
    except (ContestError, InstallError, ValueError) as error:
        print(f"cannot be measured: {error}", file=sys.stderr)
        return 2
    for pair in pairs:
        print(pair.line(base))
    if not arguments.no_store:
        keep_baseline(BASELINE, base, pairs, machine.facts())
    slower = [pair.shape for pair in pairs if pair.is_regression(arguments.bound)]
    if slower:
        print(f"slower than {base} by more than {arguments.bound:.0%}: {', '.join(slower)}")
    return 1 if slower else 0


def keep_baseline(
    path: Path, base: str, pairs: Sequence[Pair], machine_facts: dict[str, str]
) -> None:
    """Store what was compared, so that the next one sees where it stood."""
    document = {
        "base": base,
        "machine": machine_facts,
        "events_per_cpu_s": {
            pair.shape: {
                "base": round(statistics.median(pair.base)),
                "these": round(statistics.median(pair.these)),
                "change": round(pair.change, 4),
                "base_runs": [round(rate) for rate in pair.base],
                "these_runs": [round(rate) for rate in pair.these],
            }
            for pair in pairs
        },
    }
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make bench-check", description=__doc__)
    parser.add_argument(
        "--base", default="", help="commit to compare with; default: last tag, else the parent"
    )
    parser.add_argument("--runs", type=int, default=5, help="runs of each")
    parser.add_argument("--events", type=int, default=EVENTS, help="of the topic, half is measured")
    parser.add_argument("--shape", choices=("both", "full", "lean"), default="full")
    parser.add_argument(
        "--bound", type=float, default=MAX_REGRESSION, help="share lost that is too much"
    )
    parser.add_argument("--kafka", default="", metavar="HOST:PORT", help="this broker")
    parser.add_argument("--no-store", action="store_true", help="leave the baseline alone")
    return parser


def _compare(arguments: argparse.Namespace) -> tuple[list[Pair], str]:
    base = short_name(arguments.base or default_base())
    shapes: tuple[Shape, ...] = (
        ("full", "lean") if arguments.shape == "both" else (arguments.shape,)
    )
    with apache_kafka(arguments.kafka) as (address, reason):
        if reason:
            raise ContestError(reason)
        trees = tree_of(base), these_files()
        with pinned(all_but_measured()):
            kinds = [TopicKind(shape, "json", arguments.events) for shape in shapes]
            topics = fill(address, kinds)
            pairs = [_pair(kind.shape, topics[kind], trees, address, arguments) for kind in kinds]
    return pairs, base


def _pair(
    shape: Shape,
    topic: FilledTopic,
    trees: tuple[Tree, Tree],
    address: str,
    arguments: argparse.Namespace,
) -> Pair:
    pair, events = Pair(shape), arguments.events
    marks = int(events * BEGIN), int(events * UNTIL), events
    # The first round compiles kernels, and is thrown away.
    for number in range(arguments.runs + 1):
        for tree, rates in zip(trees, (pair.base, pair.these), strict=True):
            with tempfile.TemporaryDirectory(prefix="inferometer-check-") as folder:
                rate = events_per_cpu_s(tree, address, topic, marks, Path(folder))
            print(f"{shape}, {tree.name}: {rate / 1e3:,.1f} k", file=sys.stderr)
            if number:
                rates.append(rate)
    return pair


def _spread(rates: Sequence[float]) -> str:
    return f"{min(rates) / 1e3:,.1f} to {max(rates) / 1e3:,.1f} k"


if __name__ == "__main__":
    del _kernel_cache
    sys.exit(main(sys.argv[1:]))
