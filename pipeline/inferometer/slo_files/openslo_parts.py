"""The objects of OpenSLO v1 that are read here, key by key as its specification names them.

Source: https://github.com/OpenSLO/OpenSLO, apiVersion openslo/v1.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel

from inferometer.slo_files.part_types import Number, Word

API_VERSION = "openslo/v1"
DOMAIN = "slo.inferometer.io/"
"""Prefix of our annotations; those of others are left alone."""


class OpenSloPart(BaseModel):
    """A mapping of an OpenSLO object: unknown keys are problems."""

    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=to_camel)


def _labels(value: object) -> object:
    """OpenSLO lets a label hold one text or a list of them."""
    if not isinstance(value, dict):
        return value
    return {
        key: ",".join(map(str, item)) if isinstance(item, list) else item
        for key, item in value.items()
    }


Labels = Annotated[dict[str, Word], BeforeValidator(_labels)]


class Metadata(OpenSloPart):
    """Name, labels and annotations of an object."""

    name: Word
    display_name: Word = ""
    labels: Labels = Field(default_factory=dict)
    annotations: Labels = Field(default_factory=dict)


class Envelope(OpenSloPart):
    """What every object has; inside another object `apiVersion` may be left out."""

    api_version: Word = API_VERSION
    kind: Word = ""
    metadata: Metadata
    spec: dict[str, Any] = Field(default_factory=dict)


class MetricSource(OpenSloPart):
    """Where numbers come from; ours have type `inferometer`."""

    metric_source_ref: Word = ""
    type: Word = ""
    spec: dict[str, Any] = Field(default_factory=dict)


class OwnSource(OpenSloPart):
    """The `spec` of a metric source of type `inferometer`."""

    stream: Word = "inference.requests"
    where: Word = ""
    field: Word = ""
    unit: Word = ""


class Metric(OpenSloPart):
    """A metric with its source."""

    metric_source: MetricSource


class RatioMetric(OpenSloPart):
    """Good or bad events over all of them."""

    counter: bool = True
    good: Metric | None = None
    bad: Metric | None = None
    total: Metric | None = None
    raw_type: Word = ""
    raw: Metric | None = None


class SliSpec(OpenSloPart):
    """An indicator."""

    description: Word = ""
    threshold_metric: Metric | None = None
    ratio_metric: RatioMetric | None = None


class Calendar(OpenSloPart):
    """A calendar window."""

    start_time: Word = ""
    time_zone: Word = ""


class TimeWindow(OpenSloPart):
    """What the budget is for."""

    duration: Word
    is_rolling: bool = False
    calendar: Calendar | None = None


class Objective(OpenSloPart):
    """What is to be reached."""

    display_name: Word = ""
    op: Word = ""
    value: Number | None = None
    target: Number | None = None
    target_percent: Number | None = None
    time_slice_target: Number | None = None
    time_slice_window: Word = ""
    indicator: dict[str, Any] | None = None
    indicator_ref: Word = ""
    composite_weight: Number | None = None


class SloSpec(OpenSloPart):
    """An objective with its indicator, window and policies."""

    description: Word = ""
    service: Word
    indicator: dict[str, Any] | None = None
    indicator_ref: Word = ""
    time_window: Annotated[list[TimeWindow], Field(max_length=1)] = Field(default_factory=list)
    budgeting_method: Word = "Occurrences"
    objectives: list[Objective]
    alert_policies: list[dict[str, Any]] = Field(default_factory=list)


class AlertPolicySpec(OpenSloPart):
    """When and whom to tell."""

    description: Word = ""
    alert_when_no_data: bool = False
    alert_when_resolved: bool = False
    alert_when_breaching: bool = False
    conditions: list[dict[str, Any]]
    notification_targets: list[dict[str, Any]] = Field(default_factory=list)


class BurnRate(OpenSloPart):
    """The condition of an alert."""

    kind: Word
    op: Word = "gt"
    threshold: Number
    lookback_window: Word
    alert_after: Word = ""


class AlertConditionSpec(OpenSloPart):
    """A condition with its severity."""

    description: Word = ""
    severity: Word
    condition: BurnRate


class TargetSpec(OpenSloPart):
    """A receiver."""

    description: Word = ""
    target: Word
