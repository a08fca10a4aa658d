"""`inferometer worker` with a stopwatch: `python -m tests.benchmarks.timed_worker worker ...`.

Notes when the steps of a start begin and end, and what CPU the process had used, as a JSON line each
in the file that `BENCH_TIMES_FILE` names. The worker does what it always does.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import json
import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

TIMES_VARIABLE = "BENCH_TIMES_FILE"
STEPS = (
    ("open the store", "inferometer.runtime.worker", "_open_store"),
    ("check the schema", "inferometer.runtime.worker", "require_schema"),
    ("read the price book", "inferometer.runtime.worker", "price_book"),
    ("publish the prices", "inferometer.runtime.worker", "publish_prices"),
    ("load the kernels of the reader", "inferometer.kafka.worker", "compile_reader"),
    ("wait for the broker", "inferometer.kafka.worker", "SinkWorker._wait_for_broker"),
    ("find the topic", "inferometer.kafka.stream_identity", "StreamIdentity.find"),
    ("recall what was seen", "inferometer.jobs.process_chunk", "ProcessChunk.assigned"),
    ("add the first fetch", "inferometer.kafka.chunk_buffer", "ChunkBuffer.add"),
    ("plan the first chunk", "inferometer.jobs.process_chunk", "ProcessChunk.plan"),
    ("process the first chunk", "inferometer.jobs.process_chunk", "ProcessChunk.run"),
)
"""(name, module, function) of each step; one that is not there any more is noted as missing."""


class Stopwatch:
    """Writes a line for the first call of each step."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: set[str] = set()
        self._lock = threading.Lock()

    def note(self, step: str, began_s: float, began_cpu_s: float) -> None:
        """Write what a step took, once."""
        with self._lock:
            if step in self._seen:
                return
            self._seen.add(step)
            line = {
                "step": step,
                "from_s": began_s,
                "to_s": time.time(),
                "cpu_from_s": began_cpu_s,
                "cpu_to_s": time.process_time(),
            }
            with self._path.open("a", encoding="utf-8") as out:
                out.write(json.dumps(line) + "\n")

    def around(self, step: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function that notes what its first call took."""
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def awaited(*arguments: Any, **keywords: Any) -> Any:
                start = time.time(), time.process_time()
                try:
                    return await function(*arguments, **keywords)
                finally:
                    self.note(step, *start)

            return awaited

        @functools.wraps(function)
        def called(*arguments: Any, **keywords: Any) -> Any:
            start = time.time(), time.process_time()
            try:
                return function(*arguments, **keywords)
            finally:
                self.note(step, *start)

        return called

    def put_around(self, step: str, module: str, name: str) -> bool:
        """Time a function where it stands; return whether it is there."""
        home: Any = importlib.import_module(module)
        *path, last = name.split(".")
        for part in path:
            home = getattr(home, part, None)
        found = inspect.getattr_static(home, last, None) if home is not None else None
        if found is None:
            return False
        if isinstance(found, classmethod):
            setattr(home, last, classmethod(self.around(step, found.__func__)))
        elif isinstance(found, staticmethod):
            setattr(home, last, staticmethod(self.around(step, found.__func__)))
        else:
            setattr(home, last, self.around(step, found))
        return True


def main() -> None:
    """Time the imports and the steps, and be the command line."""
    watch = Stopwatch(Path(os.environ[TIMES_VARIABLE]))
    start = time.time(), time.process_time()
    importlib.import_module("inferometer.runtime.worker")
    watch.note("import everything", *start)
    for step, module, name in STEPS:
        if not watch.put_around(step, module, name):
            watch.note(f"missing: {step}", time.time(), time.process_time())
    sys.argv[0] = "inferometer"
    importlib.import_module("inferometer.cli.main").entry_point()


if __name__ == "__main__":
    main()
