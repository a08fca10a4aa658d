"""What the producers of the harness send: every event as numbers, a pure function of its place.

The columns of a block follow from (seed, producer, block) alone, so the oracle makes them again
and needs no record of what was sent but how far each producer came. `wire.py` makes bytes of them.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

BLOCK_EVENTS = 500
HOUR_US = 3_600_000_000
STEP_US = 5
"""Event time between two events of a block: all of it ends before the block is sent."""
LATE_SHARE, VERY_LATE_SHARE = 0.05, 0.002
POISON_SHARE, REPEAT_SHARE = 0.0005, 0.01
WIDE_SHARE = 0.08
"""Events with every kind of field, about 870 bytes; the others have about 420."""

WORKSPACES = ("ws-0", "ws-1", "ws-2")
REGIONS = ("eu-west", "us-east")
PROVIDERS = ("acme", "acme", "acme", "borealis", "borealis", "borealis")
MODELS = ("alpha-8b", "beta-70b", "gamma-vision", "delta-mini", "epsilon-large", "zeta-unpriced")
IMAGE_MODELS = (1, 2)
STATUSES = (200, 429, 500, 400, 499, 302)
STATUS_WEIGHTS = (0.955, 0.012, 0.01, 0.01, 0.01, 0.003)
ERRORS = ("", "rate_limited", "internal", "bad_request", "", "")
USERS, TEAMS, ACCOUNTS = 400, 20, 7
SKETCHES = 64

RATES: dict[str, dict[str, str]] = {
    "alpha-8b": {
        "uncached_input_tokens": "0.20", "text_output_tokens": "0.60",
        "cache_read_tokens": "0.0212345678", "reasoning_tokens": "0.071428571",
        "cache_write_5m_tokens": "0.0200000005",
    },
    "beta-70b": {
        "uncached_input_tokens": "5", "text_output_tokens": "15", "cache_read_tokens": "0.5",
        "reasoning_tokens": "15", "cache_write_5m_tokens": "6.25",
    },
    "gamma-vision": {
        "uncached_input_tokens": "1.25", "text_output_tokens": "2.5",
        "cache_read_tokens": "0.125", "reasoning_tokens": "2.5",
        "cache_write_5m_tokens": "1.5", "images": "0.04",
    },
    "delta-mini": {
        "uncached_input_tokens": "0.15", "text_output_tokens": "0.6000005",
        "cache_read_tokens": "0.075", "reasoning_tokens": "0.6000005",
        "cache_write_5m_tokens": "0.1875",
    },
    "epsilon-large": {
        "uncached_input_tokens": "2.5", "text_output_tokens": "10",
        "cache_read_tokens": "0.1234565", "reasoning_tokens": "10",
        "cache_write_5m_tokens": "3.125",
    },
}  # fmt: skip
"""US dollars a million tokens, dollars an image. One of the models that make images has no price of
them, so that a share of its events is priced in part; the last model has no price at all."""

Integers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Columns:
    """Events as numbers; -1 stands for a field that the event does not have."""

    producer: NDArray[np.int64]
    number: NDArray[np.int64]
    """Running number within the producer."""
    ts_end: NDArray[np.int64]
    user: NDArray[np.int64]
    model: NDArray[np.int64]
    region: NDArray[np.int64]
    status: NDArray[np.int64]
    """Index into STATUSES."""
    is_final: NDArray[np.int64]
    is_wide: NDArray[np.int64]
    input_tokens: NDArray[np.int64]
    output_tokens: NDArray[np.int64]
    cache_read: NDArray[np.int64]
    cache_write: NDArray[np.int64]
    reasoning: NDArray[np.int64]
    images: NDArray[np.int64]
    characters: NDArray[np.int64]
    queue_us: NDArray[np.int64]
    ttft_us: NDArray[np.int64]
    e2e_us: NDArray[np.int64]
    gaps: NDArray[np.int64]
    """Index into the sketches of gaps."""
    gpu_us: NDArray[np.int64]
    egress_bytes: NDArray[np.int64]
    cold_start: NDArray[np.int64]
    cache_hit: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.number)

    def take(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> Columns:
        """Return some of the events."""
        return Columns(**{f.name: getattr(self, f.name)[rows] for f in fields(self)})

    @staticmethod
    def concatenate(parts: list[Columns]) -> Columns:
        """Return all events of several parts."""
        return Columns(
            **{f.name: np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(Columns)}
        )


def _generator(seed: int, producer: int, block: int, purpose: int) -> np.random.Generator:
    return np.random.Generator(np.random.SFC64([seed, producer, block, purpose]))


def make_block(seed: int, producer: int, block: int, base_us: int) -> Columns:
    """Return the events of a block; `base_us` is the instant at which it began."""
    rng = _generator(seed, producer, block, 0)
    n = BLOCK_EVENTS

    def spread(middle: float, sigma: float) -> Integers:
        return (middle * np.exp(rng.standard_normal(n) * sigma)).astype(np.int64)

    late = np.where(rng.random(n) < LATE_SHARE, rng.integers(0, HOUR_US, n), 0)
    late = np.where(rng.random(n) < VERY_LATE_SHARE, rng.integers(0, 30 * HOUR_US, n), late)
    model = rng.choice(len(MODELS), n, p=(0.35, 0.2, 0.1, 0.2, 0.1, 0.05))
    inputs, outputs = spread(900, 0.9), spread(120, 1.1)
    is_wide = rng.random(n) < WIDE_SHARE
    queue = np.where(rng.random(n) < 0.6, spread(3_000, 1.5), -1)
    ttft = spread(180_000, 0.8)
    e2e = ttft + spread(1_500_000, 0.9)
    whole = rng.random(n)
    ranks = 1.0 / np.arange(1, USERS + 1) ** 1.1
    return Columns(
        producer=np.full(n, producer, np.int64),
        number=np.arange(block * n, (block + 1) * n, dtype=np.int64),
        ts_end=base_us + np.arange(n, dtype=np.int64) * STEP_US - late,
        user=rng.choice(USERS, n, p=ranks / ranks.sum()).astype(np.int64),
        model=model.astype(np.int64),
        region=rng.integers(0, len(REGIONS), n),
        status=rng.choice(len(STATUSES), n, p=STATUS_WEIGHTS).astype(np.int64),
        is_final=(rng.random(n) < 0.93).astype(np.int64),
        is_wide=is_wide.astype(np.int64),
        input_tokens=inputs,
        output_tokens=outputs,
        cache_read=(inputs * rng.random(n) * 0.6).astype(np.int64),
        cache_write=np.where(is_wide, (inputs * rng.random(n) * 0.3).astype(np.int64), 0),
        reasoning=(outputs * rng.random(n)).astype(np.int64),
        images=np.where(np.isin(model, IMAGE_MODELS), rng.integers(0, 4, n), 0),
        characters=np.where(is_wide, rng.integers(0, 5_000, n), 0),
        queue_us=queue,
        ttft_us=np.where(whole < 0.92, ttft, -1),
        e2e_us=np.where(whole > 0.03, e2e, -1),
        gaps=np.where(is_wide, rng.integers(0, SKETCHES, n), -1),
        gpu_us=np.where(is_wide, e2e // 4, 0),
        egress_bytes=np.where(is_wide, rng.integers(0, 1 << 20, n), 0),
        cold_start=(is_wide & (rng.random(n) < 0.1)).astype(np.int64),
        cache_hit=(is_wide & (rng.random(n) < 0.2)).astype(np.int64),
    )


@dataclass(frozen=True, slots=True)
class Disturbance:
    """What else a producer sends around a block."""

    poison: dict[int, int]
    """Poison of a kind right before an event, by place in the block."""
    repeats: dict[int, int]
    """How many blocks later an event is sent a second time, by place in the block."""


def disturb(seed: int, producer: int, block: int) -> Disturbance:
    """Return the poison and the repeats of a block."""
    rng = _generator(seed, producer, block, 1)
    poison = np.flatnonzero(rng.random(BLOCK_EVENTS) < POISON_SHARE)
    repeats = np.flatnonzero(rng.random(BLOCK_EVENTS) < REPEAT_SHARE)
    return Disturbance(
        poison={int(place): int(rng.integers(0, 1 << 30)) for place in poison},
        repeats={int(place): int(rng.integers(0, 30)) for place in repeats},
    )


@dataclass(frozen=True, slots=True)
class GapSketch:
    """The gaps between output chunks of a request, as a producer states them."""

    count: int
    sum_us: int
    max_us: int
    bins: tuple[tuple[int, int], ...]


def gap_sketches() -> list[GapSketch]:
    """Return the sketches that wide events choose from."""
    rng = np.random.Generator(np.random.SFC64(7))
    made = []
    for _ in range(SKETCHES):
        indexes = np.sort(rng.choice(np.arange(700, 1200), 6, replace=False))
        counts = rng.integers(1, 20, 6)
        made.append(
            GapSketch(
                count=int(counts.sum()),
                sum_us=int(counts.sum()) * int(rng.integers(5_000, 60_000)),
                max_us=int(rng.integers(60_000, 900_000)),
                bins=tuple((int(b), int(c)) for b, c in zip(indexes, counts, strict=True)),
            )
        )
    return made
