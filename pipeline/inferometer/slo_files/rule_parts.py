"""The `rules:` of the native SLO file, key by key: thresholds and bands without an objective."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from pydantic import BeforeValidator, Field, StrictBool, WithJsonSchema

from inferometer.core.slo.definitions import Severity
from inferometer.core.slo.metric_rules import Metric, parse_metric
from inferometer.slo_files.part_types import Name, Number, OwnedPart, Part, SpanS, Word


def _metric(value: object) -> object:
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is no metric; write for example p95(ttft)")  # noqa: TRY004 - pydantic's protocol
    return parse_metric(value)


def _thresholds(value: object) -> object:
    """Accept one number for a ticket, a mapping by severity, or both as a list."""
    if isinstance(value, dict):
        return value
    return {Severity.TICKET.value: value}


Thresholds = Annotated[
    dict[Severity, Number],
    BeforeValidator(_thresholds),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": ["number", "string"]},
                {"type": "object", "additionalProperties": False,
                 "properties": {"ticket": {"type": ["number", "string"]},
                                "page": {"type": ["number", "string"]}}},
            ]
        }
    ),
]  # fmt: skip


class BandPart(Part):
    """A threshold learnt from the same hours of earlier weeks."""

    deviations: Number = Field(Decimal(4), description="Robust deviations above the median.")
    least_effect: Number = Field(Decimal("0.25"), description="At least this share above it.")
    static_floor: Number = Field(Decimal(0), description="Never fires below this value.")
    hysteresis: Number = Field(
        Decimal("0.7"), description="Where between median and band it clears."
    )
    needed: Annotated[int, Field(strict=True, ge=1)] = Field(3, description="Windows above it,")
    of: Annotated[int, Field(strict=True, ge=1)] = Field(3, description="out of the last so many.")
    least_weeks: Annotated[int, Field(strict=True, ge=1)] = Field(3, description="Weeks needed.")
    most_weeks: Annotated[int, Field(strict=True, ge=1)] = Field(6, description="Weeks kept.")
    weekly_growth: Number = Field(Decimal("0.2"), description="Most that it learns in a week.")
    stable_days: Annotated[int, Field(strict=True, ge=1)] = Field(
        3, description="A shift that stays level for so long is the new normal."
    )
    zone: Word = Field("UTC", description="IANA zone whose hours of the week are compared.")
    severity: Severity = Field(Severity.TICKET, description="page or ticket.")


class RulePart(OwnedPart):
    """A threshold, a band, or both, on a metric of the views."""

    name: Name = Field(description="Unique within its workspace.")
    description: Word = Field("", description="One sentence.")
    metric: Annotated[
        Metric, BeforeValidator(_metric), WithJsonSchema({"type": "string"})
    ] = Field(description="For example `p95(ttft)`, `cold_starts / attempts`, `rate(requests)`.")  # fmt: skip
    above: Thresholds | None = Field(None, description="Fires over this value.")
    at_least: Thresholds | None = Field(None, description="Fires at or over this value.")
    below: Thresholds | None = Field(None, description="Fires under this value.")
    at_most: Thresholds | None = Field(None, description="Fires at or under this value.")
    band: BandPart | None = Field(None, description="A learnt threshold.")
    window: SpanS = Field(300, description="What the metric is computed over; 5m where absent.")
    least_count: Annotated[int, Field(strict=True, ge=0)] = Field(
        0, description="Unknown unless the window holds so many."
    )
    wait: SpanS = Field(0, alias="for", description="How long it must hold before it fires.")
    keep_firing_for: SpanS = Field(300, description="How long it fires on after it held last.")
    meta: StrictBool = Field(
        False, description="It watches the pipeline: while it fires, other alerts are stale."
    )
