"""Log-bin sketches of many groups at once, as columns: the vectorised side of `core.bins`.

Invariants as there: merging adds counts, so it is associative and free of order.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
import pyarrow as pa

from inferometer.core.bins import LN_GAMMA, MAX_BIN, ZERO_BIN
from inferometer.core.group_kernel import group_bins

if TYPE_CHECKING:
    from numpy.typing import NDArray

_BIN_ROOM = MAX_BIN - ZERO_BIN + 1


def bins_of_us(durations_us: NDArray[np.int64]) -> NDArray[np.int16]:
    """Return the bin of each integer microsecond duration (>= 0); see `core.bins.bin_of_us`."""
    logs = np.log(np.maximum(durations_us, 1))
    bins = np.ceil(logs / LN_GAMMA).astype(np.int16)
    return np.where(durations_us <= 0, np.int16(ZERO_BIN), bins)


@dataclass(frozen=True, slots=True)
class SketchColumns:
    """One sketch a group: group g has bins[starts[g]:starts[g + 1]] and counts alike."""

    starts: NDArray[np.int64]
    bins: NDArray[np.int16]
    counts: NDArray[np.int64]

    @classmethod
    def build(
        cls,
        *,
        ids: NDArray[np.int32],
        bins: NDArray[np.int16],
        weights: NDArray[np.int64],
        groups: int,
    ) -> Self:
        """Build sketches from items: item i adds weights[i] to bin bins[i] of group ids[i]."""
        return cls(*group_bins(ids, bins, weights, groups, ZERO_BIN, _BIN_ROOM))

    def merged(self, ids: NDArray[np.int32], groups: int) -> SketchColumns:
        """Return the sketches of coarser groups: group g is added to group ids[g]."""
        item_ids = np.repeat(ids, np.diff(self.starts))
        return SketchColumns.build(ids=item_ids, bins=self.bins, weights=self.counts, groups=groups)

    def to_arrow(self) -> pa.MapArray:
        """Return the sketches as map(int16, uint64)."""
        return pa.MapArray.from_arrays(
            pa.array(self.starts.astype(np.int32)),
            pa.array(self.bins),
            pa.array(self.counts.astype(np.uint64)),
        )
