"""Makes counts per 10 seconds from the probabilities of a case: exact ones, or random ones.

The random numbers of one run depend on the suite's seed, the case's name and the run's number only,
so that more seeds, or fewer cases, leave the others as they were.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tests.incidents.scenario import CELL_S, DAY_S, HOUR_S, ORIGIN_S, suite

if TYPE_CHECKING:
    import numpy.typing as npt

    from tests.incidents.scenario import Case, Phase

    Floats = npt.NDArray[np.float64]
    Integers = npt.NDArray[np.int64]
    Flags = npt.NDArray[np.bool_]

HASHES = 2**32 - 1
NOBODY_LOW, NOBODY_HIGH = HASHES, 0
"""Least and greatest caller of a cell in which nothing failed."""


@dataclass(frozen=True, slots=True)
class Intensity:
    """What is to be expected of each cell, before any dice."""

    requests: Floats
    """Mean number of valid requests; what the service is asked, not what is counted."""
    error: Floats
    """Probability that one of them is bad."""
    usual: Floats
    """Mean number of requests were there no incident."""
    is_counted: Flags
    """False where counts are lost on their way."""


@dataclass(frozen=True, slots=True)
class Trace:
    """What one run counted; one element a cell, the first from `ORIGIN_S` on."""

    total: Integers
    bad: Integers
    low: Integers
    """Least hash of the callers that failed."""
    high: Integers


def intensity(case: Case) -> Intensity:
    """Return what is to be expected of each cell of a case."""
    seconds: Floats = (np.arange(case.cells, dtype=np.float64) + 0.5) * CELL_S
    usual = case.rph / HOUR_S * CELL_S * case.traffic_all * _season(case, seconds)
    requests, error = usual.copy(), np.full(case.cells, case.baseline)
    minutes = (seconds - (case.starts_s - ORIGIN_S)) / 60
    for phase in case.phases:
        hit = _hit(phase, minutes)
        error[hit] = _errors(phase, minutes)[hit]
        inside = (minutes > phase.at_min) & (minutes < phase.at_min + phase.for_min)
        requests[inside] *= phase.traffic
    if case.hang_min:
        silent = (minutes > 0) & (minutes < case.hang_min)
        requests[silent] = 0.0
    counted = np.ones(case.cells, dtype=np.bool_)
    if case.gap is not None:
        counted &= ~(
            (minutes > case.gap.from_min) & (minutes < case.gap.from_min + case.gap.for_min)
        )
    return Intensity(requests, np.clip(error, 0.0, 1.0), usual, counted)


def _season(case: Case, seconds: Floats) -> Floats:
    """Return the traffic of each cell relative to its mean over a week."""
    day = 1 + case.diurnal_amplitude * np.sin(2 * np.pi * seconds / DAY_S)
    is_weekend = (seconds // DAY_S) % 7 >= 5
    mean = (5 + 2 / case.weekend_divisor) / 7
    return np.asarray(day * np.where(is_weekend, 1 / case.weekend_divisor, 1.0) / mean)


def _hit(phase: Phase, minutes: Floats) -> Flags:
    inside = (minutes > phase.at_min) & (minutes < phase.at_min + phase.for_min)
    if phase.every_min:
        inside &= (minutes - phase.at_min) % phase.every_min < phase.on_min
    return inside


def _errors(phase: Phase, minutes: Floats) -> Floats:
    return phase.error + phase.ramp_per_min * (minutes - phase.at_min)


def fluid(case: Case, requests_a_cell: int = 100_000) -> Trace:
    """Return counts without any noise; raise `ValueError` where they are no whole numbers."""
    expected = intensity(case)
    total = expected.requests / expected.usual * requests_a_cell
    bad = total * expected.error
    whole_total, whole_bad = np.rint(total), np.rint(bad)
    if np.abs(total - whole_total).max() > 1e-6 or np.abs(bad - whole_bad).max() > 1e-4:
        raise ValueError(
            f"{case.key}: {requests_a_cell} requests a cell leave fractions; take more"
        )
    lost = ~expected.is_counted
    whole_total[lost] = whole_bad[lost] = 0
    failing = whole_bad.astype(np.int64)
    low = np.where(failing > 0, 0, NOBODY_LOW)
    high = np.where(failing > 0, HASHES, NOBODY_HIGH)
    return Trace(whole_total.astype(np.int64), failing, low, high)


def sample(case: Case, run: int) -> Trace:
    """Return the counts of one run: Poisson arrivals, binomial failures."""
    dice = np.random.default_rng([suite().seed, zlib.crc32(case.key.encode()), run])
    expected = intensity(case)
    total = dice.poisson(expected.requests).astype(np.int64)
    bad = dice.binomial(total, expected.error).astype(np.int64)
    total[~expected.is_counted] = 0
    bad[~expected.is_counted] = 0
    low, high = _callers(dice, bad, case.callers)
    return Trace(total, bad, low, high)


def _callers(dice: np.random.Generator, bad: Integers, callers: int) -> tuple[Integers, Integers]:
    """Return least and greatest of as many equally likely callers as there are failures."""
    low = np.full(len(bad), NOBODY_LOW, dtype=np.int64)
    high = np.full(len(bad), NOBODY_HIGH, dtype=np.int64)
    hit = np.flatnonzero(bad)
    count = bad[hit]
    least = 1 - dice.random(len(hit)) ** (1 / count)
    greatest = np.where(count == 1, least, np.maximum(least, dice.random(len(hit)) ** (1 / count)))
    step = HASHES // callers
    low[hit] = (least * callers).astype(np.int64) * step
    high[hit] = (greatest * callers).astype(np.int64) * step
    return low, high
