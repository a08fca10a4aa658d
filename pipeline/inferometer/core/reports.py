"""What a command shows of the store, as values: totals of a run, sketches, one model's last minute."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from decimal import Decimal

Sketches = dict[str, dict[int, int]]
"""Duration name to its sketch, bin to count."""


@dataclass(frozen=True, slots=True)
class StreamTotals:
    """What became of the events of one stream."""

    stored: int
    dead_lettered: int
    duplicates: int
    input_tokens: int
    output_tokens: int
    cost_usd: Decimal
    unpriced: int
    windows: int
    """Distinct windows of 10 s that hold an event."""


@dataclass(frozen=True, slots=True)
class ModelRow:
    """One model over the span of a live view."""

    model: str
    rps: float
    requests: int
    success_ratio: float
    ttft_p50_ms: float | None
    ttft_p90_ms: float | None
    ttft_p99_ms: float | None
    e2e_p50_ms: float | None
    e2e_p90_ms: float | None
    e2e_p99_ms: float | None
    tokens: int
    cost_usd: Decimal
    unpriced_requests: int
