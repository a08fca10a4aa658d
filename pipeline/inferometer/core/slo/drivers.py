"""Why spending changed: the factors of a rise, as shares that sum to one.

`cost = requests * attempts/request * tokens/attempt * price/token`, and price/token splits into
prices at the same mix of models and the mix at the same prices. Each factor's share is its
logarithm over that of the whole, so the shares add up whatever the order of the factors. Prices at
the same mix are Fisher's index: the geometric mean of the old and the new mix as weights
(I. Fisher, "The Making of Index Numbers", 1922), which treats old and new alike.

Invariants: a model that is new, or gone, changes the mix and no price; no factor is computed from
nothing: without tokens the price is that of an attempt.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from inferometer.core.alerts.notices import Driver

if TYPE_CHECKING:
    from collections.abc import Mapping

VOLUME = "requests"
RETRIES = "attempts per request"
LENGTH = "tokens per attempt"
PRICE = "price per token"
MIX = "model mix"
FACTOR = "factor"
"""The dimension of drivers that are factors; the others are dimensions of the event."""
SMALLEST_CHANGE = 0.01
"""Changes below a percent have no drivers: their shares would be noise over noise."""
SHOWN_MODELS = 3
SHARE_DIGITS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Spending:
    """What was spent, or expected to be, over a stretch of time, and on what."""

    requests: float
    attempts: float
    tokens: Mapping[str, float] = field(default_factory=dict)
    """By model."""
    costs: Mapping[str, float] = field(default_factory=dict)
    """By model; any unit of money."""

    @property
    def cost(self) -> float:
        """Everything that was spent."""
        return math.fsum(self.costs.values())

    @property
    def unit_cost(self) -> float:
        """Cost of a request; 0 without requests."""
        return self.cost / self.requests if self.requests > 0 else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """How a rise came about."""

    drivers: tuple[Driver, ...] = ()
    """Factors first, then models; each by its share, largest first."""
    volume_share: float = 0.0
    unit_cost_ratio: float = 1.0
    """Cost of a request now, by that of before."""

    def is_volume(self, *, least_share: float, unit_cost_band: float) -> bool:
        """Return whether volume alone explains the rise at a usual cost of a request.

        `unit_cost_band` is the highest usual ratio of the cost of a request, for example 1.1.
        """
        usual = 1 / unit_cost_band <= self.unit_cost_ratio <= unit_cost_band
        return usual and self.volume_share >= least_share


def explain(before: Spending, now: Spending) -> Explanation:
    """Return the factors by which `now` differs from `before`; empty if either holds nothing."""
    if min(before.cost, now.cost, before.requests, now.requests) <= 0:
        return Explanation(drivers=_models(before, now))
    whole = math.log(now.cost / before.cost)
    ratio = now.unit_cost / before.unit_cost
    if abs(whole) < SMALLEST_CHANGE:
        return Explanation(unit_cost_ratio=ratio)
    shares = {
        name: round(change / whole, SHARE_DIGITS) + 0.0
        for name, change in _factors(before, now).items()
    }
    factors = [Driver(dimension=FACTOR, value=name, share=share) for name, share in shares.items()]
    factors.sort(key=lambda driver: -driver.share)
    return Explanation(
        drivers=(*factors, *_models(before, now)),
        volume_share=shares[VOLUME],
        unit_cost_ratio=ratio,
    )


def _factors(before: Spending, now: Spending) -> dict[str, float]:
    """Return the logarithm of each factor's change; they sum to that of the cost."""
    changes = {VOLUME: math.log(now.requests / before.requests)}
    attempts = (before.attempts or before.requests, now.attempts or now.requests)
    changes[RETRIES] = math.log(attempts[1] / attempts[0]) - changes[VOLUME]
    tokens = (math.fsum(before.tokens.values()), math.fsum(now.tokens.values()))
    whole = math.log(now.cost / before.cost)
    if min(tokens) <= 0:
        return {**changes, PRICE: whole - changes[VOLUME] - changes[RETRIES]}
    changes[LENGTH] = math.log(tokens[1] / tokens[0]) - math.log(attempts[1] / attempts[0])
    by_token = whole - math.log(tokens[1] / tokens[0])
    changes[PRICE] = _price_change(before, now)
    changes[MIX] = by_token - changes[PRICE]
    return changes


def _price_change(before: Spending, now: Spending) -> float:
    """Return the logarithm of Fisher's index over the models that both have."""
    shared = [
        model
        for model in before.costs.keys() & now.costs.keys()
        if min(
            before.costs[model],
            now.costs[model],
            before.tokens.get(model, 0),
            now.tokens.get(model, 0),
        )
        > 0
    ]
    if not shared:
        return 0.0
    old = {model: before.costs[model] / before.tokens[model] for model in shared}
    new = {model: now.costs[model] / now.tokens[model] for model in shared}
    change = 0.0
    for mix in (before, now):
        at_new = math.fsum(mix.tokens[model] * new[model] for model in shared)
        at_old = math.fsum(mix.tokens[model] * old[model] for model in shared)
        alone = math.fsum(cost for model, cost in mix.costs.items() if model not in shared)
        # A model without a counterpart keeps its price in both.
        change += math.log((at_new + alone) / (at_old + alone)) / 2
    return change


def _models(before: Spending, now: Spending) -> tuple[Driver, ...]:
    """Return the models that brought most of the rise, each with its share of the sum."""
    whole = now.cost - before.cost
    if whole <= 0:
        return ()
    rises = {
        model: now.costs.get(model, 0.0) - before.costs.get(model, 0.0)
        for model in sorted(before.costs.keys() | now.costs.keys())
        if model
    }
    largest = sorted(rises, key=lambda model: -rises[model])[:SHOWN_MODELS]
    return tuple(
        Driver(dimension="model", value=model, share=round(rises[model] / whole, SHARE_DIGITS))
        for model in largest
        if rises[model] > 0
    )
