"""A look at the identity and time of events in their original bytes.

Invariant: any bytes give an answer; what is no event of the contract has no identity.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from pydantic import ValidationError

from inferometer.core.admission import admit
from inferometer.core.door import DoorPolicy
from inferometer.core.events import MAX_TS_US, InferenceRequest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inferometer.core.records import RecordColumns

_US_PER_S = 1_000_000
_ANY_TIME = DoorPolicy(now_us=MAX_TS_US, retention_us=MAX_TS_US, future_tolerance_us=0)
"""Under which no event is too old or too new."""


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


def peek_records(
    records: RecordColumns,
) -> Iterator[tuple[tuple[int, int], EventIdentity | None]]:
    """Yield (offset, index) of each event in some records, and its identity if it has one.

    A record that cannot be read counts as one event without identity.
    """
    admission = admit(records, _ANY_TIME)
    events = admission.select(np.flatnonzero(admission.accepted))
    ids = events.texts["event_id"].to_pylist()
    ends_s = (events.numbers["ts_end"] // _US_PER_S).tolist()
    places = zip(events.offsets.tolist(), events.indexes.tolist(), strict=True)
    for place, event_id, end_s in zip(places, ids, ends_s, strict=True):
        yield place, EventIdentity(event_id, end_s)
    for letter in admission.dead_letters:
        # What breaks only a rule of the door is an event all the same.
        yield (letter.offset, letter.index), peek(letter.value)
