"""Runs one contestant over a filled topic and measures it from outside."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import time
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tests.benchmarks.pinning import measured_core, pinned
from tests.benchmarks.process_tree import descendants, take_mark

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.benchmarks.contestants import Contestant, Place
    from tests.benchmarks.process_tree import TreeMark

REPOSITORY = Path(__file__).resolve().parents[2]
STALL_S = 120.0
"""Without a line for so long, a contestant counts as stuck."""
END_S = 60.0
"""From the last event to the end of the process; merging and closing a store take their time."""

_SHOWN_LINES = 12
_READ_BYTES = 1 << 16


class ContestError(RuntimeError):
    """A run that says nothing about speed: the contestant failed, or has miscounted."""


@dataclass(frozen=True, slots=True)
class Run:
    """What the measured events took, one run."""

    events: int
    """Between the two marks."""
    user_s: float
    system_s: float
    wall_s: float
    peak_rss_bytes: int
    counted: int
    """In the contestant's own windows at the end, all events."""
    dropped: int
    """Left out as late, of all events."""
    beside_cpu_s: float
    """CPU of the process that runs beside it, for example a store; not part of the above."""
    others_cores: float
    """Cores that the rest of the machine, the broker among it, was busy with meanwhile."""
    notes: tuple[str, ...] = ()

    @property
    def cpu_s(self) -> float:
        """CPU of all processes and threads of the contestant."""
        return self.user_s + self.system_s

    @property
    def rate(self) -> float:
        """Events per CPU-second."""
        return self.events / self.cpu_s

    @property
    def rate_with_beside(self) -> float:
        """Events per CPU-second, what runs beside it included."""
        return self.events / (self.cpu_s + self.beside_cpu_s)


@dataclass(slots=True)
class _Heard:
    """What a contestant has said, and the two marks."""

    warm_up: int
    until: int
    events: int
    start: tuple[int, TreeMark] | None = None
    end: tuple[int, TreeMark] | None = None
    beside: list[TreeMark] = field(default_factory=list)
    progress: int = 0
    counted: int | None = None
    dropped: int = 0
    notes: list[str] = field(default_factory=list)

    def listen(self, line: str, pid: int, beside: int | None) -> None:
        """Take one line. Raises ContestError where it is none of the protocol's."""
        word, _, rest = line.strip().partition(" ")
        if word == "note":
            self.notes.append(rest)
            return
        if word not in {"progress", "counted", "dropped"} or not rest.isdigit():
            raise ContestError(f"its line {line.strip()!r} is none of the protocol")
        number = int(rest)
        if word == "counted":
            self.counted = number
        elif word == "dropped":
            self.dropped = number
        elif number < self.progress:
            raise ContestError(f"its progress went back from {self.progress} to {number}")
        else:
            self.progress = number
            self._mark(pid, beside)

    def _mark(self, pid: int, beside: int | None) -> None:
        if self.start is None and self.progress >= self.warm_up:
            self.start = self._taken(pid, beside)
        elif self.end is None and self.start is not None and self.progress >= self.until:
            self.end = self._taken(pid, beside)

    def _taken(self, pid: int, beside: int | None) -> tuple[int, TreeMark]:
        mark = take_mark(pid)
        if beside is not None:
            self.beside.append(take_mark(beside))
        return self.progress, mark

    def result(self) -> Run:
        """Return the measurement. Raises ContestError where an event is missing or counted twice."""
        if self.counted is None:
            raise ContestError(
                f"it ended without the line counted, at {self.progress} of {self.events} events"
            )
        if self.counted + self.dropped != self.events:
            raise ContestError(
                f"it counted {self.counted} and dropped {self.dropped} of {self.events} events"
            )
        if self.start is None or self.end is None or self.end[1].cpu_s <= self.start[1].cpu_s:
            raise ContestError(
                f"between {self.warm_up} and {self.until} of {self.events} events it told of no "
                "progress; run it over more"
            )
        (first, start), (last, end) = self.start, self.end
        wall_s = end.wall_s - start.wall_s
        beside_s = self.beside[-1].cpu_s - self.beside[0].cpu_s if len(self.beside) > 1 else 0.0
        busy_s = end.machine_busy_s - start.machine_busy_s
        return Run(
            events=last - first,
            user_s=end.user_s - start.user_s,
            system_s=end.system_s - start.system_s,
            wall_s=wall_s,
            peak_rss_bytes=end.peak_rss_bytes,
            counted=self.counted,
            dropped=self.dropped,
            beside_cpu_s=beside_s,
            others_cores=max(0.0, busy_s - beside_s - (end.cpu_s - start.cpu_s)) / wall_s,
            notes=tuple(self.notes),
        )


def run_once(contestant: Contestant, place: Place) -> Run:
    """Run a contestant to its end. Raises ContestError with the end of what it said on stderr."""
    heard = _Heard(place.warm_up, place.until, place.events)
    log = place.folder / "stderr.log"
    beside = contestant.beside(place) if contestant.beside else nullcontext()
    with beside as beside_pid, _started(contestant, place, log) as process:
        try:
            _hear_out(process, heard, beside_pid, contestant.start_timeout_s)
            _require_success(process)
            return heard.result()
        except (ContestError, TimeoutError, subprocess.TimeoutExpired) as error:
            raise ContestError(f"{contestant.name}: {error}{_tail(log)}") from error


@contextmanager
def _started(contestant: Contestant, place: Place, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    environ = {**os.environ, "PYTHONPATH": str(REPOSITORY), **contestant.environ(place)}
    with log.open("wb") as stderr, pinned(measured_core()):
        process = subprocess.Popen(
            contestant.command(place),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=stderr,
            cwd=place.folder, env=environ, start_new_session=True,
        )  # fmt: skip
    with process:
        try:
            yield process
        finally:
            _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill what is left of a tree, those too that have left its session."""
    for pid in descendants(process.pid):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


def _hear_out(
    process: subprocess.Popen[bytes], heard: _Heard, beside: int | None, start_timeout_s: float
) -> None:
    """Listen until stdout is closed."""
    assert process.stdout is not None
    timeout_s, rest = start_timeout_s, b""
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        deadline = time.monotonic() + timeout_s
        while True:
            if not selector.select(max(0.0, deadline - time.monotonic())):
                raise TimeoutError(
                    f"it has been silent for {timeout_s:.0f} s at {heard.progress} of "
                    f"{heard.events} events"
                )
            read = os.read(process.stdout.fileno(), _READ_BYTES)
            if not read:
                return
            *lines, rest = (rest + read).split(b"\n")
            for line in lines:
                heard.listen(line.decode(errors="replace"), process.pid, beside)
            timeout_s = STALL_S
            deadline = time.monotonic() + timeout_s


def _require_success(process: subprocess.Popen[bytes]) -> None:
    code = process.wait(END_S)
    if code:
        raise ContestError(f"it ended with code {code}")


def _tail(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return "".join(f"\n  | {line}" for line in lines[-_SHOWN_LINES:])
