"""A store that answers 500, hangs, or closes the connection: the retry is stored, and once only."""

from __future__ import annotations

import asyncio
import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
from aiohttp import web

from inferometer.clickhouse.connect import StoreConnection
from inferometer.clickhouse.http_server.background import BackgroundServer
from inferometer.clickhouse.http_server.server import HttpStoreServer
from inferometer.clickhouse.patience import Patience
from inferometer.clickhouse.settings import StoreSettings
from inferometer.clickhouse.store import ClickHouseChunkStore
from inferometer.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

HANGS_AT_MOST_S = 60.0
PATIENCE_S = 3.0
"""Of what hangs; doubled, it leaves room for a machine that stands still while all is well."""
LONG_S = 60.0

TABLE = """CREATE TABLE IF NOT EXISTS t (a Int64) ENGINE = MergeTree ORDER BY a
SETTINGS non_replicated_deduplication_window = 100"""


@dataclass
class Faults:
    """What happens to the inserts to come; everything else passes."""

    kind: str = ""
    left: int = 0
    given_up: int = 0
    """Hanging inserts whose client went away."""
    patience: Patience | None = None
    takes_s: float = math.inf
    """What hangs answers a client that would wait for so long."""

    def happen(self, kind: str, times: int = 1) -> None:
        self.kind, self.left, self.given_up = kind, times, 0
        self.patience, self.takes_s = None, math.inf

    async def handle(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if not self.left or "INSERT" not in request.query.get("query", ""):
            return await handler(request)
        self.left -= 1
        if self.kind.startswith("committed"):
            response = await handler(request)
        else:
            await request.read()
            response = web.Response(status=500, text="not now")
        if self.kind.endswith("hang"):
            await self._hang(request)
        if self.kind.endswith("close") and request.transport is not None:
            request.transport.abort()
        return response

    async def _hang(self, request: web.Request) -> None:
        """Wait until the client has gone away; a patient one is answered."""
        if self.patience is not None and self.patience.seconds >= self.takes_s:
            return
        async with asyncio.timeout(HANGS_AT_MOST_S):
            while request.transport is not None and not request.transport.is_closing():  # noqa: ASYNC110 - a client that leaves sets no event
                await asyncio.sleep(0.02)
        self.given_up += 1


@pytest.fixture(scope="module")
def faults() -> Faults:
    return Faults()


@pytest.fixture(scope="module")
def url(faults: Faults, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    @web.middleware
    async def faulty(request: web.Request, handler: Handler) -> web.StreamResponse:
        return await faults.handle(request, handler)

    with (
        StoreConnection(StoreSettings(data_dir=tmp_path_factory.mktemp("store"))) as connection,
        BackgroundServer(lambda: HttpStoreServer(connection, middlewares=[faulty])) as server,
    ):
        yield server.url


@pytest.fixture
def connection(url: str, faults: Faults) -> Iterator[StoreConnection]:
    """Reach an empty table, with little patience."""
    faults.left = 0
    with StoreConnection(StoreSettings(url=url)) as opened:
        opened.patience = Patience(first_s=PATIENCE_S, longest_s=4 * PATIENCE_S)
        opened.client().command(TABLE)
        opened.client().command("TRUNCATE TABLE t")
        yield opened


def insert(connection: StoreConnection) -> None:
    ClickHouseChunkStore(connection).insert(table="t", rows=pa.table({"a": [1]}), token="t")


def insert_until_it_is_stored(connection: StoreConnection) -> int:
    """Retry as a worker does; return how many times it failed."""
    for failures in range(10):
        try:
            insert(connection)
        except StoreError as error:
            if not error.retryable:
                raise
        else:
            return failures
    raise AssertionError("never stored")


def until(is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + LONG_S
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.02)


def stored(connection: StoreConnection) -> int:
    return int(str(connection.client().command("SELECT count() FROM t")))


@pytest.mark.parametrize(
    "kind", ["500", "hang", "close", "committed hang", "committed close", "committed, then 200"]
)
def test_the_retry_is_stored_once(connection: StoreConnection, faults: Faults, kind: str) -> None:
    faults.happen(kind)
    if not kind.endswith("hang"):
        # What is told at once needs no end, and a machine that stands still is no fault.
        connection.patience = Patience(first_s=LONG_S)
    assert insert_until_it_is_stored(connection) == (0 if kind.endswith("200") else 1)
    connection.patience = Patience(first_s=LONG_S)
    insert(connection)
    assert stored(connection) == 1


def test_a_store_that_hangs_holds_nobody_longer_than_the_patience(
    connection: StoreConnection, faults: Faults
) -> None:
    faults.happen("hang")
    with pytest.raises(StoreError, match="no answer from the store"):
        insert(connection)
    # The store would have gone on for a minute: it was the client that ended it.
    until(lambda: faults.given_up == 1)


def test_a_slow_store_is_given_more_time_until_it_answers(
    connection: StoreConnection, faults: Faults
) -> None:
    faults.happen("committed hang", times=10)
    # Once and twice the patience are too short for what takes three times as long, four times is not.
    faults.patience, faults.takes_s = connection.patience, 3 * PATIENCE_S
    assert insert_until_it_is_stored(connection) == 2
    assert connection.patience.seconds == PATIENCE_S
    assert stored(connection) == 1


def test_patience_has_an_end(connection: StoreConnection, faults: Faults) -> None:
    connection.patience = Patience(first_s=0.1, longest_s=0.2)
    faults.happen("hang", times=3)
    for _ in range(3):
        with pytest.raises(StoreError):
            insert(connection)
    assert connection.patience.seconds == 0.2
