"""Answers of `/metrics`, `/changes` and `/models` as documents."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from inferometer.core.query.measures import Unit
from inferometer.core.query.questions import Comparison, Granularity, Match, Statuses
from inferometer.web.api.documents import Amount, CoverageDocument, Document, FreshnessDocument


class FilterDocument(Document):
    """A condition that holds."""

    dimension: str
    match: Match
    values: list[str]


class MetricsQueryDocument(Document):
    """The question as it was understood: instants absolute, defaults filled in."""

    start: datetime = Field(alias="from")
    end: datetime = Field(alias="to")
    time_zone: str
    granularity: Granularity
    granularity_s: int | None = Field(description="null for the whole span, and for months")
    measures: list[str]
    group_by: list[str]
    filters: list[FilterDocument]
    top: int
    order_by: str
    statuses: Statuses
    compare: Comparison


class MeasureDocument(Document):
    """What a measure counts."""

    name: str
    label: str
    unit: Unit
    definition: str
    higher_is_worse: bool | None = Field(description="null where neither is")


class SeriesDocument(Document):
    """The numbers of one group."""

    group: dict[str, str]
    label: str
    is_other: bool = Field(description="the groups that have no series of their own, together")
    total: dict[str, Amount]
    values: dict[str, list[Amount]] = Field(description="each measure by window")


class ComparedDocument(Document):
    """The same of another span, or under other filters."""

    start: datetime = Field(alias="from")
    end: datetime = Field(alias="to")
    windows: list[datetime]
    total: dict[str, Amount]
    values: dict[str, list[Amount]]
    series: list[SeriesDocument] = Field(
        description="of the span before: the groups of the answer in their order, then those that "
        "vanished, highest first, and what neither has last"
    )


class MetricsDocument(Document):
    """Measures by window and group."""

    query: MetricsQueryDocument
    measures: list[MeasureDocument]
    relation: str = Field(description="the table that answered")
    is_from_log: bool = Field(
        description="it was answered from the log, whose retention is shorter"
    )
    notes: list[str]
    freshness: FreshnessDocument
    coverage: CoverageDocument
    cost_scope: str = Field(description="which consumption the figures of cost are about")
    windows: list[datetime]
    window_ends: list[datetime]
    is_final: list[bool] = Field(description="whether nothing but repairs can change the window")
    total: dict[str, Amount]
    values: dict[str, list[Amount]] = Field(description="all groups together, by window")
    series: list[SeriesDocument]
    groups_total: int
    compared: ComparedDocument | None


class ChangeDocument(Document):
    """What one value of a dimension adds to the difference."""

    dimension: str
    value: str
    now: Amount
    before: Amount
    difference: Amount
    share_of_difference: Amount


class ChangesDocument(Document):
    """What changed since the span before, the largest difference first."""

    measure: MeasureDocument
    start: datetime = Field(alias="from")
    end: datetime = Field(alias="to")
    previous_from: datetime
    previous_to: datetime
    total: Amount
    previous_total: Amount
    changes: list[ChangeDocument]
    freshness: FreshnessDocument
    coverage: CoverageDocument
    notes: list[str]
    cost_scope: str


class ModelNumbers(Document):
    """What one model did in a span; latencies are of successes."""

    requests: Amount
    rpm: Amount
    tpm: Amount
    success_ratio: Amount
    failure_ratio: Amount
    ttft_ms: Amount = Field(description="at the asked percentile, as are the next three")
    e2e_ms: Amount
    itl_ms: Amount
    tpot_ms: Amount
    e2e_mean_ms: Amount
    input_tokens: Amount
    output_tokens: Amount
    cost_usd: Amount
    cost_per_request_usd: Amount


class ModelRow(ModelNumbers):
    """One model, beside the span before."""

    model: str
    provider: str | None = Field(
        default=None, description="left out where the filters keep the roll-up from saying it"
    )
    is_other: bool = Field(description="the models beyond the busiest, together")
    previous: ModelNumbers | None = Field(description="the span before; null where it had nothing")


class ModelsDocument(Document):
    """Models side by side."""

    models: list[ModelRow]
    percentile: float
    start: datetime = Field(alias="from")
    end: datetime = Field(alias="to")
    span_s: float
    freshness: FreshnessDocument
    coverage: CoverageDocument
    notes: list[str]
    cost_scope: str
