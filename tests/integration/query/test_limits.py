"""What a question may take, and what becomes of threads and of a store that is away."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from inferometer.clickhouse.connect import StoreConnection
from inferometer.clickhouse.query_limits import QueryLimits
from inferometer.clickhouse.query_store import ClickHouseQueryStore
from inferometer.clickhouse.settings import StoreSettings
from inferometer.core.query.plans import Relation
from inferometer.errors import QueryTooCostlyError, StoreError
from tests.integration.query.questions import measured_plan, question
from tests.integration.query_seed import QuerySeed

if TYPE_CHECKING:
    pass


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        (QueryLimits(seconds=0.000001, export_seconds=0.000001), "longer than"),
        (QueryLimits(rows=10), "more than 10 rows"),
    ],
    ids=["time", "rows"],
)
def test_a_question_beyond_a_limit_is_refused_with_a_remedy(
    seed: QuerySeed, connection: StoreConnection, limits: QueryLimits, said: str
) -> None:
    store = ClickHouseQueryStore(connection, limits)
    for ask in (
        lambda: store.measured(measured_plan(seed, relation=Relation("requests", 0))),
        lambda: store.log_rows(question(seed, limit=1000)),
        lambda: b"".join(store.export_log(question(seed), "csv")),
        lambda: b"".join(store.export_measured(measured_plan(seed), "parquet")),
    ):
        with pytest.raises(QueryTooCostlyError, match=said) as refused:
            ask()
        assert refused.value.remedy
    # And the next question is answered.
    assert ClickHouseQueryStore(connection).log_count(question(seed), at_most=5) == 5


def test_a_question_that_needs_too_much_memory_is_refused(
    seed: QuerySeed, connection: StoreConnection
) -> None:
    store = ClickHouseQueryStore(connection, QueryLimits(memory_bytes=1 << 14))
    with pytest.raises(QueryTooCostlyError, match="memory"):
        store.measured(measured_plan(seed))


def test_threads_ask_at_the_same_time(seed: QuerySeed, store: ClickHouseQueryStore) -> None:
    def answer() -> dict[Any, Any]:
        rows, _ = store.measured(measured_plan(seed))
        return {(row.window_start, row.group): row.values for row in rows}

    right = answer()
    found: list[bool] = []

    def ask() -> None:
        found.extend(answer() == right for _ in range(5))

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [True] * 30


def test_a_store_that_is_away_says_so_and_is_retryable() -> None:
    settings = StoreSettings(url="http://127.0.0.1:1")
    with StoreConnection(settings, create=False) as away:
        store = ClickHouseQueryStore(away)
        with pytest.raises(StoreError) as refused:
            store.freshness()
        assert refused.value.retryable
