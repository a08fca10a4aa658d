"""How improbable so many failures are for a service that just meets its objective.

Invariants: probabilities are in [0, 1]; none of zero requests is certain (1). Compared with a
level alpha they are good to about 1e-5 of their value at a billion requests, better below.

P[X >= bad | Binomial(total, p)] is the regularised incomplete beta function I_p(bad, total-bad+1).
A few small tails are added up term by term; else it is computed by its continued fraction (Press et al., Numerical Recipes, 6.4, after Lentz) in NumPy, since
few requests and many have to be judged in one go and without a library of special functions.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Counts = npt.NDArray[np.int64]
    Floats = npt.NDArray[np.float64]

_TINY = 1e-300
_CLOSE = 1e-12
_MOST_STEPS = 20_000
# So many tails of so few failures are added up one by one: arrays only pay for more.
_FEW, _SMALL = 16, 500
# Coefficients of Stirling's series for log gamma; from 10 upwards they give all 53 bits.
_STIRLING = (1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360_360)
_SHIFT = 10
ALMOST = 1 + 1e-9
"""A level is met where rounding alone is in the way: 0.1**3 against 1e-3."""


def binomial_tail(bad: npt.ArrayLike, total: npt.ArrayLike, p: float) -> Floats:
    """Return P[X >= bad] of `total` requests that each fail with probability `p`."""
    k, n = np.broadcast_arrays(np.asarray(bad, np.int64), np.asarray(total, np.int64))
    tail = np.where(k <= 0, 1.0, np.where(k > n, 0.0, np.nan))
    if p <= 0 or p >= 1:
        return np.where(np.isnan(tail), float(p >= 1), tail)
    open_ones = np.isnan(tail)
    if open_ones.any():
        tail[open_ones] = _distinct_tails(k[open_ones], n[open_ones], p)
    return tail


def is_significant(
    bad: npt.ArrayLike, total: npt.ArrayLike, p: float, alpha: float
) -> npt.NDArray[np.bool_]:
    """Return where so many failures have a probability of at most `alpha`."""
    k, n = np.broadcast_arrays(np.asarray(bad, np.int64), np.asarray(total, np.int64))
    significant = _is_beyond_doubt(k, n, p, alpha)
    close = ~significant
    if close.any():
        significant[close] = binomial_tail(k[close], n[close], p) <= alpha * ALMOST
    return significant


def fewest_failures(total: int, p: float, alpha: float) -> int:
    """Return how many failures of `total` requests are significant at least; total+1 if none are."""
    low, high = 1, total + 1
    while low < high:
        middle = (low + high) // 2
        if is_significant(middle, total, p, alpha):
            high = middle
        else:
            low = middle + 1
    return low


def _is_beyond_doubt(k: Counts, n: Counts, p: float, alpha: float) -> npt.NDArray[np.bool_]:
    """Return where Chernoff's bound exp(-n*KL(k/n, p)) is enough: an outage needs no exact tail."""
    if not 0 < p < 1:
        return np.zeros(k.shape, np.bool_)
    ratio = k / np.maximum(n, 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        lower = np.where(ratio < 1, (1 - ratio) * np.log((1 - ratio) / (1 - p)), 0.0)
        distance = n * (ratio * np.log(ratio / p) + lower)
    return np.asarray((ratio > p) & (k <= n) & (distance >= -np.log(alpha)), np.bool_)


def _distinct_tails(k: Counts, n: Counts, p: float) -> Floats:
    """Compute each pair once: neighbouring ticks and quiet groups repeat them."""
    if k.size <= _FEW and k.max() <= _SMALL:
        rows = list(zip(k.tolist(), n.tolist(), strict=True))
        known = {(bad, requests): _sum(bad, requests, p) for bad, requests in set(rows)}
        return np.array([known[row] for row in rows])
    pairs, place = np.unique(np.stack((k, n)), axis=1, return_inverse=True)
    return _incomplete_beta(pairs[0].astype(float), (pairs[1] - pairs[0] + 1).astype(float), p)[
        place.reshape(-1)
    ]


def _sum(k: int, n: int, p: float) -> float:
    """Add up the terms of one tail, from the largest on, on its shorter side."""
    odds, is_upper = p / (1 - p), k > n * p
    first = k if is_upper else k - 1
    log_term = (
        math.lgamma(n + 1) - math.lgamma(first + 1) - math.lgamma(n - first + 1)
        + first * math.log(p) + (n - first) * math.log1p(-p)
    )  # fmt: skip
    term = added = math.exp(log_term)
    while term > added * _CLOSE and 0 < first < n:
        term *= (n - first) / (first + 1) * odds if is_upper else first / (n - first + 1) / odds
        first += 1 if is_upper else -1
        added += term
    return min(1.0, added) if is_upper else max(0.0, 1 - added)


def _incomplete_beta(a: Floats, b: Floats, x: float) -> Floats:
    log_front = _log_gamma(a + b) - _log_gamma(a) - _log_gamma(b) + a * np.log(x) + b * np.log1p(-x)
    front = np.exp(np.minimum(log_front, 700.0))
    # The fraction converges fast only on this side of the mean; the other side is its complement.
    is_upper = x < (a + 1) / (a + b + 2)
    result = np.empty_like(a)
    upper, lower = np.flatnonzero(is_upper), np.flatnonzero(~is_upper)
    result[upper] = front[upper] * _fraction(a[upper], b[upper], x) / a[upper]
    result[lower] = 1 - front[lower] * _fraction(b[lower], a[lower], 1 - x) / b[lower]
    return np.clip(result, 0.0, 1.0)


def _fraction(a: Floats, b: Floats, x: float) -> Floats:
    c = np.ones_like(a)
    d = 1 / _off_zero(1 - (a + b) * x / (a + 1))
    value = d.copy()
    for m in range(1, _MOST_STEPS if a.size else 1):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        d, c = 1 / _off_zero(1 + even * d), _off_zero(1 + even / c)
        value *= d * c
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        d, c = 1 / _off_zero(1 + odd * d), _off_zero(1 + odd / c)
        value *= d * c
        if np.abs(d * c - 1).max() < _CLOSE:
            break
    return value


def _off_zero(value: Floats) -> Floats:
    return np.where(np.abs(value) < _TINY, _TINY, value)


def _log_gamma(value: Floats) -> Floats:
    """Return log gamma of values from one upwards, by Stirling's series beyond ten."""
    shifted, product = value.copy(), np.ones_like(value)
    while (small := shifted < _SHIFT).any():
        product[small] *= shifted[small]
        shifted[small] += 1
    series = np.zeros_like(value)
    for coefficient in reversed(_STIRLING):
        series = series / (shifted * shifted) + coefficient
    series /= shifted
    half_log_two_pi = 0.9189385332046727
    return (shifted - 0.5) * np.log(shifted) - shifted + half_log_two_pi + series - np.log(product)
