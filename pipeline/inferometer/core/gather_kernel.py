"""Compiled second pass: copies the texts and items that the first pass checked and only located."""

from __future__ import annotations

import numpy as np
from numba import njit

from inferometer.core.memory_kernel import copy_bytes, hash_span, prefetch
from inferometer.core.text_kernel import read_list, read_map

_AHEAD = 12
"""Rows whose bytes are asked for ahead of time: they left the cache since the first pass."""


@njit(cache=True, nogil=True)
def gather_lists(
    buf, side, rows, is_map, starts, ends, places, item_starts, item_lengths, max_chars
):
    """Write the item spans of already checked lists or maps; escapes are undone from `side` on."""
    scratch = np.zeros((3, 64), dtype=np.int64)
    for row in rows:
        if row + _AHEAD < len(starts):
            prefetch(buf, starts[row + _AHEAD])
        if places[row + 1] == places[row]:
            continue
        if is_map:
            _, _, side = read_map(
                buf, starts[row], ends[row], side, 64, max_chars,
                item_starts, item_lengths, places[row], True, scratch,
            )  # fmt: skip
        else:
            _, _, side = read_list(
                buf, starts[row], ends[row], side, 64, max_chars,
                item_starts, item_lengths, places[row], True,
            )  # fmt: skip


@njit(cache=True, nogil=True)
def gather_bins(read_bins, read_counts, bins_at, places, bins, counts):
    """Copy the bins of gap sketches; places are the running offsets into `bins`."""
    for row in range(len(bins_at)):
        at = bins_at[row] - places[row]
        for place in range(places[row], places[row + 1]):
            bins[place] = read_bins[at + place]
            counts[place] = read_counts[at + place]


@njit(cache=True, nogil=True)
def gather_texts(buf, starts, lengths, places, out):
    """Copy text spans back to back; places are the running offsets into `out`."""
    for row in range(len(starts)):
        if row + _AHEAD < len(starts):
            prefetch(buf, starts[row + _AHEAD])
        copy_bytes(buf, starts[row], lengths[row], out, places[row])


@njit(cache=True, nogil=True)
def rehash(buf, used, value_starts, value_lengths, table):
    """Fill an empty table with the values a column already has."""
    mask = np.uint64(len(table) - 1)
    for code in range(used):
        mixed = hash_span(buf, value_starts[code], value_lengths[code])
        mixed = mixed ^ (mixed >> np.uint64(29))
        mixed = mixed * np.uint64(0x9E3779B97F4A7C15)
        slot = (mixed >> np.uint64(20)) & mask
        while table[slot] >= 0:
            slot = (slot + np.uint64(1)) & mask
        table[slot] = code
