"""The rules on metrics that ship: what every fleet should hear of, with thresholds to override.

Invariant: data only; a user's rule of the same name replaces the shipped one.
"""

from __future__ import annotations

from decimal import Decimal

from inferometer.core.slo.definitions import HOUR_S, MINUTE_S, Severity
from inferometer.core.slo.metric_rules import (
    AdaptiveBand,
    Comparison,
    Level,
    MetricRule,
    parse_metric,
)

TICKET, PAGE = Severity.TICKET, Severity.PAGE
ENQUEUED_TOKENS_LIMIT = 10_000_000_000
"""Tokens that one account may have enqueued for one model, as batch services allow."""

COLD_START_RATE = MetricRule(
    name="cold-start-rate",
    metric=parse_metric("cold_starts / attempts"),
    levels=(Level(value=Decimal("0.01")),),
    window_s=HOUR_S,
    least_count=300,
    for_s=10 * MINUTE_S,
    group_by=("model",),
    description="More than one attempt in a hundred waits for a model to be loaded.",
)
RETRY_INFLATION = MetricRule(
    name="retry-inflation",
    metric=parse_metric("attempts / requests"),
    levels=(Level(value=Decimal("1.5")),),
    comparison=Comparison.AT_LEAST,
    window_s=HOUR_S,
    least_count=64,
    group_by=("model",),
    description="Retries make half as many attempts again as callers made requests.",
)
UNPRICED = MetricRule(
    name="unpriced-requests",
    metric=parse_metric("unpriced_requests / attempts"),
    levels=(Level(value=Decimal("0.01")),),
    window_s=HOUR_S,
    least_count=20,
    group_by=("model",),
    description="The price book does not know what these attempts cost; costs are too low.",
)
ENQUEUED_TOKENS = MetricRule(
    name="enqueued-tokens",
    metric=parse_metric(f"enqueued_tokens / {ENQUEUED_TOKENS_LIMIT}"),
    levels=(Level(value=Decimal("0.8")), Level(value=Decimal("0.95"), severity=PAGE)),
    comparison=Comparison.AT_LEAST,
    group_by=("model",),
    description="Tokens waiting in batches come near the limit for one model.",
)
DEAD_LETTER_RATE = MetricRule(
    name="dead-letter-rate",
    metric=parse_metric("dead_letters / records"),
    levels=(Level(value=Decimal("0.001")), Level(value=Decimal("0.05"), severity=PAGE)),
    least_count=100,
    for_s=5 * MINUTE_S,
    description="Records that could not be read; what they told is missing everywhere.",
)
FUTURE_EVENTS = MetricRule(
    name="future-events",
    metric=parse_metric("future_events / records"),
    levels=(Level(value=Decimal("0.001")),),
    least_count=100,
    for_s=5 * MINUTE_S,
    description="Events that end after the broker received them: a producer's clock is wrong.",
)
CONSUMER_LAG = MetricRule(
    name="consumer-lag",
    metric=parse_metric("consumer_lag_records"),
    levels=(Level(value=Decimal(1_000_000)),),
    for_s=5 * MINUTE_S,
    is_meta=True,
    description="The pipeline is behind its input.",
)
WATERMARK_AGE = MetricRule(
    name="watermark-stalled",
    metric=parse_metric("watermark_age_s"),
    levels=(Level(value=Decimal(120)), Level(value=Decimal(600), severity=PAGE)),
    window_s=MINUTE_S,
    for_s=MINUTE_S,
    is_meta=True,
    description="Event time stands still, so no alert can fire or resolve.",
)
HEARTBEAT_AGE = MetricRule(
    name="heartbeat-missing",
    metric=parse_metric("heartbeat_age_s"),
    levels=(Level(value=Decimal(60)),),
    window_s=10 * MINUTE_S,
    group_by=("source",),
    is_meta=True,
    description="A producer stopped sending its heartbeat of every ten seconds.",
)
TTFT_BAND = MetricRule(
    name="ttft-unusual",
    metric=parse_metric("p95(ttft)"),
    band=AdaptiveBand(static_floor=Decimal(200)),
    least_count=50,
    group_by=("model",),
    description="The first token comes later than it usually does at this hour of the week.",
)
UNIT_COST_BAND = MetricRule(
    name="unit-cost-unusual",
    metric=parse_metric("cost_usd / requests"),
    band=AdaptiveBand(),
    least_count=200,
    group_by=("model",),
    description="A request costs more than it usually does at this hour of the week.",
)


def shipped_rules() -> tuple[MetricRule, ...]:
    """Return every shipped rule."""
    return (
        COLD_START_RATE,
        RETRY_INFLATION,
        UNPRICED,
        ENQUEUED_TOKENS,
        DEAD_LETTER_RATE,
        FUTURE_EVENTS,
        CONSUMER_LAG,
        WATERMARK_AGE,
        HEARTBEAT_AGE,
        TTFT_BAND,
        UNIT_COST_BAND,
    )
