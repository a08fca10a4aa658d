"""Rules on a metric of the views, for those who want no objective: a threshold, a band, or both.

Invariants: a metric is a sum, rate, ratio, mean or quantile of measures named as in
`inferometer.core.cubes`, or a gauge of `GAUGES`; thresholds are `Decimal` in the metric's unit;
a ratio with nothing to divide by is unknown, never zero.
"""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING

from inferometer.core.cubes import COST_MEASURE, DURATIONS, MEASURES, SKETCHES, duration_columns
from inferometer.core.slo.definitions import DAY_S, MINUTE_S, Severity, Tier

if TYPE_CHECKING:
    from collections.abc import Mapping

    from inferometer.core.alerts.matchers import Matcher

GAUGES = (
    "consumer_lag_records",
    "watermark_age_s",
    "heartbeat_age_s",
    "enqueued_tokens",
    "enqueued_tokens_limit",
    "gpu_utilisation",
)
"""What is sampled, not counted: the newest sample stands until the next."""

PIPELINE_GAUGES = frozenset({"consumer_lag_records", "watermark_age_s"})
"""Those of the pipeline itself; the others come as `inference.gauge.v1`."""

SYSTEM_COUNTS = ("records", "dead_letters", "late_events", "future_events")
"""Counts that the pipeline keeps of itself."""

SUMMABLE = (
    *(name for name in MEASURES if not name.endswith("_bins")),
    *SYSTEM_COUNTS,
)  # fmt: skip
"""Names that `rate(...)` and ratios may use."""


class MetricKind(enum.StrEnum):
    """How a number comes out of a window."""

    SUM = "sum"
    RATE = "rate"
    """Sum over the window, by second."""
    RATIO = "ratio"
    """Sum over sum; gauges by their newest sample."""
    MEAN = "mean"
    """Mean of a duration, milliseconds."""
    QUANTILE = "quantile"
    """Quantile of a duration, milliseconds, within the accuracy of `inferometer.core.bins`."""
    GAUGE = "gauge"


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A number that a window of one group has."""

    kind: MetricKind
    measure: str
    """A measure, a duration (mean, quantile) or a gauge."""
    per: str = ""
    """What a ratio divides by: a measure, a gauge, or a whole number."""
    quantile: float = 0.0

    @property
    def unit(self) -> str:
        """The unit of its values; empty for counts and ratios of counts."""
        if self.kind in (MetricKind.MEAN, MetricKind.QUANTILE):
            return "ms"
        if self.measure == COST_MEASURE:
            return "usd"
        return "s" if self.measure.endswith("_s") else ""

    @property
    def needs(self) -> tuple[str, ...]:
        """The columns that must be counted for it, named as in the views."""
        if self.kind is MetricKind.MEAN:
            return duration_columns(self.measure)
        if self.kind is MetricKind.QUANTILE:
            return (f"{self.measure}_bins",)
        return (self.measure, *((self.per,) if self.per and not self.per.isdigit() else ()))

    def __str__(self) -> str:
        """Return the text that `parse_metric` reads."""
        match self.kind:
            case MetricKind.RATIO:
                return f"{self.measure} / {self.per}"
            case MetricKind.QUANTILE:
                return f"p{self.quantile * 100:g}({self.measure})"
            case MetricKind.SUM | MetricKind.GAUGE:
                return self.measure
            case MetricKind.RATE | MetricKind.MEAN:
                return f"{self.kind}({self.measure})"


_CALL = re.compile(r"(?P<call>rate|mean|p(?P<percent>\d{1,2}(?:\.\d+)?))\s*\(\s*(?P<of>\w+)\s*\)")
_RATIO = re.compile(r"(?P<measure>\w+)\s*/\s*(?P<per>\w+)")
EXAMPLES = "`cold_starts / attempts`, `p95(ttft)`, `mean(e2e)`, `rate(requests)`, `cost_usd`"


def parse_metric(text: str) -> Metric:
    """Return the metric that a text names; `ValueError` says what would be right."""
    text = text.strip()
    if called := _CALL.fullmatch(text):
        return _called(called["call"], called["percent"], called["of"])
    if ratio := _RATIO.fullmatch(text):
        return _ratio(ratio["measure"], ratio["per"])
    if text in GAUGES:
        return Metric(kind=MetricKind.GAUGE, measure=text)
    return Metric(kind=MetricKind.SUM, measure=_summable(text))


def _called(call: str, percent: str | None, of: str) -> Metric:
    if call == "rate":
        return Metric(kind=MetricKind.RATE, measure=_summable(of))
    known = DURATIONS if percent is None else SKETCHES
    if of not in known:
        raise ValueError(f"{call}() knows no duration {of!r}; use one of {', '.join(known)}")
    if percent is None:
        return Metric(kind=MetricKind.MEAN, measure=of)
    return Metric(kind=MetricKind.QUANTILE, measure=of, quantile=float(percent) / 100)


def _ratio(measure: str, per: str) -> Metric:
    for name in (measure, per):
        if not name.isdigit() and name not in GAUGES:
            _summable(name)
    if measure.isdigit() or per.strip("0") == "":
        raise ValueError(f"{measure} / {per} divides no measure by something above zero")
    if per.isdigit() or (measure in GAUGES) == (per in GAUGES):
        return Metric(kind=MetricKind.RATIO, measure=measure, per=per)
    raise ValueError(f"{measure} / {per} mixes a sampled and a counted number; use two of one sort")


def _summable(name: str) -> str:
    if name not in SUMMABLE:
        raise ValueError(
            f"unknown metric {name!r}; write for example {EXAMPLES}, or a gauge: "
            f"{', '.join(GAUGES)}"
        )
    return name


class Comparison(enum.StrEnum):
    """On which side of a threshold a value is wrong."""

    ABOVE = ">"
    AT_LEAST = ">="
    BELOW = "<"
    AT_MOST = "<="

    def holds(self, value: float, threshold: float) -> bool:
        """Return whether a value is on the wrong side."""
        match self:
            case Comparison.ABOVE:
                return value > threshold
            case Comparison.AT_LEAST:
                return value >= threshold
            case Comparison.BELOW:
                return value < threshold
            case Comparison.AT_MOST:
                return value <= threshold


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """A threshold and how urgent it is to be beyond it."""

    value: Decimal
    severity: Severity = Severity.TICKET


@dataclass(frozen=True, slots=True, kw_only=True)
class AdaptiveBand:
    """A threshold learnt from the same hours of earlier weeks; see `inferometer.core.slo.adaptive`.

    `upper = max(median + deviations * 1.4826 * MAD, median * (1 + least_effect), static_floor)`.
    """

    deviations: float = 4.0
    least_effect: float = 0.25
    """How much above the median a value must be at least, as a share of it."""
    static_floor: Decimal = Decimal(0)
    """Never fires below it; in the metric's unit."""
    hysteresis: float = 0.7
    """Clears below `median + hysteresis * (upper - median)`."""
    needed: int = 3
    """Windows that must be above, out of the last `of`."""
    of: int = 3
    least_weeks: int = 3
    most_weeks: int = 6
    weekly_growth: float = 0.2
    """How much the median may rise in a week by learning."""
    stable_days: int = 3
    """A shift that stays level for so long is the new normal."""
    zone: str = "UTC"
    """IANA name of the zone whose hours of the week are compared."""
    severity: Severity = Severity.TICKET


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricRule:
    """One custom rule; one instance of it for each group that is seen."""

    name: str
    metric: Metric
    levels: tuple[Level, ...] = ()
    """Static thresholds; the most urgent that is passed counts. May be empty with a band."""
    comparison: Comparison = Comparison.ABOVE
    band: AdaptiveBand | None = None
    window_s: int = 5 * MINUTE_S
    """Also the length of a band's windows; a multiple of 10 s, DAY_S at most."""
    least_count: int = 0
    """Unknown unless the window holds so many of what the metric divides by (or counts)."""
    for_s: int = 0
    keep_firing_s: int = 5 * MINUTE_S
    workspace: str = ""
    service: str = ""
    selector: tuple[Matcher, ...] = ()
    group_by: tuple[str, ...] = ()
    is_meta: bool = False
    """Whether it watches the pipeline itself: while it fires, what depends on the data is stale."""
    tier: Tier = Tier.STANDARD
    description: str = ""
    owner: str = ""
    cost_responder: str = ""
    runbook_url: str = ""
    dashboard_url: str = ""
    receivers: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    source: str = ""
    """`file:line` that it was read from."""


LONGEST_WINDOW_S = DAY_S
