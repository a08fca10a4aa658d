"""What one request costs: the readable reference that the column form must equal.

Rules, besides those of `inferometer.core.prices`:

- A cost that the provider states (`price_cost`) is taken as it is; its breakdown too, what is left
  of the total going to `cost_other`. A breakdown above its total can't be true: all is other then.
- `zero_rated` from a producer costs nothing, whatever else is stated.
- Each unit is rounded to a pico-dollar by itself, half-even, and the total is the sum of those.
- A request whose units come to more than the contract's `MAX_COST_USD` is unpriced: the price or
  the usage is wrong, and neither a wrapped nor a clipped amount may enter a sum.

Invariants: the components sum to the price cost; an unpriced request costs 0 and is counted by its
status, a partial one costs what is priced.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from typing import TYPE_CHECKING

from inferometer.core.events import MAX_COST_USD
from inferometer.core.money import PICO_PER_USD, pico_to_usd, round_half_even, usd_to_pico
from inferometer.core.prices import (
    BILLED_ON_SUCCESS,
    COVERED_BY,
    DAY_US,
    INPUT_UNITS,
    MEDIA_UNITS,
    MICROSECONDS_PER_SECOND,
    OUTPUT_UNITS,
    SECONDS_UNITS,
    UNITS,
    Price,
    Unit,
)

if TYPE_CHECKING:
    from inferometer.core.events import InferenceRequest
    from inferometer.core.price_book import PriceBook

MAX_COST_PICO = int(MAX_COST_USD) * PICO_PER_USD

COST_COMPONENTS = (
    "cost_input",
    "cost_output",
    "cost_cache_read",
    "cost_cache_write",
    "cost_reasoning",
    "cost_other",
)
COMPONENT_OF: dict[Unit, str] = {
    **dict.fromkeys(INPUT_UNITS, "cost_input"),
    Unit.CACHE_READ: "cost_cache_read",
    Unit.CACHE_WRITE_5M: "cost_cache_write",
    Unit.CACHE_WRITE_1H: "cost_cache_write",
    **dict.fromkeys(OUTPUT_UNITS, "cost_output"),
    Unit.REASONING: "cost_reasoning",
    **dict.fromkeys(MEDIA_UNITS, "cost_other"),
}
"""Disjoint like the units: `cost_output` is without reasoning, `cost_input` without caching."""

PRICED, UNPRICED, PARTIAL, ZERO_RATED = "priced", "unpriced", "partial", "zero_rated"
COST_STATUSES = (PRICED, UNPRICED, PARTIAL, ZERO_RATED)
LOCAL, PROVIDER = "local", "provider"
COST_SOURCES = (LOCAL, PROVIDER)


@dataclass(frozen=True, slots=True, kw_only=True)
class CostBreakdown:
    """The price cost of one request in pico-dollars, and how it came about."""

    cost_input: int = 0
    cost_output: int = 0
    cost_cache_read: int = 0
    cost_cache_write: int = 0
    cost_reasoning: int = 0
    cost_other: int = 0
    cost_status: str
    cost_source: str
    price_version: str

    @property
    def price_cost(self) -> int:
        """Return the total, pico-dollars."""
        return sum(getattr(self, name) for name in COST_COMPONENTS)

    @property
    def price_cost_usd(self) -> Decimal:
        """Return the total in dollars, exactly."""
        return pico_to_usd(self.price_cost)


def price_request(book: PriceBook, event: InferenceRequest) -> CostBreakdown:
    """Return what a request costs by the provider's statement, or else by the book."""
    if event.cost_status == ZERO_RATED:
        return CostBreakdown(
            cost_status=ZERO_RATED, cost_source=PROVIDER, price_version=event.price_version
        )
    if event.price_cost is not None:
        return _stated_cost(event, usd_to_pico(event.price_cost))
    tariff = book.resolve(
        event.provider, event.model, event.ts_end, response_model=event.response_model
    )
    used = {unit: quantity for unit, quantity in billable_usage(event).items() if quantity}
    if tariff is None:
        return _unpriced(book)
    prices = {
        unit: tariff.billed_price(
            unit,
            at_us=event.ts_end,
            traffic_class=event.traffic_class,
            time_of_day_us=event.ts_end % DAY_US,
            input_tokens=input_total(event),
        )
        for unit in used
    }
    return _book_cost(book, used, prices)


def billable_usage(event: InferenceRequest) -> dict[Unit, int]:
    """Return the quantity of each unit that bills: counts, and microseconds of media."""
    success = event.billed_success
    if success is None:
        success = 200 <= event.status_code < 300
    return {
        unit: _quantity(event, unit) for unit in UNITS if success or unit not in BILLED_ON_SUCCESS
    }


def input_total(event: InferenceRequest) -> int:
    """Return the inclusive input tokens, which decide the long-context tier."""
    if event.input_tokens is not None:
        return event.input_tokens
    return sum(_quantity(event, unit) for unit in INPUT_UNITS)


def _quantity(event: InferenceRequest, unit: Unit) -> int:
    if unit is Unit.REQUESTS:
        return 1
    value = getattr(event, unit.value)
    if unit in SECONDS_UNITS:
        micro = Decimal(repr(value)) * MICROSECONDS_PER_SECOND
        return int(micro.to_integral_value(ROUND_HALF_EVEN))
    if value is None:
        return _remainder(event, unit)
    return int(value)


def _remainder(event: InferenceRequest, unit: Unit) -> int:
    """Return what an inclusive total leaves for its plain bucket (decision 12)."""
    inputs = unit is Unit.UNCACHED_INPUT
    total = event.input_tokens if inputs else event.output_tokens
    others = sum(
        _quantity(event, other)
        for other in (INPUT_UNITS if inputs else OUTPUT_UNITS)
        if other is not unit
    )
    return max(0, (total or 0) - others)


def _book_cost(
    book: PriceBook, used: dict[Unit, int], prices: dict[Unit, Price | None]
) -> CostBreakdown:
    components = dict.fromkeys(COST_COMPONENTS, 0)
    for unit, price in prices.items():
        if price is not None:
            exact = used[unit] * price.pico_per_quantum()
            components[COMPONENT_OF[unit]] += round_half_even(exact.numerator, exact.denominator)
    if sum(components.values()) > MAX_COST_PICO:
        return _unpriced(book)
    return CostBreakdown(
        **components,
        cost_status=_status(prices),
        cost_source=LOCAL,
        price_version=book.version,
    )


def _status(prices: dict[Unit, Price | None]) -> str:
    """Judge the used units; a fee per request is a bonus of the book, never a missing price."""
    priced = {unit for unit, price in prices.items() if price is not None}
    missing = {
        unit
        for unit in prices
        if unit not in priced
        and unit is not Unit.REQUESTS
        and not priced.intersection(COVERED_BY.get(unit, ()))
    }
    if missing:
        return PARTIAL if priced else UNPRICED
    if priced and all(price is None or price.usd == 0 for price in prices.values()):
        return ZERO_RATED
    return PRICED


def _unpriced(book: PriceBook) -> CostBreakdown:
    return CostBreakdown(cost_status=UNPRICED, cost_source=LOCAL, price_version=book.version)


def _stated_cost(event: InferenceRequest, total: int) -> CostBreakdown:
    components = {name: usd_to_pico(getattr(event, name) or Decimal(0)) for name in COST_COMPONENTS}
    rest = total - sum(components.values())
    if rest < 0:
        components, rest = dict.fromkeys(COST_COMPONENTS, 0), total
    components["cost_other"] += rest
    return CostBreakdown(
        **components,
        cost_status=PRICED,
        cost_source=PROVIDER,
        price_version=event.price_version,
    )
