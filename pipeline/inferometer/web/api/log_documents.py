"""Answers about the log and about dimensions as documents."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import Field

from inferometer.core.query.measures import Unit
from inferometer.web.api.documents import Amount, CoverageDocument, Document, FreshnessDocument


class LogRow(Document):
    """One attempt."""

    request_id: str
    event_id: str
    ts_end: datetime
    model: str
    total_tokens: int
    input_tokens: int
    output_tokens: int
    ttft_ms: Amount
    e2e_ms: Amount
    status_code: int
    status_class: str
    error_type: str
    user_id: str
    workspace_id: str
    cost_usd: Amount
    attempt_no: int
    is_final: bool = Field(description="this is the attempt that the caller got")


class RequestsDocument(Document):
    """Attempts of the log, newest first."""

    rows: list[LogRow]
    next_cursor: str | None = Field(
        description="for the parameter `cursor`; null where there is no more"
    )
    row_count: int
    row_count_is_lower_bound: bool = Field(description="there are more than were counted")
    coverage: CoverageDocument
    freshness: FreshnessDocument
    kept_days: int | None = Field(description="how long the log keeps its rows")


class AttemptsDocument(Document):
    """One request in full: every column of each of its attempts, in order."""

    request_id: str
    attempts: list[dict[str, Any]]


class ValueRow(Document):
    """A value and how much it is used."""

    value: str
    requests: int


class ValuesDocument(Document):
    """Values, those with most requests first."""

    values: list[ValueRow]
    start: datetime = Field(alias="from")
    end: datetime = Field(alias="to")


class CatalogueMeasure(Document):
    """A measure that can be asked for."""

    name: str
    label: str
    unit: Unit
    definition: str
    higher_is_worse: bool | None
    relations: list[str] = Field(description="the cubes that have it, and `requests` for the log")


class MeasuresDocument(Document):
    """The measures; also any percentile and any share below a limit can be asked for."""

    measures: list[CatalogueMeasure]


class CatalogueDimension(Document):
    """A dimension that filters and groups may use."""

    name: str
    label: str
    definition: str
    relations: list[str] = Field(description="the cubes that have it, and `requests` for the log")


class DimensionsDocument(Document):
    """The dimensions; also any `metadata.<key>` of `/metadata-keys` is one."""

    dimensions: list[CatalogueDimension]
