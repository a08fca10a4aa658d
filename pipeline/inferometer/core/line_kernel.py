"""Compiled splitting of ndjson: a record's bytes become the spans of its lines."""

from __future__ import annotations

import numpy as np
from numba import njit

from inferometer.core.memory_kernel import WORD, count_ones, load_word, trailing_zeros
from inferometer.core.text_kernel import skip_space

_NEWLINE = 10
_LOW_BITS = np.uint64(0x0101010101010101)
_HIGH_BITS = np.uint64(0x8080808080808080)
_NEWLINES = _LOW_BITS * np.uint64(_NEWLINE)
_BYTE_BITS = np.uint64(8)


@njit(cache=True, nogil=True)
def _line_end(buf, at, end):
    """Return where the next newline lies, `end` where there is none."""
    while at + WORD <= end:
        word = load_word(buf, at) ^ _NEWLINES
        # Mycroft's test for a zero byte: the lowest mark is right.
        marks = (word - _LOW_BITS) & ~word & _HIGH_BITS
        if marks:
            return at + np.int64(trailing_zeros(marks) // _BYTE_BITS)
        at += WORD
    while at < end and buf[at] != _NEWLINE:
        at += 1
    return at


@njit(cache=True, nogil=True)
def newlines_of(buf, starts, lengths, wanted, out):
    """Write the number of newlines of each wanted record."""
    for row in range(len(starts)):
        if wanted[row]:
            count = np.int64(0)
            at = starts[row]
            end = at + lengths[row]
            while at + WORD <= end:
                word = load_word(buf, at) ^ _NEWLINES
                # No carry leaves a byte, so that every mark is right: it is set where a byte is not
                # zero (Warren, Hacker's Delight, 6-1).
                others = (((word & ~_HIGH_BITS) + ~_HIGH_BITS) | word) & _HIGH_BITS
                count += WORD - np.int64(count_ones(others))
                at += WORD
            while at < end:
                count += buf[at] == _NEWLINE
                at += 1
            out[row] = count


@njit(cache=True, nogil=True)
def split_lines(buf, starts, lengths, wanted, line_starts, line_lengths, line_rows, line_indexes):
    """Write the span of each line that is not blank, its record and its place in it.

    Records that are not `wanted` give one span, the whole of them. Returns the number of spans,
    which the arrays must have room for: one for each record and each newline.
    """
    count = 0
    for row in range(len(starts)):
        at = starts[row]
        end = at + lengths[row]
        index = 0
        while at <= end:
            stop = _line_end(buf, at, end) if wanted[row] else end
            if not wanted[row] or skip_space(buf, at, stop) < stop:
                line_starts[count] = at
                line_lengths[count] = stop - at
                line_rows[count] = row
                line_indexes[count] = index
                count += 1
                index += 1
            at = stop + 1
    return count
