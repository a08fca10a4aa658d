"""Measures in SQL: the sums and sketches that each is made of, and what is computed of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from inferometer.core.bins import MICROSECONDS_PER_MS, ZERO_BIN
from inferometer.core.cubes import duration_columns
from inferometer.core.query.measures import (
    Form,
    Mean,
    Quantile,
    Rate,
    Ratio,
    ShareBelow,
    Sum,
    Sums,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inferometer.clickhouse.query_columns import Relation
    from inferometer.clickhouse.query_parameters import Bound


SUMMED = "summed"
"""What a text calls aggregates that it sums again."""
_SKETCH = "b_"
_ROWS = "any_rows"
_COUNT_BITS = 51
"""A bin and its count as one number: thirteen bits hold every bin (`MAX_BIN`), the rest a count."""
_MOST_COUNTED = 2**_COUNT_BITS - 1
_FROM_ONE = 1 - ZERO_BIN


@dataclass(slots=True)
class Aggregates:
    """The aggregates that measures need, each once, by the alias that it has."""

    relation: Relation
    bound: Bound
    only_successes: bool
    joins_arrays: bool = False
    """Sketches are joined and sorted, not merged: for cells of few rows."""
    _texts: dict[str, str] = field(default_factory=dict)

    def texts(self) -> str:
        """Return them as columns of a text, at least one."""
        found = [f"{text} AS {alias}" for alias, text in self._texts.items()]
        return ",\n        ".join(found) or f"count() AS {_ROWS}"

    def texts_of_summed(self) -> str:
        """Return them as sums of themselves, from a text that has them already."""
        return ",\n        ".join(
            f"{'sumMap' if alias.startswith(_SKETCH) else 'sum'}({SUMMED}.{alias}) AS {alias}"
            for alias in self._texts or [_ROWS]
        )

    def measure(self, form: Form, length: str) -> str:
        """Return what a measure is of the aggregates, over a length of so many seconds.

        Raises StoreError for what the relation lacks.
        """
        match form:
            case Sum(column, factor):
                return self._scaled((column,), factor)
            case Sums(columns, factor):
                return self._scaled(columns, factor)
            case Rate(columns, per_s):
                over = f"toFloat64({self._sum(columns)})"
                return f"if({length} = 0, NULL, {over} / {length} * {self.bound.number(per_s)})"
            case Ratio(over, under, factor):
                return self._ratio(self._sum(over), self._sum(under), factor)
            case Mean(duration):
                sum_us, count = (self._sum((name,)) for name in duration_columns(duration))
                return f"if({count} = 0, NULL, {sum_us} / {count} / {MICROSECONDS_PER_MS})"
            case Quantile(duration, q):
                return self._quantile(duration, self.bound.number(q))
            case ShareBelow(duration, limit_ms):
                return self._share_below(duration, limit_ms)

    def _sum(self, columns: Sequence[str]) -> str:
        aliases = []
        for column in columns:
            text = self.relation.total(column, only_successes=self.only_successes)
            aliases.append(self._named(f"s_{column}", text))
        return aliases[0] if len(aliases) == 1 else f"({' + '.join(aliases)})"

    def _scaled(self, columns: Sequence[str], factor: float) -> str:
        total = self._sum(columns)
        return total if factor == 1 else f"toFloat64({total}) * {self.bound.number(factor)}"

    def _ratio(self, over: str, under: str, factor: float) -> str:
        scale = "" if factor == 1 else f" * {self.bound.number(factor)}"
        return f"if({under} = 0, NULL, toFloat64({over}) / toFloat64({under}){scale})"

    def _quantile(self, duration: str, q: str) -> str:
        bins, condition = self.relation.sketch(duration, only_successes=self.only_successes)
        ending = f"If({{}}, {condition})" if condition else "({})"
        if self.joins_arrays:
            return self._joined_quantile(duration, bins, ending, q)
        merged = self._named(f"{_SKETCH}{duration}", f"sumMap{ending}".format(bins))
        return f"quantile_ms({merged}, {q})"

    def _joined_quantile(self, duration: str, bins: str, ending: str, q: str) -> str:
        """Return `quantile_ms` of bins that stand side by side, as often as rows have them.

        Bin and count are one number: joining and sorting pairs takes a fifth more CPU in all.
        """
        pairs = (
            f"arrayMap((bin, seen) -> bitShiftLeft(toUInt64(bin + {_FROM_ONE}), {_COUNT_BITS})"
            f" + least(seen, {_MOST_COUNTED}), {bins}.keys, {bins}.values)"
        )
        joined = self._named(
            f"{_SKETCH}{duration}", f"arraySort(groupArrayArray{ending.format(pairs)})"
        )
        seen = self._named(
            f"c_{duration}", f"arrayCumSum(pair -> bitAnd(pair, {_MOST_COUNTED}), {joined})"
        )
        # A column of its own, and of the type of counts: else it is computed again for every bin.
        rank = self._named(
            f"k_{duration}_{len(self._texts)}",
            f"toUInt64(least(toInt64({seen}[-1]) - 1, toInt64({q} * {seen}[-1])))",
        )
        found = f"{joined}[arrayFirstIndex(upto -> upto > {rank}, {seen})]"
        middle = f"bin_middle_ms(toInt64(bitShiftRight({found}, {_COUNT_BITS})) - {_FROM_ONE})"
        return f"if({seen}[-1] = 0, NULL, {middle})"

    def _share_below(self, duration: str, limit_ms: float) -> str:
        bins, condition = self.relation.sketch(duration, only_successes=self.only_successes)
        ending = f"If({{}}, {condition})" if condition else "({})"
        limit = f"bin_of_ms({self.bound.number(limit_ms)})"
        below = (
            "arraySum((bin, bin_count) -> if(bin <= "
            f"{limit}, bin_count, 0), mapKeys({bins}), mapValues({bins}))"
        )
        # Of sums, since no sketch has to be merged to count what lies in some of its bins.
        count = self._named(f"n_{duration}", f"sum{ending}".format(f"arraySum(mapValues({bins}))"))
        alias = f"n_{duration}_{len(self._texts)}"
        return self._ratio(self._named(alias, f"sum{ending}".format(below)), count, 1)

    def _named(self, alias: str, text: str) -> str:
        self._texts.setdefault(alias, text)
        return alias
