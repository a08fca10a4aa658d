"""T12, INC-22, INC-23, INC-25: traffic that stops, collapses, or only seems to because data broke."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from inferometer.core.alerts.conditions import Condition
from inferometer.core.slo.absence import AbsenceWatch
from inferometer.core.slo.definitions import AbsenceRule, Severity, Tier
from tests.incidents.report import Check
from tests.incidents.scenario import CELL_S, DAY_S, HOUR_S, MINUTE_S, ORIGIN_S, suite

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    from tests.incidents.generator import Floats

WEEKS = 5
STARTS_S = ORIGIN_S + WEEKS * 7 * DAY_S
P_VALUE = 1e-6
SHORTEST_S = 300
"""A shorter silence never fires."""
NIGHT_S, NOON_S = 3 * HOUR_S, 12 * HOUR_S
AMPLITUDE = 0.9
COLLAPSED = 0.01


def by_day(at_s: int) -> float:
    """Return traffic relative to its mean: least at 03:00, most at 15:00."""
    return 1 - AMPLITUDE * math.cos(2 * math.pi * (at_s - NIGHT_S) / DAY_S)


def checks(runs: int, days: float) -> Iterator[Check]:
    """Yield when missing traffic is told, and that nothing else is."""
    for rph, at_most_s in ((600, 300), (100, 497), (10, 4974)):
        yield silence(rph, at_most_s, runs)
    yield seasonal(runs)
    yield collapse(runs)
    yield broken_pipeline(runs)
    yield healthy(runs, days)
    yield severity()


def learnt(dice: np.random.Generator, rph: float, runs: int, *, is_diurnal: bool) -> AbsenceWatch:
    """Return a watch that has seen five weeks of `runs` services."""
    watch = AbsenceWatch(AbsenceRule(), tier=Tier.CRITICAL)
    for at_s in range(ORIGIN_S, STARTS_S, HOUR_S):
        count(watch, dice, rph * (by_day(at_s) if is_diurnal else 1.0), at_s, runs, HOUR_S)
    return watch


def count(
    watch: AbsenceWatch,
    dice: np.random.Generator,
    rph: float,
    at_s: int,
    runs: int,
    width_s: int = CELL_S,
) -> None:
    """Count the arrivals of a stretch; where it is an hour, its requests are in its last cell."""
    arrived = dice.poisson(rph * width_s / HOUR_S, runs).astype(np.int64)
    watch.add(np.arange(runs), np.full(runs, at_s + width_s - CELL_S), arrived)


def first_fired(
    watch: AbsenceWatch, from_s: int, lasts_s: int, runs: int, arrivals: Floats | None = None
) -> npt.NDArray[np.int64]:
    """Evaluate every tick; return after how long each run fired first, -1 for never."""
    fired = np.full(runs, -1, np.int64)
    for tick, at_s in enumerate(range(from_s, from_s + lasts_s, CELL_S)):
        if arrivals is not None:
            watch.add(np.arange(runs), np.full(runs, at_s), arrivals[tick].astype(np.int64))
        verdict = watch.evaluate(at_s + CELL_S)
        true = (verdict.conditions == Condition.TRUE).any(axis=0)
        fired[true & (fired < 0)] = at_s + CELL_S - from_s
    return fired


def silence(rph: float, at_most_s: int, runs: int) -> Check:
    """INC-23: no request any more; told when that has a probability of a millionth."""
    dice = np.random.default_rng([suite().seed, 23, round(rph)])
    watch = learnt(dice, rph, runs, is_diurnal=False)
    for at_s in range(STARTS_S, STARTS_S + HOUR_S, CELL_S):
        count(watch, dice, rph, at_s, runs)
        watch.evaluate(at_s + CELL_S)
    fired = first_fired(watch, STARTS_S + HOUR_S, 3 * HOUR_S, runs)
    # The rate is learnt from Poisson counts: its own error is part of the bound.
    slack = 1 + 3 / math.sqrt(rph * WEEKS) if at_most_s > 300 else 1.0
    latest_s = at_most_s * slack + CELL_S
    is_reached = bool((fired > 0).all() and np.quantile(fired, 0.99) <= latest_s)
    return Check(scenario="INC-23", says=f"silence at {rph} rph within {at_most_s / 60:.1f} min",
                 is_reached=is_reached, found=_minutes(fired))  # fmt: skip


def seasonal(runs: int) -> Check:
    """INC-23: at 03:00 in the low season the expectation of that hour counts."""
    rph, at_s = 600, STARTS_S + NIGHT_S - HOUR_S // 2
    dice = np.random.default_rng([suite().seed, 23])
    watch = learnt(dice, rph, runs, is_diurnal=True)
    for cell_s in range(STARTS_S, at_s, CELL_S):
        count(watch, dice, rph * by_day(cell_s), cell_s, runs)
        watch.evaluate(cell_s + CELL_S)
    fired = first_fired(watch, at_s, HOUR_S, runs)
    expected_s = -math.log(P_VALUE) / (rph * (1 - AMPLITUDE) / HOUR_S)
    is_reached = bool((fired > 0).all() and np.quantile(fired, 0.99) <= expected_s * 1.3)
    return Check(scenario="INC-23", says=f"silence at 03:00 near {expected_s / 60:.1f} min",
                 is_reached=is_reached, found=_minutes(fired))  # fmt: skip


def collapse(runs: int) -> Check:
    """INC-22: an outage that leaves a hundredth of the traffic; absence is told before the burn."""
    rph, burn_s = 10_000, 35.6 * MINUTE_S
    dice = np.random.default_rng([suite().seed, 22])
    watch = learnt(dice, rph, runs, is_diurnal=False)
    for at_s in range(STARTS_S, STARTS_S + HOUR_S, CELL_S):
        count(watch, dice, rph, at_s, runs)
        watch.evaluate(at_s + CELL_S)
    few = dice.poisson(rph * COLLAPSED * CELL_S / HOUR_S, (6 * 60, runs)).astype(np.float64)
    fired = first_fired(watch, STARTS_S + HOUR_S, HOUR_S, runs, few)
    return Check(scenario="INC-22", says="x0.01: absence is told before the burn rate (35.6 min)",
                 is_reached=bool((fired > 0).all() and fired.max() < burn_s),
                 found=_minutes(fired))  # fmt: skip


def broken_pipeline(runs: int) -> Check:
    """INC-25: ten minutes without data while the pipeline is known to be broken."""
    rph = 10_000
    dice = np.random.default_rng([suite().seed, 25])
    watch = learnt(dice, rph, runs, is_diurnal=False)
    fired = 0
    gap = range(STARTS_S + HOUR_S, STARTS_S + HOUR_S + 10 * MINUTE_S)
    for at_s in range(STARTS_S, STARTS_S + 3 * HOUR_S, CELL_S):
        if at_s not in gap:
            count(watch, dice, rph, at_s, runs)
        verdict = watch.evaluate(at_s + CELL_S, is_stale=at_s in gap)
        fired += int((verdict.conditions == Condition.TRUE).sum())
    return Check(scenario="INC-25", says="no absence while the pipeline is broken, nor after",
                 is_reached=not fired, found=f"{fired} true ticks")  # fmt: skip


def healthy(runs: int, days: float) -> Check:
    """T12: a month of healthy traffic that falls to a tenth by night; nothing is missing.

    The first run of each rate must be without a false absence. Of many runs a few have one: after
    each request a silence as improbable as `P_VALUE` may follow, so no more may be false than such
    silences are to be expected (at 99.9 %).
    """
    dice = np.random.default_rng([suite().seed, 12])
    false = np.zeros(runs, np.int64)
    chances = 0.0
    rates = (10, 100, 600)
    for rph in rates:
        watch = learnt(dice, rph, runs, is_diurnal=True)
        before = np.zeros(runs, np.bool_)
        for at_s in range(STARTS_S, STARTS_S + round(days * DAY_S), MINUTE_S):
            rate = rph * by_day(at_s)
            count(watch, dice, rate, at_s, runs, MINUTE_S)
            verdict = watch.evaluate(at_s + MINUTE_S)
            true = (verdict.conditions == Condition.TRUE).any(axis=0)
            false += true & ~before
            before = true
            if -math.log(P_VALUE) / rate * HOUR_S >= SHORTEST_S:
                chances += runs * rate * MINUTE_S / HOUR_S
    mean, total = P_VALUE * chances, int(false.sum())
    return Check(
        scenario="INC-23", says="no false absence by day and night in 30 days",
        is_reached=false[0] == 0 and _is_plausible(total, mean),
        found=f"{false[0]} in the first run of each rate; {total} in {len(rates) * runs * days:.0f} "
        f"days, {mean:.1f} by the p-value alone",
    )  # fmt: skip


def _is_plausible(count: int, mean: float) -> bool:
    """Return whether so many, or more, come more often than once in a thousand times."""
    below = [math.exp(index * math.log(mean) - mean - math.lgamma(index + 1))
             for index in range(count)]  # fmt: skip
    return 1 - math.fsum(below) >= 0.001


def severity() -> Check:
    """A critical service is a page, others are a ticket."""
    found = {tier: AbsenceWatch(AbsenceRule(), tier=tier).severity for tier in Tier}
    wanted = {Tier.STANDARD: Severity.TICKET, Tier.CRITICAL: Severity.PAGE}
    return Check(scenario="INC-23", says="absence pages for critical services only",
                 is_reached=found == wanted, found=str(found[Tier.CRITICAL]))  # fmt: skip


def _minutes(fired_s: npt.NDArray[np.int64]) -> str:
    told = fired_s[fired_s >= 0]
    missed = f", {len(fired_s) - len(told)} never" if len(told) < len(fired_s) else ""
    return (f"p50 {np.median(told) / 60:.1f}, max {told.max() / 60:.1f} min{missed}"
            if len(told) else "never")  # fmt: skip
