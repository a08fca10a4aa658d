"""What can be asked, as values: a span of time, filters, groups, and the questions made of them."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from inferometer.errors import PipelineError

if TYPE_CHECKING:
    from datetime import datetime

    from inferometer.core.query.measures import Measure


@dataclass(frozen=True, slots=True)
class Problem:
    """One parameter that cannot be used; `parameter` is its name in the query API."""

    parameter: str
    reason: str
    remedy: str


class QueryRefusedError(PipelineError):
    """A question that cannot be answered as it is asked; holds every problem found."""

    def __init__(self, *problems: Problem) -> None:
        super().__init__("; ".join(f"{p.parameter}: {p.reason} ({p.remedy})" for p in problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class TimeRange:
    """From an instant to before another, both aware and UTC; windows follow `zone`."""

    start: datetime
    end: datetime
    zone: str = "UTC"
    """IANA name: days, weeks and months begin at its midnight."""


class Granularity(enum.StrEnum):
    """The length of a window of the answer."""

    TOTAL = "total"
    """One window, as long as the range."""
    S10 = "10s"
    S30 = "30s"
    M1 = "1m"
    M5 = "5m"
    M15 = "15m"
    M30 = "30m"
    H1 = "1h"
    H3 = "3h"
    H6 = "6h"
    H12 = "12h"
    DAY = "1d"
    WEEK = "1w"
    """From Monday."""
    MONTH = "1mo"


class Match(enum.StrEnum):
    """How a filter compares; what it is written as in the query API."""

    IS = "="
    IS_NOT = "!="
    STARTS_WITH = "^="


@dataclass(frozen=True, slots=True)
class Filter:
    """A condition on a dimension or a metadata key (`metadata.<key>`).

    Values are alternatives; `IS_NOT` keeps what is none of them. Filters of a question all hold.
    """

    dimension: str
    match: Match
    values: tuple[str, ...]


class Statuses(enum.StrEnum):
    """The status of the requests whose latencies count."""

    SUCCESSES = "successes"
    ALL = "all"


class Comparison(enum.StrEnum):
    """What an answer is held against."""

    NONE = "none"
    PREVIOUS = "previous"
    """The span of the same length before."""
    BASELINE = "baseline"
    """The same span under other filters, such as everybody for one user (S3-32)."""


@dataclass(frozen=True, kw_only=True)
class MetricsQuery:
    """Which measures, of whom, by what, when."""

    workspace_id: str | None
    """None for all workspaces: only who may see them all asks so."""
    measures: tuple[Measure, ...]
    time_range: TimeRange
    granularity: Granularity
    may_coarsen: bool = False
    """Nobody chose the granularity: a coarser one may do where nothing keeps a finer."""
    group_by: tuple[str, ...] = ()
    """Dimensions and `metadata.<key>`."""
    filters: tuple[Filter, ...] = ()
    statuses: Statuses = Statuses.SUCCESSES
    top: int = 10
    """Groups of their own; what is beyond them is one more, `__other__`."""
    order_by: str = "requests"
    """The measure that ranks groups, highest first; one of any measure."""
    comparison: Comparison = Comparison.NONE
    baseline_filters: tuple[Filter, ...] = ()


@dataclass(frozen=True, kw_only=True)
class LogQuery:
    """Which rows of the request log, newest first."""

    workspace_id: str | None
    time_range: TimeRange
    filters: tuple[Filter, ...] = ()
    """On dimensions of the log, `status_code` and `status_class` included."""
    request_id: str = ""
    event_id: str = ""
    is_final_only: bool = False
    limit: int = 100
    after: LogPlace | None = None
    """The last row of the page before."""


@dataclass(frozen=True, slots=True)
class LogPlace:
    """Where a row stands in the log, by its order: `ts_end`, then `event_id`, both falling."""

    ts_end_us: int
    event_id: str


@dataclass(frozen=True, kw_only=True)
class ValuesQuery:
    """Which values a dimension or a metadata key has, the most requests first."""

    workspace_id: str | None
    dimension: str
    time_range: TimeRange
    prefix: str = ""
    filters: tuple[Filter, ...] = field(default=())
    limit: int = 100
