"""The right of a worker to write for a partition: certain while the group has heard of it lately.

A commit is fenced by the broker, an insert by nobody. A worker that was frozen wakes in the middle
of a chunk that another may have finished long ago; the clock tells it before the group does. What
still slips through, between this check and the insert, meets the token of the same insert.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from inferometer.errors import LeaseError

if TYPE_CHECKING:
    from collections.abc import Callable


class PartitionLease:
    """Implements the port Lease for one assignment of one partition; asked from any thread."""

    def __init__(
        self,
        *,
        last_contact: Callable[[], float | None],
        lasts_s: float,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Make a lease of `lasts_s` from `last_contact`, when a request was sent that succeeded."""
        self._last_contact = last_contact
        self._lasts_s = lasts_s
        self._monotonic = monotonic
        self._is_over = False

    def end(self) -> None:
        """Give the right up for good."""
        self._is_over = True

    def check(self) -> None:
        """Return while the right is certain. Raises LeaseError."""
        if self._is_over:
            raise LeaseError("the partition was given up")
        contact = self._last_contact()
        if contact is None:
            raise LeaseError("the group has not answered yet")
        silence_s = self._monotonic() - contact
        if silence_s > self._lasts_s:
            raise LeaseError(f"the group has not been heard for {silence_s:.1f} s")


class NotedLease:
    """A lease that tells when it is asked first: what comes before the first insert is done."""

    def __init__(self, lease: PartitionLease, on_first_check: Callable[[], None]) -> None:
        self._lease = lease
        self._on_first_check: Callable[[], None] | None = on_first_check

    def check(self) -> None:
        """Return while the right is certain. Raises LeaseError."""
        told, self._on_first_check = self._on_first_check, None
        if told is not None:
            told()
        self._lease.check()
