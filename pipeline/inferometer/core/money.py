"""Exact money: integer pico-dollars, rounded half-even from an exact product.

Invariants: no binary float ever holds money; a rate is a fraction of integers, so the product of a
quantity and a rate is exact and is rounded once; the array and the scalar form agree to the last
pico-dollar.
"""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

PICO_PER_USD = 10**12
MAX_INT64 = 2**63 - 1
MAX_DENOMINATOR = 2**62 - 1
"""Twice a remainder must fit 64 bits."""
SAFE_PRODUCT = 9.2e18
"""Below 2**63 by more than the rounding of two 64-bit integers to floats can hide."""


def round_half_even(numerator: int, denominator: int) -> int:
    """Return numerator / denominator (>= 0, > 0) as the nearest integer, ties to even."""
    quotient, remainder = divmod(numerator, denominator)
    twice = 2 * remainder
    if twice > denominator or (twice == denominator and quotient % 2 == 1):
        return quotient + 1
    return quotient


def usd_to_pico(usd: Decimal) -> int:
    """Return dollars (>= 0) as pico-dollars, rounded half-even where they have more digits."""
    exact = Fraction(usd) * PICO_PER_USD
    return round_half_even(exact.numerator, exact.denominator)


def pico_to_usd(pico: int) -> Decimal:
    """Return pico-dollars as dollars with twelve decimals, exactly."""
    sign, digits = (1, str(-pico)) if pico < 0 else (0, str(pico))
    return Decimal((sign, tuple(map(int, digits)), -12))


def multiply_round(
    quantities: NDArray[np.int64],
    numerators: NDArray[np.int64],
    denominators: NDArray[np.int64],
    *,
    cap: int,
) -> NDArray[np.int64]:
    """Return quantity * numerator / denominator a row, half-even, at most `cap` (< 2**63).

    All inputs are >= 0, denominators in 1..MAX_DENOMINATOR. Rows whose product does not fit
    64 bits are multiplied as Python integers.
    """
    if len(quantities) == 0:
        return np.zeros(0, dtype=np.int64)
    if int(quantities.max()) * int(numerators.max()) <= MAX_INT64:
        result = _divide(quantities * numerators, denominators)
        return np.minimum(result, cap)
    large = quantities.astype(np.float64) * numerators.astype(np.float64) > SAFE_PRODUCT
    result = _divide(np.where(large, 0, quantities) * numerators, denominators)
    for row in np.flatnonzero(large):
        product = int(quantities[row]) * int(numerators[row])
        result[row] = min(cap, round_half_even(product, int(denominators[row])))
    return np.minimum(result, cap)


def _divide(products: NDArray[np.int64], denominators: NDArray[np.int64]) -> NDArray[np.int64]:
    if int(denominators.max()) == 1:
        return products
    quotients, remainders = np.divmod(products, denominators)
    twice = 2 * remainders
    quotients += (twice > denominators) | ((twice == denominators) & (quotients % 2 == 1))
    return quotients
