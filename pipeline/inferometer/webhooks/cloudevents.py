"""Messages as CloudEvents 1.0 over HTTP, structured and binary."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from inferometer.core.alerts.payload import happened_at_us, instant
from inferometer.webhooks.bodies import JSON, Message, encode, encode_within
from inferometer.webhooks.standard import (
    EXPENDABLE,
    HEARTBEAT_TYPE,
    MAX_BODY_BYTES,
    data_of,
    heartbeat_data,
)

if TYPE_CHECKING:
    from inferometer.core.alerts.notices import Notice
    from inferometer.core.alerts.receivers import Receiver
    from inferometer.core.alerts.trials import Heartbeat
    from inferometer.webhooks.texts import Texts

SPEC_VERSION = "1.0"
STRUCTURED = "application/cloudevents+json; charset=UTF-8"
DEFAULT_SOURCE = "/inferometer/alerts"
HEADER_SAFE = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) not in '"%')
"""What a header keeps as it is; source: HTTP binding, 3.1.3.2."""


def compose_structured(receiver: Receiver, notice: Notice, texts: Texts) -> Message:
    """Return a notice with its attributes in the body."""
    data = data_of(notice, texts)
    event = {**_attributes(receiver, notice), "data": data}
    raw = encode_within(event, data, EXPENDABLE, MAX_BODY_BYTES)
    return _structured(notice.notification_id, raw)


def compose_binary(receiver: Receiver, notice: Notice, texts: Texts) -> Message:
    """Return a notice with its attributes in headers and its data as the body."""
    data = data_of(notice, texts)
    raw = encode_within(data, data, EXPENDABLE, MAX_BODY_BYTES)
    return _binary(_attributes(receiver, notice), raw)


def compose_heartbeat(receiver: Receiver, beat: Heartbeat, *, is_binary: bool) -> Message:
    """Return the message that alerting is alive."""
    attributes = {
        "specversion": SPEC_VERSION,
        "id": beat.message_id,
        "source": _source(receiver),
        "type": HEARTBEAT_TYPE,
        "time": instant(beat.at_us) or "",
        "datacontenttype": JSON,
    }
    if is_binary:
        return _binary(attributes, encode(heartbeat_data(beat)))
    return _structured(beat.message_id, encode({**attributes, "data": heartbeat_data(beat)}))


def _attributes(receiver: Receiver, notice: Notice) -> dict[str, str]:
    return {
        "specversion": SPEC_VERSION,
        "id": notice.notification_id,
        "source": _source(receiver),
        "type": notice.type,
        "subject": notice.incident_id,
        "time": instant(happened_at_us(notice)) or "",
        "datacontenttype": JSON,
    }


def _source(receiver: Receiver) -> str:
    return receiver.external_url or DEFAULT_SOURCE


def _structured(id_: str, raw: bytes) -> Message:
    return Message(id=id_, body=raw, headers={"Content-Type": STRUCTURED})


def _binary(attributes: dict[str, Any], raw: bytes) -> Message:
    headers = {
        f"ce-{name}": quote(value, safe=HEADER_SAFE)
        for name, value in attributes.items()
        if name != "datacontenttype"
    }
    return Message(
        id=attributes["id"],
        body=raw,
        headers={"Content-Type": attributes["datacontenttype"], **headers},
    )
