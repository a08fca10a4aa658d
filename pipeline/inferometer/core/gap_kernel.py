"""Compiled reader of `itl`: the count, sum, maximum and log bins of gaps between output chunks."""

from __future__ import annotations

import numpy as np
from numba import njit

from inferometer.core.number_kernel import read_decimal, read_integer
from inferometer.core.text_kernel import read_text, skip_space

_QUOTE, _COMMA, _COLON, _CLOSE = 34, 44, 58, 125
_OPEN_LIST, _CLOSE_LIST = 91, 93
_MAX_NAME = 64
MAX_BIN_PAIRS = 4096
"""Of one event; more are for the slow path to judge."""


@njit(cache=True, nogil=True, forceinline=True)
def read_bins(buf, pos, end, bins, counts, place, max_bin):
    """Read `[bin, count, ...]` after its bracket; return (next pos, pairs, sum of counts).

    Bins and counts are written from `place` on, where there is room for `MAX_BIN_PAIRS`.
    """
    pairs = 0
    total = np.int64(0)
    last = np.int64(-2)
    pos = skip_space(buf, pos, end)
    if pos < end and buf[pos] == _CLOSE_LIST:
        return pos + 1, 0, total
    while pos < end and pairs < MAX_BIN_PAIRS:
        pos, index = read_integer(buf, pos, end)
        if pos < 0 or index <= last or index > max_bin:
            return -1, 0, total
        last = index
        pos = skip_space(buf, pos, end)
        if pos >= end or buf[pos] != _COMMA:
            return -1, 0, total
        pos, count = read_integer(buf, skip_space(buf, pos + 1, end), end)
        if pos < 0 or count < 1 or count > 4294967295:
            return -1, 0, total
        bins[place + pairs] = index
        counts[place + pairs] = count
        pairs += 1
        total += count
        pos = skip_space(buf, pos, end)
        if pos < end and buf[pos] == _CLOSE_LIST:
            return pos + 1, pairs, total
        if pos >= end or buf[pos] != _COMMA:
            return -1, 0, total
        pos = skip_space(buf, pos + 1, end)
    return -1, 0, total


@njit(cache=True, nogil=True, forceinline=True)
def read_gaps(buf, pos, end, side, row, gaps, bins, bin_counts, place, max_us, max_bin):
    """Read an `itl` object after its brace into gaps[:, row]; return next pos, -1 where unsure.

    gaps holds count, sum in us, maximum in us and the pairs of bins; see `read_bins` for those.
    """
    seen = 0
    total = np.int64(0)
    gaps[3, row] = 0
    while True:
        pos = skip_space(buf, pos, end)
        if pos >= end or buf[pos] != _QUOTE:
            return -1
        pos, start, length, _, _ = read_text(buf, pos + 1, end, side, _MAX_NAME)
        if pos < 0:
            return -1
        pos = skip_space(buf, pos, end)
        if pos >= end or buf[pos] != _COLON:
            return -1
        pos = skip_space(buf, pos + 1, end)
        if length == 5 and buf[start] == 99 and buf[start + 1] == 111:
            bit = 1
            pos, value = read_integer(buf, pos, end)
            if pos < 0 or value < 0 or value > 4294967295:
                return -1
            gaps[0, row] = value
        elif length == 6 and (buf[start] == 115 or buf[start] == 109) and buf[start + 3] == 95:
            bit = 2 if buf[start] == 115 else 4
            pos, value = read_decimal(buf, pos, end, 3, False)
            if pos < 0 or value > max_us:
                return -1
            gaps[1 if bit == 2 else 2, row] = value
        elif length == 4 and buf[start] == 98 and buf[start + 1] == 105:
            bit = 8
            if pos >= end or buf[pos] != _OPEN_LIST:
                return -1
            pos, pairs, total = read_bins(buf, pos + 1, end, bins, bin_counts, place, max_bin)
            if pos < 0:
                return -1
            gaps[3, row] = pairs
        else:
            return -1
        # The branches above look at a few letters only; the whole name must match.
        if bit == 1:
            wanted = buf[start + 2] == 117 and buf[start + 3] == 110 and buf[start + 4] == 116
        elif bit == 2:
            wanted = buf[start + 1] == 117 and buf[start + 2] == 109
        elif bit == 4:
            wanted = buf[start + 1] == 97 and buf[start + 2] == 120
        else:
            wanted = buf[start + 2] == 110 and buf[start + 3] == 115
        if bit == 2 or bit == 4:
            wanted = wanted and buf[start + 4] == 109 and buf[start + 5] == 115
        if not wanted or seen & bit:
            return -1
        seen |= bit
        pos = skip_space(buf, pos, end)
        if pos < end and buf[pos] == _CLOSE:
            if seen & 3 != 3 or (gaps[3, row] > 0 and total != gaps[0, row]):
                return -1
            return pos + 1
        if pos >= end or buf[pos] != _COMMA:
            return -1
        pos += 1
