"""A seeded store, embedded and behind HTTP, for each module of this folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from inferometer.clickhouse.connect import StoreConnection
from inferometer.clickhouse.http_server.background import BackgroundServer
from inferometer.clickhouse.http_server.server import HttpStoreServer
from inferometer.clickhouse.query_store import ClickHouseQueryStore
from inferometer.clickhouse.settings import StoreSettings
from inferometer.testing.query_store import MemoryQueryStore
from tests.integration.query_seed import QuerySeed, query_seed

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def seed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[QuerySeed]:
    with query_seed(tmp_path_factory.mktemp("log")) as seeded:
        yield seeded


@pytest.fixture(scope="module")
def http(seed: QuerySeed) -> Iterator[StoreConnection]:
    with (
        BackgroundServer(lambda: HttpStoreServer(seed.connection)) as server,
        StoreConnection(StoreSettings(url=server.url), create=False) as opened,
    ):
        yield opened


@pytest.fixture(params=["embedded", "http"])
def connection(
    request: pytest.FixtureRequest, seed: QuerySeed, http: StoreConnection
) -> StoreConnection:
    return seed.connection if request.param == "embedded" else http


@pytest.fixture
def store(connection: StoreConnection) -> ClickHouseQueryStore:
    return ClickHouseQueryStore(connection)


@pytest.fixture
def memory(seed: QuerySeed) -> MemoryQueryStore:
    return MemoryQueryStore(seed.rows)
