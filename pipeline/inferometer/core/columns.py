"""Events as columns: what a decoded chunk looks like to pricing, aggregation and the store.

Invariants: every column has one entry an event, in (offset, index) order; a missing number is
`MISSING`; every code of a code column is an index into its values.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

MISSING = int(np.iinfo(np.int64).min)


@dataclass(frozen=True, slots=True)
class CodeColumn:
    """Text that repeats: `values[codes[i]]` is the text of event i; values are distinct."""

    codes: NDArray[np.int32]
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class GapColumns:
    """Gaps between output chunks (`itl`), the bins of all events back to back.

    Event i has the bins `bins[starts[i]:starts[i + 1]]` with counts alike; `counts` and
    `sums_us` are MISSING where the event carries no `itl`, `maxima_us` where it has no maximum.
    """

    counts: NDArray[np.int64]
    sums_us: NDArray[np.int64]
    maxima_us: NDArray[np.int64]
    starts: NDArray[np.int64]
    bins: NDArray[np.int16]
    bin_counts: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class EventColumns:
    """Accepted events of one chunk, by field name of the contract."""

    offsets: NDArray[np.int64]
    """Kafka offset of the record that carried the event."""
    indexes: NDArray[np.int64]
    """Place of the event inside its record; 0 for a record of one event."""
    numbers: dict[str, NDArray[np.int64]]
    """INT as is, BOOL as 0 or 1, DURATION and SECONDS in us, MONEY in pico-dollars, INSTANT in us.

    Token totals and buckets are complete and consistent here: remainders are filled in.
    """
    codes: dict[str, CodeColumn]
    texts: dict[str, pa.StringArray]
    lists: dict[str, pa.ListArray]
    maps: dict[str, pa.MapArray]
    gaps: GapColumns

    def __len__(self) -> int:
        return len(self.offsets)
