"""Reads `scenarios.yaml` into values: scenarios, their cases, and what happens in each."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import yaml

FILE = Path(__file__).with_name("scenarios.yaml")
CELL_S = 10
"""Width of a count and distance of two ticks."""
HOUR_S = 3600
DAY_S = 86_400
MINUTE_S = 60
ORIGIN_S = 1_767_571_200
"""Start of every trace: Monday 2026-01-05 00:00 UTC, a multiple of every ring cell."""

INHERITED = [
    "objective",
    "rph",
    "errors_of_budget",
    "lead_h",
    "history_h",
    "tail_h",
    "truth",
    "budget_truth",
    "rule",
    "detect_min",
    "phases",
    "gap",
    "hang_min",
    "traffic_all",
    "callers",
    "diurnal_amplitude",
    "weekend_divisor",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """A stretch of the incident; instants in minutes from its start."""

    for_min: float
    at_min: float = 0.0
    error: float = 0.0
    ramp_per_min: float = 0.0
    """How much the error probability rises in a minute."""
    traffic: float = 1.0
    on_min: float = 0.0
    """With `every_min`: only the first so many minutes of each cycle are bad."""
    every_min: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """Counts that never arrive."""

    from_min: float
    for_min: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One trace to generate any number of times."""

    scenario: str
    name: str
    family: str
    kind: str = "counts"
    objective: Decimal
    rph: float
    """Requests an hour, the mean of the period."""
    errors_of_budget: float
    """Baseline error probability as a share of 1 - objective."""
    history_h: float
    lead_h: float
    tail_h: float
    truth: str = "none"
    budget_truth: str | None = None
    rule: str = ""
    detect_min: float | None = None
    phases: tuple[Phase, ...] = ()
    gap: Gap | None = None
    hang_min: float = 0.0
    """How long a failing request is silent before its deadline tells."""
    traffic_all: float = 1.0
    """Traffic at this time of day relative to the mean of the period."""
    callers: int = 200
    diurnal_amplitude: float = 0.0
    weekend_divisor: float = 1.0

    @property
    def key(self) -> str:
        """Name that is unique in the suite."""
        return f"{self.scenario} {self.name}".strip()

    @property
    def budget(self) -> float:
        """Error probability that the objective allows."""
        return float(1 - self.objective)

    @property
    def baseline(self) -> float:
        """Error probability outside of the incident."""
        return self.errors_of_budget * self.budget

    @property
    def incident_s(self) -> int:
        """Length of the incident in whole cells."""
        ends = [phase.at_min + phase.for_min for phase in self.phases]
        return round(max(ends, default=0.0) * 60 / CELL_S) * CELL_S

    @property
    def starts_s(self) -> int:
        """Instant at which the incident begins."""
        return ORIGIN_S + round((self.history_h + self.lead_h) * HOUR_S)

    @property
    def evaluated_from_s(self) -> int:
        """Instant of the first tick that is looked at."""
        return ORIGIN_S + round(self.history_h * HOUR_S)

    @property
    def ends_s(self) -> int:
        """End of the trace."""
        return self.starts_s + self.incident_s + round(self.tail_h * HOUR_S)

    @property
    def cells(self) -> int:
        """Number of counts of the trace."""
        return (self.ends_s - ORIGIN_S) // CELL_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One row of the suite."""

    id: str
    title: str
    family: str
    kind: str
    """`counts`: scored; `sweep`, `behaviour`, `money`: asserted apart."""
    truth: str
    cases: tuple[Case, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """All that the file says."""

    seed: int
    scenarios: tuple[Scenario, ...]
    recall: tuple[Case, ...]
    detection: tuple[tuple[Case, float], ...]
    """Cases with the limit of T2 in minutes."""
    compliant: dict[str, Any] = field(default_factory=dict)

    def scenario(self, wanted: str) -> Scenario:
        """Return the scenario of an id."""
        return next(each for each in self.scenarios if each.id == wanted)

    @property
    def counted(self) -> tuple[Case, ...]:
        """Cases that are scored for precision and recall."""
        return tuple(
            case for each in self.scenarios if each.kind == "counts" for case in each.cases
        )


def _case(defaults: dict[str, Any], scenario: dict[str, Any], case: dict[str, Any]) -> Case:
    given = {**defaults, **scenario, **case}
    chosen = {name: given[name] for name in INHERITED if name in given}
    chosen["phases"] = tuple(Phase(**phase) for phase in chosen.get("phases", ()))
    chosen["gap"] = Gap(**chosen["gap"]) if chosen.get("gap") else None
    chosen["objective"] = Decimal(str(chosen["objective"]))
    return Case(
        scenario=scenario["id"],
        name=case.get("name", ""),
        family=scenario["family"],
        kind=scenario.get("kind", "counts"),
        **chosen,
    )


def _scenario(defaults: dict[str, Any], given: dict[str, Any]) -> Scenario:
    cases = given.get("cases") or ([{}] if "phases" in given else [])
    return Scenario(
        id=given["id"],
        title=given["title"],
        family=given["family"],
        kind=given.get("kind", "counts"),
        truth=given.get("truth", ""),
        cases=tuple(_case(defaults, given, case) for case in cases),
    )


def _cell(defaults: dict[str, Any], family: str, given: dict[str, Any]) -> Case:
    name = f"{given['rph']} rph, {given['error']:.0%}, {given['for_min']} min"
    phases = [{"for_min": given["for_min"], "error": given["error"]}]
    scenario = {"id": family, "family": family, "truth": "page", "kind": "sweep"}
    return _case(defaults, scenario, {"name": name, "rph": given["rph"], "phases": phases})


@cache
def suite() -> Suite:
    """Return the suite as the file has it."""
    read = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    defaults, sweeps = read["defaults"], read["sweeps"]
    return Suite(
        seed=read["seed"],
        scenarios=tuple(_scenario(defaults, each) for each in read["scenarios"]),
        recall=tuple(_cell(defaults, "recall", each) for each in sweeps["recall"]),
        detection=tuple(
            (_cell(defaults, "detection", each), each["limit_min"]) for each in sweeps["detection"]
        ),
        compliant=sweeps["compliant"],
    )


def compliant_case(
    *, rph: float, errors_of_budget: float, days: float, is_diurnal: bool, history_h: float = 72
) -> Case:
    """Return a healthy service, `days` of it evaluated after a past of `history_h`."""
    shape = suite().compliant
    return Case(
        scenario="INC-17" if is_diurnal else "INC-16",
        name=f"{rph:g} rph, {errors_of_budget:.0%} of the budget",
        family="compliant",
        kind="sweep",
        objective=Decimal("0.999"),
        rph=rph,
        errors_of_budget=errors_of_budget,
        history_h=history_h,
        lead_h=0,
        tail_h=days * 24,
        diurnal_amplitude=shape["diurnal_amplitude"] if is_diurnal else 0.0,
        weekend_divisor=shape["weekend_divisor"] if is_diurnal else 1.0,
    )
