"""Keeps what alerts did, and finds it again; implements the port AlertHistory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from inferometer.clickhouse.refusals import store_errors
from inferometer.clickhouse.store import ClickHouseChunkStore
from inferometer.core.alerts.history_rows import alert_rows, notification_rows
from inferometer.names import ALERTS_TABLE, NOTIFICATIONS_TABLE

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from inferometer.clickhouse.connect import StoreConnection
    from inferometer.core.alerts.history import TransitionRecord
    from inferometer.core.alerts.ledger import AttemptRecord


@dataclass(frozen=True, slots=True)
class IncidentsBetween:
    """Incidents that were open at some time of a span, the latest first."""

    since: datetime
    until: datetime
    limit: int

    def sql(self) -> tuple[str, dict[str, Any]]:
        """Return the text and its parameters."""
        text = """SELECT *
FROM incidents
WHERE detected_at < {until:DateTime64(6, 'UTC')}
  AND (resolved_at IS NULL OR resolved_at >= {since:DateTime64(6, 'UTC')})
ORDER BY detected_at DESC, incident_id
LIMIT {limit:UInt32}"""
        return text, {"since": self.since, "until": self.until, "limit": self.limit}


@dataclass(frozen=True, slots=True)
class IncidentsNamed:
    """Incidents whose id begins so."""

    prefix: str

    def sql(self) -> tuple[str, dict[str, Any]]:
        """Return the text and its parameters."""
        text = """SELECT *
FROM incidents
WHERE startsWith(incident_id, {prefix:String})
ORDER BY incident_id
LIMIT 20"""
        return text, {"prefix": self.prefix}


@dataclass(frozen=True, slots=True)
class TransitionsOf:
    """Everything that happened to an incident, in order."""

    incident_id: str

    def sql(self) -> tuple[str, dict[str, Any]]:
        """Return the text and its parameters."""
        text = """SELECT at, kind, rule, reason, severity, episode, conditions, suppressed_by, is_flapping
FROM alerts
WHERE incident_id = {incident_id:String}
ORDER BY at, transition_id"""
        return text, {"incident_id": self.incident_id}


@dataclass(frozen=True, slots=True)
class AttemptsOf:
    """Every attempt to tell somebody of an incident, in order."""

    incident_id: str

    def sql(self) -> tuple[str, dict[str, Any]]:
        """Return the text and its parameters."""
        text = """SELECT at, notification_id, receiver, format, transition, severity, attempt, outcome,
    http_status, duration_ms, error, next_at
FROM notifications
WHERE incident_id = {incident_id:String}
ORDER BY at, notification_id, attempt"""
        return text, {"incident_id": self.incident_id}


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
        with store_errors(self._connection.settings.place):
            answer = self._connection.reader().query(text, parameters, tz_mode="aware")
            return [dict(row) for row in answer.named_results()]
