"""What a worker of the harness did, line by line, in a file that survives its kill -9."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

START = "start"
INTENT = "intent"
"""A chunk was begun: its intent is committed to the group."""
DONE = "done"
"""The group's offset passed a chunk; `first` is the offset committed."""
FENCED = "fenced"
INSERT = "insert"
"""An insert begins; `detail` is the table."""
STORED = "stored"
FAILED = "failed"
"""An insert was refused or lost its answer; `detail` is the table."""
TAKEN = "taken"
"""A partition was assigned: the store was asked how far it is."""
DYING = "dying"
"""The worker is about to kill itself; `detail` is the step."""
STOPPED = "stopped"

_TAIL_BYTES = 200
_RECENT_S = 1.0


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that a worker did."""

    at_s: float
    """On the machine's monotonic clock, which all processes share."""
    kind: str
    partition: int
    first: int
    last: int
    detail: str


class Trace:
    """Appends lines; each is with the system before the next step is taken."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def write(
        self, kind: str, partition: int = -1, first: int = -1, last: int = -1, detail: str = "-"
    ) -> None:
        """Append one line."""
        line = f"{time.monotonic():.6f} {kind} {partition} {first} {last} {detail}\n"
        os.write(self._file, line.encode())


def read_trace(path: Path) -> Iterator[Line]:
    """Yield the lines of a trace; a last one that was cut off is left out."""
    for text in path.read_bytes().split(b"\n")[:-1]:
        at_s, kind, partition, first, last, detail = text.decode().split(" ", 5)
        yield Line(float(at_s), kind, int(partition), int(first), int(last), detail)


def is_at_work(path: Path) -> bool:
    """Return whether the newest lines show an insert that has not returned, or just has."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - _TAIL_BYTES))
            lines = file.read().split(b"\n")
    except OSError:
        return False
    if len(lines) < 2:
        return False
    at_s, _, kind = lines[-2].partition(b" ")
    kinds = (INSERT.encode(), STORED.encode(), INTENT.encode())
    return kind.startswith(kinds) and time.monotonic() - float(at_s) < _RECENT_S
