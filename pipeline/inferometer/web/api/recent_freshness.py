"""Keeps for a second how far data is complete: every question of a dashboard asks it beside its own.

To ask the store each time would cost as much as the questions. A watermark that is a second old
only calls a window final a second later.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from inferometer.core.query.answers import Freshness
    from inferometer.query_ports import QueryStore

KEPT_S = 1.0


class RecentFreshness:
    """A QueryStore: another one, whose freshness is asked once a second. For several threads."""

    def __init__(self, store: QueryStore, seconds: Callable[[], float]) -> None:
        """Take a clock that never goes back."""
        self._store = store
        self._seconds = seconds
        self._lock = threading.Lock()
        self._until_s = 0.0
        self._found: Freshness | None = None

    def freshness(self) -> Freshness:
        """Return how far all partitions are complete; see `QueryStore.freshness`."""
        with self._lock:
            if self._found is not None and self._seconds() < self._until_s:
                return self._found
        # Not under the lock: a store that is slow must not make its askers wait for each other.
        found = self._store.freshness()
        with self._lock:
            self._found, self._until_s = found, self._seconds() + KEPT_S
        return found

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)
