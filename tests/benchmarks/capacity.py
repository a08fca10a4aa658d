"""How many events a second a worker brings from a backlog into the store, and what it takes."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.benchmarks.open_loop import Target, fill
from tests.benchmarks.process_tree import take_mark

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.benchmarks.open_loop import Content
    from tests.benchmarks.scene import Scene, Worker

TIMEOUT_S = 900.0
FIRST_SETTLING = 1 << 30
_LISTENING = "0A"
WARM_UP = 0.5
"""Of a backlog, before the first mark."""


@dataclass(frozen=True, slots=True)
class Capacity:
    """What a span of a backlog took."""

    events: int
    wall_s: float
    workers_cpu_s: float
    store_cpu_s: float
    broker_us: float = 0.0
    """CPU of the broker an event, microseconds: written and read once; 0 where it is not here."""
    wire_bytes: float = 0.0
    """An event on its way to the broker, compressed."""
    chunks: int = 0
    """Of the whole backlog."""

    @property
    def events_per_s(self) -> float:
        """By the clock on the wall."""
        return self.events / self.wall_s

    @property
    def worker_us(self) -> float:
        """CPU of all workers an event, microseconds."""
        return self.workers_cpu_s / self.events * 1e6

    @property
    def store_us(self) -> float:
        """CPU of the store an event, microseconds, merges of that span included."""
        return self.store_cpu_s / self.events * 1e6


def measure_capacity(
    scene: Scene,
    backlog: int,
    *,
    workers: int = 1,
    content: Content = "json",
    settings: Mapping[str, str] | None = None,
) -> Capacity:
    """Fill the scene's topic, let workers drain it, and return what its second half took.

    The workers are stopped at the end.
    """
    held = scene.stored_events()
    broker = listener(int(scene.bootstrap_servers.rpartition(":")[2]))
    broker_cpu_s = take_mark(broker).cpu_s if broker else 0.0
    target = Target(scene.bootstrap_servers, scene.topic, scene.partitions, content)
    wire_bytes = fill(target, backlog)
    started = [scene.start_worker(settings=settings) for _ in range(workers)]
    scene.wait_for(held + int(backlog * WARM_UP), started, timeout_s=TIMEOUT_S)
    marks, store_mark = [worker.mark() for worker in started], scene.store_mark()
    first, began_s = scene.stored_events(), time.monotonic()
    scene.wait_for(held + backlog, started, timeout_s=TIMEOUT_S)
    wall_s = time.monotonic() - began_s
    found = Capacity(
        events=held + backlog - first,
        wall_s=wall_s,
        workers_cpu_s=sum(
            worker.mark().cpu_s - mark.cpu_s for worker, mark in zip(started, marks, strict=True)
        ),
        store_cpu_s=scene.store_mark().cpu_s - store_mark.cpu_s,
        broker_us=(take_mark(broker).cpu_s - broker_cpu_s) / backlog * 1e6 if broker else 0.0,
        wire_bytes=wire_bytes,
        chunks=int(
            scene.ask(f"SELECT count() FROM chunk_ledger WHERE kafka_topic = '{scene.topic}'")[0][0]
        ),
    )
    for worker in started:
        worker.stop()
    return found


def listener(port: int) -> int:
    """Return the process that listens on a TCP port of this machine; 0 where none does."""
    inodes = set()
    for name in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{name}").read_text(encoding="ascii").splitlines()[1:]:
            fields = line.split()
            if fields[3] == _LISTENING and int(fields[1].rpartition(":")[2], 16) == port:
                inodes.add(f"socket:[{fields[9]}]")
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and inodes & _open_files(folder):
            return int(folder.name)
    return 0


def _open_files(folder: Path) -> set[str]:
    found: set[str] = set()
    # A process may be another user's or end meanwhile, and a file be closed.
    with contextlib.suppress(OSError):
        for file in (folder / "fd").iterdir():
            with contextlib.suppress(OSError):
                found.add(str(file.readlink()))
    return found


def settle(
    scene: Scene, workers: Sequence[Worker], *, content: Content = "json", events: int = 800
) -> None:
    """Return once workers that have just started have stored a few events of every partition."""
    held = scene.stored_events()
    target = Target(scene.bootstrap_servers, scene.topic, scene.partitions, content)
    # Numbers that no timetable reaches, so that none of its events repeats one of these.
    fill(target, events, first_number=FIRST_SETTLING)
    scene.wait_for(held + events, workers, timeout_s=TIMEOUT_S)
