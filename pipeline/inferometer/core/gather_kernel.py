"""Compiled second pass: copies what the first pass checked, and texts that it only located."""

from __future__ import annotations

import numpy as np
from numba import njit

from inferometer.core.memory_kernel import copy_bytes, hash_span, prefetch

_AHEAD = 12
"""Rows whose bytes are asked for ahead of time: they left the cache since the first pass."""


@njit(cache=True, nogil=True)
def gather_pairs(read_firsts, read_seconds, pairs_at, places, firsts, seconds):
    """Copy each row's pairs: spans of items, or bins with their counts.

    A row's begin at `pairs_at`; `places` are the running offsets of rows into what is written.
    """
    for row in range(len(pairs_at)):
        at = pairs_at[row] - places[row]
        for place in range(places[row], places[row + 1]):
            firsts[place] = read_firsts[at + place]
            seconds[place] = read_seconds[at + place]


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
