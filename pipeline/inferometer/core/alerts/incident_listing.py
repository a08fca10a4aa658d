"""The incidents of one state machine as alerts of Alertmanager's API: those that fire."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inferometer.core.alerts.listing import ListedAlert

if TYPE_CHECKING:
    from inferometer.core.alerts.engine import Alerts
    from inferometer.core.alerts.incidents import Incident

KNOWN_FOR_S = 300
"""How long past the last tick an alert is said to last, as Alertmanager's `resolve_timeout`."""
_US_PER_S = 1_000_000


def listed_alerts(alerts: Alerts) -> list[ListedAlert]:
    """Return the incidents that fire; what mutes them is asked anew when they are shown."""
    firing = [incident for incident in alerts.incidents() if incident.is_firing]
    fingerprints = {one.incident_id: one.subject.fingerprint for one in firing}
    last_tick_s = alerts.state.last_tick_s or 0
    return [
        _listed(alerts, one, last_tick_s, fingerprints)
        for one in firing
        if not alerts.is_hushed(one)
    ]


def _listed(
    alerts: Alerts, incident: Incident, last_tick_s: int, fingerprints: dict[str, str]
) -> ListedAlert:
    return ListedAlert(
        fingerprint=incident.subject.fingerprint,
        labels=alerts.labels_of(incident),
        annotations={
            "incident_id": incident.incident_id,
            "summary": _summary(incident),
        },
        receivers=alerts.receivers_of(incident),
        starts_at_us=incident.starts_at_s * _US_PER_S,
        updated_at_us=last_tick_s * _US_PER_S,
        ends_at_us=(last_tick_s + KNOWN_FOR_S) * _US_PER_S,
        inhibited_by=tuple(
            fingerprints[source] for source in incident.inhibited_by if source in fingerprints
        ),
    )


def _summary(incident: Incident) -> str:
    held = "" if incident.is_true else ", held"
    stale = ", without data" if incident.is_stale else ""
    return f"{incident.subject.name}: {', '.join(incident.rules)}{held}{stale}"
