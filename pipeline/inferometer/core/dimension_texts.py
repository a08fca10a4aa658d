"""A set of texts in the order in which they came, in a few flat arrays: 50 bytes a text and its own.

Invariants: a text is found by its bytes, never by its hash alone; places count from 0 in the order
of addition and never change.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numba import njit

from inferometer.core.duplicates import hash_texts

if TYPE_CHECKING:
    from numpy.typing import NDArray

_FIRST_TEXTS = 16
_FIRST_BYTES = 256


@njit(cache=True, nogil=True)
def _find(
    data: NDArray[np.uint8],
    starts: NDArray[np.int32],
    hashes: NDArray[np.uint64],
    arena: NDArray[np.uint8],
    ends: NDArray[np.int64],
    known: NDArray[np.uint64],
    table: NDArray[np.int32],
    row: int,
) -> tuple[int, int]:
    """Return the place of a text or -1, and the slot of the table where the search ended."""
    mask = np.uint64(len(table) - 1)
    slot = hashes[row] & mask
    start = starts[row]
    length = starts[row + 1] - start
    while True:
        place = table[slot]
        if place < 0:
            return -1, slot
        if known[place] == hashes[row]:
            begin = ends[place]
            if ends[place + 1] - begin == length:
                same = True
                for k in range(length):
                    if data[start + k] != arena[begin + k]:
                        same = False
                        break
                if same:
                    return place, slot
        slot = (slot + np.uint64(1)) & mask


@njit(cache=True, nogil=True)
def _find_all(
    data: NDArray[np.uint8],
    starts: NDArray[np.int32],
    hashes: NDArray[np.uint64],
    arena: NDArray[np.uint8],
    ends: NDArray[np.int64],
    known: NDArray[np.uint64],
    table: NDArray[np.int32],
    places: NDArray[np.int32],
) -> None:
    for row in range(len(hashes)):
        place, _ = _find(data, starts, hashes, arena, ends, known, table, row)
        places[row] = place


@njit(cache=True, nogil=True)
def _add_all(
    data: NDArray[np.uint8],
    starts: NDArray[np.int32],
    hashes: NDArray[np.uint64],
    arena: NDArray[np.uint8],
    ends: NDArray[np.int64],
    known: NDArray[np.uint64],
    table: NDArray[np.int32],
    used: int,
) -> int:
    """Append the texts that are not there, for which there is room; return how many there are."""
    for row in range(len(hashes)):
        place, slot = _find(data, starts, hashes, arena, ends, known, table, row)
        if place < 0:
            begin = ends[used]
            start = starts[row]
            length = starts[row + 1] - start
            for k in range(length):
                arena[begin + k] = data[start + k]
            ends[used + 1] = begin + length
            known[used] = hashes[row]
            table[slot] = used
            used += 1
    return used


@njit(cache=True, nogil=True)
def _place_all(known: NDArray[np.uint64], used: int, table: NDArray[np.int32]) -> None:
    """Fill an empty table with the places of texts that are known to differ."""
    mask = np.uint64(len(table) - 1)
    for place in range(used):
        slot = known[place] & mask
        while table[slot] >= 0:
            slot = (slot + np.uint64(1)) & mask
        table[slot] = place


def _grown(old: NDArray[Any], size: int) -> NDArray[Any]:
    new = np.zeros(size, dtype=old.dtype)
    new[: len(old)] = old
    return new


class TextSet:
    """Texts and their places; grows by doubling."""

    def __init__(self) -> None:
        self._used = 0
        self._arena = np.zeros(_FIRST_BYTES, dtype=np.uint8)
        self._ends = np.zeros(_FIRST_TEXTS + 1, dtype=np.int64)
        self._known = np.zeros(_FIRST_TEXTS, dtype=np.uint64)
        self._table = np.full(2 * _FIRST_TEXTS, -1, dtype=np.int32)

    def __len__(self) -> int:
        return self._used

    @property
    def size_bytes(self) -> int:
        """The memory that the set takes."""
        arrays = (self._arena, self._ends, self._known, self._table)
        return sum(array.nbytes for array in arrays)

    def places(self, texts: pa.StringArray) -> NDArray[np.int32]:
        """Return the place of each text, -1 for one that is not there."""
        found = np.empty(len(texts), dtype=np.int32)
        data, starts = _spans(texts)
        _find_all(
            data, starts, hash_texts(texts),
            self._arena, self._ends, self._known, self._table, found,
        )  # fmt: skip
        return found

    def add(self, texts: pa.StringArray) -> None:
        """Append those texts that are not there, in their order."""
        if len(texts) == 0:
            return
        data, starts = _spans(texts)
        self._reserve(len(texts), int(starts[-1] - starts[0]))
        self._used = _add_all(
            data, starts, hash_texts(texts),
            self._arena, self._ends, self._known, self._table, self._used,
        )  # fmt: skip

    def _reserve(self, texts: int, text_bytes: int) -> None:
        room = len(self._known)
        if self._used + texts > room:
            room = max(2 * room, self._used + texts)
            self._ends = _grown(self._ends, room + 1)
            self._known = _grown(self._known, room)
            self._table = np.full(1 << (2 * room - 1).bit_length(), -1, dtype=np.int32)
            _place_all(self._known, self._used, self._table)
        filled = int(self._ends[self._used])
        if filled + text_bytes > len(self._arena):
            self._arena = _grown(self._arena, max(2 * len(self._arena), filled + text_bytes))


def _spans(texts: pa.StringArray) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
    """Return the bytes of texts, and where each begins and the last ends."""
    if len(texts) == 0:
        texts = pa.array([""])
    _, offsets, data = texts.buffers()
    starts = np.frombuffer(offsets, dtype=np.int32)[texts.offset : texts.offset + len(texts) + 1]
    bytes_ = np.frombuffer(data or b"", dtype=np.uint8)
    for array in (bytes_, starts):
        # Some buffers may be written to and some not; compiled code takes them for two types.
        array.setflags(write=False)
    return bytes_, starts
