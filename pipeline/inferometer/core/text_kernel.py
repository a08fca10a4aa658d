"""Compiled readers of JSON text: strings, lists and maps of strings, and interning.

A reader returns the next position, or -1 where it is not sure: the record is then judged by the
model. Spans with escapes are undone into the side area behind the records.

"""

from __future__ import annotations

import numpy as np
from numba import njit

from inferometer.core.memory_kernel import (
    hash_span,
    load_word,
    mix_word,
    same_bytes,
    trailing_zeros,
)

_QUOTE, _BACKSLASH, _COMMA, _COLON = 34, 92, 44, 58
_CLOSE, _CLOSE_LIST = 125, 93
_WORD = 8
_LOW_BITS = np.uint64(0x0101010101010101)
_HIGH_BITS = np.uint64(0x8080808080808080)
_QUOTES = _LOW_BITS * np.uint64(_QUOTE)
_BACKSLASHES = _LOW_BITS * np.uint64(_BACKSLASH)
_SPACES = _LOW_BITS * np.uint64(32)


@njit(cache=True, nogil=True, inline="always")
def skip_space(buf, pos, end):
    """Return the next position that is no white space of JSON."""
    while (
        pos < end
        and buf[pos] <= 32
        and (buf[pos] == 32 or buf[pos] == 10 or buf[pos] == 13 or buf[pos] == 9)
    ):
        pos += 1
    return pos


@njit(cache=True, nogil=True, inline="always")
def _ends_in(word):
    """Mark the bytes of a word that end a plain run of text: quote, backslash, control character.

    The lowest mark is right, those above it may be carried over from it (Mycroft's test for zero).
    """
    quotes = word ^ _QUOTES
    backslashes = word ^ _BACKSLASHES
    found = (quotes - _LOW_BITS) & ~quotes
    found |= (backslashes - _LOW_BITS) & ~backslashes
    found |= (word - _SPACES) & ~word
    return found & _HIGH_BITS


@njit(cache=True, nogil=True)
def utf8_chars(buf, start, length):
    """Return the number of characters of a span, -1 where it is not UTF-8 (RFC 3629)."""
    pos = start
    end = start + length
    chars = 0
    while pos < end:
        lead = buf[pos]
        chars += 1
        pos += 1
        if lead < 0x80:
            continue
        if 0xC2 <= lead <= 0xDF:
            more = 1
        elif 0xE0 <= lead <= 0xEF:
            more = 2
        elif 0xF0 <= lead <= 0xF4:
            more = 3
        else:
            return -1
        if pos + more > end:
            return -1
        second = buf[pos]
        low = 0x80
        high = 0xBF
        if lead == 0xE0:
            low = 0xA0
        elif lead == 0xED:
            high = 0x9F
        elif lead == 0xF0:
            low = 0x90
        elif lead == 0xF4:
            high = 0x8F
        if second < low or second > high:
            return -1
        for k in range(1, more):
            if buf[pos + k] < 0x80 or buf[pos + k] > 0xBF:
                return -1
        pos += more
    return chars


@njit(cache=True, nogil=True)
def _unescape(buf, pos, end, side):
    """Copy a string with escapes to `side`; return (next pos, length), pos -1 if unsure."""
    start = side
    while pos < end:
        byte = buf[pos]
        if byte == _QUOTE:
            return pos + 1, side - start
        if byte < 32:
            return -1, 0
        pos += 1
        if byte == _BACKSLASH:
            if pos >= end:
                return -1, 0
            escape = buf[pos]
            pos += 1
            if escape == 34 or escape == 92 or escape == 47:
                byte = escape
            elif escape == 98:
                byte = 8
            elif escape == 102:
                byte = 12
            elif escape == 110:
                byte = 10
            elif escape == 114:
                byte = 13
            elif escape == 116:
                byte = 9
            elif escape == 117:
                if pos + 4 > end or buf[pos] != 48 or buf[pos + 1] != 48:
                    return -1, 0
                high = buf[pos + 2]
                low = buf[pos + 3]
                if high < 48 or high > 55:
                    return -1, 0
                if 48 <= low <= 57:
                    digit = low - 48
                elif 97 <= low <= 102:
                    digit = low - 87
                elif 65 <= low <= 70:
                    digit = low - 55
                else:
                    return -1, 0
                byte = (high - 48) * 16 + digit
                pos += 4
            else:
                return -1, 0
        buf[side] = byte
        side += 1
    return -1, 0


@njit(cache=True, nogil=True, forceinline=True)
def read_text(buf, pos, end, side, max_chars):
    """Read a string whose opening quote is at pos - 1.

    Return (next pos, start, length, hash, side); next pos is -1 where unsure.
    """
    start = pos
    value_hash = np.uint64(0)
    high = np.uint64(0)
    is_open = True
    while pos + _WORD <= end:
        word = load_word(buf, pos)
        stop = _ends_in(word)
        if stop == 0:
            high |= word
            value_hash = mix_word(value_hash, word)
            pos += _WORD
            continue
        bits = trailing_zeros(stop) & np.uint64(0x38)
        if bits > 0:
            word &= (np.uint64(1) << bits) - np.uint64(1)
            high |= word
            value_hash = mix_word(value_hash, word)
            pos += np.int64(bits >> np.uint64(3))
        is_open = False
        break
    if is_open:
        # The last bytes of a record.
        word = np.uint64(0)
        bits = np.uint64(0)
        while pos < end and buf[pos] != _QUOTE and buf[pos] != _BACKSLASH and buf[pos] >= 32:
            word |= np.uint64(buf[pos]) << bits
            bits += np.uint64(8)
            pos += 1
        if bits > 0:
            high |= word
            value_hash = mix_word(value_hash, word)
    if pos >= end or buf[pos] < 32:
        return -1, 0, 0, value_hash, side
    is_plain = high & _HIGH_BITS == 0
    if buf[pos] == _QUOTE:
        length = pos - start
        pos += 1
    else:
        pos, length = _unescape(buf, start, end, side)
        if pos < 0:
            return -1, 0, 0, value_hash, side
        start = side
        side += length
        value_hash = hash_span(buf, start, length)
        is_plain = False
    if length > max_chars or not is_plain:
        chars = utf8_chars(buf, start, length)
        if chars < 0 or chars > max_chars:
            return -1, 0, 0, value_hash, side
    return pos, start, length, value_hash, side


@njit(cache=True, nogil=True, forceinline=True)
def same_span(buf, start, length, other_start, other_length):
    """Say whether two spans hold the same bytes."""
    if length != other_length:
        return False
    return length == 0 or same_bytes(buf, start, buf, other_start, length)


@njit(cache=True, nogil=True, forceinline=True)
def intern(buf, start, length, value_hash, column, tables, value_starts, value_lengths, used):
    """Return the code of a text in the open-addressing table of a column; used counts its values.

    The tables of all columns are passed, since a view of one would be counted as a reference.
    """
    mask = np.uint64(tables.shape[1] - 1)
    mixed = value_hash ^ (value_hash >> np.uint64(29))
    mixed = mixed * np.uint64(0x9E3779B97F4A7C15)
    slot = (mixed >> np.uint64(20)) & mask
    while True:
        code = tables[column, slot]
        if code < 0:
            code = used[column]
            used[column] = code + 1
            tables[column, slot] = code
            value_starts[column, code] = start
            value_lengths[column, code] = length
            return code
        if same_span(buf, start, length, value_starts[column, code], value_lengths[column, code]):
            return code
        slot = (slot + np.uint64(1)) & mask


@njit(cache=True, nogil=True, forceinline=True)
def read_list(buf, pos, end, side, max_items, max_chars, starts, lengths, place):
    """Read a list of texts after its bracket; return (next pos, items, side), pos -1 if unsure.

    Their spans are written from `place` on, where there is room for `max_items` and one more.
    """
    items = 0
    pos = skip_space(buf, pos, end)
    if pos < end and buf[pos] == _CLOSE_LIST:
        return pos + 1, 0, side
    while pos < end and buf[pos] == _QUOTE:
        pos, start, length, _, side = read_text(buf, pos + 1, end, side, max_chars)
        if pos < 0:
            return -1, 0, side
        starts[place + items] = start
        lengths[place + items] = length
        items += 1
        if items > max_items:
            return -1, 0, side
        pos = skip_space(buf, pos, end)
        if pos < end and buf[pos] == _CLOSE_LIST:
            return pos + 1, items, side
        if pos >= end or buf[pos] != _COMMA:
            return -1, 0, side
        pos = skip_space(buf, pos + 1, end)
    return -1, 0, side


@njit(cache=True, nogil=True, forceinline=True)
def read_map(buf, pos, end, side, max_items, max_chars, starts, lengths, place, seen):
    """Read an object of texts after its brace: key and value spans in turn; items counts both.

    The spans are written from `place` on, where there is room for `max_items` pairs.

    `seen` is room for (hash, start, length) of `max_items` keys: a map in which a key stands twice
    is left to the slow path.
    """
    items = 0
    pos = skip_space(buf, pos, end)
    if pos < end and buf[pos] == _CLOSE:
        return pos + 1, 0, side
    while pos < end and buf[pos] == _QUOTE:
        pos, start, length, key_hash, side = read_text(buf, pos + 1, end, side, max_chars)
        if pos < 0 or items >= 2 * max_items:
            return -1, 0, side
        for k in range(items // 2):
            if seen[0, k] == np.int64(key_hash) and same_span(
                buf, start, length, seen[1, k], seen[2, k]
            ):
                return -1, 0, side
        seen[0, items // 2] = np.int64(key_hash)
        seen[1, items // 2] = start
        seen[2, items // 2] = length
        starts[place + items] = start
        lengths[place + items] = length
        pos = skip_space(buf, pos, end)
        if pos >= end or buf[pos] != _COLON:
            return -1, 0, side
        pos = skip_space(buf, pos + 1, end)
        if pos >= end or buf[pos] != _QUOTE:
            return -1, 0, side
        pos, start, length, _, side = read_text(buf, pos + 1, end, side, max_chars)
        if pos < 0:
            return -1, 0, side
        starts[place + items + 1] = start
        lengths[place + items + 1] = length
        items += 2
        pos = skip_space(buf, pos, end)
        if pos < end and buf[pos] == _CLOSE:
            return pos + 1, items, side
        if pos >= end or buf[pos] != _COMMA:
            return -1, 0, side
        pos = skip_space(buf, pos + 1, end)
    return -1, 0, side
