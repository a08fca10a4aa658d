"""Arrays as texts inside a JSON snapshot: compressed, then base 85.

Invariant: `unpacked(packed(array), array.dtype)` has the array's numbers, in its order, flat.
"""

from __future__ import annotations

import base64
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def packed(array: NDArray[Any]) -> str:
    """Return an array's bytes as text; little-endian, as every platform that this runs on."""
    return base64.b85encode(zlib.compress(array.tobytes(), 1)).decode()


def unpacked(text: str, dtype: Any) -> NDArray[Any]:
    """Return the flat array that a text holds; it can be written to."""
    return np.frombuffer(zlib.decompress(base64.b85decode(text)), dtype=dtype).copy()
