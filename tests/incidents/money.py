"""Scenarios of money, INC-35 to INC-40: steps, drifts, retries, prices, calendars, sales.

Spending is even and without noise where a closed form is held against it; the forecast is learnt
from five weeks of it. C1's least excess is switched off there, because the closed forms know none.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np

from inferometer.core.alerts.conditions import Condition
from inferometer.core.slo.budgets import CostRule, MoneyBudget, PlannedSpending
from inferometer.core.slo.cost_evaluation import CostEvaluator
from inferometer.core.slo.definitions import Severity
from inferometer.core.slo.drivers import PRICE, RETRIES, VOLUME
from tests.incidents.report import Check
from tests.incidents.scenario import CELL_S, DAY_S, HOUR_S, ORIGIN_S

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from inferometer.core.alerts.notices import Driver

PICO = 10**12
HISTORY_S = 35 * DAY_S
STARTS_S = ORIGIN_S + HISTORY_S
"""Monday 2026-02-09 00:00 UTC."""
PAST_ROW_S = 600
FINE_PAST_S = 7 * HOUR_S
"""How far back rows are as narrow as ticks, so that windows end where the formula says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """What 10 seconds bring."""

    requests: float = 10
    attempts_a_request: float = 1
    tokens_an_attempt: float = 300
    usd_a_token: float = 0.01 / 300

    @property
    def usd(self) -> float:
        """What they cost."""
        return self.requests * self.attempts_a_request * self.tokens_an_attempt * self.usd_a_token


USUAL = Rate()
BUDGET = MoneyBudget(
    name="inference", amount_usd=Decimal(40_000), workspace="acme", smallest_excess_usd=Decimal(0)
)


@dataclass(slots=True)
class Told:
    """What the rules of a budget said since the incident began."""

    first_s: dict[str, int] = field(default_factory=dict)
    """Seconds from the start until each rule was true."""
    severities: dict[str, Severity] = field(default_factory=dict)
    """The highest of each rule."""
    drivers: dict[str, tuple[Driver, ...]] = field(default_factory=dict)
    """At the first tick at which a rule was true."""

    @property
    def pages(self) -> list[str]:
        """Return the rules that paged."""
        return [rule for rule, severity in self.severities.items() if severity is Severity.PAGE]

    def driver(self, rule: str) -> str:
        """Return the factor that explains most."""
        factors = [each for each in self.drivers.get(rule, ()) if each.dimension == "factor"]
        return max(factors, key=lambda each: each.share).value if factors else ""


def add(evaluator: CostEvaluator, at_s: int, rate: Rate, cells: int = 1) -> None:
    """Count what some cells brought as one row."""
    requests = rate.requests * cells
    attempts = requests * rate.attempts_a_request
    tokens = attempts * rate.tokens_an_attempt
    columns = {
        "requests": requests,
        "attempts": attempts,
        "input_tokens": tokens / 2,
        "output_tokens": tokens / 2,
        "cost_usd": rate.usd * cells * PICO,
    }
    evaluator.add(
        [("m-large",)],
        np.zeros(1, np.int32),
        np.array([at_s]),
        {name: np.array([round(value)]) for name, value in columns.items()},
    )


def learnt(budget: MoneyBudget, past: Callable[[int], Rate], until_s: int) -> CostEvaluator:
    """Return an evaluator that has seen five weeks."""
    evaluator = CostEvaluator(budget)
    for at_s in range(until_s - HISTORY_S, until_s - FINE_PAST_S, PAST_ROW_S):
        add(evaluator, at_s, past(at_s), PAST_ROW_S // CELL_S)
    for at_s in range(until_s - FINE_PAST_S, until_s, CELL_S):
        add(evaluator, at_s, past(at_s))
    return evaluator


def play(
    budget: MoneyBudget,
    now: Callable[[int], Rate],
    *,
    lasts_s: int,
    tick_s: int = CELL_S,
    past: Callable[[int], Rate] = lambda _: USUAL,
    starts_s: int = STARTS_S,
) -> Told:
    """Play a course after five weeks of another; rows as wide as the distance of ticks."""
    evaluator, told = learnt(budget, past, starts_s), Told()
    for at_s in range(starts_s, starts_s + lasts_s, tick_s):
        add(evaluator, at_s, now(at_s), tick_s // CELL_S)
        for seen in evaluator.evaluate(at_s + tick_s):
            for reading in seen.readings:
                if reading.condition is Condition.TRUE:
                    note(told, reading.rule, reading.severity, at_s + tick_s - starts_s)
                    told.drivers.setdefault(reading.rule, seen.drivers)
    return told


def note(told: Told, rule: str, severity: Severity, since_s: int) -> None:
    """Keep the first time and the highest severity of a rule."""
    told.first_s.setdefault(rule, since_s)
    highest = max(told.severities.get(rule, severity), severity, key=lambda each: each.rank)
    told.severities[rule] = highest


def steady(rate: Rate) -> Callable[[int], Rate]:
    """Return a course that does not change."""
    return lambda _: rate


def dearer(factor: float) -> Rate:
    """Return the usual rate at a higher price of a token."""
    return replace(USUAL, usd_a_token=USUAL.usd_a_token * factor)


def checks() -> Iterator[Check]:
    """Yield what every scenario of this module asserts."""
    yield from steps()
    yield from daily()
    yield from drift()
    yield from retries()
    yield from heavy_request()
    yield from new_price()
    yield from calendar()
    yield from sale()


def steps() -> Iterator[Check]:
    """INC-35: spending rises at once; C1 pages when the formula says, L(theta-1)/(m-1)."""
    for factor, closed_s in ((2, 1800), (3, 900), (10, 200)):
        told = play(BUDGET, steady(dearer(factor)), lasts_s=45 * 60)
        found_s = told.first_s.get(CostRule.DOUBLING, -1)
        is_page = told.severities.get(CostRule.DOUBLING) is Severity.PAGE
        yield Check(
            scenario="INC-35", says=f"x{factor}: C1 pages after {closed_s / 60:.1f} min",
            is_reached=is_page and closed_s <= found_s <= closed_s + 60,
            found=f"{found_s / 60:.2f} min, {'page' if is_page else 'no page'}",
        )  # fmt: skip


def daily() -> Iterator[Check]:
    """T13: the rule on days at 2.5 times the forecast, within 16.5 hours."""
    told = play(BUDGET, steady(dearer(2.5)), lasts_s=18 * HOUR_S, tick_s=300)
    found_s = told.first_s.get(CostRule.DAILY, -1)
    yield Check(scenario="INC-35", says="x2.5: C3 within 16.5 h",
                is_reached=0 < found_s <= 16.5 * HOUR_S, found=f"{found_s / HOUR_S:.2f} h")  # fmt: skip


def drift() -> Iterator[Check]:
    """INC-35: a drift to 1.3 times in ten days is a ticket by projection, never a page."""
    tight = replace(BUDGET, amount_usd=Decimal(27_300))

    def drifting(at_s: int) -> Rate:
        return dearer(1 + 0.3 * (at_s - STARTS_S) / (10 * DAY_S))

    told = play(tight, drifting, lasts_s=10 * DAY_S, tick_s=600)
    yield Check(scenario="INC-35", says="a drift to x1.3 in 10 days is a ticket, no page",
                is_reached=bool(told.severities) and not told.pages, found=_words(told))  # fmt: skip


def retries() -> Iterator[Check]:
    """INC-36: attempts for each request rise to three, and the cost with them."""
    told = play(BUDGET, steady(replace(USUAL, attempts_a_request=3)), lasts_s=45 * 60)
    found_s = told.first_s.get(CostRule.DOUBLING, -1)
    yield Check(scenario="INC-36", says="C1 pages, its driver is retries",
                is_reached=CostRule.DOUBLING in told.pages and found_s <= 16 * 60
                and told.driver(CostRule.DOUBLING) == RETRIES,
                found=f"{found_s / 60:.2f} min, driver {told.driver(CostRule.DOUBLING)}")  # fmt: skip
    yield Check(scenario="INC-36", says="C7 tells of the retries themselves",
                is_reached=CostRule.RETRIES in told.first_s, found=_words(told))  # fmt: skip


def heavy_request() -> Iterator[Check]:
    """INC-37: one request of 200,000 tokens in a service of 20 requests an hour tells nobody."""
    usual = Rate(requests=1, tokens_an_attempt=2000, usd_a_token=2e-6)
    budget = replace(BUDGET, amount_usd=Decimal(100))
    nothing = replace(usual, requests=0)

    def sparse(at_s: int) -> Rate:
        if at_s == STARTS_S + HOUR_S:
            return replace(usual, tokens_an_attempt=200_000)
        return usual if at_s % 180 == 0 else nothing

    def past(at_s: int) -> Rate:
        # Rows of the older past stand for a whole stretch.
        is_fine = at_s >= STARTS_S - FINE_PAST_S
        return sparse(at_s) if is_fine else replace(usual, requests=1 / 18)

    told = play(budget, sparse, lasts_s=3 * HOUR_S, past=past)
    yield Check(scenario="INC-37", says="a single heavy request tells nobody",
                is_reached=not told.severities, found=_words(told))  # fmt: skip


def new_price() -> Iterator[Check]:
    """INC-38: a price that doubles is named as the driver; announced, it tells nobody."""
    told = play(BUDGET, steady(dearer(2)), lasts_s=40 * 60)
    yield Check(scenario="INC-38", says="a doubled price pages, its driver is the price",
                is_reached=CostRule.DOUBLING in told.pages
                and told.driver(CostRule.DOUBLING) == PRICE,
                found=f"{_words(told)}; driver {told.driver(CostRule.DOUBLING)}")  # fmt: skip
    announced = PlannedSpending(
        starts_at_s=STARTS_S, ends_at_s=STARTS_S + 60 * DAY_S, factor=Decimal(2), reason="price"
    )
    roomy = replace(BUDGET, amount_usd=Decimal(80_000), planned=(announced,))
    quiet = play(roomy, steady(dearer(2)), lasts_s=2 * HOUR_S, tick_s=60)
    yield Check(scenario="INC-38", says="an announced price tells nobody",
                is_reached=not quiet.severities, found=_words(quiet))  # fmt: skip


def calendar() -> Iterator[Check]:
    """INC-39: clocks change on 2026-03-29 in Berlin, the month ends three days later."""
    starts_s = 1_774_742_400  # 2026-03-29 00:00 UTC.
    berlin = replace(BUDGET, zone="Europe/Berlin", amount_usd=Decimal(45_000))

    def by_day(at_s: int) -> Rate:
        summer_s = 7200 if at_s >= starts_s + HOUR_S else 3600
        hour = (at_s + summer_s) % DAY_S // HOUR_S
        return replace(USUAL, requests=16 if 8 <= hour < 20 else 4)

    told = play(berlin, by_day, lasts_s=5 * DAY_S, tick_s=600, past=by_day, starts_s=starts_s)
    yield Check(scenario="INC-39", says="neither the clock change nor the new month tells anybody",
                is_reached=not _but_spent(told), found=_words(told))  # fmt: skip


def sale() -> Iterator[Check]:
    """INC-40: five times the traffic at the usual cost of a request is a ticket at most."""
    told = play(BUDGET, steady(replace(USUAL, requests=50)), lasts_s=12 * HOUR_S, tick_s=60)
    volume = told.driver(CostRule.DOUBLING)
    yield Check(scenario="INC-40", says="traffic x5 pages nobody, its driver is volume",
                is_reached=not told.pages and volume == VOLUME,
                found=f"{_words(told)}; driver {volume}")  # fmt: skip


def _but_spent(told: Told) -> list[str]:
    """Return the rules beside the thresholds of half a budget, which any full month passes."""
    return [rule for rule in told.severities if not rule.startswith(CostRule.SPENT)]


def _words(told: Told) -> str:
    said = [f"{rule} {severity} at {told.first_s[rule] / 60:.0f} min"
            for rule, severity in told.severities.items()]  # fmt: skip
    return ", ".join(said) or "nothing"
