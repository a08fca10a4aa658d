"""Says of every goal T1 to T15 what this run measured of it, and whether it is reached.

The limits are those of the design and are not negotiable here. Goals about delivery, order and
crashes are proved by tests elsewhere; the long run starts those and reports what they said.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from inferometer.core.slo.burn_evaluation import SloEvaluator
from inferometer.core.slo.definitions import Severity
from tests.incidents import reference, scoring
from tests.incidents.exactness import OBJECTIVES, TICKET_CELL_S, Difference, differences
from tests.incidents.generator import intensity, sample
from tests.incidents.labels import ratio_label
from tests.incidents.objectives import slo_of
from tests.incidents.ours import LATENESS_S, hear
from tests.incidents.report import Target, minutes, number, share
from tests.incidents.scenario import CELL_S, ORIGIN_S, suite
from tests.incidents.scoring import Share, quantile
from tests.incidents.spread import spread

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.incidents.report import Check, Row
    from tests.incidents.scenario import Case
    from tests.incidents.scoring import Score
    from tests.incidents.sweeps import SweepRow

FALSE_PAGES_A_MONTH = 0.3
NOTICES_AN_INCIDENT = 1.1
FEW_RUNS = 100
SMALL_RPH = 10
REPOSITORY = Path(__file__).parents[2]
EVIDENCE = {
    "T8": (
        "every notice once over crashes and kills",
        (
            "tests/unit/jobs/test_deliver_notices_crashes.py",
            "tests/unit/jobs/test_evaluate_alerts.py",
            "tests/integration/test_alerts.py",
            "tests/integration/test_alerts_killed.py",
        ),
    ),
    "T9": (
        "everything is delivered by faulty receivers",
        ("tests/unit/jobs/test_deliver_notices.py", "tests/unit/webhooks/test_sender.py"),
    ),
    "T10": (
        "no connection to a forbidden target",
        ("tests/unit/webhooks/test_forbidden_targets.py", "tests/unit/webhooks/test_sender.py"),
    ),
    "T11": (
        "the same transitions in whatever order",
        (
            "tests/unit/jobs/test_evaluate_alerts.py",
            "tests/unit/core/alerts/test_alert_properties.py",
            "tests/incidents/test_through_the_jobs.py",
            "tests/integration/test_incidents_through_kafka.py",
        ),
    ),
}
"""Goals that tests elsewhere prove."""
KILLS = "50"
"""Real SIGKILLs that T8 asks for."""


def exact(
    objectives: Sequence[str] = OBJECTIVES, *, with_tickets: bool = True, jobs: int = 1
) -> list[Target]:
    """Return T1 and T7: ticks against the closed forms, without noise."""
    severities = (Severity.PAGE, Severity.TICKET) if with_tickets else (Severity.PAGE,)
    parts = [(objective, severity) for objective in objectives for severity in severities]
    played = spread(_exactly, parts, jobs)
    compared = sum(count for count, _ in played)
    wrong = [each for _, found in played for each in found]
    fires = [each for each in wrong if each.what == "fires"]
    clears = [each for each in wrong if each.what == "clears"]
    kinds = "pages and tickets" if with_tickets else "pages"
    seen = f"{compared} instants of {len(objectives)} objectives, {kinds}"
    return [
        Target(
            id=goal,
            says=f"{what} at the closed form: 0 ticks for pages, a cell for tickets",
            found=f"{seen}; {len(elsewhere)} elsewhere{_first(elsewhere)}",
            is_reached=not elsewhere,
        )
        for goal, what, elsewhere in (("T1", "fires", fires), ("T7", "clears", clears))
    ]


def _exactly(part: tuple[str, Severity]) -> tuple[int, list[Difference]]:
    """Return how many instants were compared, and those further off than allowed."""
    count, found = differences(*part)
    return count, [each for each in found if each.ticks * CELL_S > _allowed_s(part[1])]


def _allowed_s(severity: Severity) -> int:
    return TICKET_CELL_S if severity is Severity.TICKET else 0


def _first(found: Sequence[Difference]) -> str:
    return f", such as {found[0]}" if found else ""


def detection(runs: int, jobs: int = 1) -> Target:
    """Return T2: from the start of an incident to a notice, as far as evaluation decides it."""
    played = spread(partial(_detected, runs=runs), suite().detection, jobs)
    missed = [text for text, is_reached in played if not is_reached]
    return Target(
        id="T2",
        says="start to notice, p99 in minutes, 30 s of lateness included",
        found="; ".join(missed or [text for text, _ in played]),
        is_reached=not missed,
    )


def _detected(cell: tuple[Case, float], runs: int) -> tuple[str, bool]:
    case, limit_min = cell
    short = replace(case, lead_h=0.1, tail_h=0.1)
    traces = [sample(short, run) for run in range(runs)]
    found = scoring.score(ratio_label(short), hear(short, traces), 1)
    late_s = quantile(found.detections_s, 0.99) + LATENESS_S
    is_reached = found.recall.value == 1 and late_s <= limit_min * 60
    return f"{case.name}: {minutes(late_s)} of {limit_min:g}", is_reached


def false_pages(rows: Sequence[SweepRow]) -> Target:
    """Return T3: pages of healthy services that spend half of their budget."""
    half = [row for row in rows if row.case.errors_of_budget <= 0.5]
    if not half:
        return Target(id="T3", says="false pages in 30 days", found="", is_reached=None)
    steady = [row for row in half if not row.is_cold_start]
    fresh = [row for row in half if row.is_cold_start]
    worst = max((row.ours.false_pages_a_month for row in steady), default=0.0)
    theirs = max((row.reference.false_pages_a_month for row in steady), default=0.0)
    starts = max((row.ours.false_pages / row.ours.runs for row in fresh), default=0.0)
    return Target(
        id="T3",
        says=f"at most {FALSE_PAGES_A_MONTH} false pages in 30 days at every rate, by day and night",
        found=f"worst {worst:.2f} (reference {theirs:.2f}); pages per fresh start {starts:.4f}",
        is_reached=max(worst, starts) <= FALSE_PAGES_A_MONTH,
    )


def recall(runs: int, jobs: int = 1) -> tuple[Target, list[tuple[str, Score, Score]]]:
    """Return T4 with the scores of both systems for each cell."""
    cells = spread(partial(_recalled, runs=runs), suite().recall, jobs)
    failed = [
        f"{case.name}: {fault}"
        for case, (_, ours, theirs) in zip(suite().recall, cells, strict=True)
        for fault in _recall_faults(case, ours, theirs)
    ]
    goal = Target(
        id="T4",
        says="recall of pages, and of any severity, against the reference",
        found="; ".join(failed) or f"all {len(cells)} cells of {runs} runs",
        is_reached=not failed,
    )
    return goal, cells


def _recalled(case: Case, runs: int) -> tuple[str, Score, Score]:
    short = replace(case, lead_h=0.1, tail_h=0.5)
    label = replace(ratio_label(short), page="yes", verdict="page")
    # Recall near its limit needs many runs to be told from it, and small services cost little.
    wanted = 10 * runs if case.rph <= SMALL_RPH else runs
    traces = [sample(short, run) for run in range(wanted)]
    ours = scoring.score(label, hear(short, traces), 1)
    return case.name, ours, scoring.score(label, [reference.hear(short, t) for t in traces], 1)


def _recall_faults(case: Case, ours: Score, theirs: Score) -> list[str]:
    expected_bad = ratio_label(case).expected_bad
    faults = []
    floor = 0.99 if case.rph >= 300 else 0.95 if case.rph <= SMALL_RPH else 0.0
    if not _reaches(ours.recall, floor):
        faults.append(f"page recall {share(ours.recall)} below {floor}")
    if expected_bad >= 10 and ours.recall.value < theirs.recall.value - 0.05:
        faults.append(f"page recall {share(ours.recall)}, reference {share(theirs.recall)}")
    if ours.any_recall.value < theirs.any_recall.value:
        faults.append(f"any severity {share(ours.any_recall)} under {share(theirs.any_recall)}")
    return faults


def _reaches(found: Share, floor: float) -> bool:
    """Return whether a share reaches a floor; few runs must only not speak against it."""
    return found.value >= floor or (found.of < FEW_RUNS and found.interval[1] >= floor)


def precision(rows: Sequence[Row]) -> Target:
    """Return T5: page episodes of the whole suite that were right."""
    ours, theirs = (_total(rows, who) for who in ("ours", "reference"))
    return Target(id="T5", says="precision of page episodes at least 0.98 over the suite",
                  found=f"{share(ours.precision)}, reference {share(theirs.precision)}",
                  is_reached=ours.precision.value >= 0.98)  # fmt: skip


def notices(rows: Sequence[Row]) -> Target:
    """Return T6: messages per incident of the flapping family, and one page where both are true."""
    says = "1.1 firing notices an incident that flaps; 1 where page and ticket are true"
    flapping = [
        row for row in rows if row.ours.runs and row.name.startswith(("INC-11", "INC-14", "INC-15"))
    ]
    both = [row for row in rows if row.name.startswith("INC-30")]
    if not flapping or not both:
        return Target(id="T6", says=says, found="", is_reached=None)
    ours, theirs = (_total(flapping, who) for who in ("ours", "reference"))
    worst = max(row.ours.notices_an_incident for row in flapping)
    once = max(row.ours.notices_an_incident for row in both)
    return Target(
        id="T6",
        says=says,
        found=f"{number(ours.notices_an_incident)}, worst case {number(worst)} (reference "
        f"{number(theirs.notices_an_incident)}); {number(once)}",
        is_reached=ours.notices_an_incident <= NOTICES_AN_INCIDENT and once == 1.0,
    )


def _total(rows: Sequence[Row], who: str) -> Score:
    scores: list[Score] = [getattr(row, who) for row in rows]
    return sum(scores[1:], start=scores[0])


def from_checks(checks: Sequence[Check], target: str, says: str, prefixes: str) -> Target:
    """Return a goal that is reached where all checks of some scenarios are."""
    own = [each for each in checks if each.scenario in prefixes.split()]
    failed = [f"{each.scenario} {each.says}: {each.found}" for each in own if not each.is_reached]
    found = "; ".join(failed) or f"{len(own)} checks of {prefixes}"
    return Target(id=target, says=says, found=found, is_reached=not failed if own else None)


def scale(groups: int = 10_000, ticks: int = 5) -> Target:
    """Return T15: seconds of processor a tick of many groups takes, and their memory."""
    case = suite().scenario("INC-01").cases[0]
    evaluator = SloEvaluator(slo_of(case), capacity=groups)
    places = np.array([evaluator.rings.new_group() for _ in range(groups)])
    dice = np.random.default_rng(suite().seed)
    mean = float(intensity(case).requests[0])
    took = []
    for tick in range(ticks):
        total = dice.poisson(mean, groups)
        bad = dice.binomial(total, 0.2)
        cells_s = np.full(groups, ORIGIN_S + tick * CELL_S)
        began = time.process_time()
        evaluator.rings.add(places, cells_s, total, bad)
        evaluation = evaluator.evaluate(ORIGIN_S + (tick + 1) * CELL_S)
        for group in evaluation.true_groups().tolist():
            evaluation.readings(group)
        took.append(time.process_time() - began)
    kilobytes = evaluator.rings.bytes_per_group() / 1024
    return Target(id="T15", says=f"{groups} groups in under 2 s a tick on one core, 32 kB a group",
                  found=f"{max(took):.2f} s at worst with every group failing, {kilobytes:.1f} kB",
                  is_reached=max(took) < 2 and kilobytes <= 32)  # fmt: skip


def evidence(*, starts: bool) -> list[Target]:
    """Return the goals that other tests prove; run those where asked and present."""
    return [_proved(goal, says, paths, starts=starts) for goal, (says, paths) in EVIDENCE.items()]


def _proved(goal: str, says: str, paths: tuple[str, ...], *, starts: bool) -> Target:
    present = [path for path in paths if (REPOSITORY / path).exists()]
    where = f"proved by {', '.join(paths)}"
    if not starts or len(present) < len(paths):
        return Target(id=goal, says=says, found=where, is_reached=None)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *present]
    environ = {**os.environ, "TEST_ALERT_KILLS": KILLS}
    done = subprocess.run(
        command, cwd=REPOSITORY, env=environ, capture_output=True, text=True, check=False
    )
    lines = done.stdout.strip().splitlines() or ["nothing"]
    failed = [line.split(" - ")[0] for line in lines if line.startswith(("FAILED", "ERROR"))]
    last = "; ".join([*failed, lines[-1]])
    # A test that was skipped for want of a service proves nothing.
    is_whole = "skipped" not in last
    is_reached = done.returncode == 0 if is_whole else None
    return Target(id=goal, says=says, found=f"{last}; {where}", is_reached=is_reached)
