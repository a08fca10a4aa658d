"""What an importer of foreign price lists yields: prices, provider rules, and what it left out.

Invariants: nothing is left out in silence; amounts are read as exact decimals, never as floats.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING

from inferometer.core.price_book import PriceBook

if TYPE_CHECKING:
    from inferometer.core.prices import Price, ProviderRule

EXAMPLES = 3


@dataclass(slots=True)
class ImportedPrices:
    """A foreign list in our terms; `skipped` counts what has no place in them."""

    source: str
    entries: list[Price] = field(default_factory=list)
    providers: list[ProviderRule] = field(default_factory=list)
    models: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    """By what was left out and why: how often."""
    examples: dict[str, list[str]] = field(default_factory=dict)
    """The first models that each of `skipped` concerns."""

    def add(self, price: Price) -> None:
        """Take a price, or note why it can't be one."""
        problems = price.problems()
        if problems:
            self.skip(problems[0], price.name)
        else:
            self.entries.append(price)

    def skip(self, what: str, model: str) -> None:
        """Note that something of a model's list was left out."""
        self.skipped[what] += 1
        known = self.examples.setdefault(what, [])
        if len(known) < EXAMPLES:
            known.append(model)

    def book(self) -> PriceBook:
        """Return the prices as a book."""
        return PriceBook(self.source, self.entries, self.providers)


def exact_amount(value: object) -> Decimal | None:
    """Return a JSON number or decimal text as it is written; None for anything else, NaN among it."""
    if isinstance(value, bool) or not isinstance(value, int | str | Decimal):
        return None
    try:
        amount = Decimal(value)
    except InvalidOperation:
        return None
    return amount if amount.is_finite() else None
