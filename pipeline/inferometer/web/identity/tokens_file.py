"""Where tokens are kept: a file that others may change meanwhile, or memory for one run.

The file is replaced whole, never written in place, so a reader sees the old one or the new one.
Whoever changes it holds a lock beside it, so that two commands do not undo each other's work.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import orjson

from inferometer.errors import StateError
from inferometer.web.identity.token_records import TokenRecord, record_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FORMAT = "inferometer.tokens.v1"
MAX_FILE_BYTES = 16 * 1024 * 1024
FILE_MODE = 0o600
WRITABLE_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH

Records = tuple[TokenRecord, ...]


class TokenStorage(Protocol):
    """Keeps the records of tokens. Calls block shortly, and may come from several threads."""

    def load(self) -> Records:
        """Return what is kept now. Raises StateError where it cannot be known or trusted."""

    def change(self, edit: Callable[[Records], Records]) -> None:
        """Replace what is kept by what `edit` makes of it; what it raises leaves all as it was."""


class MemoryTokens:
    """Tokens of one run; implements TokenStorage."""

    def __init__(self, records: Records = ()) -> None:
        self._records = records
        self._lock = threading.Lock()

    def load(self) -> Records:
        """Return what is kept now."""
        return self._records

    def change(self, edit: Callable[[Records], Records]) -> None:
        """Replace what is kept."""
        with self._lock:
            self._records = edit(self._records)


class TokensFile:
    """Tokens in a file, read again once it has changed; implements TokenStorage.

    A file that cannot be read or trusted opens nothing: who may not be known, may not enter.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._stamp: tuple[int, ...] | None = None
        self._records: Records = ()

    def load(self) -> Records:
        """Return what the file holds now; nothing where there is none. Raises StateError."""
        with self._lock:
            try:
                stamp = _stamp(self._path.stat())
            except FileNotFoundError:
                self._stamp, self._records = None, ()
                return ()
            except OSError as error:
                raise self._unreadable(error) from error
            if stamp != self._stamp:
                # The stamp is that of the file that was read: it may be replaced in between.
                self._records, self._stamp = self._read()
            return self._records

    def change(self, edit: Callable[[Records], Records]) -> None:
        """Replace what the file holds, and return once it is on disk. Raises StateError."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with _locked(self._path.with_name(f"{self._path.name}.lock")):
                self._write(edit(self.load()))
        except OSError as error:
            raise StateError(
                f"the tokens file {self._path} cannot be written ({error.strerror}); give its "
                "folder to the user that runs this, or name another by web.tokens_file"
            ) from error

    def _read(self) -> tuple[Records, tuple[int, ...]]:
        try:
            with self._path.open("rb") as file:
                state = os.fstat(file.fileno())
                self._check_owner(state)
                text = file.read(MAX_FILE_BYTES + 1)
        except OSError as error:
            raise self._unreadable(error) from error
        try:
            return _parsed(text), _stamp(state)
        except (ValueError, KeyError, TypeError, StateError) as error:
            raise StateError(
                f"the tokens file {self._path} is damaged ({error}), so nobody can be let in; "
                "restore it, or remove it and make tokens with `inferometer token create`"
            ) from error

    def _check_owner(self, state: os.stat_result) -> None:
        if state.st_mode & WRITABLE_BY_OTHERS:
            raise StateError(
                f"the tokens file {self._path} can be changed by other users (mode "
                f"{stat.S_IMODE(state.st_mode):o}), so it is not believed; run: chmod 600 {self._path}"
            )
        if state.st_uid not in {os.geteuid(), 0}:
            raise StateError(
                f"the tokens file {self._path} belongs to another user (uid {state.st_uid}), so it "
                "is not believed; change its owner"
            )

    def _write(self, records: Records) -> None:
        text = orjson.dumps(
            {"format": FORMAT, "tokens": [record.to_json() for record in records]},
            option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE,
        )
        # Made with mode 600, so that nobody reads what is not finished.
        number, name = tempfile.mkstemp(prefix=f".{self._path.name}.", dir=self._path.parent)
        try:
            with os.fdopen(number, "wb") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(self._path)
        except BaseException:
            with contextlib.suppress(OSError):
                Path(name).unlink()
            raise
        _sync_folder(self._path.parent)

    def _unreadable(self, error: OSError) -> StateError:
        return StateError(
            f"the tokens file {self._path} cannot be read ({error.strerror}), so nobody can be let "
            "in; make it readable for the user that runs this"
        )


def _parsed(text: bytes) -> Records:
    raw = orjson.loads(text)
    if raw["format"] != FORMAT or len(text) > MAX_FILE_BYTES:
        raise ValueError(f"its format is not {FORMAT}")
    return tuple(record_of(each) for each in raw["tokens"])


def _stamp(state: os.stat_result) -> tuple[int, ...]:
    # With owner and mode, so that a file that became open to others is looked at again.
    return (
        state.st_mtime_ns, state.st_ctime_ns, state.st_size, state.st_ino, state.st_mode,
        state.st_uid,
    )  # fmt: skip


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    number = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
    try:
        fcntl.flock(number, fcntl.LOCK_EX)
        yield
    finally:
        os.close(number)


def _sync_folder(folder: Path) -> None:
    number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
