"""Plays the suite on several processors: cases and healthy services, ours and the reference."""

from __future__ import annotations

from fractions import Fraction
from functools import partial
from typing import TYPE_CHECKING

from tests.incidents import (
    behaviours,
    lateness,
    missing,
    money,
    noise,
    reference,
    scoring,
    sweeps,
)
from tests.incidents.closed_form import WORKBOOK, clearing_s, detection_s
from tests.incidents.generator import sample
from tests.incidents.labels import ratio_label
from tests.incidents.ours import hear
from tests.incidents.report import Check, Row
from tests.incidents.scenario import suite
from tests.incidents.spread import spread

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.incidents.scenario import Case
    from tests.incidents.sweeps import SweepRow


def rows(runs: int, jobs: int, only: str = "") -> list[Row]:
    """Return one row for each counted case whose name begins so."""
    cases = [case for case in suite().counted if case.key.startswith(only)]
    return spread(partial(row_of, runs=runs), cases, jobs)


def healthy_rows(runs: int, days: float, jobs: int) -> list[SweepRow]:
    """Return how often healthy services were paged for."""
    return spread(sweeps.sweep, list(sweeps.compliant_tasks(runs, days)), jobs)


def checks(runs: int, days: float, jobs: int, only: str = "") -> list[Check]:
    """Return what the scenarios assert beside their scores."""
    parts: dict[str, Callable[[], Iterator[Check]]] = {
        "INC-18 INC-24 INC-25 INC-29 INC-31 INC-32 INC-34": behaviours.checks,
        "INC-33": lateness.checks,
        "INC-35 INC-36 INC-37 INC-38 INC-39 INC-40": money.checks,
        "INC-22 INC-23 INC-25": partial(missing.checks, runs, days),
        "T13 T14": partial(noise.checks, runs, days),
    }
    wanted = [
        partial(_listed, part)
        for scenarios, part in parts.items()
        if any(scenario.startswith(only) for scenario in scenarios.split())
    ]
    found = [check for part in spread(_called, wanted, jobs) for check in part]
    chosen = [check for check in found if check.scenario.startswith(only)]
    return sorted(chosen, key=lambda check: check.scenario)


def _called(part: Callable[[], list[Check]]) -> list[Check]:
    return part()


def _listed(part: Callable[[], Iterator[Check]]) -> list[Check]:
    return list(part())


def row_of(case: Case, runs: int) -> Row:
    """Play a case through both systems and score them."""
    label = ratio_label(case)
    traces = [sample(case, run) for run in range(runs)]
    evaluated_s = case.ends_s - case.evaluated_from_s
    return Row(
        name=case.key,
        truth=label.verdict,
        expected_min=case.detect_min,
        clears_min=page_clears_min(case),
        ours=scoring.score(label, hear(case, traces), evaluated_s),
        reference=scoring.score(label, (reference.hear(case, t) for t in traces), evaluated_s),
    )


def page_clears_min(case: Case) -> float | None:
    """Return when the last page pair that a single step made true is false again, by formula."""
    if len(case.phases) != 1 or case.truth != "page" or case.hang_min or case.gap:
        return None
    phase = case.phases[0]
    if phase.every_min or phase.ramp_per_min:
        return None
    error, budget = Fraction(str(phase.error)), 1 - Fraction(case.objective)
    steady = {
        "baseline": Fraction(str(case.errors_of_budget)) * budget,
        "traffic": Fraction(str(phase.traffic)),
    }
    clears = [
        clearing_s(pair, budget, error, **steady)
        for pair in WORKBOOK
        if pair.severity == "page"
        and detection_s(pair, budget, error, case.incident_s, **steady) is not None
    ]
    return float(max(clears)) / 60 if clears else None
