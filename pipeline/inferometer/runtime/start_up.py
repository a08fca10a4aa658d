"""What a worker's process does before it works: settles its memory, and readies what computes.

Why: a first fetch or chunk would otherwise wait for kernels to be loaded (half a second, half a
minute where none is cached yet), while the partitions that it was given are read by nobody.
"""

from __future__ import annotations

import asyncio
import ctypes
import importlib.abc
import json
import logging
import sys
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pyarrow as pa

from inferometer.core.arrow_events import batch_of_json, encode
from inferometer.core.chunks import Chunk, StreamPartition
from inferometer.core.price_book import PriceBook
from inferometer.core.record_batches import compile_reader
from inferometer.core.records import ContentType, RecordColumns
from inferometer.core.resumption import GroupPosition
from inferometer.jobs.process_chunk import ProcessChunk
from inferometer.jobs.sink_policy import SinkPolicy
from inferometer.testing.leases import CertainLease
from inferometer.testing.stores import MemoryChunkStore

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType

M_TRIM_THRESHOLD = -1
M_MMAP_THRESHOLD = -3
M_ARENA_MAX = -8
"""Numbers of malloc.h (glibc)."""
KEPT_BYTES = 128 << 20
"""Free memory that stays with the process, to be used by the next chunk."""
LARGE_BYTES = 32 << 20
"""What is as large as this goes back to the system as soon as it is free."""

TRIM_EVERY_S = 0.5
PATIENCE_S = 3.0
"""Kernels that are cached load in less; whoever waits longer wants to know why."""
COMPILING = "compiling the kernels, once on this machine and version: about half a minute"
NOW = datetime(2026, 1, 1, tzinfo=UTC)

logger = logging.getLogger(__name__)


def settle_memory() -> None:
    """Keep what chunks leave behind small; for a process that has no other threads yet.

    By default each thread has arenas of its own, from which no other is served, and Arrow a pool
    that keeps what it has had: both held on to as much again as a chunk takes.
    """
    pa.set_memory_pool(pa.system_memory_pool())
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):
        logger.debug("this C library has no mallopt; memory stays as it is")
        return
    mallopt(M_ARENA_MAX, 1)
    mallopt(M_MMAP_THRESHOLD, LARGE_BYTES)
    mallopt(M_TRIM_THRESHOLD, KEPT_BYTES)


async def keep_memory_small(interval_s: float = TRIM_EVERY_S) -> None:
    """Give free memory back to the system every so often, until cancelled.

    What lies free between what is in use goes back by this alone: 200 MiB of 1000 were measured in
    a worker under backlog, at 4 ms of CPU each time.
    """
    try:
        trim = ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError):
        return
    while True:
        await asyncio.sleep(interval_s)
        await asyncio.to_thread(trim, 0)


class _NoPandas(importlib.abc.MetaPathFinder):
    def find_spec(
        self, fullname: str, _path: Sequence[str] | None, _target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname == "pandas":
            raise ImportError(fullname)
        return None


def leave_pandas_out() -> None:
    """Have Arrow look for pandas now, and not find it: it would import it, for a second.

    Nothing here hands frames of pandas to Arrow. Whoever imports pandas later gets it.
    """
    if "pandas" in sys.modules:
        return
    finder = _NoPandas()
    sys.meta_path.insert(0, finder)
    try:
        pa.array([None])
    finally:
        sys.meta_path.remove(finder)


class LoadingKernels:
    """Loads the kernels on a thread of its own, beside what else is started."""

    def __init__(self) -> None:
        threads = ThreadPoolExecutor(1, "inferometer-kernels")
        self._loaded = threads.submit(load_kernels)
        threads.shutdown(wait=False)

    def wait(self, tell: Callable[[str], None]) -> None:
        """Return once they are loaded; tell why it takes long, where it does."""
        if wait((self._loaded,), PATIENCE_S).not_done:
            tell(COMPILING)
        self._loaded.result()


def load_kernels() -> None:
    """Send a few events through the whole computation, so that all of it is compiled and loaded."""
    compile_reader()
    fields = {
        "request_id": "r", "model": "m", "status_code": 200, "ts_end": int(NOW.timestamp() * 1e6),
        "team_ids": ["t"], "metadata": {"k": "v"}, "e2e_ms": 2.5, "ttft_ms": 1.0,
        "itl": {"count": 1, "sum_ms": 1.0, "bins": [1, 1]},
    }  # fmt: skip
    values = [json.dumps({"event_id": str(n % 7), **fields}).encode() for n in range(9)]
    # An escape beyond ASCII takes the slow path, which decodes its canonical form again.
    values.append(json.dumps({"event_id": "é", **fields}).encode())
    source = StreamPartition("t", 0, "s")
    job = ProcessChunk(
        store=MemoryChunkStore(), book=PriceBook("warm", ()), policy=SinkPolicy(), clock=lambda: NOW
    )
    job.assigned(source, GroupPosition(0, None, earliest=0), partition_count=1)
    enveloped = [b"\n".join(values), encode(batch_of_json(values[:2]))]
    kinds = [ContentType.JSON] * len(values) + [ContentType.NDJSON, ContentType.ARROW]
    records = RecordColumns.from_values([*values, *enveloped], content_types=kinds)
    job.run(Chunk(source, job.plan(source, records), records), CertainLease())
