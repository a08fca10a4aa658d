"""Asks a store one read-only question, through the owner of the folder where there is one.

What travels on the owner's socket: a request is one line of JSON; the answer is frames of a kind
(one byte), a length (four bytes, big endian) and a body: data, then an end or an error, so that an
answer that was cut off is never taken for whole.
"""

from __future__ import annotations

import hashlib
import json
import os
import socket
import struct
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from inferometer.clickhouse.answers import Format, answer
from inferometer.clickhouse.connect import StoreConnection
from inferometer.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inferometer.clickhouse.settings import StoreSettings

SOCKET_FILE = "owner.sock"
MAX_SOCKET_PATH_BYTES = 100
"""Systems allow 103 to 107; a deeper folder gets a socket in the folder for temporary files."""

FRAME_HEADER = struct.Struct(">cI")
DATA_FRAME = b"D"
END_FRAME = b"E"
ERROR_FRAME = b"X"


def ask_store(settings: StoreSettings, query: str, form: Format) -> Iterator[bytes]:
    """Yield the answer in pieces: from the owner of the folder, else from the store itself.

    Raises StoreError, also while the answer is read, and where the folder's owner does not answer.
    """
    if settings.data_dir is not None:
        asked = ask_owner(settings.data_dir, query, form)
        if asked is not None:
            yield from asked
            return
    with StoreConnection(settings, create=False) as connection:
        yield from answer(connection, query, form)


def socket_path(folder: Path) -> Path:
    """Return where the owner of a folder listens."""
    whole = folder.resolve()
    path = whole / SOCKET_FILE
    if len(os.fsencode(path)) <= MAX_SOCKET_PATH_BYTES:
        return path
    digest = hashlib.sha256(os.fsencode(whole)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"inferometer-{os.getuid()}-{digest}.sock"


def ask_owner(folder: Path, query: str, form: Format) -> Iterator[bytes] | None:
    """Let the owner of a folder answer; None where nobody listens.

    Raises StoreError, also while the answer is read.
    """
    path = socket_path(folder)
    asker = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        # Folders for temporary files are shared: only a socket of the same user is believed.
        if path.stat().st_uid != os.getuid():
            asker.close()
            raise StoreError(f"{path} belongs to another user; remove it", retryable=False)
        asker.connect(str(path))
    except (FileNotFoundError, ConnectionRefusedError):
        asker.close()
        return None
    except OSError as error:
        asker.close()
        raise StoreError(f"cannot ask {path}: {error.strerror}", retryable=False) from error
    return _read_answer(asker, query, form)


def _read_answer(asker: socket.socket, query: str, form: Format) -> Iterator[bytes]:
    try:
        with asker, asker.makefile("rb") as stream:
            asker.sendall(json.dumps({"query": query, "format": form.value}).encode() + b"\n")
            while True:
                header = stream.read(FRAME_HEADER.size)
                kind, length = (
                    FRAME_HEADER.unpack(header) if len(header) == FRAME_HEADER.size else (b"", 0)
                )
                body = stream.read(length)
                if len(body) < length or kind not in {DATA_FRAME, END_FRAME, ERROR_FRAME}:
                    raise StoreError(
                        "the owner of the folder stopped in the middle of the answer; try again",
                        retryable=True,
                    )
                if kind == END_FRAME:
                    return
                if kind == ERROR_FRAME:
                    raise StoreError(body.decode(), retryable=False)
                yield body
    except OSError as error:
        raise StoreError(
            f"the owner of the folder went away ({error.strerror}); try again", retryable=True
        ) from error
