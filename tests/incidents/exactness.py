"""Holds the shipped evaluator against the closed forms on counts without noise (layer L1).

Ten error ratios and six changes of traffic, each long enough to fill every window of a page, for
five objectives. Pages must become true and false at the very tick; tickets within one ring cell.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from inferometer.core.alerts.conditions import Condition
from inferometer.core.slo.burn_evaluation import SloEvaluator
from inferometer.core.slo.definitions import Availability, Severity, Slo
from inferometer.slo_files import shipped_burn_windows
from tests.incidents import closed_form
from tests.incidents.closed_form import WORKBOOK
from tests.incidents.scenario import CELL_S, HOUR_S, ORIGIN_S

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.incidents.closed_form import Pair
    from tests.incidents.generator import Flags, Integers

OBJECTIVES = ("0.9999", "0.999", "0.995", "0.99", "0.95")
ERRORS = tuple(Fraction(each) for each in ("1", "0.5", "0.2", "0.15", "0.1", "0.05", "0.02", "0.01",
                                           "0.005", "0.002"))  # fmt: skip
TRAFFIC = tuple(Fraction(each) for each in ("10", "3", "0.5", "0.1", "0.03", "0.01"))
REQUESTS_A_CELL = 100_000
TICKET_CELL_S = 600


@dataclass(frozen=True, slots=True)
class Incident:
    """A steady incident without a baseline."""

    error: Fraction
    traffic: Fraction = Fraction(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A tick that differs from the closed form."""

    objective: str
    rule: str
    incident: Incident
    what: str
    expected_s: int | None
    found_s: int | None

    @property
    def ticks(self) -> float:
        """By how many ticks; infinite where one of both never comes."""
        if self.expected_s is None or self.found_s is None:
            return float("inf")
        return abs(self.expected_s - self.found_s) / CELL_S


INCIDENTS = (*(Incident(each) for each in ERRORS), *(Incident(Fraction(1), k) for k in TRAFFIC))


def differences(
    objective: str, severity: Severity, incidents: Sequence[Incident] = INCIDENTS
) -> tuple[int, list[Difference]]:
    """Return how many instants were compared, and those that differ at all."""
    pairs = [pair for pair in WORKBOOK if pair.severity == str(severity)]
    longest_s = max(pair.long_s for pair in pairs)
    lasts_s = longest_s + HOUR_S
    truth = _played(objective, severity, incidents, longest_s, lasts_s)
    compared, found = 0, []
    for place, incident in enumerate(incidents):
        for pair in pairs:
            rose_s, fell_s = _edges(truth[pair.name][:, place], lasts_s)
            expected = _expected(pair, 1 - Fraction(objective), incident, lasts_s)
            for what, wanted_s, got_s in zip(
                ("fires", "clears"), expected, (rose_s, fell_s), strict=True
            ):
                compared += 1
                if wanted_s != got_s:
                    found.append(Difference(objective=objective, rule=pair.name, incident=incident,
                                            what=what, expected_s=wanted_s, found_s=got_s))  # fmt: skip
    return compared, found


def _expected(
    pair: Pair, budget: Fraction, incident: Incident, lasts_s: int
) -> tuple[int | None, int | None]:
    rises = closed_form.detection_s(pair, budget, incident.error, lasts_s, traffic=incident.traffic)
    if rises is None:
        return None, None
    falls = closed_form.clearing_s(pair, budget, incident.error, traffic=incident.traffic)
    return closed_form.first_tick_above_s(rises), closed_form.first_tick_not_above_s(falls)


def _edges(true: Flags, lasts_s: int) -> tuple[int | None, int | None]:
    """Return the first true tick after the start, and the first false one after the end."""
    if not true.any():
        return None, None
    rose = int(true.argmax())
    last = len(true) - 1 - int(true[::-1].argmax())
    return (rose + 1) * CELL_S, (last + 2) * CELL_S - lasts_s


def _played(
    objective: str,
    severity: Severity,
    incidents: Sequence[Incident],
    history_s: int,
    lasts_s: int,
) -> dict[str, Flags]:
    """Return [tick from the start on, incident]: whether each pair is true."""
    slo = _slo(objective, severity)
    evaluator, groups = _with_history(slo, len(incidents), history_s)
    total = np.array([int(each.traffic * REQUESTS_A_CELL) for each in incidents])
    bad = np.array([int(each.traffic * REQUESTS_A_CELL * each.error) for each in incidents])
    usual, none = np.full(len(groups), REQUESTS_A_CELL), np.zeros(len(groups), np.int64)
    clears_s = max(each.short_s for each in slo.burn_windows) + HOUR_S
    ticks = (lasts_s + clears_s) // CELL_S
    truth: dict[str, Flags] = {
        each.name: np.zeros((ticks, len(incidents)), np.bool_) for each in slo.burn_windows
    }
    for tick in range(ticks):
        is_on = tick * CELL_S < lasts_s
        cells_s = np.full(len(groups), ORIGIN_S + history_s + tick * CELL_S)
        evaluator.rings.add(groups, cells_s, total if is_on else usual, bad if is_on else none)
        evaluation = evaluator.evaluate(int(cells_s[0]) + CELL_S)
        for name, true in truth.items():
            row = evaluation.rules.index(name)
            true[tick] = evaluation.conditions[row, groups] == Condition.TRUE
    return truth


def _slo(objective: str, severity: Severity) -> Slo:
    return Slo(
        name="exact",
        workspace="",
        service="exact",
        indicator=Availability(),
        objective=Decimal(objective),
        burn_windows=tuple(each for each in shipped_burn_windows() if each.severity is severity),
        principal="",
    )


def _with_history(slo: Slo, groups: int, history_s: int) -> tuple[SloEvaluator, Integers]:
    """Return an evaluator whose groups were all good until the start."""
    evaluator = SloEvaluator(slo, capacity=groups)
    places = np.array([evaluator.rings.new_group() for _ in range(groups)])
    cells_s = np.arange(ORIGIN_S, ORIGIN_S + history_s, CELL_S)
    total, none = np.full(len(cells_s), REQUESTS_A_CELL), np.zeros(len(cells_s), np.int64)
    for place in places.tolist():
        evaluator.rings.add(np.full(len(cells_s), place), cells_s, total, none)
    return evaluator, places
