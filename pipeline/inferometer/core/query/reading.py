"""Query strings to questions: every problem of a string is found at once, each with its remedy."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from inferometer.core.query.asked import ChangesQuery, ForecastQuery, ModelsQuery
from inferometer.core.query.catalogue import UnknownMeasureError, is_sum, measure
from inferometer.core.query.cursors import decode_place
from inferometer.core.query.dimensions import UnknownDimensionError, dimension_of
from inferometer.core.query.escapes import split_names, split_values
from inferometer.core.query.filters import read_filters
from inferometer.core.query.questions import (
    Comparison,
    Filter,
    Granularity,
    LogQuery,
    Match,
    MetricsQuery,
    Statuses,
    TimeRange,
    ValuesQuery,
)
from inferometer.core.query.ranges import auto_granularity, read_time_range
from inferometer.core.query.statuses import read_statuses
from inferometer.core.query.texts import Texts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from inferometer.core.query.measures import Measure

MOST_MEASURES = 40
MOST_GROUPED = 6
MOST_TOP = 200
MOST_VALUES = 1000
MOST_CHANGES = 500
MOST_TEXT_CHARACTERS = 256

DEFAULT_MEASURE = "requests"
DEFAULT_FROM = "now-24h"
DEFAULT_TO = "now"
DEFAULT_ZONE = "UTC"
DEFAULT_PERCENT = "95"
AUTO = "auto"

OF_RANGES = ("from", "to", "time_zone")
OF_METRICS = (
    *OF_RANGES, "filter", "measure", "group_by", "granularity", "top", "order_by", "statuses",
    "compare", "baseline_filter",
)  # fmt: skip
OF_LOG = (
    *OF_RANGES, "filter", "model", "status", "request_id", "event_id", "user_id", "final_only",
    "limit", "cursor",
)  # fmt: skip

_PERCENTILE = re.compile(r"0(\.\d{1,5})?|1(\.0+)?")


def read_range(texts: Mapping[str, Sequence[str]], *, now: datetime) -> TimeRange:
    """Return the range of a question that has other parameters too. Raises QueryRefusedError."""
    read = Texts({name: texts[name] for name in OF_RANGES if name in texts}, OF_RANGES)
    found = _range(read, now)
    read.finish()
    return found


def read_metrics(
    texts: Mapping[str, Sequence[str]], *, workspace_id: str | None, now: datetime
) -> MetricsQuery:
    """Return a question for measures. Raises QueryRefusedError."""
    read = Texts(texts, OF_METRICS)
    time_range = _range(read, now)
    granularity, is_auto = _granularity(read, time_range)
    compare = read.choice("compare", Comparison.NONE)
    baseline = _filters(read, "baseline_filter")
    if baseline and compare is not Comparison.BASELINE:
        read.refuse(
            "baseline_filter", "nothing is compared with a baseline", "add compare=baseline"
        )
    order_by = _measures(read, "order_by")
    if len(order_by) > 1:
        read.refuse("order_by", "groups are ranked by one measure", "name one measure")
    query = MetricsQuery(
        workspace_id=workspace_id,
        measures=_measures(read, "measure"),
        time_range=time_range,
        granularity=granularity,
        may_coarsen=is_auto,
        group_by=_group_by(read),
        filters=_filters(read),
        statuses=read.choice("statuses", Statuses.SUCCESSES),
        top=read.number("top", 10, most=MOST_TOP),
        order_by=order_by[0].name,
        comparison=compare,
        baseline_filters=baseline,
    )
    read.finish()
    return query


def read_log(
    texts: Mapping[str, Sequence[str]],
    *,
    workspace_id: str | None,
    now: datetime,
    most: int = 1000,
    default_limit: int = 100,
) -> LogQuery:
    """Return a question for rows of the log. Raises QueryRefusedError."""
    read = Texts(texts, OF_LOG)
    filters = (
        *_filters(read),
        *_values_of(read, "model"),
        *_values_of(read, "user_id"),
        *_statuses(read),
    )
    query = LogQuery(
        workspace_id=workspace_id,
        time_range=_range(read, now),
        filters=filters,
        request_id=_short(read, "request_id"),
        event_id=_short(read, "event_id"),
        is_final_only=read.flag("final_only"),
        limit=read.number("limit", default_limit, most=most),
    )
    if cursor := read.one("cursor"):
        after = read.attempt(lambda: decode_place(query, cursor), None)
        query = replace(query, after=after)
    read.finish()
    return query


def read_values(
    dimension: str,
    texts: Mapping[str, Sequence[str]],
    *,
    workspace_id: str | None,
    now: datetime,
) -> ValuesQuery:
    """Return a question for the values of a dimension. Raises QueryRefusedError."""
    read = Texts(texts, (*OF_RANGES, "filter", "prefix", "limit"))
    query = ValuesQuery(
        workspace_id=workspace_id,
        dimension=_dimension(read, dimension, "dimension"),
        time_range=_range(read, now),
        prefix=_short(read, "prefix"),
        filters=_filters(read),
        limit=read.number("limit", 100, most=MOST_VALUES),
    )
    read.finish()
    return query


def read_models(
    texts: Mapping[str, Sequence[str]], *, workspace_id: str | None, now: datetime
) -> ModelsQuery:
    """Return a question for models side by side. Raises QueryRefusedError."""
    read = Texts(texts, (*OF_RANGES, "filter", "percentile"))
    query = ModelsQuery(
        workspace_id=workspace_id,
        time_range=_range(read, now),
        filters=_filters(read),
        percentile=_percentile(read),
    )
    read.finish()
    return query


def read_changes(
    texts: Mapping[str, Sequence[str]], *, workspace_id: str | None, now: datetime
) -> ChangesQuery:
    """Return a question for what changed. Raises QueryRefusedError."""
    read = Texts(texts, (*OF_RANGES, "filter", "measure", "limit"))
    measures = _measures(read, "measure", default="cost_usd")
    if len(measures) > 1 or not is_sum(measures[0]):
        read.refuse(
            "measure",
            "changes are explained of one sum, which its parts add up to",
            "ask for cost_usd, requests, failures or total_tokens",
        )
    query = ChangesQuery(
        workspace_id=workspace_id,
        time_range=_range(read, now),
        measure=measures[0],
        filters=_filters(read),
        limit=read.number("limit", 50, most=MOST_CHANGES),
    )
    read.finish()
    return query


def read_forecast(
    texts: Mapping[str, Sequence[str]], *, workspace_id: str | None, now: datetime
) -> ForecastQuery:
    """Return a question for a month's spend; its month is that of now. Raises QueryRefusedError."""
    # A page hands its range to all questions; the month of a forecast is its own.
    read = Texts(texts, (*OF_RANGES, "filter"))
    _range(read, now)
    zone = read.one("time_zone", DEFAULT_ZONE)
    query = ForecastQuery(workspace_id=workspace_id, zone=zone, filters=_filters(read))
    read.finish()
    return query


def _range(read: Texts, now: datetime) -> TimeRange:
    texts = read.one("from", DEFAULT_FROM), read.one("to", DEFAULT_TO)
    zone = read.one("time_zone", DEFAULT_ZONE)
    return read.attempt(
        lambda: read_time_range(*texts, zone, now=now), TimeRange(now, now, DEFAULT_ZONE)
    )


def _granularity(read: Texts, time_range: TimeRange) -> tuple[Granularity, bool]:
    if read.one("granularity", AUTO) == AUTO:
        return auto_granularity(time_range), True
    return read.choice("granularity", Granularity.TOTAL), False


def _measures(read: Texts, parameter: str, default: str = DEFAULT_MEASURE) -> tuple[Measure, ...]:
    names = read.listed(parameter) or (default,)
    if len(names) > MOST_MEASURES:
        reason = f"{len(names)} measures are more than {MOST_MEASURES}"
        read.refuse(parameter, reason, "ask twice, with half of them each")
        names = names[:1]
    found = []
    for name in names:
        try:
            found.append(measure(name))
        except UnknownMeasureError as error:
            read.refuse(parameter, error.reason, error.remedy)
    return tuple(found) or (measure(DEFAULT_MEASURE),)


def _group_by(read: Texts) -> tuple[str, ...]:
    found = (name for text in read.every("group_by") for name in split_names(text))
    names = tuple(dict.fromkeys(found))
    if len(names) > MOST_GROUPED:
        reason = f"{len(names)} dimensions are more than {MOST_GROUPED}"
        read.refuse("group_by", reason, "group by fewer at once")
    return tuple(_dimension(read, name, "group_by") for name in names[:MOST_GROUPED])


def _dimension(read: Texts, name: str, parameter: str) -> str:
    try:
        return dimension_of(name).name
    except UnknownDimensionError as error:
        read.refuse(parameter, error.reason, error.remedy)
        return name


def _filters(read: Texts, parameter: str = "filter") -> tuple[Filter, ...]:
    nothing: tuple[Filter, ...] = ()
    return read.attempt(lambda: read_filters(read.every(parameter), parameter=parameter), nothing)


def _statuses(read: Texts) -> tuple[Filter, ...]:
    nothing: tuple[Filter, ...] = ()
    return read.attempt(lambda: read_statuses(read.listed("status")), nothing)


def _values_of(read: Texts, dimension: str) -> tuple[Filter, ...]:
    values = [value for text in read.every(dimension) for value in split_values(text)]
    return (Filter(dimension, Match.IS, tuple(dict.fromkeys(values))),) if values else ()


def _short(read: Texts, name: str) -> str:
    text = read.one(name)
    if len(text) > MOST_TEXT_CHARACTERS:
        read.refuse(name, f"it has more than {MOST_TEXT_CHARACTERS} characters", "shorten it")
    return text


def _percentile(read: Texts) -> str:
    text = read.one("percentile")
    if not text:
        return DEFAULT_PERCENT
    if _PERCENTILE.fullmatch(text):
        # By digits: 0.999 times 100 in floating point is 99.9 with a tail.
        whole, _, digits = text.partition(".")
        digits = digits.ljust(2, "0")
        percent = f"{int(whole + digits[:2])}.{digits[2:]}".rstrip("0").rstrip(".")
        return percent or "0"
    read.refuse("percentile", f"{text[:80]!r} is no ratio of 0 to 1", "write percentile=0.95")
    return DEFAULT_PERCENT
