"""What the query API is made of: the jobs that answer, and the limits of one process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from inferometer.jobs.answer_changes import AnswerChanges
from inferometer.jobs.answer_forecast import AnswerForecast
from inferometer.jobs.answer_log import AnswerLog
from inferometer.jobs.answer_metrics import AnswerMetrics
from inferometer.jobs.answer_models import AnswerModels
from inferometer.jobs.answer_oncall import AnswerOncall
from inferometer.jobs.answer_pipeline import AnswerPipeline
from inferometer.jobs.answer_values import AnswerValues
from inferometer.jobs.remembered import Remembered

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from inferometer.jobs.answer_alerts import AnswerAlerts
    from inferometer.query_ports import Lags, QueryStore
    from inferometer.web.identity.desks import SessionDesk, TokenDesk
    from inferometer.web.identity.roles import Identify


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiLimits:
    """How much one process does at once."""

    query_threads: int = 4
    waiting_queries: int = 64
    """Beyond them the answer is 503, so that a slow store fills no memory."""
    export_threads: int = 2
    waiting_exports: int = 4
    live_streams: int = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Doors:
    """Who may come in: what identifies callers, sessions and tokens."""

    identify: Identify
    sessions: SessionDesk
    tokens: TokenDesk


class Services:
    """Every job that answers a page; they block, and are safe to call from several threads."""

    def __init__(
        self,
        *,
        store: QueryStore,
        alerts: AnswerAlerts,
        clock: Callable[[], datetime],
        lags: Lags = dict,
    ) -> None:
        self.store = store
        self.clock = clock
        self.kept_days = Remembered(store.kept_days, clock)
        self.metrics = AnswerMetrics(store, clock)
        self.models = AnswerModels(store, clock)
        self.log = AnswerLog(store, clock)
        self.values = AnswerValues(store)
        self.changes = AnswerChanges(store, clock)
        self.forecast = AnswerForecast(store, clock)
        self.pipeline = AnswerPipeline(store, clock, lags)
        self.alerts = alerts
        self.oncall = AnswerOncall(
            alerts=alerts, margins=store.margins, freshness=store.freshness, clock=clock
        )
