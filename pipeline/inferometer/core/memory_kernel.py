"""Compiled access to bytes by the word: unaligned loads, stores and prefetches for the kernels.

Invariant: whoever calls has made sure that `WORD` bytes from any position read are in the array.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

_WORD_BITS = 64
_READ, _LOW_LOCALITY, _DATA = 0, 1, 1


def _address(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    place = context.data_model_manager[signature.args[0]].get_field_position("data")
    return cgutils.gep_inbounds(builder, builder.extract_value(arguments[0], place), arguments[1])


def _load_word(_typing: Any, _buf: Any, pos: Any) -> Any:
    """Return the eight bytes at a position as one little-endian word."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        word = ir.IntType(_WORD_BITS)
        address = _address(context, builder, signature, arguments)
        return builder.load(builder.bitcast(address, word.as_pointer()), align=1)

    if not isinstance(pos, types.Integer):
        return None
    return types.uint64(_buf, types.intp), generate


def _store_word(_typing: Any, _buf: Any, pos: Any, word: Any) -> Any:
    """Write a word to the eight bytes at a position, little-endian."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = ir.IntType(_WORD_BITS)
        address = _address(context, builder, signature, arguments)
        builder.store(arguments[2], builder.bitcast(address, kind.as_pointer()), align=1)
        return context.get_dummy_value()

    if not isinstance(pos, types.Integer):
        return None
    return types.void(_buf, types.intp, types.uint64), generate


def _prefetch(_typing: Any, _buf: Any, pos: Any) -> Any:
    """Have the processor bring the line of a position near; any position is allowed."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        bytes_type, flag = ir.IntType(8).as_pointer(), ir.IntType(32)
        function = cgutils.get_or_insert_function(
            builder.module,
            ir.FunctionType(ir.VoidType(), [bytes_type, flag, flag, flag]),
            "llvm.prefetch.p0",
        )
        address = builder.bitcast(_address(context, builder, signature, arguments), bytes_type)
        builder.call(function, [address, flag(_READ), flag(_LOW_LOCALITY), flag(_DATA)])
        return context.get_dummy_value()

    if not isinstance(pos, types.Integer):
        return None
    return types.void(_buf, types.intp), generate


def _trailing_zeros(_typing: Any, word: Any) -> Any:
    """Return how many bits below the lowest one that is set; the word must not be zero."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.IntType(1)(1))

    if word != types.uint64:
        return None
    return types.uint64(types.uint64), generate


def _count_ones(_typing: Any, word: Any) -> Any:
    """Return how many bits are set."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.ctpop(arguments[0])

    if word != types.uint64:
        return None
    return types.uint64(types.uint64), generate


# Called from compiled code only, where their signature is another: no type is right for both.
load_word: Any = intrinsic(_load_word)
store_word: Any = intrinsic(_store_word)
prefetch: Any = intrinsic(_prefetch)
trailing_zeros: Any = intrinsic(_trailing_zeros)
count_ones: Any = intrinsic(_count_ones)

WORD = 8
"""Bytes of a word: what must follow every span, so that its last bytes can be loaded as one."""
_WORD = WORD
_ALL_BITS = np.uint64(0xFFFFFFFFFFFFFFFF)
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
_SHIFT = np.uint64(32)


@njit(cache=True, nogil=True, inline="always")
def mix_word(value_hash, word):
    """Add a word to a hash of words; multiplicative hashing, Knuth, TAOCP 3, 6.4."""
    mixed = (value_hash ^ word) * _MULTIPLIER
    return mixed ^ (mixed >> _SHIFT)


@njit(cache=True, nogil=True, inline="always")
def low_bytes(count):
    """Return a mask of the first one to eight bytes of a word."""
    return _ALL_BITS >> np.uint64(8 * (_WORD - count))


@njit(cache=True, nogil=True)
def hash_span(buf, start, length):
    """Return the hash of a span: its whole words, then what is left in one word of its own."""
    value_hash = np.uint64(0)
    left = length
    pos = start
    while left >= _WORD:
        value_hash = mix_word(value_hash, load_word(buf, pos))
        pos += _WORD
        left -= _WORD
    if left > 0:
        value_hash = mix_word(value_hash, load_word(buf, pos) & low_bytes(left))
    return value_hash


@njit(cache=True, nogil=True, forceinline=True)
def same_bytes(buf, start, other, other_start, length):
    """Say whether two spans of one length, at least one byte, hold the same bytes."""
    # One word at a time up to the last: a loop over single bytes beside it is four times as slow.
    done = 0
    while done < length - _WORD:
        if load_word(buf, start + done) != load_word(other, other_start + done):
            return False
        done += _WORD
    differing = load_word(buf, start + done) ^ load_word(other, other_start + done)
    return differing & low_bytes(length - done) == 0


@njit(cache=True, nogil=True)
def copy_bytes(buf, start, length, out, place):
    """Copy a span; source and target may not overlap, the target needs no room behind it."""
    done = 0
    while done + _WORD <= length:
        store_word(out, place + done, load_word(buf, start + done))
        done += _WORD
    while done < length:
        out[place + done] = buf[start + done]
        done += 1


@njit(cache=True, nogil=True)
def holds_byte(buf, byte):
    """Say whether a byte is anywhere in an array."""
    found = np.uint8(0)
    # Without a way out of the loop and in bytes, so that it runs on vectors at memory's speed.
    for pos in range(len(buf)):
        found = np.uint8(found | np.uint8(buf[pos] == byte))
    return found > 0
