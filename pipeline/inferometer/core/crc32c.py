"""CRC-32C (Castagnoli), the checksum of Kafka's record batches, for compiled kernels.

Invariant: `crc32c` gives the value of RFC 3720, section 12.1, on every machine; where the processor
has an instruction for it, the instruction is used, elsewhere tables of eight bytes a step.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numba
import numpy as np
from llvmlite import binding, ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Crc32c = Callable[[NDArray[np.uint8], int, int], int]

POLYNOMIAL = 0x82F63B78


def _instruction() -> str | None:
    features = binding.get_host_cpu_features()
    machine = binding.get_process_triple()
    if machine.startswith("x86_64") and features.get("sse4.2"):
        return "llvm.x86.sse42.crc32.64.64"
    return None  # pragma: no cover - other processors


def _tables() -> NDArray[np.uint32]:
    tables = np.zeros((8, 256), dtype=np.uint32)
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = (crc >> 1) ^ (POLYNOMIAL if crc & 1 else 0)
        tables[0, byte] = crc
    for row in range(1, 8):
        previous = tables[row - 1]
        tables[row] = (previous >> 8) ^ tables[0][previous & 0xFF]
    return tables


TABLES = _tables()
INSTRUCTION = _instruction()


def _step_by_instruction(
    typing_context: Any, crc: Any, data: Any, at: Any
) -> Any:  # pragma: no cover - runs when numba compiles, not when it loads from its cache
    """Emit the processor's CRC-32C of the eight bytes at data[at]; any alignment."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        word_type = ir.IntType(64)
        array = context.make_array(signature.args[1])(context, builder, arguments[1])
        address = builder.gep(array.data, [arguments[2]])
        word = builder.load(builder.bitcast(address, word_type.as_pointer()))
        word.align = 1
        function = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(word_type, [word_type, word_type]), INSTRUCTION
        )
        return builder.call(function, [arguments[0], word])

    return types.uint64(types.uint64, data, types.int64), emit


# Called from compiled code, where the typing context is not an argument.
_step: Any = intrinsic(_step_by_instruction)


@numba.njit(nogil=True, cache=True)
def _by_instruction(data, start, stop):
    crc = np.uint64(0xFFFFFFFF)
    words = (stop - start) // 8
    for index in range(words):
        crc = _step(crc, data, start + index * 8)
    narrow = np.uint32(crc)
    for at in range(start + words * 8, stop):
        narrow = TABLES[0, (narrow ^ data[at]) & np.uint32(0xFF)] ^ (narrow >> np.uint32(8))
    return narrow ^ np.uint32(0xFFFFFFFF)


@numba.njit(nogil=True, cache=True)
def _by_tables(data, start, stop):
    crc = np.uint32(0xFFFFFFFF)
    words = (stop - start) // 8
    for index in range(words):
        at = start + index * 8
        low = crc ^ (
            np.uint32(data[at])
            | np.uint32(data[at + 1]) << np.uint32(8)
            | np.uint32(data[at + 2]) << np.uint32(16)
            | np.uint32(data[at + 3]) << np.uint32(24)
        )
        crc = (
            TABLES[7, low & np.uint32(0xFF)]
            ^ TABLES[6, (low >> np.uint32(8)) & np.uint32(0xFF)]
            ^ TABLES[5, (low >> np.uint32(16)) & np.uint32(0xFF)]
            ^ TABLES[4, low >> np.uint32(24)]
            ^ TABLES[3, data[at + 4]]
            ^ TABLES[2, data[at + 5]]
            ^ TABLES[1, data[at + 6]]
            ^ TABLES[0, data[at + 7]]
        )
    for at in range(start + words * 8, stop):
        crc = TABLES[0, (crc ^ data[at]) & np.uint32(0xFF)] ^ (crc >> np.uint32(8))
    return crc ^ np.uint32(0xFFFFFFFF)


crc32c_by_tables = cast("Crc32c", _by_tables)
crc32c = cast("Crc32c", _by_tables if INSTRUCTION is None else _by_instruction)
"""Return the CRC-32C of data[start:stop]; callable from other compiled kernels."""
