"""The rules C1 to C7 over a whole trace of one group: what a backtest asks, in batches of an hour.

Invariants: the same forecast, windows, rules and exclusions as `CostEvaluator`, hour by hour; what
it leaves out is the models: volume explains a rise by requests and cost alone.
Costs of the whole trace must stay below 9.2 million dollars: they are summed in 64 bits.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from inferometer.core.alerts.conditions import Condition
from inferometer.core.slo.budgets import CostRule, MoneyBudget, period_bounds_s
from inferometer.core.slo.cost_burn import (
    FORECAST_RULES,
    CostInputs,
    burn,
    judge_cost,
    windows_needed,
)
from inferometer.core.slo.cost_state import LONGEST_MARKING_S
from inferometer.core.slo.definitions import DAY_S, HOUR_S
from inferometer.core.slo.forecast import ForecastPolicy, flat_hourly, learn
from inferometer.core.slo.measure_rings import COARSE, FINE, MIDDLE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from inferometer.core.slo.cost_burn import CostConditions
    from inferometer.core.slo.forecast import Forecast, ForecastCurve

CELL_S = FINE.cell_s
HOUR_CELLS = HOUR_S // CELL_S
USUAL_UNIT_COST = 1.1
RISING = (*FORECAST_RULES, CostRule.ABSOLUTE)


@dataclass(frozen=True, slots=True, kw_only=True)
class CostTrace:
    """Counts in cells of 10 s; cell i begins at `start_s + 10 i`. It begins at a whole hour."""

    start_s: int
    cost_pico: NDArray[np.int64]
    requests: NDArray[np.int64]
    attempts: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class CostBlock:
    """What the rules say at the ticks of an hour, one after each cell."""

    ticks_s: NDArray[np.int64]
    verdict: CostConditions
    inputs: CostInputs


class _Sums:
    """Sums of a trace over any windows, by differences of running sums."""

    def __init__(self, trace: CostTrace) -> None:
        self.start_s = trace.start_s
        self.cost, self.requests, self.attempts = (
            np.concatenate([[0], np.cumsum(values, dtype=np.int64)])
            for values in (trace.cost_pico, trace.requests, trace.attempts)
        )

    def between(
        self, running: NDArray[np.int64], starts_s: NDArray[np.int64], ends_s: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        last = len(running) - 1
        first, end = (
            np.clip((bounds - self.start_s) // CELL_S, 0, last) for bounds in (starts_s, ends_s)
        )
        found: NDArray[np.int64] = running[end] - running[first]
        return found


def judge_cost_history(
    budget: MoneyBudget,
    trace: CostTrace,
    *,
    from_s: int | None = None,
    policy: ForecastPolicy | None = None,
) -> Iterator[CostBlock]:
    """Yield what the rules say, hour by hour, from `from_s` (a whole hour) on."""
    sums = _Sums(trace)
    hours = len(trace.cost_pico) // HOUR_CELLS
    taught = np.ones(hours, dtype=np.bool_)
    taught[:1] = False
    hourly, hourly_requests = (
        values[: hours * HOUR_CELLS].reshape(hours, HOUR_CELLS).sum(axis=1).astype(np.float64)
        for values in (trace.cost_pico, trace.requests)
    )
    first = 0 if from_s is None else (from_s - trace.start_s) // HOUR_S
    rising_since: int | None = None
    for hour in range(first, hours):
        hour_s = trace.start_s + hour * HOUR_S
        period = period_bounds_s(hour_s, budget.period, budget.zone)
        fallback = flat_hourly(float(budget.amount_pico), period[1] - period[0])
        forecast, volume = (
            _learn(values[:hour], taught[:hour], hour_s, budget.zone, usual, policy)
            for values, usual in ((hourly, fallback), (hourly_requests, 0.0))
        )
        block = _judge_hour(budget, sums, hour_s, period, forecast, volume)
        yield block
        names = list(block.verdict.rules)
        rows = [names.index(rule.value) for rule in RISING if rule in budget.rules]
        rising = (block.verdict.conditions[rows] == Condition.TRUE).any(axis=0)
        rising_since = _mark(taught, hour, rising, rising_since, block.ticks_s)


def _learn(
    values: NDArray[np.float64],
    taught: NDArray[np.bool_],
    end_s: int,
    zone: str,
    fallback: float,
    policy: ForecastPolicy | None,
) -> Forecast:
    kept = np.where(taught, values, np.nan)[-(COARSE.cells - 1) :]
    return learn(kept, end_s=end_s, zone=zone, fallback=fallback, policy=policy)


def _mark(
    taught: NDArray[np.bool_],
    hour: int,
    rising: NDArray[np.bool_],
    since_s: int | None,
    ticks_s: NDArray[np.int64],
) -> int | None:
    """Mark the hours that must not teach; return since when spending rises, at the last tick."""
    if not rising.any():
        return None
    quiet = np.flatnonzero(~rising)
    if since_s is None or len(quiet):
        since_s = int(ticks_s[int(np.argmax(rising))])
    if int(ticks_s[-1]) - since_s <= LONGEST_MARKING_S:
        taught[max(0, hour - 1) : hour + 1] = False
    return since_s if rising[-1] else None


def _judge_hour(
    budget: MoneyBudget,
    sums: _Sums,
    hour_s: int,
    period: tuple[int, int],
    forecast: Forecast,
    volume: Forecast,
) -> CostBlock:
    ticks_s = hour_s + CELL_S * np.arange(1, HOUR_CELLS + 1)
    # A tick belongs to the period of what it closes: the last one of a month sees the whole month.
    curves = [
        one.curve(hour_s - 4 * DAY_S, period[1], planned)
        for one, planned in ((forecast, budget.planned), (volume, ()))
    ]
    inputs = _inputs(budget, sums, ticks_s, period, curves[0])
    verdict = judge_cost(budget, inputs)
    if forecast.is_learnt and volume.is_learnt:
        inputs = replace(inputs, explained=_explained(budget, inputs, ticks_s, curves[1]))
        verdict = judge_cost(budget, inputs)
    return CostBlock(ticks_s, verdict, inputs)


def _starts(ticks_s: NDArray[np.int64], window_s: int) -> NDArray[np.int64]:
    cell_s = next(ring.cell_s for ring in (FINE, MIDDLE, COARSE) if window_s <= ring.reach_s)
    return (ticks_s - window_s) // cell_s * cell_s


def _inputs(
    budget: MoneyBudget,
    sums: _Sums,
    ticks_s: NDArray[np.int64],
    period: tuple[int, int],
    curve: ForecastCurve,
) -> CostInputs:
    windows = windows_needed(budget)
    starts = {window: _starts(ticks_s, window) for window in windows}
    ends = np.full(len(ticks_s), period[1])
    since_start = sums.between(sums.cost, np.full(len(ticks_s), period[0]), ticks_s)
    return CostInputs(
        spent={w: sums.between(sums.cost, starts[w], ticks_s).astype(np.float64) for w in windows},
        expected={w: curve.between(starts[w], ticks_s) for w in windows},
        requests={w: sums.between(sums.requests, starts[w], ticks_s) for w in windows},
        attempts={w: sums.between(sums.attempts, starts[w], ticks_s) for w in windows},
        period_spent=since_start.astype(np.object_),
        period_s=np.full(len(ticks_s), period[1] - period[0]),
        rest=curve.between(ticks_s, ends),
        soon=curve.between(ticks_s, np.minimum(ends, ticks_s + budget.exhaustion_s)),
    )


def _explained(
    budget: MoneyBudget, inputs: CostInputs, ticks_s: NDArray[np.int64], volume: ForecastCurve
) -> dict[CostRule, NDArray[np.bool_]]:
    found = {}
    for rule in FORECAST_RULES:
        if rule not in budget.rules:
            continue
        window_s = budget.window(rule).long_s
        by_cost = burn(inputs.spent[window_s], inputs.expected[window_s])
        usual = volume.between(_starts(ticks_s, window_s), ticks_s)
        by_volume = burn(inputs.requests[window_s].astype(np.float64), usual)
        some = (by_cost > 1) & (by_volume > 0) & np.isfinite(by_cost) & np.isfinite(by_volume)
        logs = np.log(np.where(some, by_cost, 2.0)), np.log(np.where(some, by_volume, 1.0))
        unit_cost = np.divide(by_cost, by_volume, out=np.zeros(len(some)), where=some)
        is_usual = (unit_cost <= USUAL_UNIT_COST) & (unit_cost >= 1 / USUAL_UNIT_COST)
        found[rule] = some & is_usual & (logs[1] >= budget.explained_share * logs[0])
    return found
