"""The chain of ledger rows of a partition: each offset in at most one chunk, gaps named.

Invariant: of entries in order of their first offset, every offset up to the last one is inside an
entry, inside a gap, or inside an overlap.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inferometer.core.conservation import LedgerEntry


@dataclass(frozen=True, slots=True)
class OffsetRange:
    """Offsets first..last, both included."""

    first: int
    last: int

    def __len__(self) -> int:
        return self.last - self.first + 1


@dataclass(frozen=True, slots=True)
class Chain:
    """What lies between and across the entries of a partition."""

    gaps: tuple[OffsetRange, ...]
    overlaps: tuple[OffsetRange, ...]
    next_offset: int
    """The offset after the furthest entry."""


def chain(entries: Sequence[LedgerEntry], *, next_offset: int | None) -> Chain:
    """Link entries, which are in order of first_offset, to what came before `next_offset`.

    None: nothing is known of what came before, so the first entry begins the chain.
    """
    gaps, overlaps = [], []
    reached = next_offset
    for entry in entries:
        if reached is not None and entry.first_offset > reached:
            gaps.append(OffsetRange(reached, entry.first_offset - 1))
        if reached is not None and entry.first_offset < reached:
            overlaps.append(OffsetRange(entry.first_offset, min(reached - 1, entry.last_offset)))
        reached = max(reached or 0, entry.last_offset + 1)
    return Chain(tuple(gaps), tuple(overlaps), reached or 0)
