"""Messages for Slack's incoming webhooks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from inferometer.core.alerts.condition_payload import duration
from inferometer.core.alerts.notices import Status
from inferometer.core.alerts.payload import shortened
from inferometer.core.slo.definitions import Severity
from inferometer.webhooks.bodies import Message, encode

if TYPE_CHECKING:
    from inferometer.core.alerts.notices import Notice
    from inferometer.webhooks.texts import Texts

MAX_HEADER = 150
MAX_SECTION = 3000
MAX_TEXT = 6000
"""All sections together: the whole message stays under 10,000 characters, a limit that Slack has
and does not document (about 13,200)."""
MAX_FIELDS = 10
MAX_FIELD = 200
MAX_LINKS = 5
MAX_ADDRESS = 500
ICONS = {Severity.PAGE: ":rotating_light:", Severity.TICKET: ":warning:"}
RESOLVED_ICON = ":white_check_mark:"


def compose(notice: Notice, texts: Texts) -> Message:
    """Return the message; labels and numbers as blocks, links as buttons."""
    icon = RESOLVED_ICON if notice.status is Status.RESOLVED else ICONS[notice.severity]
    title = shortened(texts.title, MAX_HEADER - len(icon) - 1)
    blocks = [
        {
            "type": "header",
            "text": {"type": "plain_text", "text": f"{icon} {title}", "emoji": True},
        },
        *_sections(texts.text),
        *_fields(notice),
        _context(notice),
        *_buttons(notice),
    ]
    body = {"text": escaped(shortened(texts.title, MAX_HEADER)), "blocks": blocks}
    return Message(id=notice.notification_id, body=encode(body))


def escaped(text: str) -> str:
    """Return a text in which nothing is a link, a mention or a channel to Slack."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _sections(text: str) -> list[dict[str, Any]]:
    whole = shortened(escaped(text), MAX_TEXT)
    parts = [whole[at : at + MAX_SECTION] for at in range(0, len(whole), MAX_SECTION)]
    return [{"type": "section", "text": _mrkdwn(part)} for part in parts if part.strip()]


def _fields(notice: Notice) -> list[dict[str, Any]]:
    pairs = [(name, value) for name, value in sorted(notice.labels.items()) if value]
    if notice.budget is not None:
        left = f"{notice.budget.remaining:.1%} of {duration(notice.budget.period_s)}"
        pairs.append(("budget left", left))
    fields = [
        _mrkdwn(shortened(f"*{escaped(name)}*\n{escaped(value)}", MAX_FIELD))
        for name, value in pairs[:MAX_FIELDS]
    ]
    return [{"type": "section", "fields": fields}] if fields else []


def _context(notice: Notice) -> dict[str, Any]:
    seconds = notice.starts_at_us // 1_000_000
    since = f"since <!date^{seconds}^{{date_short_pretty}} {{time_secs}}|{seconds}>"
    text = f"{notice.severity} · incident `{notice.incident_id}` · {since}"
    return {"type": "context", "elements": [_mrkdwn(text)]}


def _buttons(notice: Notice) -> list[dict[str, Any]]:
    links = [
        {
            "type": "button",
            "text": {"type": "plain_text", "text": shortened(name.capitalize(), 75)},
            "url": address,
        }
        for name, address in notice.links.items()
        if address.startswith(("https://", "http://")) and len(address) <= MAX_ADDRESS
    ]
    return [{"type": "actions", "elements": links[:MAX_LINKS]}] if links else []


def _mrkdwn(text: str) -> dict[str, str]:
    return {"type": "mrkdwn", "text": text}
