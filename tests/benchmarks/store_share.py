"""Which part of a process's CPU is the embedded store's: its own threads, and inserts into it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from inferometer.clickhouse.store import ClickHouseChunkStore
from tests.benchmarks.measuring import cpu_s

if TYPE_CHECKING:
    import pyarrow as pa

    from inferometer.clickhouse.connect import StoreConnection

_TASKS = Path("/proc/self/task")
_OURS = "python"
"""Threads are named after the program unless they name themselves, as the engine's do."""


class MeteredStore(ClickHouseChunkStore):
    """The store, with the CPU that threads of ours spend inside its inserts."""

    def __init__(self, connection: StoreConnection) -> None:
        super().__init__(connection)
        self._inserts_s = 0.0
        self._start: tuple[float, float] | None = None

    def insert(self, *, table: str, rows: pa.Table, token: str) -> None:
        """Store rows."""
        start = time.thread_time()
        super().insert(table=table, rows=rows, token=token)
        self._inserts_s += time.thread_time() - start

    def begin(self) -> None:
        """Begin to measure."""
        self._start = self._now()

    def share(self) -> float | None:
        """Return the store's share of the process's CPU since then; None if it was not begun."""
        if self._start is None:
            return None
        (store, whole), (store_now, whole_now) = self._start, self._now()
        return (store_now - store) / (whole_now - whole)

    def _now(self) -> tuple[float, float]:
        return self._inserts_s + _engine_threads_s(), cpu_s()


def _engine_threads_s() -> float:
    found = 0
    for task in _TASKS.iterdir():
        try:
            if not (task / "comm").read_text().startswith(_OURS):
                found += int((task / "schedstat").read_text().split()[0])
        except (FileNotFoundError, ProcessLookupError):
            # Ended since it was listed; the engine keeps most of its threads.
            continue
    return found / 1e9
