"""The compiled JSON walker: from the bytes of many events to columns in one pass.

It accepts what is plainly right and nothing else: a row that it is not sure about (an unusual
escape, a number near a rounding tie, any violation) is marked `SLOW` and judged by the pydantic
model, so the contract has one authority and the two can be held against each other.

Invariants: a row that is not SLOW decodes to the same values as the model gives; integers are
exact; scaled numbers are rounded half-even on the decimal value.
"""

from __future__ import annotations

import numpy as np
from numba import njit

OK = 0
SLOW = 1

KIND_CODE = 1
KIND_TEXT = 2
KIND_INT = 3
KIND_BOOL = 4
KIND_SCALED = 5
KIND_MONEY = 6
KIND_INSTANT = 7
KIND_LIST = 8
KIND_MAP = 9
KIND_GAPS = 10

MAX_DIGITS = 18
SAFE_DIGITS = 15
"""Up to here the decimal text and the shortest text of its double are the same number."""

_QUOTE, _BACKSLASH, _COMMA, _COLON = 34, 92, 44, 58
_OPEN, _CLOSE, _OPEN_LIST, _CLOSE_LIST = 123, 125, 91, 93
_ZERO, _NINE, _MINUS, _PLUS, _DOT = 48, 57, 45, 43, 46
_POWERS = np.array([10**k for k in range(19)], dtype=np.int64)


@njit(cache=True, nogil=True, inline="always")
def _skip_space(buf, pos, end):
    while pos < end and (buf[pos] == 32 or buf[pos] == 10 or buf[pos] == 13 or buf[pos] == 9):
        pos += 1
    return pos


@njit(cache=True, nogil=True)
def _utf8_chars(buf, start, length):
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
    """Copy a string with escapes to `side`; return (next pos, length, hash), pos -1 if unsure."""
    start = side
    value_hash = np.uint64(0)
    while pos < end:
        byte = buf[pos]
        if byte == _QUOTE:
            return pos + 1, side - start, value_hash
        if byte < 32:
            return -1, 0, value_hash
        pos += 1
        if byte == _BACKSLASH:
            if pos >= end:
                return -1, 0, value_hash
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
                    return -1, 0, value_hash
                high = buf[pos + 2]
                low = buf[pos + 3]
                if high < 48 or high > 55:
                    return -1, 0, value_hash
                if 48 <= low <= 57:
                    digit = low - 48
                elif 97 <= low <= 102:
                    digit = low - 87
                elif 65 <= low <= 70:
                    digit = low - 55
                else:
                    return -1, 0, value_hash
                byte = (high - 48) * 16 + digit
                pos += 4
            else:
                return -1, 0, value_hash
        buf[side] = byte
        side += 1
        value_hash = value_hash * np.uint64(31) + np.uint64(byte)
    return -1, 0, value_hash


@njit(cache=True, nogil=True)
def _string(buf, pos, end, side, max_chars):
    """Read a string whose opening quote is at pos - 1.

    Return (next pos, start, length, hash, side); next pos is -1 where unsure.
    """
    start = pos
    value_hash = np.uint64(0)
    high = np.uint8(0)
    while pos < end:
        byte = buf[pos]
        if byte == _QUOTE:
            break
        if byte == _BACKSLASH or byte < 32:
            break
        high |= byte
        value_hash = value_hash * np.uint64(31) + np.uint64(byte)
        pos += 1
    if pos >= end or buf[pos] < 32:
        return -1, 0, 0, value_hash, side
    if buf[pos] == _QUOTE:
        length = pos - start
        pos += 1
    else:
        pos, length, value_hash = _unescape(buf, start, end, side)
        if pos < 0:
            return -1, 0, 0, value_hash, side
        start = side
        side += length
        high = np.uint8(0x80)
    if length > max_chars or high >= 0x80:
        chars = _utf8_chars(buf, start, length)
        if chars < 0 or chars > max_chars:
            return -1, 0, 0, value_hash, side
    return pos, start, length, value_hash, side


@njit(cache=True, nogil=True)
def _decimal(buf, pos, end, scale, is_text):
    """Read a JSON number times 10**scale, rounded half-even; return (next pos, value).

    Next pos is -1 where unsure: more than 18 digits, too large, or so near a rounding tie that the
    double nearest to the text could fall on the other side of it. `is_text` numbers are decimal
    text and exact.
    """
    negative = pos < end and buf[pos] == _MINUS
    if negative:
        pos += 1
    first = pos
    mantissa = np.int64(0)
    digits = 0
    while pos < end and _ZERO <= buf[pos] <= _NINE:
        mantissa = mantissa * 10 + np.int64(buf[pos] - _ZERO)
        digits += 1
        pos += 1
        if digits > MAX_DIGITS:
            return -1, np.int64(0)
    if digits == 0 or (digits > 1 and buf[first] == _ZERO):
        return -1, np.int64(0)
    exponent = 0
    if pos < end and buf[pos] == _DOT:
        pos += 1
        whole = digits
        while pos < end and _ZERO <= buf[pos] <= _NINE:
            mantissa = mantissa * 10 + np.int64(buf[pos] - _ZERO)
            digits += 1
            pos += 1
            if digits > MAX_DIGITS:
                return -1, np.int64(0)
        exponent = whole - digits
        if exponent == 0:
            return -1, np.int64(0)
    if pos < end and (buf[pos] == 101 or buf[pos] == 69):
        pos += 1
        negative_exponent = False
        if pos < end and (buf[pos] == _MINUS or buf[pos] == _PLUS):
            negative_exponent = buf[pos] == _MINUS
            pos += 1
        power = 0
        power_digits = 0
        while pos < end and _ZERO <= buf[pos] <= _NINE:
            power = power * 10 + np.int64(buf[pos] - _ZERO)
            power_digits += 1
            pos += 1
            if power_digits > 3:
                return -1, np.int64(0)
        if power_digits == 0:
            return -1, np.int64(0)
        exponent += -power if negative_exponent else power
    if negative and mantissa != 0:
        return -1, np.int64(0)
    shift = exponent + scale
    if mantissa == 0:
        return pos, np.int64(0)
    if shift >= 0:
        if shift > MAX_DIGITS or mantissa > np.int64(4_000_000_000_000_000_000) // _POWERS[shift]:
            return -1, np.int64(0)
        if digits > SAFE_DIGITS and not is_text:
            return -1, np.int64(0)
        return pos, mantissa * _POWERS[shift]
    if -shift > MAX_DIGITS:
        return -1, np.int64(0)
    divisor = _POWERS[-shift]
    quotient = mantissa // divisor
    rest = mantissa - quotient * divisor
    tie = 2 * (rest - divisor // 2) if divisor > 1 else np.int64(1)
    if digits > SAFE_DIGITS and not is_text and abs(tie) <= 2 + (mantissa >> 50):
        return -1, np.int64(0)
    if tie > 0 or (tie == 0 and quotient % 2 == 1):
        quotient += 1
    return pos, quotient


@njit(cache=True, nogil=True)
def _integer(buf, pos, end):
    """Read a JSON integer; return (next pos, value), next pos -1 where unsure."""
    negative = pos < end and buf[pos] == _MINUS
    if negative:
        pos += 1
    first = pos
    value = np.int64(0)
    while pos < end and _ZERO <= buf[pos] <= _NINE:
        value = value * 10 + np.int64(buf[pos] - _ZERO)
        pos += 1
        if pos - first > MAX_DIGITS:
            return -1, np.int64(0)
    if pos == first or (pos - first > 1 and buf[first] == _ZERO):
        return -1, np.int64(0)
    return pos, -value if negative else value


@njit(cache=True, nogil=True)
def _two(buf, pos):
    tens = np.int64(buf[pos]) - _ZERO
    ones = np.int64(buf[pos + 1]) - _ZERO
    if tens < 0 or tens > 9 or ones < 0 or ones > 9:
        return np.int64(-1)
    return tens * 10 + ones


@njit(cache=True, nogil=True)
def _instant(buf, pos, end):
    """Read `YYYY-MM-DDTHH:MM:SS[.ffffff]Z"` after its quote; return (next pos, us since 1970).

    Other spellings of RFC 3339 are left to the slow path. Days from the civil calendar:
    Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", days_from_civil.
    """
    if pos + 21 > end or buf[pos + 4] != 45 or buf[pos + 7] != 45 or buf[pos + 10] != 84:
        return -1, np.int64(0)
    if buf[pos + 13] != 58 or buf[pos + 16] != 58:
        return -1, np.int64(0)
    century, years = _two(buf, pos), _two(buf, pos + 2)
    month, day = _two(buf, pos + 5), _two(buf, pos + 8)
    hour, minute, second = _two(buf, pos + 11), _two(buf, pos + 14), _two(buf, pos + 17)
    if min(century, years, month, day, hour, minute, second) < 0:
        return -1, np.int64(0)
    year = century * 100 + years
    # Day 29 and later of February, and leap seconds, are for the slow path to judge.
    if year < 1970 or month < 1 or month > 12 or day < 1 or hour > 23 or minute > 59 or second > 59:
        return -1, np.int64(0)
    short_month = month == 4 or month == 6 or month == 9 or month == 11
    if day > 31 or (short_month and day > 30) or (month == 2 and day > 28):
        return -1, np.int64(0)
    pos += 19
    micros = np.int64(0)
    if buf[pos] == _DOT:
        pos += 1
        count = 0
        while pos < end and _ZERO <= buf[pos] <= _NINE and count < 7:
            micros = micros * 10 + np.int64(buf[pos] - _ZERO)
            pos += 1
            count += 1
        if count == 0 or count > 6:
            return -1, np.int64(0)
        micros *= _POWERS[6 - count]
    if pos + 1 >= end or buf[pos] != 90 or buf[pos + 1] != _QUOTE:
        return -1, np.int64(0)
    shifted = year if month > 2 else year - 1
    era = shifted // 400
    year_of_era = shifted - era * 400
    month_index = month - 3 if month > 2 else month + 9
    day_of_year = (153 * month_index + 2) // 5 + day - 1
    day_of_era = year_of_era * 365 + year_of_era // 4 - year_of_era // 100 + day_of_year
    days = era * 146097 + day_of_era - 719468
    seconds = ((days * 24 + hour) * 60 + minute) * 60 + second
    return pos + 2, seconds * 1_000_000 + micros


@njit(cache=True, nogil=True)
def _same_span(buf, start, length, other_start, other_length):
    if length != other_length:
        return False
    for k in range(length):
        if buf[start + k] != buf[other_start + k]:
            return False
    return True


@njit(cache=True, nogil=True)
def _intern(buf, start, length, value_hash, table, value_starts, value_lengths, used):
    """Return the code of a text in one column's open-addressing table; used counts its values."""
    mask = np.uint64(len(table) - 1)
    mixed = value_hash ^ (value_hash >> np.uint64(29))
    mixed = mixed * np.uint64(0x9E3779B97F4A7C15)
    slot = (mixed >> np.uint64(20)) & mask
    while True:
        code = table[slot]
        if code < 0:
            code = used
            table[slot] = code
            value_starts[code] = start
            value_lengths[code] = length
            return code, used + 1
        if _same_span(buf, start, length, value_starts[code], value_lengths[code]):
            return code, used
        slot = (slot + np.uint64(1)) & mask


@njit(cache=True, nogil=True)
def read_list(buf, pos, end, side, max_items, max_chars, starts, lengths, place, write):
    """Read a list of texts after its bracket; return (next pos, items, side), pos -1 if unsure."""
    items = 0
    pos = _skip_space(buf, pos, end)
    if pos < end and buf[pos] == _CLOSE_LIST:
        return pos + 1, 0, side
    while pos < end and buf[pos] == _QUOTE:
        pos, start, length, _, side = _string(buf, pos + 1, end, side, max_chars)
        if pos < 0:
            return -1, 0, side
        if write:
            starts[place + items] = start
            lengths[place + items] = length
        items += 1
        if items > max_items:
            return -1, 0, side
        pos = _skip_space(buf, pos, end)
        if pos < end and buf[pos] == _CLOSE_LIST:
            return pos + 1, items, side
        if pos >= end or buf[pos] != _COMMA:
            return -1, 0, side
        pos = _skip_space(buf, pos + 1, end)
    return -1, 0, side


@njit(cache=True, nogil=True)
def read_map(buf, pos, end, side, max_items, max_chars, starts, lengths, place, write, seen):
    """Read an object of texts after its brace: key and value spans in turn; items counts both.

    `seen` is room for (hash, start, length) of `max_items` keys: a map in which a key stands twice
    is left to the slow path.
    """
    items = 0
    pos = _skip_space(buf, pos, end)
    if pos < end and buf[pos] == _CLOSE:
        return pos + 1, 0, side
    while pos < end and buf[pos] == _QUOTE:
        pos, start, length, key_hash, side = _string(buf, pos + 1, end, side, max_chars)
        if pos < 0 or items >= 2 * max_items:
            return -1, 0, side
        for k in range(items // 2):
            if seen[0, k] == np.int64(key_hash) and _same_span(
                buf, start, length, seen[1, k], seen[2, k]
            ):
                return -1, 0, side
        seen[0, items // 2] = np.int64(key_hash)
        seen[1, items // 2] = start
        seen[2, items // 2] = length
        if write:
            starts[place + items] = start
            lengths[place + items] = length
        pos = _skip_space(buf, pos, end)
        if pos >= end or buf[pos] != _COLON:
            return -1, 0, side
        pos = _skip_space(buf, pos + 1, end)
        if pos >= end or buf[pos] != _QUOTE:
            return -1, 0, side
        pos, start, length, _, side = _string(buf, pos + 1, end, side, max_chars)
        if pos < 0:
            return -1, 0, side
        if write:
            starts[place + items + 1] = start
            lengths[place + items + 1] = length
        items += 2
        pos = _skip_space(buf, pos, end)
        if pos < end and buf[pos] == _CLOSE:
            return pos + 1, items, side
        if pos >= end or buf[pos] != _COMMA:
            return -1, 0, side
        pos = _skip_space(buf, pos + 1, end)
    return -1, 0, side
