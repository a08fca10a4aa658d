"""What plain Python makes of rows of the log: sums of groups, and measures of sums."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from inferometer.core.bins import MICROSECONDS_PER_MS, bin_of_us, quantile_ms
from inferometer.core.cubes import (
    CLASS_MEASURES,
    DURATIONS,
    SKETCHES,
    TOKEN_MEASURES,
    bins_column,
    duration_columns,
)
from inferometer.core.dimension_caps import OTHER
from inferometer.core.events import status_class
from inferometer.core.query.dimensions import METADATA_PREFIX, metadata_key
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
from inferometer.core.query.questions import Filter, Match

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Row = Mapping[str, Any]
    Number = int | float | Decimal | None

SUCCESS = "2xx"
_US_PER_S = 1_000_000
_SECONDS = {
    "audio_out_us": "audio_out_seconds",
    "audio_in_us": "audio_in_seconds",
    "video_us": "video_seconds",
    "gpu_us": "gpu_seconds",
}
_FLAGS = {
    "cold_starts": "cold_start",
    "cache_hits": "cache_hit",
    "deadlines_missed": "deadline_missed",
}
_STATUSES = {"unpriced_requests": "unpriced", "partially_priced_requests": "partial"}


def text_of(row: Row, dimension: str) -> str:
    """Return the value of a dimension as it is compared and shown."""
    if dimension.startswith(METADATA_PREFIX):
        return str(row.get("metadata", {}).get(metadata_key(dimension), ""))
    if dimension == "status_class":
        return status_class(row.get("status_code", 200))
    if dimension == "team_id":
        return next(iter(row.get("team_ids", ())), "")
    value = row.get(dimension, "")
    return str(value).lower() if isinstance(value, bool) else str(value)


def matches(texts: Mapping[str, str], condition: Filter) -> bool:
    """Return whether a filter keeps values of dimensions."""
    value = texts[condition.dimension]
    if condition.match is Match.STARTS_WITH:
        return value.startswith(condition.values)
    return (value in condition.values) is (condition.match is Match.IS)


@dataclass(slots=True)
class GroupSums:
    """The sums and sketches of a group, as a cube has them."""

    sums: dict[str, Any] = field(default_factory=dict)
    bins: dict[str, dict[int, int]] = field(default_factory=dict)

    def add(self, row: Row, *, counts_latency: bool) -> None:
        """Add an attempt."""
        is_final = row.get("is_final", True)
        self._put("attempts", 1)
        if is_final:
            self._put("requests", 1)
            self._put(CLASS_MEASURES[status_class(row.get("status_code", 200))], 1)
        for name in (*TOKEN_MEASURES, "images", "characters", "egress_bytes"):
            self._put(name, row.get(name, 0))
        for name, source in _SECONDS.items():
            self._put(name, int(Decimal(str(row.get(source, 0))) * _US_PER_S))
        for name, source in _FLAGS.items():
            self._put(name, int(bool(row.get(source, False))))
        for name, status in _STATUSES.items():
            self._put(name, int(row.get("cost_status", "priced") == status))
        self._put("cost_usd", Decimal(str(row.get("price_cost", row.get("cost_usd", 0)))))
        for name, value in row.items():
            # What only the log has: costs by component, bytes, reads.
            if name not in _OF_CUBES and isinstance(value, int | Decimal):
                self._put(name, value)
        if is_final and counts_latency:
            self._add_durations(row)

    def _add_durations(self, row: Row) -> None:
        for name in DURATIONS:
            value = row.get("itl_sum_ms" if name == "itl" else f"{name}_ms")
            if value is None:
                continue
            duration_us = round(Decimal(str(value)) * MICROSECONDS_PER_MS)
            sum_name, count_name = duration_columns(name)
            self._put(sum_name, duration_us)
            self._put(count_name, row.get("itl_count", 0) if name == "itl" else 1)
            if name == "itl":
                for index, count in row.get("itl_bins", {}).items():
                    self._put_bin(name, index, count)
            elif name in SKETCHES:
                self._put_bin(name, bin_of_us(duration_us), 1)

    def _put(self, name: str, value: Any) -> None:
        self.sums[name] = self.sums.get(name, 0) + value

    def _put_bin(self, sketch: str, index: int, count: int) -> None:
        bins = self.bins.setdefault(bins_column(sketch), {})
        bins[index] = bins.get(index, 0) + count

    def value(self, form: Form, length_s: float) -> Number:
        """Return what a measure is of these sums, over so many seconds."""
        match form:
            case Sum(column, factor):
                return self._scaled((column,), factor)
            case Sums(columns, factor):
                return self._scaled(columns, factor)
            case Rate(columns, per_s):
                return float(self._sum(columns)) / length_s * per_s if length_s else None
            case Ratio(over, under, factor):
                whole = float(self._sum(under))
                return float(self._sum(over)) / whole * factor if whole else None
            case Mean(duration):
                sum_us, count = (self.sums.get(name, 0) for name in duration_columns(duration))
                return float(sum_us / count / MICROSECONDS_PER_MS) if count else None
            case Quantile(duration, q):
                return quantile_ms(self.bins.get(bins_column(duration), {}), q)
            case ShareBelow(duration, limit_ms):
                return _share(self.bins.get(bins_column(duration), {}), limit_ms)

    def _sum(self, columns: Sequence[str]) -> Any:
        return sum(self.sums.get(column, 0) for column in columns)

    def _scaled(self, columns: Sequence[str], factor: float) -> Number:
        found: int | Decimal = self._sum(columns)
        return found if factor == 1 else float(found) * factor


def _share(bins: Mapping[int, int], limit_ms: float) -> float | None:
    total = sum(bins.values())
    limit = bin_of_us(round(limit_ms * MICROSECONDS_PER_MS))
    return sum(n for index, n in bins.items() if index <= limit) / total if total else None


_OF_CUBES = frozenset(
    {
        "attempts", "requests", "cost_usd", "images", "characters", "egress_bytes",
        *CLASS_MEASURES.values(), *TOKEN_MEASURES, *_SECONDS, *_FLAGS, *_STATUSES,
        *(column for duration in DURATIONS for column in duration_columns(duration)),
    }
)  # fmt: skip


def folded_text(value: str, folded: frozenset[str]) -> str:
    """Return what a roll-up has in place of a value."""
    return OTHER if value in folded else value


def placed(at: datetime, window_s: int) -> datetime:
    """Return the instant that a relation has in place of an event's."""
    seconds = int(at.timestamp())
    return datetime.fromtimestamp(seconds - seconds % window_s, UTC) if window_s else at
