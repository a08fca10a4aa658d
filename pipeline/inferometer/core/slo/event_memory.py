"""Which event ids a partition has brought since an offset, by their 64-bit hashes.

Invariants: an id counts as seen only from the floor on, so a replay under the same floor decides
alike; of a repeated id the latest offset counts. Unlike the sink, which confirms every candidate in
the log of the store, counting trusts the hash: among a million remembered ids one event in 10^13 is
taken for a duplicate, and no store is asked.
"""

from __future__ import annotations

import itertools
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from inferometer.core.records import RecordColumns

    Hashes = NDArray[np.uint64]
    Offsets = NDArray[np.int64]

_MAX_GENERATIONS = 16


@dataclass(frozen=True, slots=True)
class MemoryPolicy:
    """How long an event id is remembered."""

    horizon_ms: int = 600_000
    """Of append time."""
    max_events: int = 1_000_000


@dataclass(frozen=True, slots=True)
class _Generation:
    hashes: Hashes
    """Sorted."""
    offsets: Offsets

    def seen(self, ordered: Hashes, floor: int) -> NDArray[np.bool_]:
        places = np.searchsorted(self.hashes, ordered, side="right") - 1
        found: NDArray[np.bool_] = (
            (places >= 0) & (self.hashes[places] == ordered) & (self.offsets[places] >= floor)
        )
        return found


def _generation(hashes: Hashes, offsets: Offsets) -> _Generation:
    order = np.lexsort((offsets, hashes))
    return _Generation(hashes[order], offsets[order])


@dataclass(slots=True)
class EventMemory:
    """The memory of one partition: `pin` a chunk, ask what it repeats, then `add` it."""

    policy: MemoryPolicy = field(default_factory=MemoryPolicy)
    _generations: list[_Generation] = field(default_factory=list)
    _chunks: deque[tuple[int, int, int]] = field(default_factory=deque)
    """First offset, append time (ms) and about as many events as came."""

    def __len__(self) -> int:
        return sum(len(generation.hashes) for generation in self._generations)

    def pin(self, records: RecordColumns) -> int:
        """Remember when a chunk was appended; return the floor that holds for it."""
        first, append_ms = int(records.offsets[0]), int(records.append_times_ms[0])
        self._chunks.append((first, append_ms, int(records.event_counts().sum())))
        events = sum(chunk[2] for chunk in self._chunks)
        while len(self._chunks) > 1 and (
            self._chunks[1][1] <= append_ms - self.policy.horizon_ms
            or events - self._chunks[0][2] > self.policy.max_events
        ):
            events -= self._chunks.popleft()[2]
        return self._chunks[0][0]

    def repeated(self, hashes: Hashes, floor: int) -> NDArray[np.bool_]:
        """Return which events have come since the floor, or earlier in the same chunk."""
        order = np.argsort(hashes, kind="stable")
        ordered = hashes[order]
        found = np.zeros(len(hashes), dtype=np.bool_)
        found[1:] = ordered[1:] == ordered[:-1]
        for generation in self._generations:
            found |= generation.seen(ordered, floor)
        repeated = np.empty_like(found)
        repeated[order] = found
        return repeated

    def add(self, hashes: Hashes, offsets: Offsets, floor: int) -> None:
        """Remember events, by the offsets of their records; forget what lies below the floor."""
        self._generations = [g for g in self._generations if g.offsets.max() >= floor]
        if len(hashes):
            self._generations.append(_generation(hashes, offsets))
        while len(self._generations) > _MAX_GENERATIONS:
            sizes = [len(g.hashes) for g in self._generations]
            pairs = [a + b for a, b in itertools.pairwise(sizes)]
            at = pairs.index(min(pairs))
            older, newer = self._generations[at : at + 2]
            hashes = np.concatenate([older.hashes, newer.hashes])
            offsets = np.concatenate([older.offsets, newer.offsets])
            kept = offsets >= floor
            self._generations[at : at + 2] = [_generation(hashes[kept], offsets[kept])]
