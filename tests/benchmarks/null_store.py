"""A store that takes everything and keeps nothing, to measure what is in front of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inferometer.testing.stores import MemoryChunkStore

if TYPE_CHECKING:
    import pyarrow as pa


class NullStore(MemoryChunkStore):
    """A `ChunkStore` that knows of nothing, because it keeps nothing."""

    def insert(self, *, table: str, rows: pa.Table, token: str) -> None:
        """Take rows."""
