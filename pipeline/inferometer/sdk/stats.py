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

    `emitted` = `delivered` + `in_flight` + `failed` + `dropped_buffer_full` + `dropped_too_large`
    + `dropped_closed`; an invalid event was never emitted.
    """

    emitted: int
    delivered: int
    """Acknowledged by all in-sync replicas."""
    in_flight: int
    """Waiting in the buffer or for the broker's acknowledgement."""
    failed: int
    """Given up: not taken within the delivery timeout, refused by the broker, or left at close."""
    dropped_buffer_full: int
    dropped_too_large: int
    dropped_closed: int
    """Emitted after `close`."""
    invalid: int


class DropReason(enum.Enum):
    """Why an event is lost to the pipeline."""

    BUFFER_FULL = "buffer_full"
    TOO_LARGE = "too_large"
    FAILED = "failed"
    CLOSED = "closed"
    INVALID = "invalid"


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
