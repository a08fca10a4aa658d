"""Back-pressure: one budget of bytes in flight over all partitions of a worker."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Collection


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
    """Bytes that are fetched and not yet stored; over the limit nothing more is to be fetched.

    With no room left and nothing at work, the partition that holds most cuts a chunk before its
    time: all of them could wait for records that nobody fetches.
    """

    def __init__(self, limit_bytes: int, holders: Callable[[], Collection[Holder]]) -> None:
        self._limit_bytes = limit_bytes
        self._holders = holders
        self._has_room = asyncio.Event()
        self._has_room.set()
        self.bytes_in_flight = 0

    @property
    def has_room(self) -> bool:
        """Whether to fetch."""
        return self._has_room.is_set()

    async def wait_for_room(self) -> None:
        """Return once there is room."""
        await self._has_room.wait()

    def take(self, size: int) -> None:
        """Count bytes that have been fetched."""
        self.bytes_in_flight += size
        self._update()

    def give_back(self, size: int) -> None:
        """Count bytes that have been stored."""
        self.bytes_in_flight -= size
        self._update()

    def reset(self) -> None:
        """Count nothing: every partition was given up."""
        self.bytes_in_flight = 0
        self._has_room.set()

    def _update(self) -> None:
        if self.bytes_in_flight < self._limit_bytes:
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
