"""Keeps what alerts did: messages of the alert topics become rows of the store."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, TypeVar

from inferometer.core.alerts.history import decode_transition
from inferometer.core.alerts.ledger import decode_attempt
from inferometer.errors import StateError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from inferometer.alert_ports import AlertHistory

T = TypeVar("T")

logger = logging.getLogger(__name__)


class KeepHistory:
    """Stores messages, and says how many it could not read; those stay in their topic.

    A message may come again: its row is the same, and is kept once.
    """

    def __init__(self, history: AlertHistory) -> None:
        self._history = history

    def transitions(self, messages: Sequence[bytes], *, token: str) -> int:
        """Store what happened to incidents; return how many were unreadable. Raises StoreError."""
        records = _read(messages, decode_transition, token)
        if records:
            self._history.keep_transitions(records, token=token)
        return len(messages) - len(records)

    def attempts(self, messages: Sequence[bytes], *, token: str) -> int:
        """Store attempts at delivery; return how many were unreadable. Raises StoreError."""
        records = _read(messages, decode_attempt, token)
        if records:
            self._history.keep_attempts(records, token=token)
        return len(messages) - len(records)


def _read(messages: Sequence[bytes], decode: Callable[[bytes], T], token: str) -> list[T]:
    records: list[T] = []
    for message in messages:
        try:
            records.append(decode(message))
        except StateError as error:
            logger.error(  # noqa: TRY400 - the message says all
                "a message of the alerts' history is left out: %s",
                error,
                extra={"token": token, "reason": "unreadable"},
            )
    return records
