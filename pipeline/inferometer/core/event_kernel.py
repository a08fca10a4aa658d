"""The compiled loop over events: finds each field of each object and stores it in its column.

It accepts what is plainly right and nothing else: a row that it is not sure about (an unusual
escape, a number near a rounding tie, any violation) is marked `SLOW` and judged by the pydantic
model, so the contract has one authority and the two can be held against each other.

Invariants: a row that is OK decodes to the values that the model gives; a field that is absent or
null keeps the default that its column was filled with; a field that stands twice makes a row SLOW.

"""

from __future__ import annotations

import numpy as np
from numba import njit

from inferometer.core.gap_kernel import MAX_BIN_PAIRS, read_gaps
from inferometer.core.memory_kernel import same_bytes
from inferometer.core.number_kernel import read_decimal, read_instant, read_integer
from inferometer.core.text_kernel import intern, read_list, read_map, read_text, skip_space

OK = 0
SLOW = 1

DONE = -1
MORE_BINS = -2
MORE_ITEMS = -3
"""Why `decode_rows` stops, other than for the column of a field."""

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

_QUOTE, _COMMA, _COLON, _OPEN, _CLOSE = 34, 44, 58, 123, 125
_OPEN_LIST = 91
_UNKNOWN_NUMBER_SCALE = 0


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
        pos, _, _, _, _ = read_text(buf, pos + 1, end, side, end)
        return pos
    if _is_literal(buf, pos, end, 116, 114, 117, 101) or _is_literal(
        buf, pos, end, 110, 117, 108, 108
    ):
        return pos + 4
    if byte == 102 and _is_literal(buf, pos + 1, end, 97, 108, 115, 101):
        return pos + 5
    pos, _ = read_decimal(buf, pos, end, _UNKNOWN_NUMBER_SCALE, True)
    return pos


@njit(cache=True, nogil=True)
def decode_rows(
    buf,
    side,
    rows,
    progress,
    present,
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
    bins,
    bin_counts,
    item_starts,
    item_lengths,
    unknown,
    status,
    max_items,
    item_room,
    max_chars,
    max_us,
    max_bin,
):
    """Decode the objects at `rows` into the columns; return the new end of the side area.

    It begins at place `progress[0]` of `rows`, and stops short where a field has no column yet, or
    there is no room for one row's bins or the items of one field: `progress[1]` then says which
    field, MORE_BINS or MORE_ITEMS, or DONE when all rows are, and `progress[0]` where to go on. The
    side area ends before the row that is read anew then: it has room for every text once.
    `progress[2]` and `progress[3]` are how far bins and items are filled.
    """
    field_count = len(kinds)
    expected = np.zeros(field_count + 1, dtype=np.int32)
    scratch = np.zeros((3, 64), dtype=np.int64)
    table_mask = np.uint64(len(name_table) - 1)
    for at in range(progress[0], len(rows)):
        row = rows[at]
        row_side = side
        status[row] = SLOW
        unknown[row] = 0
        seen_low = np.uint64(0)
        seen_high = np.uint64(0)
        pos = skip_space(buf, starts[row], ends[row])
        end = ends[row]
        if pos >= end or buf[pos] != _OPEN:
            continue
        pos = skip_space(buf, pos + 1, end)
        place = 0
        while pos < end and buf[pos] == _QUOTE:
            # Producers write fields in one order: try the field that stood here in the last row.
            field = -1
            guess = expected[place] if place < field_count else 0
            length = name_lengths[guess]
            if (
                pos + 1 + length < end
                and buf[pos + 1 + length] == _QUOTE
                and same_bytes(buf, pos + 1, names, name_starts[guess], length)
            ):
                field = guess
                pos += length + 2
            else:
                pos, start, length, value_hash, _ = read_text(buf, pos + 1, end, side, end)
                if pos < 0:
                    break
                slot = (value_hash ^ (value_hash >> np.uint64(17))) & table_mask
                while name_table[slot] >= 0:
                    known = name_table[slot]
                    if length == name_lengths[known] and same_bytes(
                        buf, start, names, name_starts[known], length
                    ):
                        field = known
                        break
                    slot = (slot + np.uint64(1)) & table_mask
                if field >= 0 and place < field_count:
                    expected[place] = field
            place += 1
            pos = skip_space(buf, pos, end)
            if pos >= end or buf[pos] != _COLON:
                pos = -1
                break
            pos = skip_space(buf, pos + 1, end)
            if pos >= end:
                pos = -1
                break
            if field < 0:
                unknown[row] += 1
                pos = _skip_scalar(buf, pos, end, side)
                if pos < 0:
                    break
            else:
                bit = np.uint64(1) << np.uint64(field & 63)
                if (seen_low if field < 64 else seen_high) & bit:
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
                    if not present[field]:
                        progress[0] = at
                        progress[1] = field
                        return row_side
                    if field < 64:
                        seen_low |= bit
                    else:
                        seen_high |= bit
                    if kind <= KIND_TEXT:
                        if buf[pos] != _QUOTE:
                            pos = -1
                            break
                        pos, start, length, value_hash, side = read_text(
                            buf, pos + 1, end, side, maximums[field]
                        )
                        if pos < 0 or length < minimums[field]:
                            pos = -1
                            break
                        if kind == KIND_TEXT:
                            text_starts[slot_index, row] = start
                            text_lengths[slot_index, row] = length
                        else:
                            codes[slot_index, row] = intern(
                                buf, start, length, value_hash, slot_index, tables,
                                value_starts, value_lengths, used,
                            )  # fmt: skip
                    elif kind == KIND_INT:
                        pos, value = read_integer(buf, pos, end)
                        if pos < 0 or value < minimums[field] or value > maximums[field]:
                            pos = -1
                            break
                        numbers[slot_index, row] = value
                    elif kind == KIND_SCALED:
                        pos, value = read_decimal(buf, pos, end, scales[field], False)
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
                            pos, value = read_instant(buf, pos + 1, end)
                        else:
                            pos, value = read_integer(buf, pos, end)
                        if pos < 0 or value < minimums[field] or value > maximums[field]:
                            pos = -1
                            break
                        numbers[slot_index, row] = value
                    elif kind == KIND_MONEY:
                        is_text = buf[pos] == _QUOTE
                        if is_text:
                            pos += 1
                        pos, value = read_decimal(buf, pos, end, scales[field], is_text)
                        if pos < 0 or value > maximums[field]:
                            pos = -1
                            break
                        if is_text:
                            if pos >= end or buf[pos] != _QUOTE:
                                pos = -1
                                break
                            pos += 1
                        numbers[slot_index, row] = value
                    elif KIND_LIST <= kind <= KIND_MAP:
                        if buf[pos] != (_OPEN_LIST if kind == KIND_LIST else _OPEN):
                            pos = -1
                            break
                        first_item = progress[3]
                        if len(item_starts) - first_item < item_room:
                            progress[0] = at
                            progress[1] = MORE_ITEMS
                            return row_side
                        if kind == KIND_LIST:
                            pos, items, side = read_list(
                                buf, pos + 1, end, side, max_items[slot_index],
                                max_chars, item_starts, item_lengths, first_item,
                            )  # fmt: skip
                        else:
                            pos, items, side = read_map(
                                buf, pos + 1, end, side, max_items[slot_index],
                                max_chars, item_starts, item_lengths, first_item, scratch,
                            )  # fmt: skip
                        if pos < 0:
                            break
                        nested_starts[slot_index, row] = first_item
                        nested_counts[slot_index, row] = items
                        progress[3] = first_item + items
                    elif kind == KIND_GAPS:
                        if buf[pos] != _OPEN:
                            pos = -1
                            break
                        place_of_bins = progress[2]
                        if len(bins) - place_of_bins < MAX_BIN_PAIRS:
                            progress[0] = at
                            progress[1] = MORE_BINS
                            return row_side
                        bins_at[row] = place_of_bins
                        pos = read_gaps(
                            buf, pos + 1, end, side, row, gaps,
                            bins, bin_counts, place_of_bins, max_us, max_bin,
                        )  # fmt: skip
                        if pos < 0:
                            break
                        progress[2] = place_of_bins + gaps[3, row]
            pos = skip_space(buf, pos, end)
            if pos < end and buf[pos] == _COMMA:
                pos = skip_space(buf, pos + 1, end)
                if pos >= end or buf[pos] != _QUOTE:
                    pos = -1
                    break
            else:
                break
        if pos < 0 or pos >= end or buf[pos] != _CLOSE:
            continue
        if skip_space(buf, pos + 1, end) != end:
            continue
        if seen_low & required[0] != required[0] or seen_high & required[1] != required[1]:
            continue
        status[row] = OK
    progress[1] = DONE
    return side
