"""Messages as tests look at them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from inferometer.core.alerts.receivers import Format, Receiver
from inferometer.core.secret import Secret
from inferometer.webhooks.messages import compose

if TYPE_CHECKING:
    from inferometer.core.alerts.notices import Notice
    from inferometer.webhooks.bodies import Message

NOW_US = 1_767_607_311_000_000
KEY = "0123456789abcdef0123456789abcdef"


def receiver_of(format_: Format, **more: Any) -> Receiver:
    return Receiver(name="oncall", format=format_, routing_key=Secret(KEY), **more)


def message_of(format_: Format, notice: Notice, **more: Any) -> Message:
    return compose(receiver_of(format_, **more), notice, now_us=NOW_US)


def body_of(format_: Format, notice: Notice, **more: Any) -> Any:
    return orjson.loads(message_of(format_, notice, **more).body)
