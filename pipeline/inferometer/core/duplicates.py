"""Duplicates of one partition: events whose `event_id` has come before, inside the horizon.

64-bit hashes find candidates; a candidate is a duplicate only once its whole id is confirmed, in
the chunk or by the caller in the log.
Invariants: no event is dropped on a hash alone; the first occurrence in offset order stays; which
offsets count is decided by the floor of the intent, so a replay decides alike.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numba import njit

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

_MAX_GENERATIONS = 16


@njit(cache=True, nogil=True)
def hash_spans(
    buffer: NDArray[np.uint8],
    starts: NDArray[np.int64],
    lengths: NDArray[np.int64],
    out: NDArray[np.uint64],
) -> None:
    """Hash byte spans to 64 bits (FNV-1a with the finaliser of SplitMix64)."""
    for row in range(len(starts)):
        value = np.uint64(0xCBF29CE484222325)
        start = starts[row]
        for k in range(lengths[row]):
            value = (value ^ np.uint64(buffer[start + k])) * np.uint64(0x100000001B3)
        value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        out[row] = value ^ (value >> np.uint64(31))


def hash_texts(texts: pa.StringArray) -> NDArray[np.uint64]:
    """Return the 64-bit hash of each text."""
    out = np.zeros(len(texts), dtype=np.uint64)
    if len(texts) == 0:
        return out
    _, offsets, data = texts.buffers()
    whole = np.frombuffer(offsets, dtype=np.int32)
    places = whole[texts.offset : texts.offset + len(texts) + 1].astype(np.int64)
    bytes_ = np.frombuffer(data, dtype=np.uint8) if data else np.zeros(0, dtype=np.uint8)
    hash_spans(bytes_, places[:-1], np.diff(places), out)
    return out


@dataclass(slots=True)
class _Generation:
    hashes: NDArray[np.uint64]
    """Sorted."""
    last_offset: int


@dataclass(slots=True)
class Horizon:
    """Hashes of the events of one partition since the floor, in sorted generations.

    A generation may hold hashes from below the floor; they only make candidates, which the caller
    confirms against the floor.
    """

    generations: list[_Generation] = field(default_factory=list)

    def __len__(self) -> int:
        return sum(len(generation.hashes) for generation in self.generations)

    def seen(self, hashes: NDArray[np.uint64]) -> NDArray[np.bool_]:
        """Return which hashes may have come in an earlier chunk."""
        # In order, each search begins where the last one has warmed the cache.
        order = np.argsort(hashes)
        ordered = hashes[order]
        ranked = np.zeros(len(hashes), dtype=np.bool_)
        for generation in self.generations:
            places = np.searchsorted(generation.hashes, ordered)
            places[places == len(generation.hashes)] = 0
            ranked |= generation.hashes[places] == ordered
        found = np.empty_like(ranked)
        found[order] = ranked
        return found

    def add(self, hashes: NDArray[np.uint64], last_offset: int) -> None:
        """Remember the stored events of a chunk that ends at last_offset."""
        if len(hashes):
            self.generations.append(_Generation(np.sort(hashes), last_offset))
            self._compact()

    def evict(self, floor: int) -> None:
        """Forget generations that lie wholly below the floor."""
        self.generations = [g for g in self.generations if g.last_offset >= floor]

    def _compact(self) -> None:
        """Merge the smallest neighbours, so that a look-up visits few generations."""
        while len(self.generations) > _MAX_GENERATIONS:
            sizes = [len(g.hashes) for g in self.generations]
            pairs = [a + b for a, b in itertools.pairwise(sizes)]
            at = pairs.index(min(pairs))
            older, newer = self.generations[at], self.generations[at + 1]
            merged = np.sort(np.concatenate([older.hashes, newer.hashes]), kind="stable")
            self.generations[at : at + 2] = [_Generation(merged, newer.last_offset)]


def repeated_in_chunk(hashes: NDArray[np.uint64], texts: pa.StringArray) -> NDArray[np.bool_]:
    """Return which entries repeat an earlier one of the same chunk, by their whole text."""
    repeated = np.zeros(len(hashes), dtype=np.bool_)
    order = np.argsort(hashes, kind="stable")
    ranked = hashes[order]
    equal = ranked[1:] == ranked[:-1]
    if not equal.any():
        return repeated
    alike = np.zeros(len(hashes), dtype=np.bool_)
    alike[order[1:][equal]] = True
    alike[order[:-1][equal]] = True
    seen: set[str] = set()
    for row in np.flatnonzero(alike).tolist():
        text = texts[row].as_py()
        repeated[row] = text in seen
        seen.add(text)
    return repeated
