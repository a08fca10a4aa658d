"""Budgets of money, evaluated at ticks: from counts to what the rules C1 to C7 say of each group.

Invariants: the forecast is learnt again once an hour, from whole hours before it, so a replay
learns the same; what is shown of a group is computed only where a rule is true or somebody asks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from inferometer.core.alerts.conditions import Condition
from inferometer.core.cubes import COST_MEASURE
from inferometer.core.slo.budgets import CostRule, MoneyBudget
from inferometer.core.slo.cost_burn import (
    FORECAST_RULES,
    CostConditions,
    CostInputs,
    judge_cost,
    windows_needed,
)
from inferometer.core.slo.cost_facts import GroupFigures, observe
from inferometer.core.slo.cost_state import ATTEMPTS, REQUESTS, TOKENS, CostState
from inferometer.core.slo.definitions import DAY_S, HOUR_S
from inferometer.core.slo.drivers import Explanation, Spending, explain
from inferometer.core.slo.forecast import Forecast, ForecastPolicy, flat_hourly, learn
from inferometer.core.slo.subject_definitions import definition_of_budget

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from numpy.typing import NDArray

    from inferometer.core.alerts.subjects import Observation
    from inferometer.core.slo.forecast import ForecastCurve
    from inferometer.core.slo.measure_rings import MeasureRings

LOOK_BACK_S = 3 * DAY_S + 2 * HOUR_S
"""What a curve covers before the tick: the longest window, and its widening to a whole cell."""
USUAL_UNIT_COST = 1.1
"""A request may cost so much more than expected, and the rise still be one of volume."""
WIDEST_UNIT_COST = 1.25
DEVIATIONS = 4 * 1.4826
"""Four standard deviations, by the median absolute deviation."""
EXPLAINED_RULES = (CostRule.ABSOLUTE, CostRule.TREND, CostRule.EXHAUSTION, CostRule.RETRIES)
"""Rules beside C1 to C3 whose notices name drivers."""
RISING_RULES = (*FORECAST_RULES, CostRule.ABSOLUTE)


@dataclass(frozen=True, slots=True)
class _Learnt:
    """What an hour began with, for one group."""

    forecast: Forecast
    curve: ForecastCurve


class CostEvaluator:
    """One budget over all its groups."""

    def __init__(self, budget: MoneyBudget, policy: ForecastPolicy | None = None) -> None:
        self.budget = budget
        self.state = CostState(budget)
        self.definition = definition_of_budget(budget)
        self._policy = policy or ForecastPolicy()
        self._windows = windows_needed(budget)
        self._learnt: dict[int, _Learnt] = {}
        self._usual: dict[tuple[str, int, bool], Forecast] = {}
        """Forecasts of what drivers compare with: by measure and place, of a model or a group."""
        self._bands: dict[int, float] = {}
        self._sums: dict[tuple[str, int, bool], NDArray[np.float64]] = {}
        """Of the tick that is judged: by measure, start of the window, and whether by model."""
        self._learnt_at: tuple[int, int] = (-1, -1)

    def add(
        self,
        groups: Sequence[tuple[str, ...]],
        group: NDArray[np.int32],
        cells_s: NDArray[np.int64],
        columns: Mapping[str, NDArray[np.int64]],
    ) -> None:
        """Add counts of `COST_NEEDS`, grouped by `state.group_by`; see `CostState.add`."""
        self.state.add(groups, group, cells_s, columns)

    def evaluate(
        self,
        tick_s: int,
        *,
        watched: Collection[tuple[str, ...]] = (),
        is_stale: bool = False,
    ) -> list[Observation]:
        """Return what to tell of each group with a true rule, and of those that are watched.

        `is_stale` says that the pipeline is known to be broken: every rule is then unknown.
        """
        self.state.advance(tick_s)
        if not self.state.keys:
            return []
        inputs, explanations, verdict = self.judge(tick_s, is_stale=is_stale)
        self._mark(tick_s, verdict, is_stale=is_stale)
        told = (verdict.conditions == Condition.TRUE).any(axis=0)
        return [
            observe(
                self.definition,
                self._figures(number, tick_s, inputs, verdict, explanations.get(number)),
            )
            for number, key in enumerate(self.state.keys)
            if told[number] or key in watched
        ]

    def judge(
        self, tick_s: int, *, is_stale: bool = False
    ) -> tuple[CostInputs, dict[int, Explanation], CostConditions]:
        """Return what the rules compared, why spending rose, and what the rules say."""
        self._sums.clear()
        inputs = self._inputs(tick_s, {})
        verdict = judge_cost(self.budget, inputs, is_stale=is_stale)
        explanations: dict[int, Explanation] = {}
        explained = {
            rule: np.zeros(len(self.state.keys), dtype=np.bool_)
            for rule in FORECAST_RULES
            if rule in self.budget.rules
        }
        names = list(verdict.rules)
        for number in np.flatnonzero((verdict.conditions == Condition.TRUE).any(axis=0)).tolist():
            for rule, flags in explained.items():
                if verdict.conditions[names.index(rule), number] == Condition.TRUE:
                    why = self._explain(number, tick_s, self.budget.window(rule).long_s)
                    explanations.setdefault(number, why)
                    flags[number] = why.is_volume(
                        least_share=self.budget.explained_share,
                        unit_cost_band=self._band(number, tick_s),
                    )
            if number not in explanations and self._needs_drivers(verdict, number):
                explanations[number] = self._explain(number, tick_s, DAY_S)
        if explanations:
            inputs = self._inputs(tick_s, explained)
            verdict = judge_cost(self.budget, inputs, is_stale=is_stale)
        return inputs, explanations, verdict

    def _needs_drivers(self, verdict: CostConditions, number: int) -> bool:
        """Return whether a rule about a rise is true; what has been spent needs no explanation."""
        conditions = verdict.conditions[:, number].tolist()
        return any(
            condition == Condition.TRUE and name in EXPLAINED_RULES
            for name, condition in zip(verdict.rules, conditions, strict=True)
        )

    def _inputs(self, tick_s: int, explained: Mapping[CostRule, NDArray[np.bool_]]) -> CostInputs:
        rings, numbers = self.state.rings, range(len(self.state.keys))
        start_s, end_s = self.state.period_s(tick_s)
        curves = [self._curve(number, tick_s).curve for number in numbers]
        starts = {w: rings.window_start_s(tick_s - w, tick_s) for w in self._windows}
        soon_s = min(end_s, tick_s + self.budget.exhaustion_s)
        period_spent = np.empty(len(curves), dtype=np.object_)
        period_spent[:] = [self.state.memories[number].spent.get(start_s, 0) for number in numbers]
        return CostInputs(
            spent={w: rings.sums(COST_MEASURE, starts[w], tick_s) for w in self._windows},
            expected={
                w: np.array([float(curve.between(starts[w], tick_s)) for curve in curves])
                for w in self._windows
            },
            requests={w: rings.counts(REQUESTS, starts[w], tick_s) for w in self._windows},
            attempts={w: rings.counts(ATTEMPTS, starts[w], tick_s) for w in self._windows},
            period_spent=period_spent,
            period_s=np.full(len(curves), end_s - start_s),
            rest=np.array([float(curve.between(tick_s, end_s)) for curve in curves]),
            soon=np.array([float(curve.between(tick_s, soon_s)) for curve in curves]),
            explained=explained,
        )

    def _curve(self, number: int, tick_s: int) -> _Learnt:
        """Return what a group expects, learnt from the whole hours before the tick."""
        start_s, end_s = self.state.period_s(tick_s)
        at = (tick_s // HOUR_S, end_s)
        if at != self._learnt_at:
            self._learnt_at = at
            self._learnt.clear()
            self._usual.clear()
            self._bands.clear()
        if number not in self._learnt:
            memory = self.state.memories[number]
            if memory.learnt_at != at or memory.forecast is None:
                fallback = flat_hourly(float(self.budget.amount_pico), end_s - start_s)
                memory.forecast = self._learn(
                    self.state.rings, COST_MEASURE, number, number, fallback=fallback
                )
                memory.learnt_at = at
            forecast = memory.forecast
            first_s = tick_s // HOUR_S * HOUR_S - LOOK_BACK_S
            curve = forecast.curve(first_s, end_s, self.budget.planned)
            self._learnt[number] = _Learnt(forecast, curve)
        return self._learnt[number]

    def _learn(
        self, rings: MeasureRings, measure: str, place: int, number: int, *, fallback: float = 0.0
    ) -> Forecast:
        size = self.state.rings.sizes[-1]
        end_s = self._learnt_at[0] * HOUR_S
        values = rings.series(measure, place, size, end_s=end_s).astype(np.float64)
        values[~self.state.taught(number, end_s)] = np.nan
        return learn(
            values, end_s=end_s, zone=self.budget.zone, fallback=fallback, policy=self._policy
        )

    def _explain(self, number: int, tick_s: int, window_s: int) -> Explanation:
        """Return why the last window differs from what was expected of it."""
        rings, models = self.state.rings, self.state.models
        start_s = models.window_start_s(tick_s - window_s, tick_s)
        places = self.state.memories[number].models
        costs, tokens, requests, attempts = (
            self._sum(name, start_s, tick_s, by_model=by_model)
            for name, by_model in (
                (COST_MEASURE, True), (TOKENS, True), (REQUESTS, False), (ATTEMPTS, False),
            )
        )  # fmt: skip
        now = Spending(
            requests=float(requests[number]),
            attempts=float(attempts[number]),
            tokens={model: float(tokens[place]) for model, place in places.items()},
            costs={model: float(costs[place]) for model, place in places.items()},
        )
        if not self._curve(number, tick_s).forecast.is_learnt:
            return explain(Spending(requests=0, attempts=0), now)

        def usual(kept: MeasureRings, measure: str, place: int) -> float:
            name = (measure, place, kept is models)
            if name not in self._usual:
                self._usual[name] = self._learn(kept, measure, place, number)
            return float(self._usual[name].curve(start_s, tick_s).between(start_s, tick_s))

        before = Spending(
            requests=usual(rings, REQUESTS, number),
            attempts=usual(rings, ATTEMPTS, number),
            tokens={model: usual(models, TOKENS, place) for model, place in places.items()},
            costs={model: usual(models, COST_MEASURE, place) for model, place in places.items()},
        )
        return explain(before, now)

    def _sum(
        self, measure: str, start_s: int, tick_s: int, *, by_model: bool
    ) -> NDArray[np.float64]:
        name = (measure, start_s, by_model)
        if name not in self._sums:
            rings = self.state.models if by_model else self.state.rings
            self._sums[name] = rings.sums(measure, start_s, tick_s)
        return self._sums[name]

    def _band(self, number: int, tick_s: int) -> float:
        if number not in self._bands:
            self._bands[number] = self._unit_cost_band(number, tick_s)
        return self._bands[number]

    def _unit_cost_band(self, number: int, tick_s: int) -> float:
        """Return how much more than usual a request may cost: what its hours' costs vary by."""
        size, end_s = self.state.rings.sizes[-1], tick_s // HOUR_S * HOUR_S
        costs, requests = (
            self.state.rings.series(name, number, size, end_s=end_s)
            for name in (COST_MEASURE, REQUESTS)
        )
        usable = self.state.taught(number, end_s) & (requests > 0) & (costs > 0)
        if not usable.any():
            return USUAL_UNIT_COST
        by_hour = costs[usable] / requests[usable]
        middle = float(np.median(by_hour))
        spread = float(np.median(np.abs(by_hour - middle))) * DEVIATIONS / middle
        return min(max(USUAL_UNIT_COST, 1 + spread), WIDEST_UNIT_COST)

    def _mark(self, tick_s: int, verdict: CostConditions, *, is_stale: bool) -> None:
        rows = [index for index, name in enumerate(verdict.rules) if name in RISING_RULES]
        rising = (verdict.conditions[rows] == Condition.TRUE).any(axis=0)
        for number in range(len(self.state.keys)):
            self.state.mark(number, tick_s, is_rising=bool(rising[number]), is_stale=is_stale)

    def _figures(
        self,
        number: int,
        tick_s: int,
        inputs: CostInputs,
        verdict: CostConditions,
        explanation: Explanation | None,
    ) -> GroupFigures:
        learnt = self._curve(number, tick_s)
        return GroupFigures(
            budget=self.budget,
            key=self.state.keys[number],
            number=number,
            tick_s=tick_s,
            period_s=self.state.period_s(tick_s),
            inputs=inputs,
            verdict=verdict,
            curve=learnt.curve,
            is_learnt=learnt.forecast.is_learnt,
            explanation=explanation or Explanation(),
        )
