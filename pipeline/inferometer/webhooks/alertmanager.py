"""Messages as Alertmanager knows them: its webhook's body (version 4), and alerts for its API."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from inferometer.core.alerts.identity import fingerprint_of
from inferometer.core.alerts.notices import Status, Transition
from inferometer.core.alerts.payload import ALERTMANAGER_GROUP, SECOND_US, instant
from inferometer.core.alerts.receivers import ALERTMANAGER_HOLD_S, Format
from inferometer.core.slo.definitions import Severity
from inferometer.webhooks.bodies import Message, encode

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from inferometer.core.alerts.notices import Notice
    from inferometer.core.alerts.receivers import Receiver
    from inferometer.core.alerts.trials import Heartbeat
    from inferometer.webhooks.texts import Texts

NO_INSTANT = "0001-01-01T00:00:00Z"
"""Go's zero time: the end of what has not ended."""
WATCHDOG = "Watchdog"
FIRST_RESOLVE = 2
"""Sequence number of a resolve that only the firing came before."""


def compose_webhook(receiver: Receiver, notice: Notice, texts: Texts) -> Message:
    """Return the body that an Alertmanager's webhook would have for this incident.

    Source: `notify/webhook` and `template.Data` of Alertmanager; `notification_reason` is of 0.34,
    older ones leave it out.
    """
    alerts = _alerts(notice, texts)
    shown = list(zip(alerts, _fingerprints(notice), strict=True))[: receiver.max_alerts or None]
    body = {
        "receiver": receiver.name,
        "status": str(notice.status),
        "alerts": [_webhook_alert(notice, alert, own) for alert, own in shown],
        "groupLabels": {
            name: notice.labels[name] for name in ALERTMANAGER_GROUP if notice.labels.get(name)
        },
        "commonLabels": _common([alert["labels"] for alert in alerts]),
        "commonAnnotations": _common([alert["annotations"] for alert in alerts]),
        "externalURL": receiver.external_url,
        "version": "4",
        "groupKey": notice.incident_id,
        "truncatedAlerts": notice.stands_for - len(shown),
        "notification_reason": notice.reason.replace("_", " "),
    }
    return Message(id=notice.notification_id, body=encode(body))


def compose_alerts(notice: Notice, texts: Texts, *, now_us: int) -> Message:
    """Return the body of a POST to `/api/v2/alerts`.

    What fires has an end far ahead, which later notices move: an Alertmanager ends by itself what
    has none after five minutes, and silence from here is no resolve.
    """
    ends_at_us = now_us + ALERTMANAGER_HOLD_S * SECOND_US
    over_at_us = notice.resolved_at_us or now_us
    if notice.status is Status.RESOLVED:
        ends_at_us = over_at_us
    alerts = _alerts(notice, texts)
    others = [
        {
            **alert,
            "labels": {**alert["labels"], "severity": severity},
            "endsAt": instant(over_at_us),
        }
        for severity in _left_severities(notice)
        for alert in alerts
    ]
    sent = [{**alert, "endsAt": instant(ends_at_us)} for alert in alerts]
    return Message(id=notice.notification_id, body=encode(sent + others))


def _left_severities(notice: Notice) -> list[str]:
    """Return under which severities the same alerts may still fire at an Alertmanager.

    To it the severity is part of an alert's identity: what rose leaves the lower one behind, and
    what went on for long may have been both.
    """
    is_old_end = notice.status is Status.RESOLVED and notice.seq > FIRST_RESOLVE
    if notice.transition is Transition.ESCALATED or is_old_end:
        return [str(one) for one in Severity if one is not notice.severity]
    return []


def compose_watchdog(receiver: Receiver, beat: Heartbeat) -> Message:
    """Return an alert that always fires, as Prometheus setups have it for a dead man's switch."""
    labels = {"alertname": WATCHDOG, "severity": "none", "service": "inferometer"}
    annotations = {"summary": "Alerting is alive; be alarmed when this ends."}
    alert: dict[str, Any] = {
        "labels": labels,
        "annotations": annotations,
        "startsAt": instant(beat.at_us),
        "generatorURL": receiver.external_url,
    }
    if receiver.format is Format.ALERTMANAGER_API:
        ends_at_us = beat.at_us + 3 * beat.interval_s * SECOND_US
        return Message(id=beat.message_id, body=encode([{**alert, "endsAt": instant(ends_at_us)}]))
    body = {
        "receiver": receiver.name,
        "status": "firing",
        "alerts": [{"status": "firing", **alert, "endsAt": NO_INSTANT, "fingerprint": WATCHDOG}],
        "groupLabels": {"alertname": WATCHDOG},
        "commonLabels": labels,
        "commonAnnotations": annotations,
        "externalURL": receiver.external_url,
        "version": "4",
        "groupKey": WATCHDOG,
        "truncatedAlerts": 0,
    }
    return Message(id=beat.message_id, body=encode(body))


def _fingerprints(notice: Notice) -> list[str]:
    """Return what tells the alerts of one message apart, the same from its firing to its end.

    That of the notice belongs to the incident that it is named after, alone or among others.
    """
    if not notice.members:
        return [notice.fingerprint]
    named = notice.details.get("member_incident_ids", ())
    place = named.index(notice.incident_id) if notice.incident_id in named else -1
    return [
        notice.fingerprint if number == place else fingerprint_of(labels, notice.family)
        for number, labels in enumerate(notice.members)
    ]


def _webhook_alert(notice: Notice, alert: Mapping[str, Any], fingerprint: str) -> dict[str, Any]:
    has_ended = notice.status is Status.RESOLVED
    return {
        "status": str(notice.status),
        "labels": alert["labels"],
        "annotations": alert["annotations"],
        "startsAt": alert["startsAt"],
        "endsAt": instant(notice.resolved_at_us) if has_ended else NO_INSTANT,
        "generatorURL": alert["generatorURL"],
        "fingerprint": fingerprint,
    }


def _alerts(notice: Notice, texts: Texts) -> list[dict[str, Any]]:
    """Return what both bodies share, one for each incident that the notice stands for."""
    annotations = {
        **notice.annotations,
        "summary": texts.title,
        "description": texts.text,
        "runbook_url": notice.links.get("runbook", ""),
        "dashboard_url": notice.links.get("dashboard", ""),
    }
    return [
        {
            "labels": _labels(notice, labels),
            "annotations": _named(annotations),
            "startsAt": instant(notice.starts_at_us),
            "generatorURL": notice.links.get("dashboard", ""),
        }
        for labels in notice.members or (notice.labels,)
    ]


def _labels(notice: Notice, labels: Mapping[str, str]) -> dict[str, str]:
    name = labels.get("alertname") or labels.get("slo") or labels.get("service") or "inferometer"
    return _named({**labels, "alertname": name, "severity": str(notice.severity)})


def _named(pairs: Mapping[str, str]) -> dict[str, str]:
    """Return pairs with names that Prometheus allows, in their order, without empty values."""
    return {_name(name): value for name, value in sorted(pairs.items()) if value}


def _name(text: str) -> str:
    name = re.sub(r"[^a-zA-Z0-9_]", "_", text)
    return f"_{name}" if name[:1].isdigit() else name


def _common(pairs: Sequence[Mapping[str, str]]) -> dict[str, str]:
    first, *rest = pairs
    return {
        name: value
        for name, value in first.items()
        if all(other.get(name) == value for other in rest)
    }
