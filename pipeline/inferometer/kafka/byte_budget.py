"""Back-pressure: one budget of bytes in flight over all partitions of a worker."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Collection


COMPUTING_COPIES = 1
COMPUTING_BYTES_AN_EVENT = 1500
"""What computing holds beside the records: measured on events of 240 to 850 bytes."""
KEPT_COPIES = 3
"""The same, in chunks, before one is known; for full chunks of events of 800 bytes."""
STORING_BYTES_AN_EVENT = 600
"""What is held while a computed chunk is inserted: its tables, and the one on its way."""


def computing_bytes(size_bytes: int, events: int) -> int:
    """Return about how much computing a chunk holds beside its records."""
    return COMPUTING_COPIES * size_bytes + COMPUTING_BYTES_AN_EVENT * events


def storing_bytes(events: int) -> int:
    """Return about how much storing a chunk holds beside its records."""
    return STORING_BYTES_AN_EVENT * events


class Holder(Protocol):
    """A partition, as the budget sees it."""

    @property
    def is_at_work(self) -> bool:
        """Whether one of its chunks runs now."""

    @property
    def waiting_bytes(self) -> int:
        """Bytes that belong to no chunk yet."""

    def wake(self) -> None:
        """Look again whether there is a chunk."""


class ByteBudget:
    """Bytes that are fetched and not yet stored, and the copies that computing makes of them.

    Over the limit nothing more is to be fetched.

    With no room left and nothing at work, the partition that holds most cuts a chunk before its
    time: all of them could wait for records that nobody fetches.
    """

    def __init__(
        self, limit_bytes: int, holders: Callable[[], Collection[Holder]], *, chunk_bytes: int
    ) -> None:
        """Hold up to `limit_bytes`, with room kept to compute a chunk of `chunk_bytes`."""
        self._limit_bytes = limit_bytes
        self._holders = holders
        self._kept_bytes = min(KEPT_COPIES * chunk_bytes, limit_bytes // 2)
        self._has_room = asyncio.Event()
        self._has_room.set()
        self._fetched_bytes = 0
        self._beside_bytes = 0

    @property
    def has_room(self) -> bool:
        """Whether to fetch."""
        return self._has_room.is_set()

    @property
    def bytes_in_flight(self) -> int:
        """What is held now."""
        return self._fetched_bytes + self._beside_bytes

    @property
    def room_bytes(self) -> int:
        """How much more is to be fetched."""
        beside = max(self._beside_bytes, self._kept_bytes)
        return max(0, self._limit_bytes - self._fetched_bytes - beside)

    async def wait_for_room(self) -> None:
        """Return once there is room."""
        await self._has_room.wait()

    def take(self, size: int) -> None:
        """Count bytes that have been fetched."""
        self._fetched_bytes += size
        self._update()

    def give_back(self, size: int) -> None:
        """Count bytes that have been stored."""
        self.take(-size)

    def hold_beside(self, size: int) -> None:
        """Count so much more, or less, that is computed of what has been fetched."""
        self._beside_bytes += size
        self._update()

    def reset(self) -> None:
        """Count nothing: every partition was given up."""
        self._fetched_bytes = self._beside_bytes = 0
        self._has_room.set()

    def _update(self) -> None:
        if self.room_bytes > 0:
            self._has_room.set()
            return
        self._has_room.clear()
        for holder in self._holders():
            holder.wake()

    def wants_chunk_of(self, holder: Holder) -> bool:
        """Whether a partition is to cut what it has, so that there is room again."""
        if self.has_room:
            return False
        holders = self._holders()
        return not any(other.is_at_work for other in holders) and holder.waiting_bytes == max(
            (other.waiting_bytes for other in holders), default=0
        )
