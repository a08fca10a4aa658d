"""Whether one caller or several are behind the failures of a window.

Invariants: a minute keeps the smallest and the largest hash of the callers that failed in it, so
they came from one caller exactly where both are equal over the window; who failed is not kept.
More than "several" cannot be told. A minute at the far edge of a window counts whole.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Groups = npt.NDArray[np.intp]
    Seconds = npt.NDArray[np.int64]
    Hashes = npt.NDArray[np.uint32]

MINUTE_S = 60
SPAN_S = 21_600
_SLOTS = SPAN_S // MINUTE_S + 1
NO_LOW = 0xFFFF_FFFF
"""Smallest hash where no failing principal is known."""
NO_HIGH = 0
"""Largest hash where no failing principal is known."""

UNKNOWN, ONE, SEVERAL = 0, 1, 2
"""What `count` answers."""


class PrincipalCells:
    """Smallest and largest hash a minute and group, over six hours."""

    def __init__(self, capacity: int) -> None:
        # Complement of the smallest, and the largest: both start at zero and only rise.
        self.hashes = np.zeros((_SLOTS, 2, capacity), np.uint32)

    def grow(self, capacity: int) -> None:
        """Make room for more groups."""
        self.hashes = _widened(self.hashes, capacity)

    def open(self, cell_s: int) -> None:
        """Begin the minute that starts at an instant, if one does."""
        if cell_s % MINUTE_S == 0:
            self.hashes[(cell_s // MINUTE_S) % _SLOTS] = 0

    def jump(self, now_s: int, tick_s: int) -> None:
        """Clear the minutes that begin between two instants."""
        first, last = -(-now_s // MINUTE_S), -(-tick_s // MINUTE_S)
        self.hashes[np.arange(max(first, last - _SLOTS), last) % _SLOTS] = 0

    def add(
        self, groups: Groups, cells_s: Seconds, lows: Hashes, highs: Hashes, now_s: int
    ) -> None:
        """Take in hashes of minutes that are still kept."""
        minutes = cells_s // MINUTE_S
        kept = (minutes >= (now_s - SPAN_S) // MINUTE_S) & ((lows != NO_LOW) | (highs != NO_HIGH))
        if not kept.any():
            return
        slots, columns = minutes[kept] % _SLOTS, groups[kept]
        np.maximum.at(self.hashes, (slots, 0, columns), ~lows[kept])
        np.maximum.at(self.hashes, (slots, 1, columns), highs[kept])

    def count(self, groups: Groups, window_s: int, now_s: int) -> npt.NDArray[np.int8]:
        """Return UNKNOWN, ONE or SEVERAL for each group, over at most six hours."""
        first = (now_s - min(window_s, SPAN_S)) // MINUTE_S
        slots = np.arange(first, -(-now_s // MINUTE_S)) % _SLOTS
        found = self.hashes[slots[:, None], :, groups[None, :]]
        highest_complement, highest = found[..., 0].max(axis=0), found[..., 1].max(axis=0)
        several = np.where(~highest_complement == highest, ONE, SEVERAL)
        return np.where((highest_complement == 0) & (highest == 0), UNKNOWN, several).astype(
            np.int8
        )

    def column(self, group: int, now_s: int) -> tuple[int, Hashes]:
        """Return the first minute that is kept, as its number, and the hashes from there on."""
        first = (now_s - SPAN_S) // MINUTE_S
        return first, self.hashes[np.arange(first, -(-now_s // MINUTE_S)) % _SLOTS, :, group]

    def put(self, group: int, first: int, hashes: Hashes, now_s: int) -> None:
        """Set what `column` returned, as far as it is still kept."""
        minutes = np.arange(first, first + len(hashes))
        kept = (minutes >= (now_s - SPAN_S) // MINUTE_S) & (minutes * MINUTE_S < now_s)
        self.hashes[minutes[kept] % _SLOTS, :, group] = hashes[kept]

    def forget(self, group: int) -> None:
        """Empty the column of a group."""
        self.hashes[:, :, group] = 0


def _widened(array: Hashes, capacity: int) -> Hashes:
    wider = np.zeros((*array.shape[:-1], capacity), array.dtype)
    wider[..., : array.shape[-1]] = array
    return wider
