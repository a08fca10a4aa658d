"""Pace of producers on a broker that forgets: never more unread than a partition keeps.

The embedded broker drops a partition's oldest records beyond 5 MB or 100,000 records. A producer
reserves room before each send and waits while there is none; room comes back when the group's
offsets are committed. Reserving before sending is what keeps records in flight inside the limit.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, field

from inferometer.errors import BrokerError

DEFAULT_LIMIT_BYTES = 3_500_000
DEFAULT_LIMIT_RECORDS = 80_000
RECORD_OVERHEAD_BYTES = 90
"""What a record takes beside key, value and headers when it is a batch of its own."""

Partition = tuple[str, int]


@dataclass(slots=True)
class _Backlog:
    reserved_bytes: int = 0
    reserved_records: int = 0
    delivered: deque[tuple[int, int]] = field(default_factory=deque)
    """(offset, size) of each record that the broker holds and nobody has acknowledged."""
    acknowledged: int = 0


class Pace:
    """Bytes and records of each partition that are sent but not acknowledged, under a limit.

    Thread-safe. For each record call `reserve`, send, then `delivered` (or `failed`) from the
    producer's callback; the worker calls `acknowledged`.
    """

    def __init__(
        self,
        *,
        limit_bytes: int = DEFAULT_LIMIT_BYTES,
        limit_records: int = DEFAULT_LIMIT_RECORDS,
    ) -> None:
        if limit_bytes < 1 or limit_records < 1:
            raise ValueError("limits of a pace must be positive")
        self._limit_bytes = limit_bytes
        self._limit_records = limit_records
        self._changed = threading.Condition()
        self._backlogs: dict[Partition, _Backlog] = {}
        self._closed = False

    def reserve(
        self, topic: str, partition: int, size: int, *, timeout_s: float | None = None
    ) -> None:
        """Take room for a record of `size` bytes; wait until there is room.

        A record above the limit goes alone. Raises BrokerError when the time is over or the pace
        is closed.
        """
        with self._changed:
            backlog = self._backlogs.setdefault((topic, partition), _Backlog())
            has_room = self._changed.wait_for(
                lambda: self._closed or self._has_room(backlog, size), timeout_s
            )
            if self._closed:
                raise BrokerError("the pace is closed: no worker reads any more", retryable=False)
            if not has_room:
                raise BrokerError(
                    f"no room in {topic}/{partition} for {timeout_s} s: is a worker reading it?",
                    retryable=True,
                )
            backlog.reserved_bytes += size + RECORD_OVERHEAD_BYTES
            backlog.reserved_records += 1

    def _has_room(self, backlog: _Backlog, size: int) -> bool:
        if backlog.reserved_records == 0:
            return True
        return (
            backlog.reserved_bytes + size + RECORD_OVERHEAD_BYTES <= self._limit_bytes
            and backlog.reserved_records < self._limit_records
        )

    def delivered(self, topic: str, partition: int, offset: int, size: int) -> None:
        """Note that the broker holds a reserved record at an offset."""
        with self._changed:
            backlog = self._backlogs.setdefault((topic, partition), _Backlog())
            if offset < backlog.acknowledged:
                self._give_back(backlog, size)
            else:
                backlog.delivered.append((offset, size))

    def failed(self, topic: str, partition: int, size: int) -> None:
        """Note that a reserved record was not sent after all."""
        with self._changed:
            self._give_back(self._backlogs.setdefault((topic, partition), _Backlog()), size)

    def acknowledged(self, topic: str, partition: int, next_offset: int) -> None:
        """Note that the group has committed everything below an offset."""
        with self._changed:
            backlog = self._backlogs.setdefault((topic, partition), _Backlog())
            backlog.acknowledged = max(backlog.acknowledged, next_offset)
            while backlog.delivered and backlog.delivered[0][0] < next_offset:
                _offset, size = backlog.delivered.popleft()
                self._give_back(backlog, size)

    def _give_back(self, backlog: _Backlog, size: int) -> None:
        backlog.reserved_bytes -= size + RECORD_OVERHEAD_BYTES
        backlog.reserved_records -= 1
        self._changed.notify_all()

    def unacknowledged(self) -> int:
        """Return how many records are reserved or held, over all partitions."""
        with self._changed:
            return sum(backlog.reserved_records for backlog in self._backlogs.values())

    def close(self) -> None:
        """Wake every waiting producer with an error."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
