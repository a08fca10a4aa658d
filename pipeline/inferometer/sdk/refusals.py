"""The two refusals of the client: an event that is wrong, and one that is too large."""

from __future__ import annotations

from inferometer.errors import PipelineError


class InvalidEventError(PipelineError):
    """The fields do not make an event; `reason` is the one that a dead letter would carry."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(
            f"the event was not sent, {reason}: {detail}; mend the field and try again"
        )
        self.reason = reason
        self.detail = detail


class EventTooLargeError(PipelineError):
    """The encoded event exceeds `max_event_bytes`, which guards the broker's own limit."""

    def __init__(self, size_bytes: int, limit_bytes: int) -> None:
        super().__init__(
            f"the event was not sent: {size_bytes} bytes exceed the limit of {limit_bytes}; "
            "shorten metadata and error_message, or raise max_event_bytes together with the "
            "broker's message.max.bytes"
        )
        self.size_bytes = size_bytes
        self.limit_bytes = limit_bytes
