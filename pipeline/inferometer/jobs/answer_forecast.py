"""Answers what the month will have cost: days as they were, and hours that days repeat."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from inferometer.core.query.catalogue import measure
from inferometer.core.query.forecasting import SpendHistory, first_of_month, forecast
from inferometer.core.query.local_times import (
    day_start,
    floor_of_seconds,
    local_day,
)
from inferometer.core.query.planning import plan_metrics
from inferometer.core.query.questions import Granularity, MetricsQuery, TimeRange
from inferometer.jobs.remembered import Remembered

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from inferometer.core.query.answers import Forecast
    from inferometer.core.query.asked import ForecastQuery
    from inferometer.query_ports import QueryStore

DAYS_OF_RATE = 28
WEEKS_OF_HISTORY = 6
UTC_NAME = "UTC"
_HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)


class AnswerForecast:
    """The job; may be called from several threads."""

    def __init__(self, store: QueryStore, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._clock = clock
        self._kept_days = Remembered(store.kept_days, clock)

    def __call__(self, query: ForecastQuery) -> Forecast:
        """Return the month's projection. Raises QueryRefusedError, StoreError."""
        now = self._clock()
        zone = ZoneInfo(query.zone)
        month = day_start(first_of_month(now, query.zone), zone)
        days_ago = day_start(local_day(now, zone) - DAYS_OF_RATE * _DAY, zone)
        days, kept_since = self._spend(
            query, TimeRange(min(month, days_ago), now, query.zone), Granularity.DAY
        )
        # Hours of UTC, since every zone's hours of the week are told by them.
        this_hour = floor_of_seconds(now, int(_HOUR.total_seconds()))
        since = this_hour - timedelta(weeks=WEEKS_OF_HISTORY)
        hours, _ = self._spend(query, TimeRange(since, this_hour, UTC_NAME), Granularity.H1)
        count = (this_hour - since) // _HOUR
        found = forecast(
            SpendHistory(
                now=now,
                zone=query.zone,
                days={local_day(at, zone): usd for at, usd in days.items()},
                hours=[float(hours.get(since + _HOUR * place, 0)) for place in range(count)],
                first_spend_at=_first(hours) or _first(days),
            )
        )
        if kept_since <= month:
            return found
        method = f"{found.method}; spend before {kept_since:%Y-%m-%dT%H:%MZ} is not kept"
        return replace(found, method=method)

    def _spend(
        self, query: ForecastQuery, time_range: TimeRange, granularity: Granularity
    ) -> tuple[dict[datetime, Decimal], datetime]:
        """Return spend by window, and since when it is kept."""
        asked = MetricsQuery(
            workspace_id=query.workspace_id,
            measures=(measure("cost_usd"),),
            time_range=time_range,
            granularity=granularity,
            filters=query.filters,
        )
        watermark = self._store.freshness().watermark
        planned = plan_metrics(asked, kept_days=self._kept_days(), now=self._clock())
        plan, kept_since = planned.plan, planned.coverage.start
        rows, _ = self._store.measured(plan)
        spend = {
            row.window_start: Decimal(str(row.values[0] or 0))
            for row in rows
            if row.window_start is not None and row.group is None
        }
        # A window without a request cost nothing, once all of it has come in: a day of rest counts
        # in what days cost on average.
        for start, end in zip(plan.windows, plan.window_ends, strict=True):
            if watermark is not None and kept_since <= start and end <= watermark:
                spend.setdefault(start, Decimal(0))
        return spend, kept_since


def _first(spend: dict[datetime, Decimal]) -> datetime | None:
    return min((at for at, usd in spend.items() if usd), default=None)
