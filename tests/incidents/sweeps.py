"""Healthy services over long times: how often each system pages for nothing.

Ticks are evaluated in blocks. The guard on a single caller is left out there, which can only add
pages, and each interval in which some rule pages counts, without the alert state's reopen window.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from inferometer.core.alerts.conditions import Condition
from inferometer.core.slo.definitions import MINUTE_S, Severity
from inferometer.core.slo.error_budget import EXHAUSTED
from inferometer.core.slo.history_evaluation import evaluate_history
from tests.incidents import reference, scoring
from tests.incidents.generator import sample
from tests.incidents.labels import ratio_label
from tests.incidents.objectives import slo_of
from tests.incidents.report import number, table
from tests.incidents.scenario import CELL_S, DAY_S, ORIGIN_S, compliant_case, suite
from tests.incidents.scoring import Heard, Score

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy.typing as npt

    from tests.incidents.generator import Trace
    from tests.incidents.scenario import Case

GOAL_SPENDS = 0.5
HOLD_S = 5 * MINUTE_S
PAGES_HISTORY_H = 6
"""The longest window that a page looks at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepRow:
    """One healthy service."""

    case: Case
    is_cold_start: bool
    ours: Score
    reference: Score


def page_episodes(case: Case, traces: Sequence[Trace]) -> list[Heard]:
    """Return when some rule of ours pages, for each run."""
    slo = slo_of(case, pages_only=True)
    total, bad = (np.stack([getattr(t, name) for t in traces], axis=1) for name in ("total", "bad"))
    pages = np.zeros((case.cells, len(traces)), np.bool_)
    done = 0
    for block in evaluate_history(slo, ORIGIN_S, total, bad):
        kept = [row for row, rule in enumerate(block.rules) if rule != EXHAUSTED]
        true = block.conditions[kept] == Condition.TRUE
        urgent = block.severities[kept] == Severity.PAGE.rank
        pages[done : done + len(block.ticks_s)] = (true & urgent).any(axis=0)
        done += len(block.ticks_s)
    first = (case.evaluated_from_s - ORIGIN_S) // CELL_S
    return [_heard(pages[:, run], first) for run in range(len(traces))]


def _heard(pages: npt.NDArray[np.bool_], first: int) -> Heard:
    found = scoring.episodes(pages, first, keep_firing_s=HOLD_S)
    return Heard(pages=found, notices=len(found), resolved=len(found))


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepTask:
    """A healthy service to play so many times."""

    case: Case
    runs: int
    is_cold_start: bool = False


def sweep(task: SweepTask) -> SweepRow:
    """Return how often both systems page for a healthy service."""
    case = task.case
    label = replace(ratio_label(case), page="no", verdict="none")
    evaluated_s = case.ends_s - case.evaluated_from_s
    traces = [sample(case, run) for run in range(task.runs)]
    return SweepRow(
        case=case,
        is_cold_start=task.is_cold_start,
        ours=scoring.score(label, page_episodes(case, traces), evaluated_s),
        reference=scoring.score(label, (reference.hear(case, t) for t in traces), evaluated_s),
    )


def compliant_tasks(runs: int, days: float) -> Iterator[SweepTask]:
    """Yield INC-16 and INC-17, and fresh starts of the same services."""
    shape = suite().compliant
    for is_diurnal in (False, True):
        for spent in shape["errors_of_budget"]:
            # The goal is about half of the budget; what spends more is shown beside it.
            wanted = runs if spent <= GOAL_SPENDS else max(1, runs // 5)
            for rph in shape["rph"]:
                service = compliant_case(
                    rph=rph, errors_of_budget=spent, days=days, is_diurnal=is_diurnal,
                    history_h=PAGES_HISTORY_H,
                )  # fmt: skip
                yield SweepTask(case=service, runs=wanted)
    for rph in shape["rph"]:
        fresh = compliant_case(
            rph=rph, errors_of_budget=GOAL_SPENDS, days=0.25, is_diurnal=False, history_h=0
        )
        yield SweepTask(case=fresh, runs=max(100, 10 * runs), is_cold_start=True)


def name_of(row: SweepRow) -> str:
    """Return what a row is called."""
    return f"{'fresh start, ' if row.is_cold_start else ''}{row.case.name}"


def sweeps_table(rows: Sequence[SweepRow]) -> str:
    """Return false pages per 30 days, and per fresh start."""
    lines = []
    for row in rows:
        per = [_rate(score, is_cold_start=row.is_cold_start) for score in (row.ours, row.reference)]
        days = row.ours.evaluated_s / DAY_S
        lines.append((row.case.scenario, name_of(row), f"{days:.0f}", *map(number, per)))
    header = ("scenario", "healthy service", "days", "ours", "reference")
    return table(header, lines) + "\nfalse pages in 30 days; of fresh starts: pages per 100 starts"


def _rate(score: Score, *, is_cold_start: bool) -> float:
    return 100 * score.false_pages / score.runs if is_cold_start else score.false_pages_a_month
