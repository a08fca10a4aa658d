"""What became of the events of a client: counts, drops, and complaints that do not flood a log."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class ClientStats:
    """Counts since the client was made (after a fork: since the fork), signals included.

    `emitted` + `taken_over` = `delivered` + `in_flight` + `failed` + `dropped_buffer_full`
    + `dropped_spool_full` + `dropped_too_large` + `dropped_closed`. `invalid` stands beside: those
    events were refused by an exception, or sent as they are.
    """

    emitted: int
    delivered: int
    """Acknowledged by all in-sync replicas."""
    in_flight: int
    """Waiting in memory or in the spool, or for the broker's acknowledgement."""
    failed: int
    """Given up: refused by the broker; without a spool also not taken within the delivery timeout,
    or left at close."""
    dropped_buffer_full: int
    dropped_too_large: int
    dropped_closed: int
    """Emitted after `close`."""
    invalid: int
    dropped_spool_full: int = 0
    """The spool was full (or its disk refused), and so was the buffer."""
    taken_over: int = 0
    """Left in the spool by an earlier process."""
    spool_events: int = 0
    """In the spool without the broker's acknowledgement."""
    spool_bytes: int = 0
    """What the spool takes on the disk."""
    spool_oldest_age_s: float = 0.0
    """Age of the oldest event in the spool."""
    spool_set_aside: int = 0
    """Damaged bytes and refused events that this process put into the spool's folder `aside`."""


class DropReason(enum.Enum):
    """Why an event is lost to the pipeline."""

    BUFFER_FULL = "buffer_full"
    SPOOL_FULL = "spool_full"
    TOO_LARGE = "too_large"
    FAILED = "failed"
    CLOSED = "closed"
    INVALID = "invalid"
    """Refused by an exception, or sent as it is: then the sink keeps it as a dead letter."""


NEXT_STEPS = {
    DropReason.BUFFER_FULL: "is the broker reachable? else raise buffer_events or buffer_bytes",
    DropReason.SPOOL_FULL: "is the broker reachable? else raise spool_max_bytes",
    DropReason.TOO_LARGE: "shorten it, or raise max_event_bytes",
    DropReason.FAILED: "check the broker and the topic",
    DropReason.CLOSED: "close the client after the last request",
    DropReason.INVALID: "mend the fields",
}
"""What to do about a reason."""


@dataclass(frozen=True, slots=True)
class Drop:
    """One event that will not arrive."""

    reason: DropReason
    detail: str
    key: bytes | None
    """The request id; None where the event never got that far."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One record that the broker has acknowledged."""

    topic: str
    partition: int
    offset: int
    size_bytes: int
    """Key and value."""
    events: int = 1
    """How many it carries."""


class Complaints:
    """Logs one line a subject every `every_s` seconds, however often it is said.

    Safe for threads: at worst one line too many.
    """

    def __init__(
        self, logger: logging.Logger, monotonic: Callable[[], float], *, every_s: float = 30.0
    ) -> None:
        self._logger = logger
        self._monotonic = monotonic
        self._every_s = every_s
        self._said: dict[str, tuple[float, int]] = {}

    def say(self, subject: str, message: str) -> None:
        """Log the message, or count it towards the next line of its subject."""
        now = self._monotonic()
        quiet_until, unsaid = self._said.get(subject, (now, 0))
        if now < quiet_until:
            self._said[subject] = (quiet_until, unsaid + 1)
            return
        self._said[subject] = (now + self._every_s, 0)
        more = f" ({unsaid} more since the last line)" if unsaid else ""
        self._logger.warning("%s%s", message, more)
