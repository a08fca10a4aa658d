"""Opens the store, embedded or a server, and hands each thread its own clients."""

from __future__ import annotations

import logging
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

import clickhouse_connect

from inferometer.clickhouse.databases import make_database
from inferometer.clickhouse.folder_lock import FolderLock
from inferometer.clickhouse.memory_file import MemoryFile
from inferometer.clickhouse.orphan_tokens import revoke_orphan_tokens
from inferometer.clickhouse.patience import Patience
from inferometer.clickhouse.refusals import store_errors
from inferometer.errors import ConfigError, StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from clickhouse_connect.driver.client import Client

    from inferometer.clickhouse.settings import StoreSettings

ENGINE_FOLDER = "clickhouse"
"""Where inside the data folder the embedded engine lives; lock and socket lie beside it."""

CONNECT_TIMEOUT_S = 5
"""Twice this at most, since a connection is tried once more."""
ANSWER_TIMEOUT_S = 60
"""For questions and definitions; a server that works on a long one says so every 55 s."""
LONG_ANSWER_TIMEOUT_S = 900
"""For the questions of people and audits, which no pipeline waits for."""
HTTPS_PORT = 8443
HTTP_PORT = 8123

logger = logging.getLogger(__name__)


class StoreConnection:
    """An open store.

    Threads share the connection and never a client: one embedded client serialises its callers.
    Readers are apart, because a client that was once told to be read-only stays so.
    """

    def __init__(
        self, settings: StoreSettings, *, create: bool = True, answer_timeout_s: int | None = None
    ) -> None:
        """Open the store; with `create`, make folder and database where they are missing.

        Raises ConfigError for settings that cannot work, StoreError when the store cannot be had.
        """
        problems = settings.problems()
        if problems:
            raise ConfigError([f"store.{problem}" for problem in problems])
        self.settings = settings
        otherwise = ANSWER_TIMEOUT_S if create else LONG_ANSWER_TIMEOUT_S
        self._answer_timeout_s = answer_timeout_s or otherwise
        self.patience = Patience()
        """With inserts, whose outcome is unknown without an answer."""
        # The driver would copy the rows, write them to a file on disk and take that away again:
        # 0.5 of 2.5 us of CPU a row of the log.
        self.memory_file = (
            MemoryFile() if settings.is_embedded and MemoryFile.is_possible() else None
        )
        """Where rows are put for the embedded engine to insert."""
        self._local = threading.local()
        self._clients: list[Client] = []
        self._clients_lock = threading.Lock()
        self._is_closed = False
        self._folder_lock = _take_folder(settings, create=create)
        try:
            if settings.data_dir is not None:
                _revoke_orphans(settings.data_dir)
            if create:
                self._create_database()
        except BaseException:
            self.close()
            raise

    def client(self) -> Client:
        """Return this thread's client for writing. Raises StoreError."""
        return self._of_this_thread("writer", {})

    def reader(self) -> Client:
        """Return this thread's client for reading; it refuses to write. Raises StoreError."""
        # 2 and not 1: the latter forbids the settings that an answer's format needs.
        return self._of_this_thread("reader", {"readonly": "2"})

    def new_reader(self) -> Client:
        """Return a client like `reader` that belongs to no thread; the caller closes it.

        For an answer that is read in pieces by several threads. Raises StoreError.
        """
        if self._is_closed:
            raise StoreError(f"the store at {self.settings.place} is closed", retryable=False)
        return self._open_client(self.settings.database, {"readonly": "2"})

    def close(self) -> None:
        """Close every client of every thread, and let the folder go; safe to call twice."""
        self._is_closed = True
        with self._clients_lock:
            clients, self._clients = self._clients, []
        for client in clients:
            client.close()
        if self.memory_file is not None:
            self.memory_file.close()
        if self._folder_lock is not None:
            self._folder_lock.release()

    @contextmanager
    def errors(self) -> Iterator[None]:
        """Raise StoreError for whatever the client library raises inside.

        Embedded, this thread's clients are closed then: one whose question ran out of memory
        answers its next question with no rows and no error, which would pass for "never seen".
        """
        try:
            with store_errors(self.settings.place):
                yield
        except StoreError:
            if self.settings.is_embedded:
                self.close_of_this_thread()
            raise

    def close_of_this_thread(self) -> None:
        """Close the calling thread's clients; for threads that end before the store does."""
        for kind in ("writer", "reader"):
            client = self._local.__dict__.pop(kind, None)
            if client is not None:
                with self._clients_lock:
                    if client in self._clients:
                        self._clients.remove(client)
                client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _of_this_thread(self, kind: str, session: dict[str, str]) -> Client:
        if self._is_closed:
            raise StoreError(f"the store at {self.settings.place} is closed", retryable=False)
        known: Client | None = self._local.__dict__.get(kind)
        if known is None:
            known = self._open_client(self.settings.database, session)
            self._local.__dict__[kind] = known
            with self._clients_lock:
                self._clients.append(known)
        return known

    def _open_client(self, database: str | None, session: dict[str, str]) -> Client:
        with store_errors(self.settings.place):
            return clickhouse_connect.get_client(
                database=database,
                settings=session,
                **_target(self.settings, self._answer_timeout_s),
            )

    def _create_database(self) -> None:
        # By a client of its own: one that starts in a database must find it.
        client = self._open_client(None, {})
        try:
            with store_errors(self.settings.place):
                make_database(client, self.settings)
        finally:
            client.close()


def _take_folder(settings: StoreSettings, *, create: bool) -> FolderLock | None:
    if settings.data_dir is None:
        return None
    if create:
        try:
            settings.data_dir.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(
                f"cannot make {settings.data_dir} ({error.strerror}); choose another --data",
                retryable=False,
            ) from error
    elif not (settings.data_dir / ENGINE_FOLDER).is_dir():
        raise StoreError(
            f"no store in {settings.data_dir}; `inferometer demo --data {settings.data_dir}` or "
            "`inferometer migrate` makes one",
            retryable=False,
        )
    return FolderLock(settings.data_dir)


def _revoke_orphans(folder: Path) -> None:
    for orphan in revoke_orphan_tokens(folder / ENGINE_FOLDER):
        logger.warning(
            "the store was killed within an insert into %s: its token is free again, because part "
            "%s was never finished",
            orphan.table,
            orphan.part,
        )


def _target(settings: StoreSettings, answer_timeout_s: int) -> dict[str, Any]:
    if settings.data_dir is not None:
        return {"interface": "chdb", "path": str((settings.data_dir / ENGINE_FOLDER).resolve())}
    parts = urlsplit(settings.url)
    return {
        "interface": parts.scheme,
        "host": parts.hostname,
        "port": parts.port or (HTTPS_PORT if parts.scheme == "https" else HTTP_PORT),
        "username": settings.user,
        "password": settings.password,
        # A session of its own would tie every query of the client to one server, one at a time.
        "autogenerate_session_id": False,
        "connect_timeout": CONNECT_TIMEOUT_S,
        "send_receive_timeout": answer_timeout_s,
    }
