"""Messages for PagerDuty's Events API v2."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from inferometer.core.alerts.notices import Status
from inferometer.core.alerts.payload import (
    happened_at_us,
    instant,
    notice_data,
    severity_word,
    shortened,
)
from inferometer.webhooks.bodies import Message, encode_within

if TYPE_CHECKING:
    from inferometer.core.alerts.notices import Notice
    from inferometer.core.alerts.receivers import Receiver
    from inferometer.webhooks.texts import Texts

CLIENT = "Inferometer"
MAX_SUMMARY = 1024
MAX_BODY_BYTES = 512_000
EXPENDABLE = ("member_labels", "details", "suppressed", "drivers", "conditions", "text")


def compose(receiver: Receiver, notice: Notice, texts: Texts) -> Message:
    """Return the event: a trigger for what fires, or the resolve of the same incident."""
    details = {**notice_data(notice), "text": texts.text}
    body: dict[str, Any] = {
        "routing_key": receiver.routing_key.reveal(),
        "event_action": "resolve" if notice.status is Status.RESOLVED else "trigger",
        "dedup_key": notice.incident_id,
        "payload": _payload(notice, texts, details),
        "links": [
            {"href": address, "text": name.capitalize()}
            for name, address in notice.links.items()
            if address.startswith(("https://", "http://"))
        ],
        "client": CLIENT,
    }
    if receiver.external_url:
        body["client_url"] = receiver.external_url
    raw = encode_within(body, details, EXPENDABLE, MAX_BODY_BYTES)
    return Message(id=notice.notification_id, body=raw)


def _payload(notice: Notice, texts: Texts, details: dict[str, Any]) -> dict[str, Any]:
    labels = notice.labels
    found = {
        "summary": shortened(texts.title, MAX_SUMMARY),
        "source": labels.get("service") or labels.get("workspace") or "inferometer",
        "severity": severity_word(notice),
        "timestamp": instant(happened_at_us(notice)),
        "component": labels.get("model") or labels.get("provider"),
        "group": labels.get("workspace"),
        "class": labels.get("slo"),
    }
    return {name: value for name, value in found.items() if value} | {"custom_details": details}
