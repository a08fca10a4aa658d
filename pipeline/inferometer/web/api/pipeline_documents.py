"""Answers about the pipeline and about money as documents."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from pydantic import Field

from inferometer.web.api.alert_documents import OpenDocument
from inferometer.web.api.documents import Amount, Document, FreshnessDocument


class PartitionRow(OpenDocument):
    """How far one partition is read, and what its last hour was."""

    kafka_topic: str
    kafka_partition: int
    watermark: datetime | None
    updated_at: datetime | None
    lag_records: int | None = Field(
        description="what the furthest behind of the consumer groups has yet to read; null where "
        "no broker is configured or it does not answer"
    )


class DeadLetterCount(OpenDocument):
    """How many events one reason refused."""

    reason: str
    count: int
    first_at: datetime | None
    last_at: datetime | None


class CheckRow(Document):
    """One thing that must hold."""

    name: str
    is_ok: bool
    detail: str


class PipelineDocument(Document):
    """Whether everything arrives: partitions, dead letters, folded values, the account, checks."""

    partitions: list[PartitionRow]
    freshness: FreshnessDocument
    dead_letters: list[DeadLetterCount]
    folded: list[dict[str, Any]]
    ledger: dict[str, Any] = Field(description="records, events, and what became of them")
    checks: list[CheckRow]


class DeadLetterRow(OpenDocument):
    """An event that was refused, with its bytes."""

    reason: str
    detail: str
    kafka_topic: str
    kafka_partition: int
    kafka_offset: int
    decided_at: datetime
    size_bytes: int
    is_cut: bool = Field(description="text and base64 hold the beginning only")
    text: str | None = Field(description="null where the bytes are no UTF-8")
    base64: str


class DeadLettersDocument(Document):
    """Dead letters, newest first."""

    rows: list[DeadLetterRow]
    next_cursor: str | None


class ForecastDay(Document):
    """What a day cost, or will."""

    date: date
    cost_usd: float
    is_measured: bool


class ForecastDocument(Document):
    """Spend of the calendar month, projected to its end."""

    month: str
    spent_usd: float
    projected_usd: Amount = Field(description="null while there is too little to go by")
    low_usd: Amount
    high_usd: Amount
    method: str
    days: list[ForecastDay]
    cost_scope: str


class PriceRow(OpenDocument):
    """A price that is in force."""

    provider: str
    model: str
    unit: str
    usd_per_unit: Amount


class PricesDocument(Document):
    """The price book in force at an instant."""

    at: datetime
    prices: list[PriceRow]


class UnpricedRow(OpenDocument):
    """A model with attempts that lack a price."""

    provider: str
    model: str
    unpriced_requests: int
    partially_priced_requests: int


class UnpricedDocument(Document):
    """Models with attempts that lack a price; it counts as $0."""

    models: list[UnpricedRow]
    start: datetime = Field(alias="from")
    end: datetime = Field(alias="to")


class ReconciledDay(Document):
    """One UTC day of one provider."""

    day: date
    provider: str
    priced_usd: Amount = Field(
        description="price cost of all attempts; null where nothing of the day is kept"
    )
    billed_usd: Amount = Field(description="null while there is no bill of the day")
    difference_usd: Amount = Field(description="billed less priced; null where either is")
    difference_ratio: Amount = Field(description="the difference as a share of the bill")
    attempts: int
    unpriced_requests: int
    partially_priced_requests: int


class ProviderAccountDocument(Document):
    """One provider over the span; only days that are both measured and billed are compared."""

    provider: str
    compared_days: int
    priced_usd: Amount = Field(description="of the compared days")
    billed_usd: Amount = Field(description="of the compared days")
    difference_usd: Amount = Field(description="billed less priced, of the compared days")
    difference_ratio: Amount = Field(description="the difference as a share of the bill")
    only_priced_usd: float = Field(description="of days without a bill")
    only_billed_usd: float = Field(description="of days that the store holds no measurement of")
    unpriced_requests: int
    partially_priced_requests: int


class ReconciliationDocument(Document):
    """What was priced beside what was billed, for the platform as a whole."""

    providers: list[ProviderAccountDocument]
    days: list[ReconciledDay] = Field(description="oldest first")
    first_day: date
    last_day: date = Field(description="included, as is the first")
    cost_scope: str
