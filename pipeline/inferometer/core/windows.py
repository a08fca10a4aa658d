"""Tumbling windows in event time, aligned to 1970 UTC.

Invariant: each instant lies in exactly one window of a resolution, [start, start + length).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MICROSECONDS_PER_SECOND = 1_000_000


def window_starts_s(instants_us: NDArray[np.int64], length_s: int) -> NDArray[np.int64]:
    """Return the start of the window of each instant, seconds since 1970."""
    return instants_us // (length_s * MICROSECONDS_PER_SECOND) * length_s
