"""Measures in two spans by each of several dimensions at once: what explains a difference."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from inferometer.core.query.questions import Statuses

if TYPE_CHECKING:
    from collections.abc import Mapping

    from inferometer.core.query.answers import Number
    from inferometer.core.query.measures import Measure
    from inferometer.core.query.plans import Relation
    from inferometer.core.query.questions import Filter, TimeRange

MOST_VALUES = 30
"""Of a dimension, unless a plan says otherwise."""


class MarginOrder(enum.StrEnum):
    """Which values of a dimension come first, by the first measure."""

    DIFFERENCE = "difference"
    """Those that differ most between the spans."""
    NOW = "now"
    """Those that have most in the span."""


@dataclass(frozen=True, kw_only=True)
class MarginsPlan:
    """One pass over a relation; the spans do not overlap."""

    relation: Relation
    workspace_id: str | None
    measures: tuple[Measure, ...]
    during: TimeRange
    before: TimeRange
    filters: tuple[Filter, ...] = ()
    statuses: Statuses = Statuses.SUCCESSES
    dimensions: tuple[str, ...] = ()
    """Each by itself, never combined."""
    order: MarginOrder = MarginOrder.DIFFERENCE
    most_values: int = MOST_VALUES


@dataclass(frozen=True, slots=True)
class Margin:
    """Each measure of a plan in the span, and in the one before."""

    now: tuple[Number, ...]
    before: tuple[Number, ...]


@dataclass(frozen=True, slots=True)
class Margins:
    """What was found."""

    total: Margin
    values: Mapping[str, Mapping[str, Margin]] = field(default_factory=dict)
    """By dimension and value, in the order of the plan."""
