"""Compiled readers of JSON numbers and instants, exact or not at all.

A reader returns the next position, or -1 where it is not sure: the record is then judged by the
model. Scaled numbers are rounded half-even on the decimal value.

"""

from __future__ import annotations

import numpy as np
from numba import njit

from inferometer.core.memory_kernel import load_word

MAX_DIGITS = 18
SAFE_DIGITS = 15
"""Up to here the decimal text and the shortest text of its double are the same number."""

_QUOTE = 34
_ZERO, _NINE, _MINUS, _PLUS, _DOT = 48, 57, 45, 43, 46
_WORD = 8
_POWERS = np.array([10**k for k in range(19)], dtype=np.int64)


@njit(cache=True, nogil=True, forceinline=True)
def read_decimal(buf, pos, end, scale, is_text):
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
    exponent = np.int64(0)
    if pos < end and buf[pos] == _DOT:
        pos += 1
        whole = digits
        while pos < end and _ZERO <= buf[pos] <= _NINE:
            mantissa = mantissa * 10 + np.int64(buf[pos] - _ZERO)
            digits += 1
            pos += 1
            if digits > MAX_DIGITS:
                return -1, np.int64(0)
        exponent = np.int64(whole - digits)
        if exponent == 0:
            return -1, np.int64(0)
    if pos < end and (buf[pos] == 101 or buf[pos] == 69):
        pos += 1
        negative_exponent = False
        if pos < end and (buf[pos] == _MINUS or buf[pos] == _PLUS):
            negative_exponent = buf[pos] == _MINUS
            pos += 1
        power = np.int64(0)
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


@njit(cache=True, nogil=True, inline="always")
def _all_digits(word):
    """Say whether all bytes of a word are from `0` to `9`."""
    high = np.uint64(0xF0F0F0F0F0F0F0F0)
    zeros = np.uint64(0x3030303030303030)
    carried = word + np.uint64(0x0606060606060606)
    return (word & high) == zeros and (carried & high) == zeros


@njit(cache=True, nogil=True, inline="always")
def _eight_digits(word):
    """Return the number that eight digits spell, the first one in the lowest byte."""
    word &= np.uint64(0x0F0F0F0F0F0F0F0F)
    word = (word * np.uint64(10) + (word >> np.uint64(8))) & np.uint64(0x00FF00FF00FF00FF)
    word = (word * np.uint64(100) + (word >> np.uint64(16))) & np.uint64(0x0000FFFF0000FFFF)
    return np.int64((word * np.uint64(10000) + (word >> np.uint64(32))) & np.uint64(0xFFFFFFFF))


@njit(cache=True, nogil=True, forceinline=True)
def read_integer(buf, pos, end):
    """Read a JSON integer; return (next pos, value), next pos -1 where unsure."""
    negative = pos < end and buf[pos] == _MINUS
    if negative:
        pos += 1
    first = pos
    value = np.int64(0)
    # Instants in microseconds have sixteen digits.
    while pos + _WORD <= end and pos - first < MAX_DIGITS - _WORD:
        word = load_word(buf, pos)
        if not _all_digits(word):
            break
        value = value * 100_000_000 + _eight_digits(word)
        pos += _WORD
    while pos < end and _ZERO <= buf[pos] <= _NINE:
        value = value * 10 + np.int64(buf[pos] - _ZERO)
        pos += 1
        if pos - first > MAX_DIGITS:
            return -1, np.int64(0)
    if pos == first or (pos - first > 1 and buf[first] == _ZERO):
        return -1, np.int64(0)
    return pos, -value if negative else value


@njit(cache=True, nogil=True)
def _two_digits(buf, pos):
    tens = np.int64(buf[pos]) - _ZERO
    ones = np.int64(buf[pos + 1]) - _ZERO
    if tens < 0 or tens > 9 or ones < 0 or ones > 9:
        return np.int64(-1)
    return tens * 10 + ones


@njit(cache=True, nogil=True)
def read_instant(buf, pos, end):
    """Read `YYYY-MM-DDTHH:MM:SS[.ffffff]Z"` after its quote; return (next pos, us since 1970).

    Other spellings of RFC 3339 are left to the slow path. Days from the civil calendar:
    Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", days_from_civil.
    """
    if pos + 21 > end or buf[pos + 4] != 45 or buf[pos + 7] != 45 or buf[pos + 10] != 84:
        return -1, np.int64(0)
    if buf[pos + 13] != 58 or buf[pos + 16] != 58:
        return -1, np.int64(0)
    century, years = _two_digits(buf, pos), _two_digits(buf, pos + 2)
    month, day = _two_digits(buf, pos + 5), _two_digits(buf, pos + 8)
    hour, minute, second = (
        _two_digits(buf, pos + 11),
        _two_digits(buf, pos + 14),
        _two_digits(buf, pos + 17),
    )
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
