"""The owner of an embedded folder answers the read-only queries of other processes.

The embedded engine takes a folder for one process only, so that process listens on a Unix socket;
`inferometer.clickhouse.asking` is the other end and says what travels.
"""

from __future__ import annotations

import json
import socket
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Self

from inferometer.clickhouse.answers import Format, answer
from inferometer.clickhouse.asking import (
    DATA_FRAME,
    END_FRAME,
    ERROR_FRAME,
    FRAME_HEADER,
    socket_path,
)
from inferometer.errors import PipelineError, StoreError

if TYPE_CHECKING:
    from inferometer.clickhouse.connect import StoreConnection

MAX_REQUEST_BYTES = 1 << 20
REQUEST_TIMEOUT_S = 10.0
ANSWER_TIMEOUT_S = 300.0
"""How long an asker may leave its answer unread, before its place goes to another."""
MAX_ASKERS = 4
"""Answers at a time; more wait, so that askers cannot take the pipeline's processor."""


class FolderOwner:
    """Listens from `start` to `close` in threads of its own; reads only."""

    def __init__(self, connection: StoreConnection) -> None:
        """Answer for an open embedded store. Raises StoreError where it is a server."""
        folder = connection.settings.data_dir
        if folder is None:
            raise StoreError("only the owner of an embedded folder answers for it", retryable=False)
        self._connection = connection
        self._path = socket_path(folder)
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._slots = threading.BoundedSemaphore(MAX_ASKERS)
        self._askers: dict[threading.Thread, socket.socket] = {}
        self._askers_lock = threading.Lock()
        self._accepting = threading.Thread(target=self._accept, name="folder-owner", daemon=True)

    def start(self) -> Self:
        """Begin to listen. Raises StoreError when the socket cannot be made."""
        try:
            # Whoever holds the folder's lock owns its socket: one that is there was left behind.
            self._path.unlink(missing_ok=True)
            self._listener.bind(str(self._path))
            # Before listen, so that nobody connects while the mode is still open.
            self._path.chmod(0o600)
            self._listener.listen(MAX_ASKERS * 4)
        except OSError as error:
            self._listener.close()
            raise StoreError(
                f"cannot listen on {self._path} ({error.strerror}); other processes cannot query "
                "this folder",
                retryable=False,
            ) from error
        self._accepting.start()
        return self

    def close(self) -> None:
        """Stop listening, end the answers that are under way, and remove the socket."""
        if not self._accepting.is_alive():
            return
        self._path.unlink(missing_ok=True)
        _shut(self._listener)
        self._accepting.join()
        with self._askers_lock:
            askers = dict(self._askers)
        for asker in askers.values():
            _shut(asker)
        for thread in askers:
            thread.join()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close()

    def _accept(self) -> None:
        while True:
            try:
                asker, _ = self._listener.accept()
            except OSError:
                self._listener.close()
                return
            thread = threading.Thread(target=self._serve, args=(asker,), daemon=True)
            with self._askers_lock:
                self._askers[thread] = asker
            thread.start()

    def _serve(self, asker: socket.socket) -> None:
        try:
            # An asker that goes away ends its own answer and nothing else.
            with self._slots, asker, suppress(OSError):
                self._reply(asker)
        finally:
            self._connection.close_of_this_thread()
            with self._askers_lock:
                self._askers.pop(threading.current_thread(), None)

    def _reply(self, asker: socket.socket) -> None:
        asker.settimeout(REQUEST_TIMEOUT_S)
        try:
            query, form = _read_request(asker)
            asker.settimeout(ANSWER_TIMEOUT_S)
            for piece in answer(self._connection, query, form):
                asker.sendall(FRAME_HEADER.pack(DATA_FRAME, len(piece)) + piece)
        except PipelineError as error:
            message = str(error).encode()
            asker.sendall(FRAME_HEADER.pack(ERROR_FRAME, len(message)) + message)
        else:
            asker.sendall(FRAME_HEADER.pack(END_FRAME, 0))


def _read_request(asker: socket.socket) -> tuple[str, Format]:
    with asker.makefile("rb") as stream:
        line = stream.readline(MAX_REQUEST_BYTES + 1)
    try:
        request = json.loads(line)
        return str(request["query"]), Format(request["format"])
    except (KeyError, TypeError, ValueError) as error:
        raise StoreError(
            f"a request must be one line of JSON with query and format, at most "
            f"{MAX_REQUEST_BYTES} bytes",
            retryable=False,
        ) from error


def _shut(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
