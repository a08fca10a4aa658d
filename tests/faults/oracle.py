"""What the store must hold, computed from the numbers that the producers sent.

Own arithmetic throughout: nothing here imports the pipeline. Money is integer pico-dollars, each
unit rounded half-even; sketches are compared by their number of values and by a fingerprint that is
linear in the counts, so that every bin of every group matters and none has to be listed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from tests.faults.traffic import (
    ACCOUNTS,
    ERRORS,
    MODELS,
    PROVIDERS,
    RATES,
    REGIONS,
    STATUSES,
    TEAMS,
    USERS,
    WORKSPACES,
    Columns,
    gap_sketches,
)

Integers = NDArray[np.int64]

LN_GAMMA = float(np.log(1.005 / 0.995))
ZERO_BIN = -1
_MULTIPLIER = np.uint64(2_654_435_761)

CLASSES = {
    200: "successes", 429: "rate_limited", 500: "errors_5xx", 400: "errors_4xx",
    499: "client_aborted", 302: "errors_other",
}  # fmt: skip
CLASS_NAMES = {200: "2xx", 429: "429", 500: "5xx", 400: "4xx", 499: "499", 302: "other"}

SERVICE = (
    "workspace_id", "environment", "provider", "model", "model_version", "model_type", "region",
    "deployment_type", "traffic_class", "status_code", "error_type",
)  # fmt: skip
USAGE = (
    "workspace_id", "model", "virtual_model", "team_id", "user_id", "virtual_account_id",
    "status_class",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Relation:
    """A physical roll-up table: its name, the length of its windows, its dimensions."""

    table: str
    window_s: int
    dimensions: tuple[str, ...]


RELATIONS = (
    Relation("service_10s_rows", 10, SERVICE),
    Relation("service_1m_rows", 60, SERVICE),
    Relation("service_1h_rows", 3600, SERVICE),
    Relation("usage_1m_rows", 60, USAGE),
    Relation("usage_1h_rows", 3600, USAGE),
)
SKETCHES = ("ttft", "e2e", "itl", "tpot", "queue")


@dataclass(frozen=True, slots=True)
class Sums:
    """The groups of a relation in ascending order of their keys, and their measures."""

    keys: Integers
    measures: dict[str, Integers]
    """Absent where all are zero; sketches as `<name>_bins` and `<name>_print`."""


def bins_of(durations_us: Integers) -> Integers:
    """Return the bin of each duration: `ceil(ln v / ln gamma)`, zero apart."""
    logs = np.ceil(np.log(np.maximum(durations_us, 1)) / LN_GAMMA).astype(np.int64)
    return np.where(durations_us <= 0, ZERO_BIN, logs)


def fingerprints(bins: Integers) -> NDArray[np.uint64]:
    """Return a number for each bin whose sums tell two sketches apart; it wraps at 64 bits."""
    shifted = (bins + 2).astype(np.uint64)
    with np.errstate(over="ignore"):
        prints: NDArray[np.uint64] = shifted * shifted * shifted * _MULTIPLIER
    return prints


def fingerprint_sql(column: str) -> str:
    """Return the same sum over a column of sketches as SQL."""
    cube = "toUInt64(k + 2) * toUInt64(k + 2) * toUInt64(k + 2)"
    each = f"arrayMap((k, c) -> c * ({cube} * toUInt64({int(_MULTIPLIER)}))"
    return f"sum(arraySum({each}, mapKeys({column}), mapValues({column}))))"


def half_even(numerators: Integers, denominator: int) -> Integers:
    """Return numerators / denominator, rounded half-even."""
    quotient, rest = np.divmod(numerators, denominator)
    up = (2 * rest > denominator) | ((2 * rest == denominator) & (quotient % 2 == 1))
    rounded: Integers = quotient + up
    return rounded


def pico_dollars(e: Columns) -> Integers:
    """Return what each event costs."""
    status = np.array(STATUSES)[e.status]
    quantities = {
        "uncached_input_tokens": e.input_tokens - e.cache_read - e.cache_write,
        "text_output_tokens": e.output_tokens - e.reasoning,
        "cache_read_tokens": e.cache_read,
        "reasoning_tokens": e.reasoning,
        "cache_write_5m_tokens": e.cache_write,
        "images": np.where(status == 200, e.images, 0),
    }
    total = np.zeros(len(e), np.int64)
    for index, model in enumerate(MODELS):
        rows = np.flatnonzero(e.model == index)
        for unit, usd in RATES.get(model, {}).items():
            rate = Fraction(usd) * (10**12 if unit == "images" else 10**6)
            product = quantities[unit][rows] * rate.numerator
            total[rows] += half_even(product, rate.denominator)
    return total


def tpot_us(e: Columns) -> Integers:
    """Return the time for each output token after the first; -1 where it is not known."""
    steps = np.maximum(e.output_tokens - 1, 1)
    spread = e.e2e_us - e.ttft_us
    quotient, rest = np.divmod(spread, steps)
    up = (2 * rest > steps) | ((2 * rest == steps) & (quotient % 2 == 1))
    known = (e.output_tokens >= 2) & (e.e2e_us >= 0) & (e.ttft_us >= 0)
    return np.where(known, quotient + up, -1)


Addend = tuple[str, NDArray[np.int64] | NDArray[np.uint64]]


def addends(e: Columns) -> Iterator[Addend]:
    """Yield what each event adds to each measure, one by one; those left out stay zero."""
    final, status = e.is_final, np.array(STATUSES)[e.status]
    yield "attempts", np.ones(len(e), np.int64)
    yield "requests", final
    for code, name in CLASSES.items():
        yield name, final * (status == code)
    yield "input_tokens", e.input_tokens
    yield "output_tokens", e.output_tokens
    yield "uncached_input_tokens", e.input_tokens - e.cache_read - e.cache_write
    yield "cache_read_tokens", e.cache_read
    yield "cache_write_5m_tokens", e.cache_write
    yield "text_output_tokens", e.output_tokens - e.reasoning
    yield "reasoning_tokens", e.reasoning
    yield "images", e.images
    yield "characters", e.characters
    yield "gpu_us", e.gpu_us
    yield "egress_bytes", e.egress_bytes
    yield "cold_starts", e.cold_start
    yield "cache_hits", e.cache_hit
    yield "cost_usd", pico_dollars(e)
    yield "unpriced_requests", (e.model == len(MODELS) - 1).astype(np.int64)
    is_partial = (e.model == MODELS.index("beta-70b")) & (e.images > 0) & (status == 200)
    yield "partially_priced_requests", is_partial.astype(np.int64)
    for name in ("queue", "ttft", "e2e", "tpot"):
        yield from _duration(name, tpot_us(e) if name == "tpot" else getattr(e, f"{name}_us"), e)
    yield from _gaps(e)


def _duration(name: str, values: Integers, e: Columns) -> Iterator[Addend]:
    present = (e.is_final == 1) & (values >= 0)
    yield f"{name}_us_sum", np.where(present, values, 0)
    yield f"{name}_count", present.astype(np.int64)
    yield f"{name}_bins", present.astype(np.int64)
    yield f"{name}_print", np.where(present, fingerprints(bins_of(values)), np.uint64(0))


def _gaps(e: Columns) -> Iterator[Addend]:
    sketches = gap_sketches()
    counts = np.array([sketch.count for sketch in sketches])
    sums = np.array([sketch.sum_us for sketch in sketches])
    prints = np.zeros(len(sketches), np.uint64)
    with np.errstate(over="ignore"):
        for place, sketch in enumerate(sketches):
            bins = np.array([b for b, _ in sketch.bins])
            weights = np.array([c for _, c in sketch.bins], np.uint64)
            prints[place] = (fingerprints(bins) * weights).sum(dtype=np.uint64)
    present, which = (e.is_final == 1) & (e.gaps >= 0), np.maximum(e.gaps, 0)
    yield "itl_us_sum", np.where(present, sums[which], 0)
    yield "itl_count", np.where(present, counts[which], 0)
    yield "itl_bins", np.where(present, counts[which], 0)
    yield "itl_print", np.where(present, prints[which], np.uint64(0))


VALUES: dict[str, tuple[str, ...]] = {
    "workspace_id": WORKSPACES,
    "environment": ("", "prod"),
    "provider": tuple(dict.fromkeys(PROVIDERS)),
    "model": MODELS,
    "model_version": ("",),
    "model_type": ("text",),
    "region": REGIONS,
    "deployment_type": ("", "serverless"),
    "traffic_class": ("realtime",),
    "status_code": tuple(str(status) for status in STATUSES),
    "error_type": tuple(dict.fromkeys(ERRORS)),
    "virtual_model": ("", *(f"virtual-{model}" for model in MODELS)),
    "team_id": tuple(f"team-{n:02d}" for n in range(TEAMS)),
    "user_id": tuple(f"user-{n:04d}" for n in range(USERS)),
    "virtual_account_id": tuple(f"va-{n}" for n in range(ACCOUNTS)),
    "status_class": tuple(CLASS_NAMES[status] for status in STATUSES),
}
"""Every value that a dimension can have; a group's key is made of their places."""


_PROVIDER_OF_MODEL = np.array([VALUES["provider"].index(name) for name in PROVIDERS])
_ERROR_OF_STATUS = np.array([VALUES["error_type"].index(name) for name in ERRORS])
_CODES: dict[str, Callable[[Columns], Integers]] = {
    "workspace_id": lambda e: e.user % len(WORKSPACES),
    "environment": lambda e: e.is_wide,
    "provider": lambda e: _PROVIDER_OF_MODEL[e.model],
    "model": lambda e: e.model,
    "region": lambda e: e.region,
    "deployment_type": lambda e: e.is_wide,
    "status_code": lambda e: e.status,
    "error_type": lambda e: _ERROR_OF_STATUS[e.status],
    "virtual_model": lambda e: np.where(e.is_wide == 1, e.model + 1, 0),
    "team_id": lambda e: e.user % TEAMS,
    "user_id": lambda e: e.user,
    "virtual_account_id": lambda e: e.user % ACCOUNTS,
    "status_class": lambda e: e.status,
}


def codes(e: Columns, dimension: str) -> Integers:
    """Return the place of each event's value among the values of a dimension."""
    code = _CODES.get(dimension)
    return np.zeros(len(e), np.int64) if code is None else code(e)


def pack(windows: Integers, places: Sequence[Integers], dimensions: Sequence[str]) -> Integers:
    """Return one number for each (window, group)."""
    keys = windows.astype(np.int64)
    for dimension, place in zip(dimensions, places, strict=True):
        keys = keys * (len(VALUES[dimension]) + 1) + place
    return keys


def describe(key: int, relation: Relation) -> str:
    """Return a key as text: its window, then the dimensions that are not empty."""
    parts = []
    for dimension in reversed(relation.dimensions):
        key, place = divmod(key, len(VALUES[dimension]) + 1)
        values = (*VALUES[dimension], "?")
        if values[place]:
            parts.append(f"{dimension}={values[place]}")
    return f"window {key * relation.window_s}: " + ", ".join(reversed(parts))


def expected(e: Columns, relation: Relation) -> Sums:
    """Return the groups of a relation that these events make."""
    windows = e.ts_end // (relation.window_s * 1_000_000)
    places = [codes(e, dimension) for dimension in relation.dimensions]
    keys = pack(windows, places, relation.dimensions)
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    starts = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1])))
    measures: dict[str, Integers] = {}
    with np.errstate(over="ignore"):
        for name, values in addends(e):
            sums = np.add.reduceat(values[order], starts)
            if sums.any():
                measures[name] = sums.view(np.int64)
    return Sums(ordered[starts], measures)
