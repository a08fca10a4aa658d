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
            raise _unusable(folder, error) from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(self._file, 0)
            os.write(self._file, str(os.getpid()).encode())
        except BlockingIOError as error:
            self.release()
            raise StoreError(
                f"{folder} is open in {_holder(self._path)}; wait for it, stop it, or choose "
                "another --data",
                retryable=False,
            ) from error
        except OSError as error:
            self.release()
            raise _unusable(folder, error) from error

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
        file = os.open(folder / LOCK_FILE, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        # Shared, so that those who only look do not take each other for the owner.
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(file)
    return False


def _unusable(folder: Path, error: OSError) -> StoreError:
    return StoreError(
        f"cannot write to {folder} ({error.strerror}); choose another --data", retryable=False
    )


def _holder(path: Path) -> str:
    pid = path.read_text(encoding="utf-8").strip()
    return f"process {pid}" if pid else "another process"
