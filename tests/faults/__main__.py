"""Runs the fault harness: `python -m tests.faults --help`."""

from __future__ import annotations

import argparse
import logging
import shutil
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console

# Before any kernel is compiled: workers inherit the place of the cache.
import tests.conftest as _kernel_cache
from tests.faults import report
from tests.faults.run import run
from tests.faults.scene import Plan
from tests.faults.schedule import CALM, KILLS_ONLY, LONG, SHORT

SHORT_MINUTES = 8.0
_MIXES = {"long": LONG, "short": SHORT, "kills": KILLS_ONLY, "calm": CALM}


def main(argv: list[str]) -> int:
    """Run once, print one table and one JSON line; 0 where nothing is lost or doubled."""
    given = _parser().parse_args(argv)
    seed = given.seed or int(time.time()) % 1_000_000
    mix = given.mix or ("short" if given.minutes <= SHORT_MINUTES else "long")
    folder = Path(given.folder or tempfile.mkdtemp(prefix="inferometer-faults-"))
    folder.mkdir(parents=True, exist_ok=True)
    # The client tells of each refused connection, of which there are many here.
    logging.getLogger("clickhouse_connect").setLevel(logging.CRITICAL)
    console = Console(width=max(110, Console().width), stderr=True, highlight=False)
    console.print(
        f"[dim]seed {seed}, {given.events:,} events, {given.minutes} minutes, {folder}[/]"
    )
    outcome = run(
        Plan(
            seed=seed, events=given.events, minutes=given.minutes, mix=_MIXES[mix],
            workers=given.workers, without=given.without or "",
            session_timeout_s=given.session_timeout,
            chunk_range=(given.least_chunk, given.largest_chunk),
        ),
        folder,
        lambda line: console.print(f"[dim]{line}[/]"),
    )  # fmt: skip
    report.show(outcome, Console(width=max(110, Console().width), highlight=False))
    print(report.json_line(outcome))
    if outcome.is_exact and not given.keep and not given.folder:
        shutil.rmtree(folder, ignore_errors=True)
    else:
        console.print(f"logs, traces and data are in {folder}")
    return 0 if outcome.is_exact else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="make faults",
        description="Kills, freezes and outages on Apache Kafka and dev store, against an oracle.",
        epilog="example: make faults SEED=7 EVENTS=300000 MINUTES=3",
    )
    parser.add_argument("--seed", type=int, default=0, help="default: from the clock")
    parser.add_argument("--events", type=int, default=10_000_000, help="events to send")
    parser.add_argument(
        "--minutes", type=float, default=40.0, help="how long faults happen, at least"
    )
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--mix", choices=tuple(_MIXES), help="default: by the length of the run")
    parser.add_argument("--session-timeout", type=float, default=6.0, metavar="S")
    parser.add_argument("--least-chunk", type=int, default=200, metavar="N")
    parser.add_argument("--largest-chunk", type=int, default=8000, metavar="N")
    parser.add_argument("--folder", help="where to keep logs, traces and data")
    parser.add_argument("--keep", action="store_true", help="keep them after an exact run too")
    parser.add_argument(
        "--without",
        choices=("intents", "tokens"),
        help="switch a part of the protocol off, to see the harness report what that breaks",
    )
    return parser


if __name__ == "__main__":
    del _kernel_cache
    sys.exit(main(sys.argv[1:]))
