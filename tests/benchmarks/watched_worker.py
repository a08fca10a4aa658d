"""`inferometer worker` with a thread that notes what its memory consists of, a few times a second.

`python -m tests.benchmarks.watched_worker worker ...`; the notes are JSON lines in the file that
`BENCH_MEMORY_FILE` names. The worker does what it always does.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import json
import os
import sys
import threading
import time
from pathlib import Path

MEMORY_VARIABLE = "BENCH_MEMORY_FILE"
EVERY_S = 0.25
HASHES_EVERY = 8
_KIBIBYTE = 1024


class _Mallinfo2(ctypes.Structure):
    _fields_ = [
        (name, ctypes.c_size_t)
        for name in (
            "arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks",
            "fordblks", "keepcost",
        )
    ]  # fmt: skip


def sample(hashes: float) -> dict[str, float]:
    """Return what this process's memory consists of, bytes."""
    status = dict(
        line.split(":", 1)
        for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    )
    kept = {name: int(status[name].split()[0]) * _KIBIBYTE for name in _STATUS}
    return {
        "at_s": time.time(),
        **{_STATUS[name]: float(size) for name, size in kept.items()},
        "arrow_pool": float(_arrow_pool()),
        "hashes": hashes,
        **_malloc(),
    }


_STATUS = {"VmRSS": "resident", "RssAnon": "anonymous", "RssFile": "mapped_files", "VmHWM": "peak"}


def _arrow_pool() -> int:
    # While it is being imported it is there and has nothing yet.
    allocated = getattr(sys.modules.get("pyarrow"), "total_allocated_bytes", None)
    return 0 if allocated is None else int(allocated())


def _hashes() -> int:
    """Return the bytes of all deduplication hashes."""
    module = sys.modules.get("inferometer.jobs.seen_events")
    kind = getattr(module, "SeenEvents", None)
    if kind is None:
        return 0
    return 8 * sum(
        len(found._horizon)
        for found in gc.get_referrers(kind)
        # One that is being made has none yet.
        if isinstance(found, kind) and hasattr(found, "_horizon")
    )


def _malloc() -> dict[str, float]:
    """Return what glibc's allocator holds: in use, mapped apart, and free but kept."""
    try:
        function = ctypes.CDLL(None).mallinfo2
    except AttributeError:
        return {}
    function.restype = _Mallinfo2
    found = function()
    return {
        "malloc_used": float(found.uordblks),
        "malloc_mapped": float(found.hblkhd),
        "malloc_free": float(found.fordblks),
    }


def _watch(path: Path) -> None:
    number, hashes = 0, 0.0
    with path.open("a", encoding="utf-8") as out:
        while True:
            # Looking for them among all objects takes too long to be done each time.
            if number % HASHES_EVERY == 0:
                hashes = float(_hashes())
            number += 1
            out.write(json.dumps(sample(hashes)) + "\n")
            out.flush()
            time.sleep(EVERY_S)


def main() -> None:
    """Watch, and be the command line."""
    path = Path(os.environ[MEMORY_VARIABLE])
    threading.Thread(target=_watch, args=(path,), daemon=True, name="bench-memory").start()
    sys.argv[0] = "inferometer"
    importlib.import_module("inferometer.cli.main").entry_point()


if __name__ == "__main__":
    main()
