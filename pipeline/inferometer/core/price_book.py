"""The price book: which model's list prices a request, and each unit's price under its condition.

Order of search, for a provider and a model at an instant:

1. List by list (an own list before the shipped one): the tariffs of the provider that the event
   names, by id, by alias, by the provider's own rule, then those of any provider, then those of
   the providers whose models it resells.
2. Where the book knows no such provider, or the event names none: list by list, the provider
   whose own model it is; else the only provider that has a tariff for it. Several: none, because
   hosts differ in price.
3. The same for the response model, where the model led nowhere.

The first tariff with any price in force then prices the request alone; two lists are never mixed
for one request.

Invariants: a book never changes; its version is a digest of all that can change a price, so equal
versions price alike.
"""

from __future__ import annotations

import hashlib
import json
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from inferometer.core.price_match import Match, MatchIndex
from inferometer.core.price_rates import RateRow
from inferometer.core.prices import (
    ALWAYS_FROM_US,
    ALWAYS_TO_US,
    FALLBACKS,
    UNITS,
    Price,
    ProviderRule,
    Unit,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_LABEL_CHARS = 96
DIGEST_CHARS = 16
MAX_MEMO = 20_000
"""Names of events are not bounded; past this many the memory of answers starts afresh."""


@dataclass(frozen=True, eq=False)
class Tariff:
    """All prices of one model in one list, over time and under every condition."""

    source: str
    provider: str
    match: Match
    prices: tuple[Price, ...]
    _memo: dict[tuple[str, int, int, int], RateRow] = field(default_factory=dict, repr=False)

    @cached_property
    def instants_us(self) -> tuple[int, ...]:
        """Instants at which a price of this tariff starts or ends, ascending."""
        ends = {p.effective_from_us for p in self.prices} | {p.effective_to_us for p in self.prices}
        return tuple(sorted(ends - {ALWAYS_FROM_US, ALWAYS_TO_US}))

    @cached_property
    def times_of_day_us(self) -> tuple[int, ...]:
        """Times of day at which a window of this tariff starts or ends, ascending."""
        windows = [p.condition for p in self.prices if p.condition.has_window]
        return tuple(sorted({t for w in windows for t in (w.daily_from_us, w.daily_to_us)}))

    @cached_property
    def thresholds(self) -> tuple[int, ...]:
        """Input totals above which another price holds, ascending."""
        return tuple(sorted({p.condition.min_input_tokens for p in self.prices} - {0}))

    def is_in_force(self, at_us: int) -> bool:
        """Say whether any price holds at an instant, whatever its condition."""
        return any(price.is_in_force(at_us) for price in self.prices)

    def own_price(
        self, unit: Unit, *, at_us: int, traffic_class: str, time_of_day_us: int, input_tokens: int
    ) -> Price | None:
        """Return the unit's most specific price that holds; the latest to start, of equals."""
        holding = [
            price
            for price in self.prices
            if price.unit is unit
            and price.is_in_force(at_us)
            and price.condition.holds(
                traffic_class=traffic_class,
                time_of_day_us=time_of_day_us,
                input_tokens=input_tokens,
            )
        ]
        return max(
            holding,
            key=lambda price: (*price.condition.specificity(), price.effective_from_us),
            default=None,
        )

    def billed_price(
        self, unit: Unit, *, at_us: int, traffic_class: str, time_of_day_us: int, input_tokens: int
    ) -> Price | None:
        """Return the unit's own price, or that of its first fallback that has one."""
        for candidate in (unit, *FALLBACKS.get(unit, ())):
            price = self.own_price(
                candidate,
                at_us=at_us,
                traffic_class=traffic_class,
                time_of_day_us=time_of_day_us,
                input_tokens=input_tokens,
            )
            if price is not None:
                return price
        return None

    def rates(
        self, *, at_us: int, traffic_class: str, time_of_day_us: int, input_tokens: int
    ) -> RateRow:
        """Return every unit's billed price; equal situations return the same object."""
        key = (
            traffic_class,
            bisect_right(self.instants_us, at_us),
            bisect_right(self.times_of_day_us, time_of_day_us),
            bisect_left(self.thresholds, input_tokens),
        )
        known = self._memo.get(key)
        if known is None:
            known = self._memo[key] = RateRow.of(
                self.billed_price(
                    unit,
                    at_us=at_us,
                    traffic_class=traffic_class,
                    time_of_day_us=time_of_day_us,
                    input_tokens=input_tokens,
                )
                for unit in UNITS
            )
        return known


class _Shelf:
    """The tariffs of one provider in one list, in order of precedence."""

    def __init__(self, tariffs: Sequence[Tariff]) -> None:
        self.tariffs = sorted(tariffs, key=lambda tariff: tariff.match.precedence())
        self._index = MatchIndex([tariff.match for tariff in self.tariffs])

    def find(self, model: str) -> Iterator[Tariff]:
        """Yield the first tariff that matches a model, or nothing."""
        place = self._index.first(model)
        if place is not None:
            yield self.tariffs[place]


_EMPTY_SHELF = _Shelf(())


class PriceBook:
    """Prices of all known models; see the module for how one is found."""

    def __init__(
        self, label: str, entries: Sequence[Price], providers: Sequence[ProviderRule] = ()
    ) -> None:
        """Take prices as they stand; `problems` tells which of them are unsound.

        Args:
            label: where the prices come from, part of the version.
            entries: prices; of one source, the first tariff to match a model is taken.
            providers: rules of providers; a provider without one is known by its id alone.
        """
        self.label = label[:MAX_LABEL_CHARS]
        self.entries = tuple(entries)
        ids = {rule.id for rule in providers}
        implied = dict.fromkeys(p.provider for p in self.entries if p.provider not in ids)
        self.providers = (*providers, *(ProviderRule(id=name) for name in implied if name))
        self.version = f"{self.label}+{_digest(self)}"
        self._rules = {rule.id.lower(): rule for rule in self.providers}
        self._owners = [rule for rule in self.providers if rule.model_match]
        self._owned = MatchIndex([rule.model_match for rule in self._owners if rule.model_match])
        self._lists = _shelves(self.entries)
        self._memo: dict[tuple[str, str], tuple[Tariff, ...]] = {}

    def resolve(
        self, provider: str, model: str, at_us: int, *, response_model: str = ""
    ) -> Tariff | None:
        """Return the tariff that prices a request which ended at `at_us`; None when unpriced."""
        for tariff in self.candidates(provider, model, response_model):
            if tariff.is_in_force(at_us):
                return tariff
        return None

    def candidates(self, provider: str, model: str, response_model: str = "") -> tuple[Tariff, ...]:
        """Return the tariffs that may price a request, the preferred one first."""
        found = self._named(provider.strip().lower(), model.lower())
        if found or not response_model:
            return found
        return self._named(provider.strip().lower(), response_model.lower())

    def tariffs(self) -> Iterator[Tariff]:
        """Yield every tariff, in order of precedence."""
        for shelves in self._lists.values():
            for shelf in shelves.values():
                yield from shelf.tariffs

    def problems(self) -> list[str]:
        """Return every unsound or contradicting price, one line each."""
        found = [
            f"prices[{index}] ({_subject(price)}): {problem}"
            for index, price in enumerate(self.entries)
            for problem in price.problems()
        ]
        seen: dict[tuple[Any, ...], list[int]] = {}
        for index, price in enumerate(self.entries):
            key = (price.source, price.provider, price.match, price.unit, price.condition)
            for other in seen.setdefault(key, []):
                if _overlap(self.entries[other], price):
                    found.append(
                        f"prices[{index}] ({_subject(price)}) overlaps prices[{other}] in time: "
                        "end the earlier one with effective_to, or delete one"
                    )
            seen[key].append(index)
        return found

    def _named(self, provider: str, model: str) -> tuple[Tariff, ...]:
        key = (provider, model)
        known = self._memo.get(key)
        if known is None:
            if len(self._memo) >= MAX_MEMO:
                self._memo.clear()
            known = self._memo[key] = tuple(dict.fromkeys(self._search(provider, model)))
        return known

    def _search(self, provider: str, model: str) -> Iterator[Tariff]:
        rules = self._provider_rules(provider)
        names = [rule.id for rule in rules]
        resold = [name for rule in rules for name in rule.fallbacks]
        for shelves in self._lists.values():
            for name in (*names, "", *resold):
                yield from shelves.get(name, _EMPTY_SHELF).find(model)
        if rules:
            return
        owners = [self._owners[place].id for place in self._owned.all(model)]
        for shelves in self._lists.values():
            yield from _by_model_alone(shelves, owners, model)

    def _provider_rules(self, provider: str) -> list[ProviderRule]:
        if not provider:
            return []
        found = [self._rules[provider]] if provider in self._rules else []
        for rule in self.providers:
            if provider in {alias.lower() for alias in rule.aliases}:
                found.append(rule)
        return found or [
            rule for rule in self.providers if rule.match and rule.match.matches(provider)
        ]


def merge_books(books: Sequence[PriceBook]) -> PriceBook:
    """Return one book of several, the earlier before the later for a model that both price."""
    if len(books) == 1:
        return books[0]
    if not books:
        return PriceBook("empty", [])
    rules: dict[str, ProviderRule] = {}
    for book in reversed(books):
        rules.update({rule.id: rule for rule in book.providers if _says_something(rule)})
    ordered = [rule.id for book in books for rule in book.providers]
    return PriceBook(
        "+".join(book.label for book in books),
        [price for book in books for price in book.entries],
        [rules[name] for name in dict.fromkeys(ordered) if name in rules],
    )


def _says_something(rule: ProviderRule) -> bool:
    return rule != ProviderRule(id=rule.id)


def _by_model_alone(
    shelves: dict[str, _Shelf], owners: Sequence[str], model: str
) -> Iterator[Tariff]:
    owned = [t for name in owners for t in shelves.get(name, _EMPTY_SHELF).find(model)]
    hosts = owned or [tariff for shelf in shelves.values() for tariff in shelf.find(model)]
    if owned or len(hosts) == 1:
        yield from hosts


def _shelves(entries: Sequence[Price]) -> dict[str, dict[str, _Shelf]]:
    """Group prices by list, provider and rule, each in the order of first appearance."""
    grouped: dict[tuple[str, str, Match], list[Price]] = {}
    for price in entries:
        grouped.setdefault((price.source, price.provider, price.match), []).append(price)
    lists: dict[str, dict[str, list[Tariff]]] = {}
    for (source, provider, match), prices in grouped.items():
        tariff = Tariff(source, provider, match, tuple(prices))
        lists.setdefault(source, {}).setdefault(provider, []).append(tariff)
    return {
        source: {provider: _Shelf(tariffs) for provider, tariffs in by_provider.items()}
        for source, by_provider in lists.items()
    }


def _overlap(one: Price, other: Price) -> bool:
    return (
        one.effective_from_us < other.effective_to_us
        and other.effective_from_us < one.effective_to_us
    )


def _subject(price: Price) -> str:
    return f"{price.provider or 'any provider'} {price.name or price.match.text} {price.unit.value}"


def _digest(book: PriceBook) -> str:
    """Return a short digest; amounts are normalised, so that 1.0 and 1.00 are one price."""
    hasher = hashlib.sha256()
    for rule in filter(_says_something, book.providers):
        matches = [m and m.to_rule() for m in (rule.match, rule.model_match)]
        hasher.update(json.dumps([rule.id, rule.aliases, matches, rule.fallbacks]).encode())
    for price in book.entries:
        condition = price.condition
        line = [
            price.source, price.provider, price.match.to_rule(), price.unit.value,
            *price.usd.as_integer_ratio(), price.per,
            price.effective_from_us, price.effective_to_us,
            condition.min_input_tokens, condition.traffic_class,
            condition.daily_from_us, condition.daily_to_us,
        ]  # fmt: skip
        hasher.update(json.dumps(line).encode())
    return hasher.hexdigest()[:DIGEST_CHARS]
