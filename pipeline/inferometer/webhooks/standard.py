"""Bodies as Standard Webhooks 1.0.0 asks for them: `{type, timestamp, data}`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from inferometer.core.alerts.payload import SCHEMA, happened_at_us, instant, notice_data
from inferometer.webhooks.bodies import Message, encode, encode_within

if TYPE_CHECKING:
    from inferometer.core.alerts.notices import Notice
    from inferometer.core.alerts.trials import Heartbeat
    from inferometer.webhooks.texts import Texts

MAX_BODY_BYTES = 20_000
"""Recommended by the specification."""
HEARTBEAT_TYPE = "system.heartbeat"
EXPENDABLE = ("member_labels", "details", "suppressed", "drivers", "text", "conditions")


def compose(notice: Notice, texts: Texts) -> Message:
    """Return the message of a notice."""
    data = data_of(notice, texts)
    body = {"type": notice.type, "timestamp": instant(happened_at_us(notice)), "data": data}
    raw = encode_within(body, data, EXPENDABLE, MAX_BODY_BYTES)
    return Message(id=notice.notification_id, body=raw)


def data_of(notice: Notice, texts: Texts) -> dict[str, Any]:
    """Return the data of a notice with its texts."""
    return {**notice_data(notice), "summary": texts.title, "text": texts.text}


def compose_heartbeat(beat: Heartbeat) -> Message:
    """Return the message that alerting is alive."""
    body = {
        "type": HEARTBEAT_TYPE,
        "timestamp": instant(beat.at_us),
        "data": heartbeat_data(beat),
    }
    return Message(id=beat.message_id, body=encode(body))


def heartbeat_data(beat: Heartbeat) -> dict[str, Any]:
    """Return the data of a heartbeat."""
    return {
        "schema": SCHEMA,
        "receiver": beat.receiver,
        "interval_s": beat.interval_s,
        "evaluated_until": instant(beat.last_tick_us),
    }
