"""One folder a process inside the spool: claimed by a lock that the system frees with the process."""

from __future__ import annotations

import fcntl
import os
from typing import TYPE_CHECKING

from inferometer.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LOCK_FILE = "lock"
SEGMENT_SUFFIX = ".segment"
_MAX_SLOTS = 4096


class Slot:
    """A folder that this process alone writes to and reads from."""

    def __init__(self, folder: Path, lock: int) -> None:
        self.folder = folder
        self._lock = lock

    def release(self) -> None:
        """Let the folder go; the file stays, since removing it would race with the next owner.

        In a forked child this leaves the lock with the parent.
        """
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1


def claim(root: Path) -> Slot:
    """Claim the first folder that nobody holds; what a dead process left there comes with it.

    Raises ConfigError where the spool cannot be written.
    """
    try:
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        for number in range(_MAX_SLOTS):
            if slot := _lock(root / str(number)):
                return slot
    except OSError as error:
        raise ConfigError(
            [f"spool_dir: cannot write to {root} ({error.strerror}); choose another folder"]
        ) from error
    raise ConfigError([f"spool_dir: {_MAX_SLOTS} processes spool to {root}; choose another folder"])


def abandoned(root: Path) -> Iterator[Slot]:
    """Claim every folder that holds segments and that nobody holds."""
    for folder in sorted(root.iterdir()):
        if folder.name.isdecimal() and _has_segments(folder) and (slot := _lock(folder)):
            if _has_segments(folder):
                yield slot
            else:
                slot.release()


def _has_segments(folder: Path) -> bool:
    return next(folder.glob(f"*{SEGMENT_SUFFIX}"), None) is not None


def _lock(folder: Path) -> Slot | None:
    folder.mkdir(mode=0o700, exist_ok=True)
    lock = os.open(folder / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    except OSError:
        os.close(lock)
        raise
    os.ftruncate(lock, 0)
    os.write(lock, str(os.getpid()).encode())
    return Slot(folder, lock)
