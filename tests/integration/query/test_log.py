"""Pages, counts and attempts of the log against plain Python."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from inferometer.clickhouse.query_store import ClickHouseQueryStore
from inferometer.core.query.questions import (
    Filter,
    LogPlace,
    Match,
    ValuesQuery,
)
from inferometer.testing.query_store import MemoryQueryStore
from tests.integration.query.questions import question, whole
from tests.integration.query_seed import HOSTILE, QuerySeed

if TYPE_CHECKING:
    pass


def test_a_page_has_the_newest_rows_first(
    seed: QuerySeed, store: ClickHouseQueryStore, memory: MemoryQueryStore
) -> None:
    query = question(seed, limit=50)
    rows = store.log_rows(query)
    assert rows == memory.log_rows(query)
    assert rows[0]["ts_end"].tzinfo is not None
    assert isinstance(rows[0]["cost_usd"], Decimal)


@pytest.mark.parametrize(
    "changes",
    [
        {"filters": (Filter("model", Match.IS, ("tiny", "whale")),)},
        {"filters": (Filter("status_code", Match.IS, ("429", "400")),)},
        {"filters": (Filter("status_class", Match.IS_NOT, ("2xx",)),)},
        {"filters": (Filter("status_code", Match.STARTS_WITH, ("4",)),)},
        {"filters": (Filter("status_code", Match.IS, ("abc", "-1", "0429", "٤٢٩", "9" * 30)),)},
        {"filters": (Filter("team_id", Match.IS, ("",)),)},
        {"filters": (Filter("stream", Match.IS, ("true",)),)},
        {"filters": (Filter("metadata.it's`a\\key", Match.IS, ("a",)),)},
        {"filters": (Filter("feature", Match.STARTS_WITH, ("search'",)),)},
        {"is_final_only": True},
        {"workspace_id": "acme"},
        {"workspace_id": "nobody"},
        {"workspace_id": "acme' OR '1'='1"},
        {"request_id": "request-7"},
        {"request_id": "request-7", "workspace_id": "acme"},
        {"event_id": "event-00042"},
    ],
    ids=str,
)
def test_a_search_finds_what_plain_python_finds(
    seed: QuerySeed,
    store: ClickHouseQueryStore,
    memory: MemoryQueryStore,
    changes: dict[str, Any],
) -> None:
    query = question(seed, limit=2000, **changes)
    assert store.log_rows(query) == memory.log_rows(query)
    assert store.log_count(query, at_most=10_000) == memory.log_count(query, at_most=10_000)
    assert store.log_count(query, at_most=3) == min(3, memory.log_count(query, at_most=3))


def test_hostile_texts_in_every_place_find_nothing_and_break_nothing(
    seed: QuerySeed, store: ClickHouseQueryStore, memory: MemoryQueryStore
) -> None:
    for text in (*HOSTILE, "\ud800", "\x00"):
        for changes in (
            {"request_id": text or "x"},
            {"event_id": text or "x"},
            {"workspace_id": text},
            {"after": LogPlace(2**70, text)},
            {"after": LogPlace(-(2**70), text)},
            {"filters": (Filter(f"metadata.{text or 'x'}", Match.IS, (text,)),)},
            {"filters": (Filter("status_class", Match.IS, (text,)),)},
        ):
            query = question(seed, limit=5, **changes)
            assert store.log_rows(query) == memory.log_rows(query), changes
        assert store.attempts(None, text) == []
        assert store.attempts(text, "request-7") == []
        wanted = ValuesQuery(
            workspace_id=None, dimension="user_id", time_range=whole(seed), prefix=text
        )
        assert store.values(wanted) == memory.values(wanted)


def test_pages_follow_each_other_without_gap_or_repetition(
    seed: QuerySeed, store: ClickHouseQueryStore
) -> None:
    found: list[str] = []
    query = question(seed, limit=133)
    while rows := store.log_rows(query):
        found += [row["event_id"] for row in rows]
        last = rows[-1]["ts_end"]
        us = int(last.replace(microsecond=0).timestamp()) * 1_000_000 + last.microsecond
        query = replace(query, after=LogPlace(us, rows[-1]["event_id"]))
    ordered = sorted(seed.rows, key=lambda row: (row["ts_end"], row["event_id"]), reverse=True)
    assert found == [row["event_id"] for row in ordered]


def test_attempts_have_every_column_in_order(seed: QuerySeed, store: ClickHouseQueryStore) -> None:
    rows = store.attempts(None, "request-7")
    stored = [row for row in seed.rows if row["request_id"] == "request-7"]
    assert [row["attempt_no"] for row in rows] == [1, 2]
    for row, right in zip(rows, sorted(stored, key=lambda row: row["attempt_no"]), strict=True):
        assert row.items() >= right.items()
        assert row["total_tokens"] == right["input_tokens"] + right["output_tokens"]
    [workspace] = {row["workspace_id"] for row in stored[:1]}
    assert all(row["workspace_id"] == workspace for row in store.attempts(workspace, "request-7"))
    assert store.attempts("nobody", "request-7") == []
