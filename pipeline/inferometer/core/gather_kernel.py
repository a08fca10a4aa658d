"""Compiled second pass: copies the texts that the first pass checked and only located."""

from __future__ import annotations

import numpy as np
from numba import njit

from inferometer.core.memory_kernel import copy_bytes, hash_span, prefetch

_AHEAD = 12
"""Rows whose bytes are asked for ahead of time: they left the cache since the first pass."""


@njit(cache=True, nogil=True)
def gather_items(read_starts, read_lengths, items_at, places, starts, lengths):
    """Copy the spans of items; places are the running offsets into `starts`."""
    for row in range(len(items_at)):
        at = items_at[row] - places[row]
        for place in range(places[row], places[row + 1]):
            starts[place] = read_starts[at + place]
            lengths[place] = read_lengths[at + place]


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
