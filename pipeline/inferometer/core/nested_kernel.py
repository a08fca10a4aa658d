"""Compiled checks of nested Arrow columns: sketches of gaps, and keys of maps."""

from __future__ import annotations

from numba import njit


@njit(cache=True, nogil=True)
def check_sketches(counts, starts, bins, bin_counts, min_bin, max_bin, max_bins, max_count, bad):
    """Mark rows whose bins do not ascend inside their bounds or do not sum to the count."""
    for row in range(len(counts)):
        first, last = starts[row], starts[row + 1]
        if first == last:
            continue
        if last - first > max_bins:
            bad[row] = True
            continue
        total = 0
        before = min_bin - 1
        for at in range(first, last):
            count = bin_counts[at]
            if bins[at] <= before or bins[at] > max_bin or count < 1 or count > max_count:
                bad[row] = True
                break
            before = bins[at]
            total += count
        if total != counts[row]:
            bad[row] = True


@njit(cache=True, nogil=True)
def check_keys(starts, places, keys, bad):
    """Mark rows of maps in which a key stands twice."""
    for row in range(len(starts) - 1):
        for one in range(starts[row], starts[row + 1]):
            length = places[one + 1] - places[one]
            for other in range(starts[row], one):
                if places[other + 1] - places[other] != length:
                    continue
                same = True
                for k in range(length):
                    if keys[places[one] + k] != keys[places[other] + k]:
                        same = False
                        break
                if same:
                    bad[row] = True
