"""The rates of one situation, ready for arithmetic on 64-bit integers.

Invariants: numerator / denominator is the exact price of a quantum in pico-dollars; a rate that
does not fit 64 bits is 0 here and stands in `wide` as a fraction.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

from inferometer.core.money import MAX_DENOMINATOR, MAX_INT64
from inferometer.core.prices import UNITS

if TYPE_CHECKING:
    from collections.abc import Iterable
    from fractions import Fraction

    from numpy.typing import NDArray

    from inferometer.core.prices import Price


@dataclass(frozen=True, slots=True, eq=False)
class RateRow:
    """One rate for each unit, in the order of UNITS."""

    numerators: NDArray[np.int64]
    denominators: NDArray[np.int64]
    priced: NDArray[np.bool_]
    wide: dict[int, Fraction]
    """Rates beyond 64 bits, by the unit's place."""

    @classmethod
    def of(cls, prices: Iterable[Price | None]) -> Self:
        """Reduce prices, one for each unit, None where there is none."""
        row = cls(
            np.zeros(len(UNITS), np.int64),
            np.ones(len(UNITS), np.int64),
            np.zeros(len(UNITS), np.bool_),
            {},
        )
        for place, price in enumerate(prices):
            if price is not None:
                row._set(place, price.pico_per_quantum())
        return row

    def _set(self, place: int, rate: Fraction) -> None:
        self.priced[place] = True
        if rate.numerator > MAX_INT64 or rate.denominator > MAX_DENOMINATOR:
            self.wide[place] = rate
        else:
            self.numerators[place] = rate.numerator
            self.denominators[place] = rate.denominator


NO_RATES = RateRow.of(())
"""Of a request that no tariff prices."""
