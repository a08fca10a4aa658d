"""One owner a data folder: the embedded engine takes a folder for one process only."""

from __future__ import annotations

import fcntl
import os
from typing import TYPE_CHECKING, Self

from inferometer.errors import StoreError

if TYPE_CHECKING:
    from pathlib import Path

LOCK_FILE = "owner.lock"


class FolderLock:
    """An exclusive lock on a folder; the system lets it go when the process ends, however it does."""

    def __init__(self, folder: Path) -> None:
        """Take the lock. Raises StoreError when another holder has it."""
        self._path = folder / LOCK_FILE
        try:
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StoreError(
                f"cannot write to {folder} ({error.strerror}); choose another --data",
                retryable=False,
            ) from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._file)
            raise StoreError(
                f"{folder} is open in {_holder(self._path)}; wait for it, stop it, or choose "
                "another --data",
                retryable=False,
            ) from error
        os.ftruncate(self._file, 0)
        os.write(self._file, str(os.getpid()).encode())

    def release(self) -> None:
        """Let the folder go; the file stays, since removing it would race with the next owner."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def is_owned(folder: Path) -> bool:
    """Say whether somebody holds the folder; the answer may be old by the time it is read."""
    try:
        FolderLock(folder).release()
    except StoreError:
        return True
    return False


def _holder(path: Path) -> str:
    pid = path.read_text(encoding="utf-8").strip()
    return f"process {pid}" if pid else "another process"
