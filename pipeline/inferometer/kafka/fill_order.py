"""Which partitions to fetch for: all while their records fit, else few at a time, by turns.

Bytes that lie in many partitions, enough for a chunk in none, make small chunks or stop the worker;
the same bytes in one partition make a full chunk. So once what the broker holds does not fit, room
goes to those partitions that keep up (they need little), then to the one that was served longest
ago, until its chunk is full.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Sequence

Key = TypeVar("Key")

KEEPING_UP_SHARE = 1 / 8
"""Of a full chunk: a partition with no more to come is served before those that are behind."""


@dataclass(frozen=True, slots=True)
class Holding(Generic[Key]):
    """What one partition holds, and what it could take."""

    key: Key
    waiting_bytes: int
    """Fetched, and in no chunk yet."""
    coming_bytes: int
    """About how much more the broker has."""
    lacks_open_chunk: bool = False
    """Whether it waits for the records of a chunk that was begun before: it cannot be cut smaller."""


class FillOrder(Generic[Key]):
    """Decides for whom to fetch; remembers who was served when."""

    def __init__(self, chunk_bytes: int) -> None:
        """Fill chunks of `chunk_bytes`."""
        self._chunk_bytes = chunk_bytes
        self._served: dict[Key, int] = {}
        self._turn = 0

    def served(self, key: Key) -> None:
        """Note that a partition has got its chunk: others come first now."""
        self._turn += 1
        self._served[key] = self._turn

    def forget(self) -> None:
        """Begin anew: the partitions were given up."""
        self._served.clear()

    def choose(self, holdings: Sequence[Holding[Key]], room_bytes: int) -> list[Key]:
        """Return for whom to fetch into so much room; while there is any, for one at least.

        Without room only one whose open chunk is not here as a whole.
        """
        lacking = [each.key for each in holdings if each.lacks_open_chunk]
        if room_bytes <= 0:
            return lacking[:1]
        if sum(each.coming_bytes for each in holdings) <= room_bytes:
            return [each.key for each in holdings]
        chosen: list[Key] = []
        needed = 0
        for each in sorted(holdings, key=self._rank):
            need = self._need(each)
            if needed and needed + need > room_bytes:
                break
            chosen.append(each.key)
            needed += need
        return chosen

    def _need(self, holding: Holding[Key]) -> int:
        missing = self._chunk_bytes - holding.waiting_bytes
        return min(holding.coming_bytes, missing if missing > 0 else self._chunk_bytes)

    def _rank(self, holding: Holding[Key]) -> tuple[int, int]:
        if holding.lacks_open_chunk:
            group = 0
        elif holding.coming_bytes <= KEEPING_UP_SHARE * self._chunk_bytes:
            group = 1
        else:
            group = 2 if holding.waiting_bytes < self._chunk_bytes else 3
        return group, self._served.get(holding.key, 0)
