"""A filled store behind its HTTP interface and `inferometer serve` before it, as processes."""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from inferometer.cli.main import main
from inferometer.clickhouse.connect import StoreConnection
from inferometer.clickhouse.settings import StoreSettings
from inferometer.clickhouse.store import ClickHouseChunkStore
from inferometer.kafka.local_broker import free_port
from tests.browser.asking import Asker
from tests.browser.data_set import DataSet, Sent, make_data_set
from tests.browser.filling import Sink, book_of, fill
from tests.browser.oracle import Oracle

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inferometer.core.price_book import PriceBook

MINUTE_S = 60
START_TIMEOUT_S = 300.0
STOP_TIMEOUT_S = 120.0
POLL_S = 0.1


class Process:
    """A command of ours that runs until it is told to stop, and can be started again."""

    def __init__(
        self, arguments: list[str], ready_url: str, log: Path, environ: dict[str, str]
    ) -> None:
        self._arguments, self._ready_url, self._log = arguments, ready_url, log
        self._environ = environ
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "inferometer", *self._arguments],
                stdout=log,
                stderr=log,
                env={**os.environ, **self._environ},
            )
        deadline = time.monotonic() + START_TIMEOUT_S
        while not _answers(self._ready_url):
            assert self._process.poll() is None, self.said()
            assert time.monotonic() < deadline, self.said()
            time.sleep(POLL_S)

    def stop(self) -> None:
        """End it as an operator would, and by force where it does not."""
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def freeze(self) -> None:
        """Stop it from running without ending it."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it run again."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def said(self) -> str:
        """Return what it has printed."""
        return self._log.read_text(encoding="utf-8", errors="replace")


def _answers(url: str) -> bool:
    with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=30) as answer:
        return bool(answer.status == 200)
    return False


@dataclass(frozen=True, slots=True)
class Tokens:
    """One for each kind of caller."""

    viewer: str = field(repr=False)
    """Of the workspace acme."""
    operator: str = field(repr=False)
    """Of the workspace acme."""
    other: str = field(repr=False)
    """A viewer of globex."""
    crowd: str = field(repr=False)
    """A viewer of the workspace with ten thousand callers."""
    everything: str = field(repr=False)
    """An admin of all workspaces."""
    short_lived: str = field(repr=False)
    """A viewer of acme that a test takes the token from."""


@dataclass(frozen=True, slots=True)
class World:
    """The seeded service."""

    url: str
    data_set: DataSet
    oracle: Oracle
    tokens: Tokens
    store: Process
    serve: Process
    store_url: str
    book: PriceBook
    next_offsets: dict[int, int]

    def receive(self, sent: list[Sent]) -> None:
        """Store more records while the store is served; the oracle hears of them."""
        instant = datetime.fromtimestamp(sent[0].arrival_us / 1e6, UTC)
        with StoreConnection(StoreSettings(url=self.store_url)) as connection:
            store = ClickHouseChunkStore(connection)
            Sink(store, self.book, instant, self.next_offsets).take(sent)
        self.data_set.sent.extend(sent)
        self.oracle.hear(sent)

    def as_(self, token: str) -> Asker:
        """Return somebody who asks with a token."""
        return Asker(self.url, token)

    @property
    def viewer(self) -> Asker:
        """Return a viewer of acme."""
        return self.as_(self.tokens.viewer)

    @property
    def admin(self) -> Asker:
        """Return an admin of all workspaces."""
        return self.as_(self.tokens.everything)


def last_minute_us() -> int:
    """Return the start of this minute: pages of the last minutes then have something to show."""
    return int(time.time()) // MINUTE_S * MINUTE_S * 1_000_000


def make_token(file: Path, name: str, role: str, workspace: str = "") -> str:
    """Return the text of a new token, made by the command that people use."""
    scope = ["--workspace", workspace] if workspace else []
    said, complained = io.StringIO(), io.StringIO()
    code = main(
        ["token", "create", name, "--role", role, *scope, "--tokens", str(file)],
        io.StringIO(),
        said,
        complained,
        {},
    )
    assert code == 0, complained.getvalue()
    (token,) = [word for word in said.getvalue().split() if word.startswith("imt_")]
    return token


@dataclass(frozen=True, slots=True)
class _Filled:
    """A filled folder: until when its data goes, how far its partitions are, who may look."""

    end_us: int
    next_offsets: dict[int, int]
    tokens: dict[str, str]


def _filled(folder: Path, data_set: DataSet, book: PriceBook, *, has_alerts: bool) -> _Filled:
    with StoreConnection(StoreSettings(data_dir=folder / "data")) as connection:
        next_offsets = fill(connection, data_set, book, has_alerts=has_alerts)
    file = folder / "tokens.json"
    tokens = {
        kind: make_token(file, f"{kind} of {workspace or 'all'}", role, workspace)
        for kind, role, workspace in (
            ("viewer", "viewer", "acme"),
            ("operator", "operator", "acme"),
            ("other", "viewer", "globex"),
            ("crowd", "viewer", "crowd"),
            ("everything", "admin", ""),
            ("short_lived", "viewer", "acme"),
        )
    }
    return _Filled(data_set.end_us, next_offsets, tokens)


@contextlib.contextmanager
def seeded_world(
    folder: Path, *, port: int = 0, data_set: DataSet | None = None
) -> Iterator[World]:
    """Fill a store in a folder and serve it until the block ends; a filled one is served again.

    Who brings a data set of their own brings the alerts of it too.
    """
    kept = folder / "filled.json"
    known = json.loads(kept.read_text(encoding="utf-8")) if kept.is_file() else {}
    has_alerts = data_set is None
    data_set = data_set or make_data_set(known.get("end_us") or last_minute_us())
    book = book_of(folder)
    if known:
        offsets = {int(key): offset for key, offset in known["next_offsets"].items()}
        filled = _Filled(known["end_us"], offsets, known["tokens"])
    else:
        filled = _filled(folder, data_set, book, has_alerts=has_alerts)
        kept.write_text(json.dumps(asdict(filled)), encoding="utf-8")
    environ = {
        "INFEROMETER_WEB_TOKENS_FILE": str(folder / "tokens.json"),
        # A test asks faster than any person.
        "INFEROMETER_WEB_REQUESTS_PER_S": "10000",
        "INFEROMETER_WEB_REQUESTS_BURST": "100000",
    }
    store_port, web_port = free_port(), port or free_port()
    store_url, url = f"http://127.0.0.1:{store_port}", f"http://127.0.0.1:{web_port}"
    store = Process(
        ["dev", "store", "--port", str(store_port), "--data", str(folder / "data")],
        f"{store_url}/ping",
        folder / "store.log",
        {},
    )
    serve = Process(
        ["serve", "--store", store_url, "--port", str(web_port)],
        f"{url}/healthz",
        folder / "serve.log",
        environ,
    )
    try:
        store.start()
        serve.start()
        oracle = Oracle(data_set.events)
        tokens, offsets = Tokens(**filled.tokens), filled.next_offsets
        yield World(url, data_set, oracle, tokens, store, serve, store_url, book, offsets)
    finally:
        serve.stop()
        store.stop()
