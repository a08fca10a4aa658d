"""What a user declares: objectives, their indicators, windows and rules, as values.

Invariants: objectives and budget shares are exact ratios (0.999, never 99.9), money is `Decimal`,
windows are whole seconds. A value here has been judged: who builds one from a file reports every
problem of the file before.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from inferometer.core.alerts.matchers import Matcher

MINUTE_S = 60
HOUR_S = 3600
DAY_S = 86_400
DEFAULT_PERIOD_S = 30 * DAY_S


class Severity(enum.StrEnum):
    """How soon a person must look; in rising order."""

    TICKET = "ticket"
    """In working hours."""
    PAGE = "page"
    """Now."""

    @property
    def rank(self) -> int:
        """Higher is more urgent."""
        return 1 if self is Severity.PAGE else 0


class Tier(enum.StrEnum):
    """How much a service matters; in rising order."""

    STANDARD = "standard"
    CRITICAL = "critical"


@dataclass(frozen=True, slots=True, kw_only=True)
class BurnWindow:
    """Fires while the budget burns `burn` times too fast over both its windows.

    Source: Google SRE Workbook, chapter 5, "Multiwindow, Multi-Burn-Rate Alerts".
    """

    name: str
    severity: Severity
    long_s: int
    short_s: int
    budget_share: Decimal
    """Share of the period's budget that is gone when a steady burn fires, for example 0.02."""
    significance: float
    """Fire at this severity only if so many failures are this improbable within the objective."""

    def burn(self, period_s: int) -> Decimal:
        """Return the burn rate of the threshold: budget_share * period / long."""
        return self.budget_share * period_s / self.long_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Availability:
    """Final attempts; bad by status class. A request that misses its deadline is bad."""

    bad: frozenset[str] = frozenset({"5xx", "429", "other"})
    excluded: frozenset[str] = frozenset({"4xx", "499"})
    """Classes that are not valid requests: neither good nor bad."""


class Duration(enum.StrEnum):
    """Durations that an objective can be about."""

    TTFT = "ttft"
    E2E = "e2e"
    ITL = "itl"
    """Mean gap of the request."""
    TPOT = "tpot"
    QUEUE = "queue"


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """Final attempts that carry the duration; bad if it is over the threshold, compared exactly."""

    duration: Duration
    threshold_us: int
    counts_failed: bool = False
    """Whether a failed request counts as bad; by default it is left to availability, so that one
    outage does not open several incidents."""


class CostPer(enum.StrEnum):
    """What an objective on cost divides by."""

    REQUEST = "request"
    """Each final attempt is good or bad by its own cost."""
    MINUTE = "minute"
    """Each minute with traffic is good or bad by what it cost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Bad if dearer than the threshold."""

    per: CostPer
    threshold_usd: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchIsolation:
    """Realtime requests while batch runs; bad if slower than their p99 without batch, times this.

    With an objective of 0.99 it burns as soon as the p99 of realtime is worse by more than the
    allowed share while batch runs.
    """

    duration: Duration = Duration.E2E
    allowed: Decimal = Decimal("0.05")


Indicator = Availability | Latency | Cost | BatchIsolation


@dataclass(frozen=True, slots=True, kw_only=True)
class OutageRule:
    """Pages when most requests fail, whatever the objective; None turns it off in an SLO."""

    bad_ratio: Decimal = Decimal("0.5")
    long_s: int = 5 * MINUTE_S
    short_s: int = MINUTE_S
    significance: float = 1e-3


@dataclass(frozen=True, slots=True, kw_only=True)
class AbsenceRule:
    """Fires when traffic that was to be expected is missing; None turns it off in an SLO."""

    p_value: float = 1e-6
    shortest_s: int = 5 * MINUTE_S
    collapse_ratio: Decimal = Decimal("0.1")


class Weighting(enum.StrEnum):
    """What the failures of a burn window are compared with."""

    RATIO = "ratio"
    """The requests of the window."""
    BUDGET = "budget"
    """The requests that a window holds on average: few failures at night burn little budget."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Slo:
    """One objective; one instance of it for each group that is seen."""

    name: str
    workspace: str
    """The only workspace that it counts; "" counts all, as one."""
    service: str
    indicator: Indicator
    objective: Decimal
    """Share of valid requests that must be good, 0 < objective < 1."""
    period_s: int = DEFAULT_PERIOD_S
    selector: tuple[Matcher, ...] = ()
    """On dimensions of the event; all must match."""
    group_by: tuple[str, ...] = ()
    """Dimensions; each combination of values has budget, state and incidents of its own."""
    burn_windows: tuple[BurnWindow, ...] = ()
    outage: OutageRule | None = None
    absence: AbsenceRule | None = None
    weighting: Weighting = Weighting.RATIO
    low_traffic_guard: bool = True
    principal: str = "user_id"
    """Dimension that tells callers apart; "" for none."""
    min_distinct_principals: int = 2
    """A page needs failures of so many callers, where the principal is known; 1 turns it off."""
    keep_firing_s: int | None = None
    """How long an alert stays firing after its condition cleared; None: the pair's short window,
    30 minutes at most."""
    description: str = ""
    owner: str = ""
    cost_responder: str = ""
    tier: Tier = Tier.STANDARD
    runbook_url: str = ""
    dashboard_url: str = ""
    receivers: tuple[str, ...] = ()
    """Names of receivers beside those that the routes choose."""
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    source: str = ""
    """`file:line` that it was read from."""
