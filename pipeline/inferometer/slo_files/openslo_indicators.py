"""The indicator of an OpenSLO SLI over our request events."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from pydantic import ValidationError

from inferometer.core.events import STATUS_CLASSES
from inferometer.core.slo.definitions import Availability, Cost, CostPer, Duration, Latency
from inferometer.core.slo.dimensions import close_name
from inferometer.names import REQUESTS_TOPIC
from inferometer.slo_files.checking import problem_text
from inferometer.slo_files.openslo_parts import OwnSource
from inferometer.slo_files.where import parse_where

if TYPE_CHECKING:
    from collections.abc import Mapping

    from inferometer.core.alerts.matchers import Matcher
    from inferometer.core.slo.definitions import Indicator
    from inferometer.slo_files.openslo_parts import Metric, Objective, RatioMetric, SliSpec
    from inferometer.slo_files.where import Limit, Where

SOURCE_TYPE = "inferometer"
COST_FIELDS = {"cost_usd": CostPer.REQUEST, "cost_usd_per_minute": CostPer.MINUTE}
DURATION_FIELDS = {f"{duration.value}_ms": duration for duration in Duration}
UNITS_US = {"": 1_000_000, "s": 1_000_000, "ms": 1_000}
"""OpenSLO says nothing of units: a value without one is in seconds."""
LONGEST_UNSAID_S = 600
"""A longer value without a unit was meant in milliseconds."""


def indicator_of(
    sli: SliSpec, objective: Objective | None, data_sources: Mapping[str, str]
) -> tuple[Indicator, list[Matcher]]:
    """Return the indicator and its selector.

    Args:
        data_sources: types of the DataSource objects, by their names.

    Raises ValueError that says what to write.
    """
    if sli.threshold_metric is None and sli.ratio_metric is not None:
        return _ratio(sli.ratio_metric, objective, data_sources)
    if sli.threshold_metric is None or sli.ratio_metric is not None:
        raise ValueError("give either thresholdMetric or ratioMetric")
    return _threshold(sli.threshold_metric, objective, data_sources)


def _threshold(
    metric: Metric, objective: Objective | None, data_sources: Mapping[str, str]
) -> tuple[Indicator, list[Matcher]]:
    source, where = _source(metric, data_sources)
    if where.outcome or where.status_classes or where.limit:
        raise ValueError("a thresholdMetric selects by dimensions only; its field says what is bad")
    if objective is None or objective.value is None:
        raise ValueError("objectives[0].value is missing; a thresholdMetric needs a threshold")
    if objective.op not in {"lte", "lt"}:
        raise ValueError(
            f"op {objective.op or 'is missing and'} is not read; write lte: "
            "durations and costs are good when they are low"
        )
    if source.field in COST_FIELDS:
        return Cost(per=COST_FIELDS[source.field], threshold_usd=objective.value), where.selector
    duration = _duration(source.field)
    if source.unit not in UNITS_US:
        raise ValueError(f"unknown unit {source.unit}; write s or ms")
    if not source.unit and objective.value > LONGEST_UNSAID_S:
        raise ValueError(
            f"value {objective.value} is in seconds where metricSource.spec has no unit; "
            "write unit: ms there, or the value in seconds"
        )
    return _latency(duration, objective.value * UNITS_US[source.unit], objective.op), where.selector


def _ratio(
    metric: RatioMetric, objective: Objective | None, data_sources: Mapping[str, str]
) -> tuple[Indicator, list[Matcher]]:
    if metric.raw is not None or metric.raw_type:
        raise ValueError("raw ratios are not counted; give total, and good or bad")
    chosen = metric.bad if metric.good is None else metric.good
    if metric.total is None or chosen is None or (metric.good and metric.bad):
        raise ValueError("a ratioMetric needs total, and one of good and bad")
    if objective is not None and (objective.op or objective.value is not None):
        raise ValueError("op and value belong to a thresholdMetric; remove them")
    _, total = _source(metric.total, data_sources)
    _, part = _source(chosen, data_sources)
    if total.outcome or total.status_classes or total.limit:
        raise ValueError(
            "total selects by dimensions and `valid` only; outcomes stand in good or bad"
        )
    if any(matcher not in total.selector for matcher in part.selector):
        raise ValueError("good or bad selects requests that total does not; repeat it in total")
    return _of_outcome(part, total, is_good=metric.good is not None), total.selector


def _of_outcome(part: Where, total: Where, *, is_good: bool) -> Indicator:
    said = [bool(part.outcome), bool(part.status_classes), part.limit is not None]
    if sum(said) != 1:
        raise ValueError(
            "good or bad needs exactly one of outcome == 'bad', status_class in ('5xx', '429') "
            "and a limit such as ttft_ms > 2000"
        )
    if part.limit is not None:
        return _of_limit(part.limit, is_good=is_good)
    shipped = Availability()
    excluded = shipped.excluded if total.is_valid_only else frozenset()
    if part.outcome:
        if (part.outcome == "good") is not is_good:
            raise ValueError(f"outcome == {part.outcome!r} stands under the opposite metric")
        return Availability(excluded=excluded)
    named = frozenset(part.status_classes)
    unknown = sorted(named.difference(STATUS_CLASSES))
    if unknown:
        raise ValueError(
            f"unknown status class {', '.join(unknown)}; known are {', '.join(STATUS_CLASSES)}"
        )
    bad = frozenset(STATUS_CLASSES) - named - excluded if is_good else named
    return Availability(bad=bad, excluded=excluded - named)


def _of_limit(limit: Limit, *, is_good: bool) -> Indicator:
    signs = ("<=", "<") if is_good else (">", ">=")
    if limit.sign not in signs:
        raise ValueError(
            f"{limit.name} {limit.sign} {limit.number} is the wrong way round; "
            f"{'good' if is_good else 'bad'} requests are {limit.name} {signs[0]} a value"
        )
    if limit.name in COST_FIELDS:
        return Cost(per=COST_FIELDS[limit.name], threshold_usd=limit.number)
    op = "lte" if limit.sign == signs[0] else "lt"
    return _latency(_duration(limit.name), limit.number * UNITS_US["ms"], op)


def _latency(duration: Duration, threshold_us: Decimal, op: str) -> Latency:
    """Durations are whole microseconds, so that `<` is `<=` of one less."""
    if threshold_us != int(threshold_us):
        raise ValueError("a duration is finer than a microsecond; write fewer decimals")
    return Latency(duration=duration, threshold_us=int(threshold_us) - (op == "lt"))


def _duration(name: str) -> Duration:
    if name in DURATION_FIELDS:
        return DURATION_FIELDS[name]
    known = [*DURATION_FIELDS, *COST_FIELDS]
    meant = close_name(name, known)
    hint = f"did you mean {meant}?" if meant else f"known are {', '.join(known)}"
    raise ValueError(f"unknown field {name or '(none)'}; {hint}")


def _source(metric: Metric, data_sources: Mapping[str, str]) -> tuple[OwnSource, Where]:
    source = metric.metric_source
    source_type = source.type or data_sources.get(source.metric_source_ref, "")
    if source_type != SOURCE_TYPE:
        raise ValueError(
            f"metricSource of type {source_type or '(none)'} is not read here; write type: "
            f"{SOURCE_TYPE} and spec: {{stream: {REQUESTS_TOPIC}, where: valid}}"
        )
    try:
        own = OwnSource.model_validate(source.spec)
    except ValidationError as error:
        texts = [problem_text(detail, OwnSource, ()) for detail in error.errors()]
        raise ValueError(f"metricSource.spec: {'; '.join(texts)}") from error
    if own.stream != REQUESTS_TOPIC:
        raise ValueError(f"stream {own.stream} is not counted; write stream: {REQUESTS_TOPIC}")
    return own, parse_where(own.where)
