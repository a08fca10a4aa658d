"""Runs one request on the embedded engine, on a handle of its own.

A handle carries state: its database, its settings, and a `readonly` that can never be taken back.
Opening one costs less than a tenth of a millisecond, so no request ever sees the state of another.
"""

from __future__ import annotations

import os
import re
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import chdb

from inferometer.clickhouse.http_server.refusals import Refusal
from inferometer.clickhouse.http_server.statements import Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from typing import Any

    from inferometer.clickhouse.http_server.requests import StoreRequest

STREAMED_FORMATS = frozenset(
    {"Native", "TabSeparated", "TSV", "CSV", "RowBinary", "JSONEachRow", "JSONCompactEachRow"}
)
"""Formats without head or foot: the engine hands out blocks, each written as a whole answer."""

UNKNOWN_SETTING = 115
_SETTING_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a statement gave, complete."""

    body: bytes
    summary: dict[str, str]


class Engine:
    """The engine of one folder; every thread may call it."""

    def __init__(self, folder: Path) -> None:
        """Open the engine and keep it open. Raises Refusal."""
        self._path = str(folder.resolve())
        self.version = ""
        self._keeper = self._open()
        with self._refusals():
            found = self._keeper.query("SELECT version(), timezone()", "TabSeparated").bytes()
        self.version, self.timezone = found.decode().strip().split("\t")

    def cancel_statements(self) -> None:
        """Have whatever still runs end with an error. Raises Refusal."""
        with self._refusals():
            self._keeper.query("KILL QUERY WHERE query NOT LIKE 'KILL %' ASYNC", "TabSeparated")

    def close(self) -> None:
        """Let the engine go; no request may be running."""
        self._keeper.close()

    def run(self, request: StoreRequest) -> Answer:
        """Run a statement to its end. Raises Refusal."""
        with self._handle(request) as handle:
            if request.statement.kind is Kind.INSERT:
                return self._insert(handle, request)
            result = self._query(handle, request)
            return Answer(result.bytes() or b"", _summary(result, "read"))

    def stream(self, request: StoreRequest, take: Callable[[bytes], None]) -> None:
        """Hand an answer over block by block. Raises Refusal, also after some blocks."""
        with self._handle(request) as handle:
            with self._refusals():
                pieces = handle.send_query(
                    request.statement.text, request.output_format, params=request.parameters
                )
            try:
                while (piece := self._next(pieces)) is not None:
                    if piece:
                        take(piece)
            finally:
                pieces.close()

    def _next(self, pieces: Any) -> bytes | None:
        with self._refusals():
            try:
                return next(pieces).bytes() or b""
            except StopIteration:
                return None

    def _insert(self, handle: Any, request: StoreRequest) -> Answer:
        with _memory_file(request.data) as path, self._refusals():
            result = handle.query(
                request.statement.from_file(path), "TabSeparated", params=request.parameters
            )
        return Answer(b"", _summary(result, "written"))

    def _query(self, handle: Any, request: StoreRequest) -> Any:
        with self._refusals():
            return handle.query(
                request.statement.text, request.output_format, params=request.parameters
            )

    @contextmanager
    def _handle(self, request: StoreRequest) -> Iterator[Any]:
        handle = self._open()
        try:
            with self._refusals():
                for statement in _preparations(request):
                    handle.query(statement, "TabSeparated")
            yield handle
        finally:
            handle.close()

    def _open(self) -> Any:
        with self._refusals():
            return chdb.connect(self._path)

    @contextmanager
    def _refusals(self) -> Iterator[None]:
        try:
            yield
        except (chdb.ChdbError, RuntimeError, ValueError) as error:
            raise Refusal.of_engine(error, self.version) from error


def _preparations(request: StoreRequest) -> Iterator[str]:
    if request.database:
        yield f"USE {_quoted(request.database, '`')}"
    settings = dict(request.settings)
    # Last and apart: with 1, no setting can be changed after it.
    readonly = settings.pop("readonly", None)
    for name in settings:
        if not _SETTING_NAME.fullmatch(name):
            raise Refusal.of_interface(UNKNOWN_SETTING, f"Unknown setting '{name}'")
    if settings:
        yield "SET " + ", ".join(f"{name} = {_quoted(settings[name])}" for name in settings)
    if readonly is not None:
        yield f"SET readonly = {_quoted(readonly)}"


def _quoted(text: str, quote: str = "'") -> str:
    escaped = text.replace("\\", "\\\\").replace(quote, "\\" + quote)
    return f"{quote}{escaped}{quote}"


@contextmanager
def _memory_file(data: memoryview) -> Iterator[str]:
    """Make bytes readable as a file; on Linux it never touches a disk."""
    if not hasattr(os, "memfd_create"):
        with tempfile.NamedTemporaryFile() as named:
            named.write(data)
            named.flush()
            yield named.name
        return
    with os.fdopen(os.memfd_create("insert", os.MFD_CLOEXEC), "wb") as unnamed:
        unnamed.write(data)
        unnamed.flush()
        yield f"/proc/self/fd/{unnamed.fileno()}"


def _summary(result: Any, direction: str) -> dict[str, str]:
    """Return the statistics under the names of the header X-ClickHouse-Summary."""
    return {
        f"{direction}_rows": str(result.rows_read()),
        f"{direction}_bytes": str(result.bytes_read()),
        "elapsed_ns": str(int(result.elapsed() * 1e9)),
    }
