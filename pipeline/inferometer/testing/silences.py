"""Silences in memory, and alerts that a test lists itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from inferometer.core.alerts.mute_book import MuteBook
from inferometer.errors import BrokerError, StateError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inferometer.core.alerts.listing import ListedAlert
    from inferometer.core.alerts.mute_book import Entry


class MemorySilenceStore:
    """A `SilenceStore` without a broker."""

    def __init__(self, entries: Sequence[Entry] = (), *, is_read: bool = True) -> None:
        """Begin with entries; `is_read` says whether they are known yet."""
        self._book = MuteBook(entries)
        self.is_read = is_read
        self.is_away = False
        """Whether the next `put` fails."""
        self.stored: list[Entry] = []
        """Every version that was stored, in order."""

    def book(self) -> MuteBook:
        """Return the book; see `SilenceStore.book`."""
        if not self.is_read:
            raise StateError("the silences have not been read yet; try again in a moment")
        return self._book

    async def put(self, entries: Sequence[Entry]) -> None:
        """Store entries; see `SilenceStore.put`."""
        self.book()
        if self.is_away:
            raise BrokerError("the silences were not stored; try again", retryable=True)
        self.stored += entries
        for entry in entries:
            self._book.apply(entry)


@dataclass
class ListedAlerts:
    """An `AlertsView` of what a test put in."""

    listed: list[ListedAlert] = field(default_factory=list)
    names: list[str] = field(default_factory=list)

    def alerts(self) -> Sequence[ListedAlert]:
        """Return what was put in."""
        return self.listed

    def receivers(self) -> Sequence[str]:
        """Return the names that were put in."""
        return self.names
