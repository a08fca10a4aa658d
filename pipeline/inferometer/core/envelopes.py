"""Limits of records that carry many events, and how many a record seems to carry."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from inferometer.core.ipc_kernel import ROWS, STREAM_END, scan_streams
from inferometer.core.line_kernel import newlines_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_RECORD_EVENTS = 65_536
"""Events of one record; more make the record a dead letter."""
MAX_UNPACKED_BYTES = 64 * 1024 * 1024
"""Bytes of one Arrow record once unpacked; a record that would need more is never unpacked."""

FOUND_COLUMNS = STREAM_END + 1


def count_events(
    buffer: NDArray[np.uint8],
    starts: NDArray[np.int64],
    lengths: NDArray[np.int64],
    is_lines: NDArray[np.bool_],
    is_arrow: NDArray[np.bool_],
) -> NDArray[np.int64]:
    """Return the events in each record by a look at newlines and metadata, 1 at least.

    An estimate: blank lines count, and of a broken stream the part before the break.
    """
    counts = np.ones(len(starts), dtype=np.int64)
    if is_lines.any():
        newlines_of(buffer, starts, lengths, is_lines, counts)
    if is_arrow.any():
        found = np.zeros((len(starts), FOUND_COLUMNS), dtype=np.int64)
        scan_streams(buffer, starts, lengths, is_arrow, found)
        counts[is_arrow] = found[is_arrow, ROWS]
    return np.clip(counts, 1, MAX_RECORD_EVENTS)
