"""The processes of the harness: workers in slots that are filled again, and producers."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from pathlib import Path

from tests.faults.services import REPOSITORY
from tests.faults.steps import Fate
from tests.faults.trace import is_at_work
from tests.faults.worker_main import WorkerOrder
from tests.faults.worker_main import main as worker_main

_WATCH_S = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerPlace:
    """Where workers work, and what they go without."""

    kafka: str
    store: str
    topic: str
    group: str
    prices: Path
    folder: Path
    session_timeout_s: float
    without: str = ""


@dataclass(slots=True)
class Life:
    """One process of a worker, from its start to its end."""

    number: int
    slot: int
    trace: Path
    log: Path
    process: BaseProcess
    started_s: float
    fate: Path
    instance_id: str
    chunk_events: int
    ended_s: float = 0.0
    cause: str = ""
    """`kill`, `step`, `stop`, or how it ended by itself."""


@dataclass
class Workers:
    """Worker processes in slots: one that ends is replaced by a new one with other chunk sizes."""

    place: WorkerPlace
    seed: int
    chunk_range: tuple[int, int]
    pressure: Callable[[], float] = lambda: 1.0
    """How much waits for the workers, of what may wait: with less, chunks are smaller, so that
    the workers are always busy."""
    lives: list[Life] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._draw = random.Random(self.seed)
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(["tests.faults.preloaded"])
        self._running: dict[int, Life] = {}
        self._due_s: dict[int, float] = {}
        self._lock = threading.RLock()
        self._is_watching = True
        self._frozen: set[int] = set()
        self._thread = threading.Thread(target=self._watch, name="workers", daemon=True)
        self._thread.start()

    def fill(self, slot: int, after_s: float = 0.0) -> None:
        """Have a worker in a slot from now on, or after a while."""
        with self._lock:
            self._due_s[slot] = time.monotonic() + after_s

    def running(self) -> list[int]:
        """Return the slots with a worker that is not frozen."""
        with self._lock:
            return sorted(set(self._running) - self._frozen)

    def busy(self) -> list[int]:
        """Return the slots whose worker has a chunk open right now."""
        with self._lock:
            return [slot for slot in self.running() if is_at_work(self._running[slot].trace)]

    def kill(self, slot: int) -> bool:
        """End a worker by kill -9; its slot is filled again."""
        return self._signal(slot, signal.SIGKILL, "kill")

    def doom(self, slot: int, fate: Fate, *, within_s: float) -> bool:
        """Have a worker kill itself at a step; False where it did not come to it in time."""
        with self._lock:
            life = self._running.get(slot)
            if life is None or life.fate.exists():
                return False
            fate.write(life.fate)
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline and not life.cause:
            time.sleep(_WATCH_S)
        if life.cause:
            return life.cause == "step"
        life.fate.unlink(missing_ok=True)
        return False

    def leave(self, slot: int) -> bool:
        """Have a worker stop in order; its slot stays empty until it is filled."""
        with self._lock:
            self._due_s.pop(slot, None)
            return self._signal(slot, signal.SIGTERM, "stop")

    def freeze(self, slot: int) -> bool:
        """Stop a worker in its tracks."""
        with self._lock:
            if self._signal(slot, signal.SIGSTOP, ""):
                self._frozen.add(slot)
                return True
            return False

    def thaw(self, slot: int) -> None:
        """Let a frozen worker go on."""
        with self._lock:
            self._frozen.discard(slot)
            self._signal(slot, signal.SIGCONT, "")

    def close(self, timeout_s: float = 30.0) -> None:
        """Stop every worker in order, and fill no slot again."""
        with self._lock:
            self._due_s.clear()
            lives = list(self._running.values())
            for life in lives:
                self.leave(life.slot)
        deadline = time.monotonic() + timeout_s
        while self._running and time.monotonic() < deadline:
            time.sleep(_WATCH_S)
        self._is_watching = False
        self._thread.join()
        for life in list(self._running.values()):
            life.process.kill()
            life.process.join()
            self._note_end(life)

    def _signal(self, slot: int, number: signal.Signals, cause: str) -> bool:
        with self._lock:
            life = self._running.get(slot)
            if life is None or life.process.exitcode is not None or life.process.pid is None:
                return False
            if cause and not life.cause:
                life.cause = cause
            if number is signal.SIGTERM:
                # One that is frozen would not hear it.
                os.kill(life.process.pid, signal.SIGCONT)
            os.kill(life.process.pid, number)
            return True

    def _watch(self) -> None:
        while self._is_watching:
            with self._lock:
                for life in list(self._running.values()):
                    if life.process.exitcode is not None:
                        self._note_end(life)
                now_s = time.monotonic()
                for slot, due_s in list(self._due_s.items()):
                    if slot not in self._running and due_s <= now_s:
                        self._start(slot)
            time.sleep(_WATCH_S)

    def _note_end(self, life: Life) -> None:
        life.ended_s = time.monotonic()
        code = life.process.exitcode
        if not life.cause:
            has_fate = code == -signal.SIGKILL and life.fate.exists()
            life.cause = "step" if has_fate else f"exit {code}"
        self._running.pop(life.slot, None)
        self._frozen.discard(life.slot)
        if life.slot in self._due_s:
            self._due_s[life.slot] = time.monotonic() + self._draw.choice((0.0, 0.0, 0.3, 1.5))

    def _start(self, slot: int) -> None:
        draw, place, number = self._draw, self.place, len(self.lives)
        low, high = self.chunk_range
        pressure = self.pressure()
        widest = 0.3 + 0.7 * min(1.0, pressure)
        chunk_events = int(low * (high / low) ** (draw.random() * widest))
        instance_id = f"w-{slot}" if draw.random() < 0.5 else ""
        trace, log, fate = (
            place.folder / f"worker-{number:03d}.{kind}" for kind in ("trace", "log", "fate")
        )
        order = WorkerOrder(
            kafka=place.kafka, store=place.store, topic=place.topic, group=place.group,
            instance_id=instance_id, prices=place.prices, trace=trace, log=log,
            chunk_events=chunk_events, chunk_wait_s=draw.choice((0.1, 0.3, 0.8)),
            session_timeout_s=place.session_timeout_s, fate=fate, without=place.without,
        )  # fmt: skip
        process = self._context.Process(target=worker_main, args=(order,), daemon=True)
        process.start()
        life = Life(
            number, slot, trace, log, process, time.monotonic(), fate, instance_id, chunk_events
        )
        self.lives.append(life)
        self._running[slot] = life


ENVELOPES = ("arrow", "ndjson", "json")
"""What records carry, by the number of their producer: one topic holds all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProducerPlan:
    """What a producer sends, and where it keeps how far it came."""

    number: int
    kafka: str
    topic: str
    folder: Path
    seed: int
    rate: float


@dataclass
class ProducerProcess:
    """One producer; killed, it is started again on the same folder."""

    plan: ProducerPlan
    starts: int = 0
    _process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, or start it again."""
        plan = self.plan
        self.starts += 1
        plan.folder.mkdir(parents=True, exist_ok=True)
        command = [
            sys.executable, "-m", "tests.faults.producer_main", "--kafka", plan.kafka, "--topic",
            plan.topic, "--folder", str(plan.folder), "--seed", str(plan.seed), "--number",
            str(plan.number), "--rate", str(plan.rate), "--envelope",
            ENVELOPES[plan.number % len(ENVELOPES)],
        ]  # fmt: skip
        with (plan.folder / "producer.log").open("ab") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=REPOSITORY,
                start_new_session=True,
            )  # fmt: skip

    @property
    def exit_code(self) -> int | None:
        """How it ended; None while it runs."""
        return None if self._process is None else self._process.poll()

    def kill(self) -> bool:
        """End it by kill -9; False where it has ended already."""
        if self._process is None or self._process.poll() is not None:
            return False
        self._process.kill()
        self._process.wait()
        return True
