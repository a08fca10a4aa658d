"""Questions about what alerts did, as values.

Apart from what keeps it, which comes with the kernels of the pipeline: who only asks starts sooner.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datetime import datetime


@dataclass(frozen=True, slots=True)
class IncidentsBetween:
    """Incidents that were open at some time of a span, the latest first."""

    since: datetime
    until: datetime
    limit: int

    def sql(self) -> tuple[str, dict[str, Any]]:
        """Return the text and its parameters."""
        text = """SELECT *,
    incident_id IN (SELECT incident_id FROM alerts WHERE kind = 'grouped') AS is_told_with_another
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
        text = """SELECT *,
    incident_id IN (SELECT incident_id FROM alerts WHERE kind = 'grouped') AS is_told_with_another
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
    """Every attempt to tell somebody of an incident, in order.

    Those of the incident that it is told together with count too, from shortly before it joined:
    what joins within a minute needs no notice of its own.
    """

    incident_id: str

    def sql(self) -> tuple[str, dict[str, Any]]:
        """Return the text and its parameters."""
        text = """SELECT at, incident_id, notification_id, receiver, format, transition, severity, attempt,
    outcome, http_status, duration_ms, error, next_at, drivers
FROM notifications
WHERE incident_id = {incident_id:String}
    OR notification_id IN
    (
        SELECT told.notification_id
        FROM notifications AS told
        INNER JOIN
        (
            SELECT reason AS lead_id, min(at) AS joined_at
            FROM alerts
            WHERE incident_id = {incident_id:String} AND kind = 'grouped'
            GROUP BY lead_id
        ) AS shared ON told.incident_id = shared.lead_id
        WHERE told.at >= shared.joined_at - INTERVAL 90 SECOND
    )
ORDER BY at, notification_id, attempt"""
        return text, {"incident_id": self.incident_id}
