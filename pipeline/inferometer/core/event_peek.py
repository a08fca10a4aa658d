"""A look at the identity and time of one event in its original bytes.

Invariant: any bytes give an answer; what is no event of the contract has no identity.
"""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import ValidationError

from inferometer.core.events import InferenceRequest

_US_PER_S = 1_000_000


@dataclass(frozen=True, slots=True)
class EventIdentity:
    """Which event it is, and when it ended."""

    event_id: str
    ts_end_s: int
    """Event time, seconds since 1970, rounded down."""


def peek(value: bytes) -> EventIdentity | None:
    """Return the identity of an event, None where the bytes are none of the contract."""
    try:
        event = InferenceRequest.model_validate_json(value)
    except (ValidationError, ValueError):
        return None
    return EventIdentity(event.event_id, event.ts_end // _US_PER_S)
