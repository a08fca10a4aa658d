"""Keeps what alerts did, and finds it again; implements the port AlertHistory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from inferometer.clickhouse.alert_queries import (
    AttemptsOf,
    IncidentsBetween,
    IncidentsNamed,
    TransitionsOf,
)
from inferometer.clickhouse.store import ClickHouseChunkStore
from inferometer.core.alerts.history_rows import alert_rows, notification_rows
from inferometer.names import ALERTS_TABLE, NOTIFICATIONS_TABLE

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from inferometer.clickhouse.connect import StoreConnection
    from inferometer.core.alerts.history import TransitionRecord
    from inferometer.core.alerts.ledger import AttemptRecord


class ClickHouseAlertHistory:
    """An `AlertHistory` on an open connection; every calling thread gets its own clients."""

    def __init__(self, connection: StoreConnection) -> None:
        self._connection = connection
        self._store = ClickHouseChunkStore(connection)

    def keep_transitions(self, records: Sequence[TransitionRecord], *, token: str) -> None:
        """Store rows; see `AlertHistory.keep_transitions`."""
        self._store.insert(table=ALERTS_TABLE, rows=alert_rows(records), token=token)

    def keep_attempts(self, records: Sequence[AttemptRecord], *, token: str) -> None:
        """Store rows; see `AlertHistory.keep_attempts`."""
        self._store.insert(table=NOTIFICATIONS_TABLE, rows=notification_rows(records), token=token)

    def incidents(
        self, *, since: datetime, until: datetime, limit: int = 1000
    ) -> list[dict[str, Any]]:
        """Return the incidents of a span; see `AlertHistory.incidents`."""
        return self._rows(IncidentsBetween(since, until, limit).sql())

    def incidents_named(self, prefix: str) -> list[dict[str, Any]]:
        """Return the incidents whose id begins so; see `AlertHistory.incidents_named`."""
        return self._rows(IncidentsNamed(prefix).sql())

    def transitions(self, incident_id: str) -> list[dict[str, Any]]:
        """Return what happened to an incident; see `AlertHistory.transitions`."""
        return self._rows(TransitionsOf(incident_id).sql())

    def attempts(self, incident_id: str) -> list[dict[str, Any]]:
        """Return who was told of an incident; see `AlertHistory.attempts`."""
        return self._rows(AttemptsOf(incident_id).sql())

    def _rows(self, query: tuple[str, dict[str, Any]]) -> list[dict[str, Any]]:
        text, parameters = query
        with self._connection.errors():
            answer = self._connection.reader().query(text, parameters, tz_mode="aware")
            return [dict(row) for row in answer.named_results()]
