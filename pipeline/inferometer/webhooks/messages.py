"""The message of a notice in the format of its receiver."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inferometer.core.alerts.receivers import Format
from inferometer.webhooks import alertmanager, cloudevents, pagerduty, slack, standard
from inferometer.webhooks.texts import texts_of

if TYPE_CHECKING:
    from inferometer.core.alerts.notices import Notice
    from inferometer.core.alerts.receivers import Receiver
    from inferometer.core.alerts.trials import Heartbeat
    from inferometer.webhooks.bodies import Message

WITHOUT_HEARTBEAT = frozenset({Format.PAGERDUTY_V2, Format.SLACK})
"""People read there: a message each minute that all is well is not for them."""


def compose(receiver: Receiver, notice: Notice, *, now_us: int) -> Message:
    """Return what is sent; the same notice gives the same body, but for what formats date."""
    texts = texts_of(receiver, notice)
    match receiver.format:
        case Format.STANDARD:
            return standard.compose(notice, texts)
        case Format.CLOUDEVENTS:
            return cloudevents.compose_structured(receiver, notice, texts)
        case Format.CLOUDEVENTS_BINARY:
            return cloudevents.compose_binary(receiver, notice, texts)
        case Format.ALERTMANAGER_V4:
            return alertmanager.compose_webhook(receiver, notice, texts)
        case Format.ALERTMANAGER_API:
            return alertmanager.compose_alerts(notice, texts, now_us=now_us)
        case Format.PAGERDUTY_V2:
            return pagerduty.compose(receiver, notice, texts)
        case Format.SLACK:
            return slack.compose(notice, texts)


def compose_heartbeat(receiver: Receiver, beat: Heartbeat) -> Message:
    """Return the heartbeat; raises ValueError for formats that have none."""
    match receiver.format:
        case Format.STANDARD:
            return standard.compose_heartbeat(beat)
        case Format.CLOUDEVENTS:
            return cloudevents.compose_heartbeat(receiver, beat, is_binary=False)
        case Format.CLOUDEVENTS_BINARY:
            return cloudevents.compose_heartbeat(receiver, beat, is_binary=True)
        case Format.ALERTMANAGER_V4 | Format.ALERTMANAGER_API:
            return alertmanager.compose_watchdog(receiver, beat)
        case Format.PAGERDUTY_V2 | Format.SLACK:
            raise ValueError(f"{receiver.format} has no heartbeat; use another receiver for it")
