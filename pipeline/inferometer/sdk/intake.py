"""What waits in memory, counted: events on their way to the sender's thread, and those past it.

Safe for threads. Bounds hold for both together, but for what stands in a spool, which has its own.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING

from inferometer.sdk.items import bytes_in, events_in

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inferometer.sdk.items import Entry


class Intake:
    """A queue of entries under a bound, and the count of those that left it for the producer alone."""

    def __init__(self, *, max_events: int, max_bytes: int, counts_loose: bool) -> None:
        self._max_events = max_events
        self._max_bytes = max_bytes
        self._counts_loose = counts_loose
        self._queue: deque[Entry] = deque()
        self._lock = threading.Lock()
        self._is_closed = False
        self._queued_bytes = 0
        self._loose_bytes = 0
        self.queued_events = 0
        """Taken, and not yet with the spool or the producer."""
        self.loose_events = 0
        """With the producer and in no spool."""
        self.accepted = 0
        """Events that were ever taken."""

    def __len__(self) -> int:
        return len(self._queue)

    def put_all(self, entries: Sequence[Entry]) -> int:
        """Take events; return how many of the entries there was room for."""
        if self._put(entries, events_in(entries), bytes_in(entries)):
            return len(entries)
        taken = 0
        while taken < len(entries) and self.put(entries[taken]):
            taken += 1
        return taken

    def put(self, entry: Entry) -> bool:
        """Take one entry; False where there is no room for it."""
        return self._put((entry,), 1 if isinstance(entry, bytes) else entry.events, len(entry))

    def _put(self, entries: Sequence[Entry], events: int, size_bytes: int) -> bool:
        """Take all of the entries, or none."""
        with self._lock:
            queued_events = self.queued_events + events
            queued_bytes = self._queued_bytes + size_bytes
            room_events, room_bytes = self._max_events, self._max_bytes
            if self._counts_loose:
                room_events -= self.loose_events
                room_bytes -= self._loose_bytes
            if self._is_closed or queued_events > room_events or queued_bytes > room_bytes:
                return False
            self.queued_events, self._queued_bytes = queued_events, queued_bytes
            self.accepted += events
            self._queue.extend(entries)
        return True

    def close(self) -> None:
        """Take nothing more; what waits stays."""
        with self._lock:
            self._is_closed = True

    def take(self, at_most: int) -> list[Entry]:
        """Return the oldest entries; they count as queued until they are `settled`."""
        return [self._queue.popleft() for _ in range(min(at_most, len(self._queue)))]

    def settled(self, events: int, size_bytes: int) -> None:
        """Count entries that were taken from the queue out of it."""
        with self._lock:
            self.queued_events -= events
            self._queued_bytes -= size_bytes

    def count_loose(self, events: int, size_bytes: int, *, accepted: int = 0) -> None:
        """Count what the producer holds and no spool, or, negative, holds no longer."""
        with self._lock:
            self.loose_events += events
            self._loose_bytes += size_bytes
            self.accepted += accepted
