"""The questions of whole pages: models side by side, what changed, what a month will cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from inferometer.core.query.answers import Coverage, Freshness, Number
    from inferometer.core.query.measures import Measure
    from inferometer.core.query.questions import Filter, TimeRange


@dataclass(frozen=True, kw_only=True)
class ModelsQuery:
    """How each model did in a span, and in the one before."""

    workspace_id: str | None
    time_range: TimeRange
    filters: tuple[Filter, ...] = ()
    percentile: str = "95"
    """A percentage, as names of measures have it: `99.9`."""


@dataclass(frozen=True, kw_only=True)
class ModelsAnswer:
    """One row a model, the busiest first."""

    rows: list[dict[str, Any]]
    """Values by name, and those of the span before under `previous`."""
    time_range: TimeRange
    freshness: Freshness
    coverage: Coverage
    percentile: float
    """A ratio: 0.95."""
    span_s: float
    notes: list[str]


@dataclass(frozen=True, kw_only=True)
class ChangesQuery:
    """Which values of which dimensions made a sum differ from the span before."""

    workspace_id: str | None
    time_range: TimeRange
    measure: Measure
    filters: tuple[Filter, ...] = ()
    limit: int = 50


@dataclass(frozen=True, slots=True)
class Change:
    """What one value of a dimension adds to the difference."""

    dimension: str
    value: str
    now: float
    before: float
    difference: float
    share_of_difference: float | None
    """None where the whole did not change; above 1 where others made up for it."""


@dataclass(frozen=True, kw_only=True)
class ChangesAnswer:
    """The changes, those that weigh most first."""

    measure: Measure
    time_range: TimeRange
    previous_range: TimeRange
    total: Number
    previous_total: Number
    changes: list[Change]
    freshness: Freshness
    coverage: Coverage
    notes: list[str]


@dataclass(frozen=True, kw_only=True)
class ForecastQuery:
    """What the month of an instant will have cost at its end."""

    workspace_id: str | None
    zone: str = "UTC"
    filters: tuple[Filter, ...] = ()
