"""Runs the incident suite: `python -m tests.incidents`; `--short` is a quick look."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tests.incidents import export, report, suite_run, sweeps, targets
from tests.incidents.exactness import OBJECTIVES
from tests.incidents.scenario import suite

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.incidents.report import Check, Row, Target
    from tests.incidents.sweeps import SweepRow

SHORT_RUNS, LONG_RUNS = 3, 30
SHORT_DAYS, LONG_DAYS = 2.0, 30.0


def main(arguments: Sequence[str]) -> int:
    """Run what was chosen and print it; 1 where a goal or a check is not reached."""
    chosen = _parser().parse_args(arguments)
    runs = chosen.seeds or (SHORT_RUNS if chosen.short else LONG_RUNS)
    if chosen.export:
        cases = [case for case in suite().counted if case.key.startswith(chosen.only)]
        for path in export.write(chosen.export, cases, run=0, with_events=chosen.events):
            print(path)
        return 0
    began = time.perf_counter()
    rows = suite_run.rows(runs, chosen.jobs, chosen.only)
    if rows:
        print(report.rows_table(rows), report.total_table(rows), sep="\n\n", end="\n\n", flush=True)
    days = SHORT_DAYS if chosen.short else LONG_DAYS
    checks = suite_run.checks(runs, days, chosen.jobs, chosen.only)
    print(report.checks_table(checks), end="\n\n", flush=True)
    if chosen.only:
        return int(not all(each.is_reached for each in checks))
    healthy = suite_run.healthy_rows(runs, days, chosen.jobs)
    print(sweeps.sweeps_table(healthy), end="\n\n", flush=True)
    goals = _goals(rows, checks, healthy, runs, jobs=chosen.jobs, is_short=chosen.short)
    print(report.targets_table(goals), end="\n\n")
    print(f"{runs} seeds a case, {time.perf_counter() - began:.0f} s")
    if chosen.json:
        text = json.dumps(report.as_json(rows, checks, goals), indent=1)
        chosen.json.write_text(text + "\n", encoding="utf-8")
    missed = [each for each in goals if each.is_reached is False]
    return int(bool(missed) or not all(each.is_reached for each in checks))


def _goals(
    rows: Sequence[Row],
    checks: Sequence[Check],
    healthy: Sequence[SweepRow],
    runs: int,
    *,
    jobs: int,
    is_short: bool,
) -> list[Target]:
    found, cells = targets.recall(runs, jobs)
    print(report.recall_table(cells), end="\n\n", flush=True)
    goals = [
        *targets.exact(("0.999",) if is_short else OBJECTIVES, with_tickets=not is_short, jobs=jobs),
        targets.detection(runs, jobs),
        targets.false_pages(healthy),
        found,
        targets.precision(rows),
        targets.notices(rows),
        *targets.evidence(starts=not is_short),
        targets.from_checks(checks, "T12", "missing data: told in time, never false, never a "
                            "resolve", "INC-22 INC-23 INC-24 INC-25"),
        targets.from_checks(checks, "T13", "rising cost is told in time, noise never pages",
                            "INC-35 INC-36 INC-37 INC-38 INC-39 INC-40 T13"),
        targets.from_checks(checks, "T14", "adaptive bands keep their recall after an incident",
                            "T14"),
        targets.scale(),
    ]  # fmt: skip
    return sorted(goals, key=lambda goal: int(goal.id[1:]))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.incidents", description=__doc__)
    parser.add_argument(
        "--short", action="store_true", help="3 seeds and 2 days of healthy traffic"
    )
    parser.add_argument(
        "--seeds", type=int, default=0, help=f"runs a case; {LONG_RUNS} if not said"
    )
    parser.add_argument("--only", default="", help="cases whose name begins so, such as INC-14")
    parser.add_argument("--json", type=Path, help="write the result to this file too")
    parser.add_argument(
        "--export", type=Path, help="write labels and counts to this folder instead"
    )
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes")
    parser.add_argument("--events", action="store_true", help="with --export: the events as well")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
