"""Finds what alerts did, of one workspace or of all; implements the port IncidentRecords."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from inferometer.clickhouse.alert_queries import AttemptsOf

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from inferometer.clickhouse.connect import StoreConnection

Sql = tuple[str, dict[str, Any]]


def _workspace(workspace: str | None) -> dict[str, Any]:
    return {"every": workspace is None, "workspace": workspace or ""}


@dataclass(frozen=True, slots=True)
class IncidentsOf:
    """Incidents of a workspace that were open at some time of a span, the latest first."""

    workspace: str | None
    since: datetime
    until: datetime
    is_open_only: bool
    limit: int

    def sql(self) -> Sql:
        """Return the text and its parameters."""
        text = """SELECT *
FROM incidents
WHERE ({every:Bool} OR workspace_id = {workspace:String})
  AND detected_at < {until:DateTime64(6, 'UTC')}
  AND (resolved_at IS NULL
    OR (NOT {is_open_only:Bool} AND resolved_at >= {since:DateTime64(6, 'UTC')}))
ORDER BY detected_at DESC, incident_id
LIMIT {limit:UInt32}"""
        return text, {
            **_workspace(self.workspace),
            "since": self.since,
            "until": self.until,
            "is_open_only": self.is_open_only,
            "limit": self.limit,
        }


@dataclass(frozen=True, slots=True)
class IncidentOf:
    """One incident, if it is of the workspace."""

    workspace: str | None
    incident_id: str

    def sql(self) -> Sql:
        """Return the text and its parameters."""
        text = """SELECT *
FROM incidents
WHERE ({every:Bool} OR workspace_id = {workspace:String}) AND incident_id = {incident_id:String}"""
        return text, {**_workspace(self.workspace), "incident_id": self.incident_id}


@dataclass(frozen=True, slots=True)
class TransitionsOfAll:
    """Everything that happened to some incidents, in order."""

    incident_ids: Sequence[str]

    def sql(self) -> Sql:
        """Return the text and its parameters."""
        text = """SELECT incident_id, at, kind, rule, reason, severity, episode, conditions,
    suppressed_by, is_flapping
FROM alerts
WHERE has({incident_ids:Array(String)}, incident_id)
ORDER BY at, transition_id"""
        return text, {"incident_ids": list(self.incident_ids)}


@dataclass(frozen=True, slots=True)
class NotificationsBetween:
    """Attempts to tell somebody of any incident of a workspace in a span, the latest first."""

    workspace: str | None
    since: datetime
    until: datetime
    limit: int

    def sql(self) -> Sql:
        """Return the text and its parameters."""
        text = """SELECT told.at AS at, told.incident_id AS incident_id,
    told.notification_id AS notification_id, told.receiver AS receiver, told.format AS format,
    told.transition AS transition, told.severity AS severity, told.attempt AS attempt,
    told.outcome AS outcome, told.http_status AS http_status, told.duration_ms AS duration_ms,
    told.error AS error, told.next_at AS next_at, told.drivers AS drivers,
    about.service AS service, about.slo AS slo, about.labels AS labels
FROM notifications AS told
LEFT JOIN
(
    SELECT incident_id, any(service) AS service, any(slo) AS slo, anyLast(labels) AS labels
    FROM alerts
    WHERE ({every:Bool} OR workspace_id = {workspace:String})
    GROUP BY incident_id
) AS about ON told.incident_id = about.incident_id
-- Test notices belong to no incident: only who sees all workspaces sees them.
WHERE ({every:Bool} OR about.incident_id != '')
  AND told.at >= {since:DateTime64(6, 'UTC')} AND told.at < {until:DateTime64(6, 'UTC')}
ORDER BY at DESC, notification_id, attempt DESC
LIMIT {limit:UInt32}"""
        return text, {
            **_workspace(self.workspace),
            "since": self.since,
            "until": self.until,
            "limit": self.limit,
        }


class ClickHouseIncidentRecords:
    """`IncidentRecords` on an open connection; every calling thread gets its own client."""

    def __init__(self, connection: StoreConnection) -> None:
        self._connection = connection

    def incidents(
        self,
        workspace: str | None,
        *,
        since: datetime,
        until: datetime,
        is_open_only: bool = False,
        limit: int = 500,
    ) -> list[dict[str, Any]]:
        """Return the incidents of a span; see `IncidentRecords.incidents`."""
        return self._rows(IncidentsOf(workspace, since, until, is_open_only, limit).sql())

    def incident(self, workspace: str | None, incident_id: str) -> dict[str, Any] | None:
        """Return one incident; see `IncidentRecords.incident`."""
        rows = self._rows(IncidentOf(workspace, incident_id).sql())
        return rows[0] if rows else None

    def transitions(self, incident_ids: Sequence[str]) -> list[dict[str, Any]]:
        """Return what happened; see `IncidentRecords.transitions`."""
        return self._rows(TransitionsOfAll(incident_ids).sql()) if incident_ids else []

    def attempts(self, incident_id: str) -> list[dict[str, Any]]:
        """Return who was told; see `IncidentRecords.attempts`."""
        return self._rows(AttemptsOf(incident_id).sql())

    def notifications(
        self, workspace: str | None, *, since: datetime, until: datetime, limit: int = 500
    ) -> list[dict[str, Any]]:
        """Return attempts of a span; see `IncidentRecords.notifications`."""
        return self._rows(NotificationsBetween(workspace, since, until, limit).sql())

    def _rows(self, query: Sql) -> list[dict[str, Any]]:
        text, parameters = query
        with self._connection.errors():
            answer = self._connection.reader().query(text, parameters, tz_mode="aware")
            return [dict(row) for row in answer.named_results()]
