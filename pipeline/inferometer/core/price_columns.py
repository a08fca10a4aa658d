"""What a chunk of requests costs: the rules of `inferometer.core.pricing`, a column at a time.

Events fall into few situations (provider, model, traffic class, period, time of day, tier); each is
resolved once, and the rest is arithmetic on 64-bit integers.

Invariants: equal to `price_request` to the last pico-dollar; no product wraps; no Python code runs
for each event, but for products beyond 64 bits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from inferometer.core.columns import MISSING, CodeColumn
from inferometer.core.money import multiply_round, round_half_even
from inferometer.core.price_situations import find_situations
from inferometer.core.prices import BILLED_ON_SUCCESS, COVERED_BY, UNITS, Unit
from inferometer.core.pricing import (
    COMPONENT_OF,
    COST_COMPONENTS,
    COST_SOURCES,
    COST_STATUSES,
    MAX_COST_PICO,
    PARTIAL,
    PRICED,
    UNPRICED,
    ZERO_RATED,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from inferometer.core.columns import EventColumns
    from inferometer.core.price_book import PriceBook
    from inferometer.core.price_situations import Situations

    Integers = NDArray[np.int64]
    Integers32 = NDArray[np.int32]
    Flags = NDArray[np.bool_]

OVER = MAX_COST_PICO + 1
"""What every amount beyond the contract's bound is clipped to before its request is refused."""


@dataclass(frozen=True, slots=True)
class CostColumns:
    """Costs of a chunk's events by field name, to be laid over the columns of the decoder."""

    numbers: dict[str, Integers]
    """`price_cost` and its components, pico-dollars, never MISSING."""
    codes: dict[str, CodeColumn]
    """`cost_status`, `cost_source`, `price_version`."""


class _Bill:
    """Costs of a chunk while its units are added up."""

    def __init__(self, count: int) -> None:
        self.components = {name: np.zeros(count, np.int64) for name in COST_COMPONENTS}
        self.over = np.zeros(count, np.bool_)
        self.paid = np.zeros(count, np.bool_)
        """A unit with a price above zero was used."""
        self.priced: dict[Unit, Flags] = {}
        self.missing: dict[Unit, Flags] = {}

    def judge(self, unit: Unit, used: Flags, priced: Flags, paid: Flags) -> None:
        """Note where a unit is used, has a price, and has one above zero."""
        self.priced[unit] = used & priced
        self.paid |= used & paid
        if unit is not Unit.REQUESTS and not priced.all():
            self.missing[unit] = used & ~priced

    def add(self, unit: Unit, costs: Integers) -> None:
        """Add a unit's costs, capped at OVER, to its component."""
        if int(costs.max()) >= OVER:
            self.over |= costs >= OVER
            costs = np.where(costs >= OVER, 0, costs)
        self.components[COMPONENT_OF[unit]] += costs

    def statuses(self) -> Integers32:
        """Return the code of each event's status, where its tariff is known."""
        count = len(self.over)
        priced = _union(self.priced.values(), count)
        missing = np.zeros(count, np.bool_)
        for unit, flags in self.missing.items():
            cover = [self.priced[u] for u in COVERED_BY.get(unit, ()) if u in self.priced]
            missing |= flags & ~_union(cover, count) if cover else flags
        codes = np.full(count, COST_STATUSES.index(PRICED), np.int32)
        codes[priced & ~self.paid] = COST_STATUSES.index(ZERO_RATED)
        codes[missing & priced] = COST_STATUSES.index(PARTIAL)
        codes[missing & ~priced] = COST_STATUSES.index(UNPRICED)
        return codes


def price_columns(book: PriceBook, columns: EventColumns) -> CostColumns:
    """Return the costs of a chunk's events, in their order."""
    situations = find_situations(book, columns)
    bill = _Bill(len(columns))
    success = _successes(columns)
    for place, unit in enumerate(UNITS):
        quantities = _quantities(columns, unit, success)
        if quantities is not None:
            _add_unit(bill, unit, quantities, situations, place)
    statuses = bill.statuses()
    total = _sum(bill.components.values(), len(columns))
    unpriced = bill.over | (total > MAX_COST_PICO) | ~situations.known[situations.of_event]
    if unpriced.any():
        statuses[unpriced] = COST_STATUSES.index(UNPRICED)
        for costs in (total, *bill.components.values()):
            costs[unpriced] = 0
    numbers = {"price_cost": total, **bill.components}
    return _overlay_stated(book, columns, numbers, statuses)


def _add_unit(
    bill: _Bill, unit: Unit, quantities: Integers, situations: Situations, place: int
) -> None:
    of_event = situations.of_event
    numerators = situations.numerators[place]
    priced = situations.priced[place]
    wide = [index for index, row in enumerate(situations.rows) if place in row.wide]
    paid = numerators > 0
    paid[wide] = True
    used = quantities > 0
    bill.judge(unit, used, priced[of_event], paid[of_event])
    if not paid.any():
        return
    costs = multiply_round(
        quantities,
        numerators[of_event],
        situations.denominators[place][of_event],
        cap=OVER,
    )
    for index in wide:
        rate = situations.rows[index].wide[place]
        for row in np.flatnonzero(used & (of_event == index)):
            exact = int(quantities[row]) * rate
            costs[row] = min(OVER, round_half_even(exact.numerator, exact.denominator))
    bill.add(unit, costs)


def _quantities(columns: EventColumns, unit: Unit, success: Flags) -> Integers | None:
    """Return what bills of a unit, or None where no event uses it."""
    if unit is Unit.REQUESTS:
        return success.astype(np.int64)
    quantities = columns.numbers[unit.value]
    if len(quantities) == 0 or int(quantities.max()) <= 0:
        return None
    if int(quantities.min()) < 0:
        quantities = np.maximum(quantities, 0)
    return np.where(success, quantities, 0) if unit in BILLED_ON_SUCCESS else quantities


def _successes(columns: EventColumns) -> Flags:
    stated = columns.numbers["billed_success"]
    status_codes = columns.numbers["status_code"]
    is_2xx = (status_codes >= 200) & (status_codes < 300)
    successes: Flags = np.where(stated == MISSING, is_2xx, stated == 1)
    return successes


def _overlay_stated(
    book: PriceBook, columns: EventColumns, numbers: dict[str, Integers], statuses: Integers32
) -> CostColumns:
    """Let a producer's statement win: zero rating before a cost, a cost before the book."""
    stated_status = columns.codes["cost_status"]
    zero_rated = _is_value(stated_status, ZERO_RATED)
    total = columns.numbers["price_cost"]
    stated = (total != MISSING) & ~zero_rated
    if stated.any():
        _take_stated(columns, np.flatnonzero(stated), numbers)
        statuses[stated] = COST_STATUSES.index(PRICED)
    if zero_rated.any():
        statuses[zero_rated] = COST_STATUSES.index(ZERO_RATED)
        for costs in numbers.values():
            costs[zero_rated] = 0
    theirs = stated | zero_rated
    return CostColumns(
        numbers=numbers,
        codes={
            "cost_status": CodeColumn(statuses, COST_STATUSES),
            "cost_source": CodeColumn(theirs.astype(np.int32), COST_SOURCES),
            "price_version": _versions(book, columns.codes["price_version"], theirs),
        },
    )


def _take_stated(columns: EventColumns, rows: Integers, numbers: dict[str, Integers]) -> None:
    total = columns.numbers["price_cost"][rows]
    parts = {name: np.maximum(columns.numbers[name][rows], 0) for name in COST_COMPONENTS}
    rest = total - _sum(parts.values(), len(rows))
    contradicts = rest < 0
    for name, part in parts.items():
        numbers[name][rows] = np.where(contradicts, 0, part)
    numbers["cost_other"][rows] += np.where(contradicts, total, rest)
    numbers["price_cost"][rows] = total


def _versions(book: PriceBook, stated: CodeColumn, theirs: Flags) -> CodeColumn:
    if not theirs.any():
        return CodeColumn(np.zeros(len(theirs), np.int32), (book.version,))
    values = stated.values if book.version in stated.values else (*stated.values, book.version)
    ours = np.int32(values.index(book.version))
    return CodeColumn(np.where(theirs, stated.codes, ours), values)


def _is_value(column: CodeColumn, value: str) -> Flags:
    if value not in column.values:
        return np.zeros(len(column.codes), np.bool_)
    found: Flags = column.codes == column.values.index(value)
    return found


def _sum(parts: Iterable[Integers], count: int) -> Integers:
    total = np.zeros(count, np.int64)
    for part in parts:
        total += part
    return total


def _union(flags: Iterable[Flags], count: int) -> Flags:
    union = np.zeros(count, np.bool_)
    for part in flags:
        union |= part
    return union
