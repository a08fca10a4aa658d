"""CPU time and memory of a process and all its descendants, read from Linux's /proc."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
_TICKS = os.sysconf("SC_CLK_TCK")
_KIBIBYTE = 1024
# Places in /proc/PID/stat behind the name, which may hold blanks: parent, then four clocks.
_PARENT, _USER, _SYSTEM, _CHILDREN_USER, _CHILDREN_SYSTEM = 1, 11, 12, 13, 14


@dataclass(frozen=True, slots=True)
class TreeMark:
    """An instant of a process tree."""

    user_s: float
    system_s: float
    wall_s: float
    peak_rss_bytes: int
    """The sum of each living process's own peak."""
    machine_busy_s: float
    """CPU time of everything on this machine since it started."""

    @property
    def cpu_s(self) -> float:
        """User and system time."""
        return self.user_s + self.system_s


def is_measurable() -> bool:
    """Say whether this system has what is read here."""
    return (_PROC / "self" / "stat").is_file()


def take_mark(root: int) -> TreeMark:
    """Take the mark of a process and its descendants; of those that ended, if they were waited for.

    Resolution is one tick of the system, 10 ms on most.
    """
    wall_s = time.monotonic()
    stats = _all_stats()
    user = system = peak = 0
    for pid in _tree(root, stats):
        fields = stats[pid]
        user += int(fields[_USER]) + int(fields[_CHILDREN_USER])
        system += int(fields[_SYSTEM]) + int(fields[_CHILDREN_SYSTEM])
        peak += _peak_rss_bytes(pid)
    return TreeMark(user / _TICKS, system / _TICKS, wall_s, peak, _machine_busy_s())


def descendants(root: int) -> list[int]:
    """Return the ids of a process and all its descendants."""
    return _tree(root, _all_stats())


def _all_stats() -> dict[int, list[str]]:
    found = {}
    for folder in _PROC.iterdir():
        if folder.name.isdigit():
            try:
                text = (folder / "stat").read_text()
            except (FileNotFoundError, ProcessLookupError):
                continue
            found[int(folder.name)] = text.rpartition(")")[2].split()
    return found


def _tree(root: int, stats: dict[int, list[str]]) -> list[int]:
    children: dict[int, list[int]] = {}
    for pid, fields in stats.items():
        children.setdefault(int(fields[_PARENT]), []).append(pid)
    found, waiting = [], [root] if root in stats else []
    while waiting:
        pid = waiting.pop()
        found.append(pid)
        waiting += children.get(pid, [])
    return found


def _peak_rss_bytes(pid: int) -> int:
    try:
        lines = (_PROC / str(pid) / "status").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    for line in lines:
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * _KIBIBYTE
    return 0


def _machine_busy_s() -> float:
    # user, nice, system, idle, iowait, irq, softirq, steal
    fields = [int(part) for part in (_PROC / "stat").read_text().split("\n", 1)[0].split()[1:9]]
    return (sum(fields) - fields[3] - fields[4]) / _TICKS
