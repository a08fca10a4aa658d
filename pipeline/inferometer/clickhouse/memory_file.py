"""A file in memory that holds one table after another, for the embedded engine to read."""

from __future__ import annotations

import mmap
import os
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO

import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Iterator

_STEP_BYTES = 1 << 20


class MemoryFile:
    """Keeps its pages from table to table: to make them anew costs more than to fill them.

    Holds one table at a time, so callers of several threads wait for each other, as they do for the
    engine. Keeps as much memory as the largest table took.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._file: BinaryIO | None = None
        self._pages: pa.Buffer | None = None

    @staticmethod
    def is_possible() -> bool:
        """Say whether this system has files that are nowhere but in memory."""
        return hasattr(os, "memfd_create")

    @contextmanager
    def holding(self, rows: pa.Table) -> Iterator[str]:
        """Write rows as an Arrow stream of one batch, and yield the path to read them from.

        What an earlier, longer table left behind the end of the stream is never read.
        """
        with self._lock:
            size = _stream_bytes(rows)
            if self._file is None:
                self._file = os.fdopen(os.memfd_create("rows", os.MFD_CLOEXEC), "r+b", buffering=0)
            if self._pages is None or self._pages.size < size:
                room = -(-size // _STEP_BYTES) * _STEP_BYTES
                self._file.truncate(room)
                self._pages = pa.py_buffer(mmap.mmap(self._file.fileno(), room))
            write_stream(rows, pa.FixedSizeBufferWriter(self._pages))
            yield f"/proc/self/fd/{self._file.fileno()}"

    def close(self) -> None:
        """Let the memory go; safe to call twice, and the next table takes some anew."""
        with self._lock:
            self._pages = None
            if self._file is not None:
                self._file.close()
                self._file = None


def write_stream(rows: pa.Table, sink: pa.NativeFile, compression: str | None = None) -> None:
    """Write rows as an Arrow stream; a table of one chunk makes one batch."""
    options = pa.ipc.IpcWriteOptions(compression=compression)
    with pa.ipc.new_stream(sink, rows.schema, options=options) as writer:
        writer.write_table(rows)


def _stream_bytes(rows: pa.Table) -> int:
    counter = pa.MockOutputStream()
    write_stream(rows, counter)
    return int(counter.size())
