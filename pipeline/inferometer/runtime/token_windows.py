"""Compares what the tables remember of tokens with what this worker needs, at start and while it runs."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from inferometer.clickhouse.token_windows import TokenWindowReports
from inferometer.core.token_windows import (
    TokenLoad,
    TokenWindowUse,
    smallest_use,
    token_window_problems,
)
from inferometer.errors import ConfigError

if TYPE_CHECKING:
    from inferometer.clickhouse.connect import StoreConnection
    from inferometer.config import Settings

HISTORY = timedelta(days=1)
"""How far back the busiest span is looked for."""
FUTURE_DAYS = 2
"""Events may end on the day before the oldest that is kept, and after midnight of today."""

logger = logging.getLogger(__name__)


def check_token_windows(
    connection: StoreConnection, settings: Settings, *, partitions: int, now: datetime
) -> None:
    """Warn of windows that the longest outage outlasts.

    Raises ConfigError where even a retry at once would be stored twice, and StoreError.
    """
    worker = settings.worker
    reports = TokenWindowReports(connection)
    load = TokenLoad(
        partitions=partitions,
        # With few events every chunk waits this long; with many, the ledger knows better.
        inserts_per_s=1 / min(worker.chunk_min_wait_s, worker.chunk_max_wait_s),
        days_an_insert=1.0,
        most_days_an_insert=settings.store.requests_retention_days + FUTURE_DAYS,
        longest_outage_s=worker.longest_outage_s,
        busiest=reports.busiest_span(now - HISTORY, max(1, round(worker.longest_outage_s))),
    )
    problems = token_window_problems(reports.windows(), load)
    fatal = [problem.message for problem in problems if problem.is_fatal]
    if fatal:
        raise ConfigError(fatal)
    for problem in problems:
        logger.warning("%s", problem.message)


class TokenWindowWatch:
    """Tells how full the windows are, for a metric, and warns once while they are too full."""

    def __init__(self, connection: StoreConnection, *, longest_outage_s: float) -> None:
        self._reports = TokenWindowReports(connection)
        self._span = timedelta(seconds=longest_outage_s)
        self._has_warned = False

    def measure(self, now: datetime) -> TokenWindowUse | None:
        """Return the use of the smallest window; None without tables. Raises StoreError."""
        use = smallest_use(self._reports.windows(), self._reports.tokens_written(now - self._span))
        if use is not None:
            self._warn(use)
        return use

    def _warn(self, use: TokenWindowUse) -> None:
        if use.is_alarming and not self._has_warned:
            logger.warning(
                "%d of %d tokens that %s remembers were written in the last %.0f s: after an "
                "outage that long, retries may be stored twice; raise its deduplication window "
                "or cut fewer chunks",
                use.used,
                use.size,
                use.table,
                self._span.total_seconds(),
            )
        self._has_warned = use.is_alarming
