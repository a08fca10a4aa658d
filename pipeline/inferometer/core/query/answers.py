"""What is answered, as values; `None` in a number means that it cannot be said."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datetime import datetime
    from decimal import Decimal

    from inferometer.core.query.plans import MetricsPlan

Number = int | float | None
"""Money is a float here: exact amounts are in exports, which carry decimals."""


@dataclass(frozen=True, slots=True)
class MeasuredRow:
    """What a store answers to a plan: one window, or all (`None`), of one group, or all (`None`)."""

    window_start: datetime | None
    group: tuple[str, ...] | None
    values: tuple[int | float | Decimal | None, ...]
    """In the order of the plan's measures."""


@dataclass(frozen=True, slots=True)
class Freshness:
    """How far the stored data is complete."""

    watermark: datetime | None
    """Everything that ended before it is in; None before the first chunk."""
    updated_at: datetime | None


@dataclass(frozen=True, slots=True)
class Coverage:
    """Which part of the asked range the relation still keeps."""

    start: datetime
    end: datetime
    is_whole: bool
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Series:
    """The points of one group."""

    group: dict[str, str]
    is_other: bool
    total: dict[str, Number]
    """Each measure over the whole range, from merged sums."""
    values: dict[str, list[Number]]
    """Each measure by window, in the order of `MetricsAnswer.windows`."""


@dataclass(frozen=True, slots=True)
class Compared:
    """The same question of another span, or under other filters."""

    start: datetime
    end: datetime
    windows: list[datetime]
    total: dict[str, Number]
    values: dict[str, list[Number]]
    series: list[Series]


@dataclass(frozen=True, kw_only=True)
class MetricsAnswer:
    """The answer to a MetricsQuery."""

    plan: MetricsPlan
    is_from_log: bool
    notes: list[str]
    """What a reader should know: folded values, the limits of the log, a cut first window."""
    freshness: Freshness
    coverage: Coverage
    windows: list[datetime]
    window_ends: list[datetime]
    is_final: list[bool]
    total: dict[str, Number]
    values: dict[str, list[Number]]
    """Over all groups, by window."""
    series: list[Series]
    groups_total: int
    """How many groups there are, those in `__other__` included."""
    compared: Compared | None = None


@dataclass(frozen=True, slots=True)
class LogPage:
    """Rows of the log, newest first."""

    rows: list[dict[str, Any]]
    """Columns named as the event's fields."""
    next_place: tuple[int, str] | None
    """`LogPlace` of the last row; None where there is no more."""
    coverage: Coverage
    freshness: Freshness


@dataclass(frozen=True, slots=True)
class DimensionValue:
    """A value of a dimension and how much it is used in a span."""

    value: str
    requests: int


@dataclass(frozen=True, slots=True)
class Forecast:
    """Spend of a calendar month, projected to its end."""

    month: str
    spent_usd: Decimal
    projected_usd: Decimal | None
    """None below a day of history: hours of it say nothing of a month."""
    low_usd: Decimal | None
    high_usd: Decimal | None
    method: str
    days: list[tuple[str, Decimal, bool]] = field(default_factory=list)
    """Date, amount, whether it is measured (else projected); up to today without a projection."""
