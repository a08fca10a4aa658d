"""Values, metadata keys, seconds, prices, and the pipeline's own state."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from inferometer.clickhouse.bills import ClickHouseBills
from inferometer.clickhouse.connect import StoreConnection
from inferometer.clickhouse.migrations import migrate
from inferometer.clickhouse.query_store import ClickHouseQueryStore
from inferometer.core.bills import read_bill
from inferometer.core.query.questions import (
    Filter,
    Match,
    TimeRange,
    ValuesQuery,
)
from inferometer.errors import StoreError
from inferometer.testing.query_store import MemoryQueryStore
from tests.integration.query.questions import measured_plan, question, whole
from tests.integration.query_seed import CHUNKS, HOSTILE, QuerySeed

if TYPE_CHECKING:
    pass


@pytest.mark.parametrize(
    ("dimension", "filters"),
    [
        ("model", ()),
        ("user_id", ()),
        ("status_class", ()),
        ("status_code", (Filter("model", Match.IS, ("tiny",)),)),
        ("feature", ()),
        ("metadata.tenant", ()),
        ("team_id", (Filter("region", Match.IS, ("eu",)),)),
        ("stream", ()),
    ],
)
def test_values_are_counted_by_requests(
    seed: QuerySeed,
    store: ClickHouseQueryStore,
    memory: MemoryQueryStore,
    dimension: str,
    filters: tuple[Filter, ...],
) -> None:
    for workspace in (None, "acme"):
        query = ValuesQuery(
            workspace_id=workspace, dimension=dimension, time_range=whole(seed), filters=filters
        )
        assert store.values(query) == memory.values(query)
        short = replace(query, limit=2, prefix="t" if dimension == "model" else "")
        assert store.values(short) == memory.values(short)


def test_values_of_what_is_no_dimension_are_refused(
    seed: QuerySeed, store: ClickHouseQueryStore
) -> None:
    evil = "1; DROP TABLE requests"
    with pytest.raises(StoreError, match="no such dimension"):
        store.values(ValuesQuery(workspace_id=None, dimension=evil, time_range=whole(seed)))


def test_metadata_keys_are_those_that_were_sent(
    seed: QuerySeed, store: ClickHouseQueryStore, memory: MemoryQueryStore
) -> None:
    for workspace in (None, "acme", "nobody"):
        assert store.metadata_keys(workspace, whole(seed)) == memory.metadata_keys(
            workspace, whole(seed)
        )


def test_seconds_are_summed_by_model(
    seed: QuerySeed, store: ClickHouseQueryStore, memory: MemoryQueryStore
) -> None:
    until = seed.start + timedelta(hours=9, microseconds=77)
    for workspace in (None, "globex"):
        found = store.seconds(workspace, seed.start, until)
        assert found
        assert list(found) == memory.seconds(workspace, seed.start, until)


def test_the_price_book_of_an_instant_is_the_one_that_priced_then(
    seed: QuerySeed, store: ClickHouseQueryStore
) -> None:
    now = datetime.now(tz=UTC)
    versions = {row["price_version"] for row in seed.rows} - {""}
    for at in (now, now - timedelta(days=1)):
        rows = store.prices(at)
        assert {row["version"] for row in rows} == versions
        assert all(row["effective_from"] <= at < row["effective_to"] for row in rows)
        assert all(isinstance(row["usd_per_unit"], Decimal) for row in rows)


def test_models_without_a_price_are_listed(
    seed: QuerySeed, store: ClickHouseQueryStore, memory: MemoryQueryStore
) -> None:
    found = store.unpriced(None, whole(seed))
    expected = memory.unpriced(None, whole(seed))
    assert expected
    names = tuple(expected[0])
    assert sorted(tuple(row[name] for name in names) for row in found) == sorted(
        tuple(row[name] for name in names) for row in expected
    )
    assert all(row["first_window"] <= row["last_window"] for row in found)
    assert store.unpriced("nobody", whole(seed)) == []


def test_bills_are_held_against_what_was_priced(
    seed: QuerySeed, store: ClickHouseQueryStore, memory: MemoryQueryStore
) -> None:
    day = seed.start.date()
    long_ago = day - timedelta(days=400)
    text = f"day,provider,amount_usd\n{day},openai,0.25\n{day},other,-1\n{long_ago},vllm,5\n"
    bill = read_bill(text, today=day)
    assert bill.problems == []
    ClickHouseBills(seed.connection).replace("bill.csv", bill.amounts_usd, seed.start)
    memory.bills.append(bill)
    for first, last in ((long_ago, day), (day, day + timedelta(days=3)), (long_ago, long_ago)):
        found = store.reconciliation(first, last)
        assert found == memory.reconciliation(first, last)
        assert found


def test_the_pipeline_says_how_far_it_is(seed: QuerySeed, store: ClickHouseQueryStore) -> None:
    fresh = store.freshness()
    [partition] = store.partitions()
    assert partition["watermark"] == fresh.watermark
    assert fresh.watermark is not None
    assert partition["chunks"] == CHUNKS
    assert partition["stored"] == len(seed.rows)
    assert partition["dead"] == CHUNKS
    assert partition["events"] == partition["stored"] + partition["dead"]
    kept = store.kept_days()
    assert (kept["requests"], kept["service_10s_rows"], kept["dead_letters"]) == (14, 7, 14)


def test_dead_letters_come_with_their_bytes(store: ClickHouseQueryStore) -> None:
    now = datetime.now(tz=UTC)
    span = TimeRange(now - timedelta(days=1), now + timedelta(hours=1))
    [count] = store.dead_letter_counts(span)
    assert (count["reason"], count["count"]) == ("invalid_json", CHUNKS)
    assert span.start < count["first_at"] <= count["last_at"] < span.end
    found: list[dict[str, Any]] = []
    before: tuple[int, str] | None = None
    while rows := store.dead_letters(span, reason="invalid_json", limit=2, before=before):
        found += rows
        at = rows[-1]["decided_at"]
        before = (int(at.timestamp()) * 1_000_000 + at.microsecond, rows[-1]["place"])
    assert len(found) == CHUNKS
    assert len({row["place"] for row in found}) == CHUNKS
    assert {row["value"] for row in found} == {b"{not json\xff"}
    for text in HOSTILE:
        assert store.dead_letters(span, reason=text or "x", limit=5, before=None) == []
    assert store.dead_letters(span, reason="", limit=5, before=(2**80, "")) != []
    assert store.dead_letter_counts(TimeRange(span.end, span.end + timedelta(days=1))) == []


def test_an_empty_store_answers_everything_with_nothing(http: StoreConnection) -> None:
    now = datetime.now(tz=UTC).replace(minute=0, second=0, microsecond=0)
    with StoreConnection(replace(http.settings, database="nothing")) as opened:
        migrate(opened, report=lambda _: None)
        store = ClickHouseQueryStore(opened)
        span = TimeRange(now - timedelta(hours=50), now)
        empty = QuerySeed(opened, [], span.start)
        assert store.freshness().watermark is None
        assert store.partitions() == []
        assert store.folded() == []
        assert store.prices(now) == []
        assert store.log_rows(question(empty)) == []
        assert store.log_count(question(empty), at_most=10) == 0
        assert store.seconds(None, span.start, span.end) == []
        rows, groups = store.measured(measured_plan(empty))
        assert groups == 0
        assert all(not any(row.values) for row in rows)
