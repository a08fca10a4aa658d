"""What an objective counted in the past: its cells as columns, in order of time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from inferometer.core.slo.principals import NO_HIGH, NO_LOW

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredCounts:
    """One entry a (cell, group) that had requests, ascending by cell."""

    NO_LOW: ClassVar[int] = int(NO_LOW)
    NO_HIGH: ClassVar[int] = int(NO_HIGH)

    groups: tuple[tuple[str, ...], ...]
    """Values of the objective's `group_by`."""
    group: NDArray[np.int32]
    """Of each entry: an index into groups."""
    cells_s: NDArray[np.int64]
    """Of each entry: the start of its cell of ten seconds, seconds since 1970."""
    totals: NDArray[np.int64]
    bads: NDArray[np.int64]
    lows: NDArray[np.int64]
    """Of each entry: the least hash of a caller that failed."""
    highs: NDArray[np.int64]
    """The greatest."""

    @property
    def requests(self) -> int:
        """How many valid requests there were."""
        return int(self.totals.sum())

    @property
    def failures(self) -> int:
        """How many of them were bad."""
        return int(self.bads.sum())
