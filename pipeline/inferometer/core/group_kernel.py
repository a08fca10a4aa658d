"""Compiled grouping: rows to groups, sums a group, and log-bin sketches a group.

Invariants: groups are numbered by first appearance; integer sums only, so order never matters; a
sketch's bins ascend and its counts are positive.
"""

from __future__ import annotations

import numpy as np
from numba import njit

_FEW = 24
"""Up to here a sketch is built by insertion, beyond by counting in an array of all bins."""


@njit(cache=True, nogil=True)
def group_rows(windows, codes, ids):
    """Number the distinct (window, codes[:, row]); return the first row of each group."""
    count = len(windows)
    dimensions = codes.shape[0]
    size = 64
    while size < 2 * count:
        size *= 2
    table = np.full(size, -1, dtype=np.int32)
    first_rows = np.empty(count, dtype=np.int64)
    groups = 0
    mask = np.uint64(size - 1)
    for row in range(count):
        value = np.uint64(windows[row])
        for d in range(dimensions):
            value = (value ^ np.uint64(codes[d, row])) * np.uint64(0x9E3779B97F4A7C15)
            value ^= value >> np.uint64(32)
        slot = value & mask
        while True:
            group = table[slot]
            if group < 0:
                table[slot] = groups
                first_rows[groups] = row
                ids[row] = groups
                groups += 1
                break
            other = first_rows[group]
            same = windows[other] == windows[row]
            if same:
                for d in range(dimensions):
                    if codes[d, other] != codes[d, row]:
                        same = False
                        break
            if same:
                ids[row] = group
                break
            slot = (slot + np.uint64(1)) & mask
    return first_rows[:groups].copy()


@njit(cache=True, nogil=True)
def sum_rows(ids, values, sums):
    """Add values[row] to sums[ids[row]]."""
    for row in range(len(ids)):
        sums[ids[row]] += values[row]


@njit(cache=True, nogil=True)
def group_bins(ids, bins, weights, groups, lowest_bin, bin_room):
    """Build the sketch of each group from (group, bin, weight) items.

    Return (starts, bins, counts): group g has the slice starts[g]:starts[g + 1]. Bins lie in
    [lowest_bin, lowest_bin + bin_room).
    """
    items = len(ids)
    places = np.zeros(groups + 1, dtype=np.int64)
    for item in range(items):
        places[ids[item] + 1] += 1
    for group in range(groups):
        places[group + 1] += places[group]
    cursor = places[:-1].copy()
    sorted_bins = np.empty(items, dtype=np.int16)
    sorted_weights = np.empty(items, dtype=np.int64)
    for item in range(items):
        at = cursor[ids[item]]
        sorted_bins[at] = bins[item]
        sorted_weights[at] = weights[item]
        cursor[ids[item]] = at + 1
    starts = np.zeros(groups + 1, dtype=np.int64)
    out_bins = np.empty(items, dtype=np.int16)
    out_counts = np.empty(items, dtype=np.int64)
    dense = np.zeros(bin_room, dtype=np.int64)
    used = 0
    for group in range(groups):
        begin, end = places[group], places[group + 1]
        first = used
        if end - begin <= _FEW:
            for item in range(begin, end):
                value = sorted_bins[item]
                at = used
                while at > first and out_bins[at - 1] > value:
                    at -= 1
                if at > first and out_bins[at - 1] == value:
                    out_counts[at - 1] += sorted_weights[item]
                else:
                    for k in range(used, at, -1):
                        out_bins[k] = out_bins[k - 1]
                        out_counts[k] = out_counts[k - 1]
                    out_bins[at] = value
                    out_counts[at] = sorted_weights[item]
                    used += 1
        else:
            low, high = bin_room, -1
            for item in range(begin, end):
                index = np.int64(sorted_bins[item]) - lowest_bin
                dense[index] += sorted_weights[item]
                low = min(low, index)
                high = max(high, index)
            for index in range(low, high + 1):
                if dense[index] > 0:
                    out_bins[used] = index + lowest_bin
                    out_counts[used] = dense[index]
                    dense[index] = 0
                    used += 1
        starts[group + 1] = used
    return starts, out_bins[:used].copy(), out_counts[:used].copy()
