"""What a user declares about money: an amount for each calendar period, and which rules guard it.

Invariants: amounts are `Decimal` USD, shares exact ratios (0.8, never 80); a period begins and ends
at midnight of the budget's own IANA zone, so a day may have 23 or 25 hours; the thresholds of the
rules are data, kept in `SHIPPED_COST_WINDOWS`.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from inferometer.core.money import usd_to_pico
from inferometer.core.slo.definitions import DAY_S, HOUR_S, MINUTE_S, Severity, Tier

if TYPE_CHECKING:
    from collections.abc import Mapping

    from inferometer.core.alerts.matchers import Matcher

MONTHS_OF_QUARTER = 3
MONTHS_OF_YEAR = 12


class CalendarPeriod(enum.StrEnum):
    """How often a budget begins anew; weeks begin on Monday."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"


class CostRule(enum.StrEnum):
    """The rules that guard a budget."""

    DOUBLING = "c1-doubling"
    """Spending doubled suddenly."""
    SUSTAINED = "c2-sustained"
    """Spending stays high and the period will end over budget."""
    DAILY = "c3-daily"
    """A day at twice the forecast."""
    ABSOLUTE = "c4-absolute"
    """A large part of the budget within an hour, whatever the forecast says."""
    TREND = "c5-trend"
    """Days above forecast, or a projection over budget."""
    SPENT = "c6-spent"
    """A threshold of the budget is reached."""
    EXHAUSTION = "c6-exhaustion"
    """At the present rate the budget is gone soon, and before its period ends."""
    RETRIES = "c7-retries"
    """Attempts outnumber the requests that callers made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CostWindow:
    """Fires while a ratio is at least `ratio` over both windows."""

    long_s: int
    short_s: int
    ratio: Decimal
    """Spent to forecast; for C4 spent to the budget's even rate, for C7 attempts to requests."""
    severity: Severity
    critical_severity: Severity | None = None
    """Severity for a budget of tier critical, where it differs."""


SHIPPED_COST_WINDOWS: Mapping[CostRule, CostWindow] = {
    CostRule.DOUBLING: CostWindow(
        long_s=30 * MINUTE_S, short_s=5 * MINUTE_S, ratio=Decimal(2), severity=Severity.PAGE
    ),
    CostRule.SUSTAINED: CostWindow(
        long_s=6 * HOUR_S, short_s=30 * MINUTE_S, ratio=Decimal("1.5"), severity=Severity.PAGE
    ),
    CostRule.DAILY: CostWindow(
        long_s=DAY_S,
        short_s=2 * HOUR_S,
        ratio=Decimal(2),
        severity=Severity.TICKET,
        critical_severity=Severity.PAGE,
    ),
    CostRule.ABSOLUTE: CostWindow(
        long_s=HOUR_S, short_s=5 * MINUTE_S, ratio=Decimal("14.4"), severity=Severity.PAGE
    ),
    CostRule.TREND: CostWindow(
        long_s=3 * DAY_S, short_s=6 * HOUR_S, ratio=Decimal("1.2"), severity=Severity.TICKET
    ),
    CostRule.RETRIES: CostWindow(
        long_s=HOUR_S, short_s=5 * MINUTE_S, ratio=Decimal("1.5"), severity=Severity.TICKET
    ),
}
"""The rules as shipped; a budget may replace each. C6 has no windows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedSpending:
    """A stretch of time in which spending is expected to differ: a launch, a sale, a new price."""

    starts_at_s: int
    ends_at_s: int
    factor: Decimal
    """Multiplies the forecast from start until end."""
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MoneyBudget:
    """An amount for each period; one instance of it for each group that is seen."""

    name: str
    amount_usd: Decimal
    """Of each group where there is a `group_by`; above zero."""
    period: CalendarPeriod = CalendarPeriod.MONTH
    zone: str = "UTC"
    """IANA name; it decides when periods begin and what an hour of the week is."""
    workspace: str = ""
    """The only workspace that it counts; "" counts all, as one."""
    service: str = ""
    selector: tuple[Matcher, ...] = ()
    group_by: tuple[str, ...] = ()
    rules: frozenset[CostRule] = frozenset(CostRule)
    windows: Mapping[CostRule, CostWindow] = field(default_factory=lambda: SHIPPED_COST_WINDOWS)
    smallest_excess_usd: Decimal | None = None
    """C1 needs so much more than the forecast; None: a thousandth of the amount for each hour of
    its long window. A thousandth for half an hour would never let a budget of a month see its
    spending double: its half hours are a 1,488th of it."""
    absolute_share: Decimal = Decimal("0.02")
    """C4 needs this share of the budget within its long window."""
    spent_shares: tuple[Decimal, ...] = (
        Decimal("0.5"), Decimal("0.8"), Decimal("0.9"), Decimal(1),
    )  # fmt: skip
    """Thresholds of C6, rising; those of 1 and above page."""
    exhaustion_s: int = DAY_S
    """C6 pages when the budget will be gone within this time."""
    cost_variation: float = 2.0
    """Standard deviation of one request's cost over its mean; it sets how many requests C1 to C3
    need."""
    explained_share: float = 0.9
    """C1 to C3 are tickets when volume explains at least this share of the rise."""
    planned: tuple[PlannedSpending, ...] = ()
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

    @property
    def amount_pico(self) -> int:
        """The amount in pico-dollars."""
        return _pico(self.amount_usd)

    @property
    def smallest_excess_pico(self) -> int:
        """The excess that C1 needs, in pico-dollars."""
        if self.smallest_excess_usd is None:
            return self.amount_pico * self.window(CostRule.DOUBLING).long_s // (1000 * HOUR_S)
        return _pico(self.smallest_excess_usd)

    def window(self, rule: CostRule) -> CostWindow:
        """Return the windows of a rule that has some."""
        return self.windows.get(rule, SHIPPED_COST_WINDOWS[rule])

    def severity(self, rule: CostRule) -> Severity:
        """Return how urgent a rule with windows is for this budget's tier."""
        window = self.window(rule)
        if self.tier is Tier.CRITICAL and window.critical_severity is not None:
            return window.critical_severity
        return window.severity


@lru_cache(maxsize=1024)
def _pico(usd: Decimal) -> int:
    """Return dollars as pico-dollars; it is asked for at every tick."""
    return usd_to_pico(usd)


def period_bounds_s(now_s: int, period: CalendarPeriod, zone: str) -> tuple[int, int]:
    """Return the start and the end (exclusive) of the period that holds an instant.

    Both are midnights of the zone; where the clock skips midnight, the first instant after it.
    """
    local = datetime.fromtimestamp(now_s, tz=UTC).astimezone(ZoneInfo(zone))
    first = _first_day(local.replace(tzinfo=None, hour=0, minute=0, second=0, fold=0), period)
    return _instant_s(first, zone), _instant_s(_next_first_day(first, period), zone)


def _first_day(day: datetime, period: CalendarPeriod) -> datetime:
    match period:
        case CalendarPeriod.DAY:
            return day
        case CalendarPeriod.WEEK:
            return day - timedelta(days=day.weekday())
        case CalendarPeriod.MONTH:
            return day.replace(day=1)
        case CalendarPeriod.QUARTER:
            return day.replace(day=1, month=day.month - (day.month - 1) % MONTHS_OF_QUARTER)
        case CalendarPeriod.YEAR:
            return day.replace(day=1, month=1)


def _next_first_day(first: datetime, period: CalendarPeriod) -> datetime:
    match period:
        case CalendarPeriod.DAY:
            return first + timedelta(days=1)
        case CalendarPeriod.WEEK:
            return first + timedelta(days=7)
        case CalendarPeriod.MONTH:
            return _months_later(first, 1)
        case CalendarPeriod.QUARTER:
            return _months_later(first, MONTHS_OF_QUARTER)
        case CalendarPeriod.YEAR:
            return _months_later(first, MONTHS_OF_YEAR)


def _months_later(first: datetime, months: int) -> datetime:
    years, month = divmod(first.month - 1 + months, MONTHS_OF_YEAR)
    return first.replace(year=first.year + years, month=month + 1)


def _instant_s(wall: datetime, zone: str) -> int:
    """Return the first instant at or after a wall time; a skipped midnight moves to the jump."""
    return int(wall.replace(tzinfo=ZoneInfo(zone)).timestamp())
