"""The compiled loop over events: finds each field of each object and stores it in its column.

Invariants: a row is written only where it is accepted or marked SLOW; a field that is absent or
null keeps the default that its column was filled with; a field that stands twice makes a row SLOW.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from inferometer.core.json_kernel import (
    KIND_BOOL,
    KIND_CODE,
    KIND_GAPS,
    KIND_INSTANT,
    KIND_INT,
    KIND_LIST,
    KIND_MAP,
    KIND_MONEY,
    KIND_SCALED,
    KIND_TEXT,
    OK,
    SLOW,
    _decimal,
    _instant,
    _integer,
    _intern,
    _skip_space,
    _string,
    read_list,
    read_map,
)

_QUOTE, _COMMA, _COLON, _OPEN, _CLOSE = 34, 44, 58, 123, 125
_OPEN_LIST, _CLOSE_LIST = 91, 93
_MAX_NAME = 64
_UNKNOWN_NUMBER_SCALE = 0
MAX_BIN_PAIRS = 4096


@njit(cache=True, nogil=True)
def name_hash(buf, start, length):
    """Return the hash of a field name, as `_string` computes it."""
    value = np.uint64(0)
    for k in range(length):
        value = value * np.uint64(31) + np.uint64(buf[start + k])
    return value


@njit(cache=True, nogil=True, inline="always")
def _is_literal(buf, pos, end, first, second, third, fourth):
    return (
        pos + 4 <= end
        and buf[pos] == first
        and buf[pos + 1] == second
        and buf[pos + 2] == third
        and buf[pos + 3] == fourth
    )


@njit(cache=True, nogil=True)
def _skip_scalar(buf, pos, end, side):
    """Step over the scalar value of an unknown field; -1 for anything else or unsure."""
    if pos >= end:
        return -1
    byte = buf[pos]
    if byte == _QUOTE:
        pos, _, _, _, _ = _string(buf, pos + 1, end, side, end)
        return pos
    if _is_literal(buf, pos, end, 116, 114, 117, 101) or _is_literal(buf, pos, end, 110, 117, 108, 108):
        return pos + 4
    if byte == 102 and _is_literal(buf, pos + 1, end, 97, 108, 115, 101):
        return pos + 5
    pos, _ = _decimal(buf, pos, end, _UNKNOWN_NUMBER_SCALE, True)
    return pos


@njit(cache=True, nogil=True)
def _same_name(buf, start, length, names, name_start, name_length):
    if length != name_length:
        return False
    for k in range(length):
        if buf[start + k] != names[name_start + k]:
            return False
    return True


@njit(cache=True, nogil=True)
def read_bins(buf, pos, end, bins, counts, place, write, max_bin):
    """Read `[bin, count, ...]` after its bracket; return (next pos, pairs, sum of counts)."""
    pairs = 0
    total = np.int64(0)
    last = np.int64(-2)
    pos = _skip_space(buf, pos, end)
    if pos < end and buf[pos] == _CLOSE_LIST:
        return pos + 1, 0, total
    while pos < end and pairs < MAX_BIN_PAIRS:
        pos, index = _integer(buf, pos, end)
        if pos < 0 or index <= last or index > max_bin:
            return -1, 0, total
        last = index
        pos = _skip_space(buf, pos, end)
        if pos >= end or buf[pos] != _COMMA:
            return -1, 0, total
        pos, count = _integer(buf, _skip_space(buf, pos + 1, end), end)
        if pos < 0 or count < 1 or count > 4294967295:
            return -1, 0, total
        if write:
            bins[place + pairs] = index
            counts[place + pairs] = count
        pairs += 1
        total += count
        pos = _skip_space(buf, pos, end)
        if pos < end and buf[pos] == _CLOSE_LIST:
            return pos + 1, pairs, total
        if pos >= end or buf[pos] != _COMMA:
            return -1, 0, total
        pos = _skip_space(buf, pos + 1, end)
    return -1, 0, total


@njit(cache=True, nogil=True)
def _gaps(buf, pos, end, side, row, gaps, bins_at, nothing_bins, nothing_counts, max_us, max_bin):
    """Read an `itl` object after its brace into gaps[:, row]; return next pos, -1 where unsure.

    gaps holds count, sum in us, maximum in us and the pairs of bins.
    """
    seen = 0
    total = np.int64(0)
    gaps[3, row] = 0
    while True:
        pos = _skip_space(buf, pos, end)
        if pos >= end or buf[pos] != _QUOTE:
            return -1
        pos, start, length, _, _ = _string(buf, pos + 1, end, side, _MAX_NAME)
        if pos < 0:
            return -1
        pos = _skip_space(buf, pos, end)
        if pos >= end or buf[pos] != _COLON:
            return -1
        pos = _skip_space(buf, pos + 1, end)
        if length == 5 and buf[start] == 99 and buf[start + 1] == 111:
            bit = 1
            pos, value = _integer(buf, pos, end)
            if pos < 0 or value < 0 or value > 4294967295:
                return -1
            gaps[0, row] = value
        elif length == 6 and (buf[start] == 115 or buf[start] == 109) and buf[start + 3] == 95:
            bit = 2 if buf[start] == 115 else 4
            pos, value = _decimal(buf, pos, end, 3, False)
            if pos < 0 or value > max_us:
                return -1
            gaps[1 if bit == 2 else 2, row] = value
        elif length == 4 and buf[start] == 98 and buf[start + 1] == 105:
            bit = 8
            if pos >= end or buf[pos] != _OPEN_LIST:
                return -1
            bins_at[row] = pos + 1
            pos, pairs, total = read_bins(
                buf, pos + 1, end, nothing_bins, nothing_counts, 0, False, max_bin
            )
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
        pos = _skip_space(buf, pos, end)
        if pos < end and buf[pos] == _CLOSE:
            if seen & 3 != 3 or (gaps[3, row] > 0 and total != gaps[0, row]):
                return -1
            return pos + 1
        if pos >= end or buf[pos] != _COMMA:
            return -1
        pos += 1


@njit(cache=True, nogil=True)
def decode_rows(
    buf,
    side,
    rows,
    starts,
    ends,
    names,
    name_starts,
    name_lengths,
    name_table,
    kinds,
    slots,
    scales,
    minimums,
    maximums,
    required,
    numbers,
    text_starts,
    text_lengths,
    codes,
    tables,
    value_starts,
    value_lengths,
    used,
    nested_starts,
    nested_counts,
    gaps,
    bins_at,
    unknown,
    status,
    max_items,
    max_chars,
    max_us,
    max_bin,
):
    """Decode the objects at `rows` into the columns; return the new end of the side area."""
    field_count = len(kinds)
    expected = np.zeros(field_count + 1, dtype=np.int32)
    seen_words = np.zeros(2, dtype=np.uint64)
    scratch = np.zeros((3, 64), dtype=np.int64)
    nothing = np.zeros(1, dtype=np.int32)
    nothing_bins = np.zeros(1, dtype=np.int16)
    nothing_counts = np.zeros(1, dtype=np.int64)
    table_mask = np.uint64(len(name_table) - 1)
    for row in rows:
        status[row] = SLOW
        unknown[row] = 0
        seen_words[0] = 0
        seen_words[1] = 0
        pos = _skip_space(buf, starts[row], ends[row])
        end = ends[row]
        if pos >= end or buf[pos] != _OPEN:
            continue
        pos = _skip_space(buf, pos + 1, end)
        place = 0
        while pos < end and buf[pos] == _QUOTE:
            # Producers write fields in one order: try the field that stood here in the last row.
            field = -1
            guess = expected[place] if place < field_count else 0
            length = name_lengths[guess]
            if (
                pos + 1 + length < end
                and buf[pos + 1 + length] == _QUOTE
                and _same_name(buf, pos + 1, length, names, name_starts[guess], length)
            ):
                field = guess
                pos += length + 2
            else:
                pos, start, length, value_hash, _ = _string(buf, pos + 1, end, side, end)
                if pos < 0:
                    break
                slot = (value_hash ^ (value_hash >> np.uint64(17))) & table_mask
                while name_table[slot] >= 0:
                    known = name_table[slot]
                    if _same_name(
                        buf, start, length, names, name_starts[known], name_lengths[known]
                    ):
                        field = known
                        break
                    slot = (slot + np.uint64(1)) & table_mask
                if field >= 0 and place < field_count:
                    expected[place] = field
            place += 1
            pos = _skip_space(buf, pos, end)
            if pos >= end or buf[pos] != _COLON:
                pos = -1
                break
            pos = _skip_space(buf, pos + 1, end)
            if pos >= end:
                pos = -1
                break
            if field < 0:
                unknown[row] += 1
                pos = _skip_scalar(buf, pos, end, side)
                if pos < 0:
                    break
            else:
                word = field >> 6
                bit = np.uint64(1) << np.uint64(field & 63)
                if seen_words[word] & bit:
                    pos = -1
                    break
                kind = kinds[field]
                slot_index = slots[field]
                if buf[pos] == 110:
                    # A null is an absent field; a required one then misses its bit.
                    if not _is_literal(buf, pos, end, 110, 117, 108, 108):
                        pos = -1
                        break
                    pos += 4
                else:
                    seen_words[word] |= bit
                    if kind == KIND_CODE:
                        if buf[pos] != _QUOTE:
                            pos = -1
                            break
                        pos, start, length, value_hash, side = _string(
                            buf, pos + 1, end, side, maximums[field]
                        )
                        if pos < 0 or length < minimums[field]:
                            pos = -1
                            break
                        code, used[slot_index] = _intern(
                            buf,
                            start,
                            length,
                            value_hash,
                            tables[slot_index],
                            value_starts[slot_index],
                            value_lengths[slot_index],
                            used[slot_index],
                        )
                        codes[slot_index, row] = code
                    elif kind == KIND_TEXT:
                        if buf[pos] != _QUOTE:
                            pos = -1
                            break
                        pos, start, length, _, side = _string(
                            buf, pos + 1, end, side, maximums[field]
                        )
                        if pos < 0 or length < minimums[field]:
                            pos = -1
                            break
                        text_starts[slot_index, row] = start
                        text_lengths[slot_index, row] = length
                    elif kind == KIND_INT:
                        pos, value = _integer(buf, pos, end)
                        if pos < 0 or value < minimums[field] or value > maximums[field]:
                            pos = -1
                            break
                        numbers[slot_index, row] = value
                    elif kind == KIND_SCALED:
                        pos, value = _decimal(buf, pos, end, scales[field], False)
                        if pos < 0 or value > maximums[field]:
                            pos = -1
                            break
                        numbers[slot_index, row] = value
                    elif kind == KIND_BOOL:
                        if _is_literal(buf, pos, end, 116, 114, 117, 101):
                            numbers[slot_index, row] = 1
                            pos += 4
                        elif buf[pos] == 102 and _is_literal(buf, pos + 1, end, 97, 108, 115, 101):
                            numbers[slot_index, row] = 0
                            pos += 5
                        else:
                            pos = -1
                            break
                    elif kind == KIND_INSTANT:
                        if buf[pos] == _QUOTE:
                            pos, value = _instant(buf, pos + 1, end)
                        else:
                            pos, value = _integer(buf, pos, end)
                        if pos < 0 or value < minimums[field] or value > maximums[field]:
                            pos = -1
                            break
                        numbers[slot_index, row] = value
                    elif kind == KIND_MONEY:
                        is_text = buf[pos] == _QUOTE
                        if is_text:
                            pos += 1
                        pos, value = _decimal(buf, pos, end, scales[field], is_text)
                        if pos < 0 or value > maximums[field]:
                            pos = -1
                            break
                        if is_text:
                            if pos >= end or buf[pos] != _QUOTE:
                                pos = -1
                                break
                            pos += 1
                        numbers[slot_index, row] = value
                    elif kind == KIND_LIST:
                        if buf[pos] != _OPEN_LIST:
                            pos = -1
                            break
                        nested_starts[slot_index, row] = pos + 1
                        pos, items, _ = read_list(
                            buf, pos + 1, end, side, max_items[slot_index],
                            max_chars, nothing, nothing, 0, False,
                        )  # fmt: skip
                        if pos < 0:
                            break
                        nested_counts[slot_index, row] = items
                    elif kind == KIND_MAP:
                        if buf[pos] != _OPEN:
                            pos = -1
                            break
                        nested_starts[slot_index, row] = pos + 1
                        pos, items, _ = read_map(
                            buf, pos + 1, end, side, max_items[slot_index],
                            max_chars, nothing, nothing, 0, False, scratch,
                        )  # fmt: skip
                        if pos < 0:
                            break
                        nested_counts[slot_index, row] = items
                    elif kind == KIND_GAPS:
                        if buf[pos] != _OPEN:
                            pos = -1
                            break
                        pos = _gaps(
                            buf, pos + 1, end, side, row, gaps, bins_at,
                            nothing_bins, nothing_counts, max_us, max_bin,
                        )  # fmt: skip
                        if pos < 0:
                            break
            pos = _skip_space(buf, pos, end)
            if pos < end and buf[pos] == _COMMA:
                pos = _skip_space(buf, pos + 1, end)
                if pos >= end or buf[pos] != _QUOTE:
                    pos = -1
                    break
            else:
                break
        if pos < 0 or pos >= end or buf[pos] != _CLOSE:
            continue
        if _skip_space(buf, pos + 1, end) != end:
            continue
        if (seen_words[0] & required[0]) != required[0]:
            continue
        if (seen_words[1] & required[1]) != required[1]:
            continue
        status[row] = OK
    return side


@njit(cache=True, nogil=True)
def gather_lists(buf, side, rows, is_map, starts, ends, places, item_starts, item_lengths, max_chars):
    """Write the item spans of already checked lists or maps; return the new end of the side area."""
    scratch = np.zeros((3, 64), dtype=np.int64)
    for row in rows:
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
    return side


@njit(cache=True, nogil=True)
def gather_bins(buf, bins_at, ends, places, bins, counts, max_bin):
    """Write the bins of already checked gap sketches."""
    for row in range(len(bins_at)):
        if places[row + 1] > places[row]:
            read_bins(buf, bins_at[row], ends[row], bins, counts, places[row], True, max_bin)


@njit(cache=True, nogil=True)
def gather_texts(buf, starts, lengths, places, out):
    """Copy text spans back to back; places are the running offsets into `out`."""
    for row in range(len(starts)):
        start = starts[row]
        place = places[row]
        for k in range(lengths[row]):
            out[place + k] = buf[start + k]


@njit(cache=True, nogil=True)
def rehash(buf, used, value_starts, value_lengths, table):
    """Fill an empty table with the values a column already has."""
    mask = np.uint64(len(table) - 1)
    for code in range(used):
        mixed = name_hash(buf, value_starts[code], value_lengths[code])
        mixed = mixed ^ (mixed >> np.uint64(29))
        mixed = mixed * np.uint64(0x9E3779B97F4A7C15)
        slot = (mixed >> np.uint64(20)) & mask
        while table[slot] >= 0:
            slot = (slot + np.uint64(1)) & mask
        table[slot] = code
