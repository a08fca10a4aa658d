"""The shipped evaluator says at every tick what brute force over single events says."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
import pytest

from inferometer.core.alerts.conditions import Condition
from inferometer.core.slo.burn_evaluation import SloEvaluator
from inferometer.core.slo.definitions import Severity
from inferometer.core.slo.outage import OUTAGE
from tests.incidents import export, generator
from tests.incidents.closed_form import WORKBOOK
from tests.incidents.objectives import slo_of
from tests.incidents.oracle import BruteForce, Verdict
from tests.incidents.scenario import CELL_S, ORIGIN_S, Case, Phase, compliant_case

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

HASH_OF = 2_654_435_761
"""Knuth's multiplier spreads the callers' numbers over 32 bits."""


def noisy(rph: float, error: float, *, objective: str, callers: int, history_h: float) -> Case:
    healthy = compliant_case(
        rph=rph, errors_of_budget=2.0, days=0.15, is_diurnal=False, history_h=history_h
    )
    phases = (Phase(at_min=30, for_min=20, error=error), Phase(at_min=120, for_min=9, error=1.0))
    return replace(healthy, phases=phases, objective=Decimal(objective), callers=callers, tail_h=2)


def added(evaluator: SloEvaluator, group: int, rows: Iterable[dict[str, Any]]) -> None:
    """Count single events, each with its caller."""
    for row in rows:
        bad = row["status_code"] >= 500
        caller = int(row["user_id"].removeprefix("user-")) * HASH_OF % 2**32
        low, high = (caller, caller) if bad else (2**32 - 1, 0)
        cell_s = row["ts_end"] // 1_000_000 // CELL_S * CELL_S
        evaluator.rings.add([group], [cell_s], [1], [int(bad)], [low], [high])


@pytest.mark.parametrize(
    ("case", "every"),
    [
        pytest.param(
            noisy(40, 0.5, objective="0.999", callers=3, history_h=2), 5, id="quiet, young"
        ),
        pytest.param(noisy(60, 0.2, objective="0.99", callers=1, history_h=7), 7, id="one caller"),
        pytest.param(noisy(400, 0.1, objective="0.995", callers=50, history_h=7), 11, id="busy"),
        pytest.param(noisy(150, 1.0, objective="0.9", callers=50, history_h=1), 7, id="lax"),
    ],
)
def test_the_evaluator_says_what_brute_force_says(case: Case, every: int) -> None:
    trace = generator.sample(case, 0)
    rows = list(export.events(case, trace, 0))
    first_s = ORIGIN_S + int(np.flatnonzero(trace.total)[0]) * CELL_S
    oracle = BruteForce(rows, objective=Fraction(case.objective), seen_since_s=first_s)
    evaluator = SloEvaluator(slo_of(case))
    group = evaluator.rings.new_group()
    added(evaluator, group, rows)
    wrong = []
    for tick_s in range(case.evaluated_from_s + CELL_S, case.ends_s + 1, every * CELL_S):
        evaluation = evaluator.evaluate(tick_s)
        wanted = {pair.name: oracle.pair(pair, tick_s) for pair in WORKBOOK}
        wanted[OUTAGE] = oracle.outage(tick_s)
        for reading in evaluation.readings(group):
            if reading.rule in wanted:
                found = verdict(reading.condition, reading.severity)
                if found != wanted[reading.rule]:
                    wrong.append(
                        (tick_s - case.starts_s, reading.rule, found, wanted[reading.rule])
                    )
    assert wrong == []


def verdict(condition: Condition, severity: Severity) -> Verdict:
    match condition:
        case Condition.TRUE:
            return Verdict(True, str(severity))
        case Condition.FALSE:
            return Verdict(False, None)
        case Condition.UNKNOWN:
            return Verdict(None, None)
