"""Questions of whole pages, over the store in memory: models, changes, rows, values, pipeline."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings

from inferometer.core.query.cursors import encode_place
from inferometer.core.query.questions import TimeRange
from inferometer.core.query.reading import (
    read_changes,
    read_forecast,
    read_log,
    read_models,
    read_values,
)
from inferometer.jobs.answer_changes import AnswerChanges
from inferometer.jobs.answer_forecast import AnswerForecast
from inferometer.jobs.answer_log import AnswerLog
from inferometer.jobs.answer_models import AnswerModels
from inferometer.jobs.answer_pipeline import AnswerPipeline
from inferometer.jobs.answer_values import AnswerValues
from inferometer.testing.query_store import MemoryQueryStore
from inferometer.testing.query_sums import text_of
from tests.unit.jobs.query_rows import NOW, attempts, clock, row

DAY_S = 86_400


def texts(**asked: str) -> dict[str, list[str]]:
    return {name.rstrip("_"): [text] for name, text in asked.items()}


def models(store: MemoryQueryStore, **asked: str) -> list[dict[str, Any]]:
    query = read_models(texts(**asked), workspace_id="w", now=NOW)
    return AnswerModels(store, clock)(query).rows


def test_models_stand_side_by_side_and_beside_themselves_before() -> None:
    store = MemoryQueryStore(
        [
            *[row(60, model="a", provider="p", input_tokens=30, e2e_ms=200) for _ in range(3)],
            row(60, model="a", provider="q", status_code=500),
            row(DAY_S + 120, model="a", provider="p", e2e_ms=100),
        ]
    )
    first, second = models(store, percentile="0.5")
    assert (first["model"], first["provider"], first["requests"]) == ("a", "p", 3)
    assert first["e2e_ms"] == pytest.approx(200, rel=0.005)
    assert (first["input_tokens"], first["cost_usd"]) == (90, pytest.approx(0.03))
    assert first["rpm"] == pytest.approx(3 / (DAY_S + 23) * 60)
    assert first["previous"]["requests"] == 1
    assert first["previous"]["e2e_ms"] == pytest.approx(100, rel=0.005)
    assert (second["provider"], second["success_ratio"], second["ttft_ms"]) == ("q", 0.0, None)
    assert second["previous"]["requests"] == 0


def test_models_of_one_user_come_from_the_usage_cube_without_providers() -> None:
    store = MemoryQueryStore([row(60, user_id="u", provider="p")])
    [found] = models(store, filter="user_id=u", from_="now-7d")
    assert "provider" not in found
    assert store.asked[0].relation.name == "usage_1h_rows"


def test_models_of_a_metadata_key_come_from_the_log_with_providers() -> None:
    store = MemoryQueryStore([row(60, provider="p", metadata={"tenant": "acme"})])
    [found] = models(store, filter="metadata.tenant=acme")
    assert found["provider"] == "p"
    assert store.asked[0].relation.is_log


def test_models_without_a_span_before_have_none() -> None:
    store = MemoryQueryStore([row(60)], kept_days={})
    [found] = models(store, from_="2026-11-07T17:07Z", filter="feature=")
    assert found["previous"] is None


@settings(max_examples=20)
@given(rows=attempts(20))
def test_a_change_is_the_difference_of_what_measures_say_of_both_spans(
    rows: list[dict[str, Any]],
) -> None:
    store = MemoryQueryStore(rows)
    query = read_changes(
        texts(measure="attempts", from_="now-90m", limit="500"), workspace_id="w", now=NOW
    )
    found = AnswerChanges(store, clock)(query)
    for span, wanted in (
        (found.time_range, {change: change.now for change in found.changes}),
        (found.previous_range, {change: change.before for change in found.changes}),
    ):
        for change, amount in wanted.items():
            own = [
                each
                for each in rows
                if each["workspace_id"] == "w"
                and span.start <= each["ts_end"] < span.end
                and text_of(each, change.dimension) == change.value
            ]
            assert len(own) == amount, change


def test_a_value_that_ranks_in_one_span_only_is_held_against_itself() -> None:
    many = [row(60 + n / 100, model=f"m{n:02}") for n in range(40) for _ in range(2)]
    few = [row(DAY_S + 60 + n / 100, model=f"m{n:02}") for n in range(40)]
    gone = [row(DAY_S + 90, model="gone") for _ in range(5)]
    query = read_changes(texts(measure="requests", limit="500"), workspace_id="w", now=NOW)
    found = AnswerChanges(MemoryQueryStore([*many, *few, *gone]), clock)(query)
    by_value = {each.value: each for each in found.changes if each.dimension == "model"}
    assert (by_value["gone"].now, by_value["gone"].before) == (0, 5)
    assert (by_value["m00"].now, by_value["m00"].before) == (2, 1)
    assert sum(each.difference for each in by_value.values()) == 80 - 45
    assert by_value["__other__"].difference == 11
    assert (found.total, found.previous_total) == (80, 45)


def test_changes_do_not_look_at_what_is_filtered_to_one_value_nor_at_the_log() -> None:
    rows = [row(60, model=m, user_id=u, region="eu") for m in "ab" for u in "xy"]
    query = read_changes(texts(measure="requests", filter="user_id=x"), workspace_id="w", now=NOW)
    store = MemoryQueryStore(rows)
    found = AnswerChanges(store, clock)(query)
    assert {change.dimension for change in found.changes} == {"model"}
    assert [plan.relation.name for plan in store.asked_margins] == ["usage_1m_rows"]


def page(store: MemoryQueryStore, **asked: str) -> tuple[list[str], str | None]:
    query = read_log(texts(**asked), workspace_id="w", now=NOW)
    found = AnswerLog(store, clock)(query)
    cursor = found.next_place and encode_place(query, found.next_place)
    return [each["event_id"] for each in found.rows], cursor


@settings(max_examples=30)
@given(rows=attempts())
def test_pages_show_each_row_once_newest_first(rows: list[dict[str, Any]]) -> None:
    store = MemoryQueryStore(rows)
    seen, cursor = page(store, limit="7", from_="now-4h")
    while cursor is not None:
        more, cursor = page(store, limit="7", from_="now-4h", cursor=cursor)
        seen += more
    own = [each for each in rows if each["workspace_id"] == "w"]
    own.sort(key=lambda each: (each["ts_end"], each["event_id"]), reverse=True)
    assert seen == [each["event_id"] for each in own]


def test_the_last_page_has_no_next_one_although_it_is_full() -> None:
    store = MemoryQueryStore([row(n) for n in (1, 2)])
    assert page(store, limit="2") == (["e1", "e2"], None)


def test_rows_are_counted_no_further_than_is_shown() -> None:
    job = AnswerLog(MemoryQueryStore([row(n) for n in range(1, 11)]), clock)
    query = read_log(texts(limit="3"), workspace_id="w", now=NOW)
    assert job.count(query, at_most=5) == (5, True)
    assert job.count(query, at_most=10) == (10, False)


def test_an_export_says_how_many_rows_it_has_and_whether_there_are_more() -> None:
    job = AnswerLog(MemoryQueryStore([row(n) for n in range(1, 11)]), clock)
    query = read_log(texts(limit="3"), workspace_id="w", now=NOW)
    export = job.export(query, "jsonl")
    assert (export.row_count, export.is_truncated) == (3, True)
    assert b"".join(export.chunks).count(b"\n") == 3


def test_a_log_that_begins_before_what_is_kept_says_since_when_it_is() -> None:
    job = AnswerLog(MemoryQueryStore(), clock)
    recent = job(read_log(texts(from_="now-14d"), workspace_id="w", now=NOW))
    assert recent.coverage.is_whole
    older = job(read_log(texts(from_="now-20d"), workspace_id="w", now=NOW)).coverage
    assert (older.is_whole, older.start) == (False, datetime(2026, 11, 7, 17, 7, tzinfo=UTC))
    gone = read_log(texts(from_="now-30d", to="now-20d"), workspace_id="w", now=NOW)
    coverage = job(gone).coverage
    assert coverage.start == coverage.end == gone.time_range.end


def test_a_request_is_shown_with_all_its_attempts_to_its_workspace_only() -> None:
    rows = [
        row(60, request_id="r", attempt_no=2),
        row(70, request_id="r", attempt_no=1, is_final=False),
    ]
    job = AnswerLog(MemoryQueryStore(rows), clock)
    assert [each["attempt_no"] for each in job.attempts("w", "r")] == [1, 2]
    assert job.attempts("v", "r") == []


def test_values_are_counted_and_keys_are_found() -> None:
    rows = [row(n, model="b", metadata={"tenant": "x"}) for n in (1, 2)]
    job = AnswerValues(MemoryQueryStore([*rows, row(3, model="a", metadata={"team": "y"})]))
    query = read_values("model", {}, workspace_id="w", now=NOW)
    assert [(each.value, each.requests) for each in job(query)] == [("b", 2), ("a", 1)]
    found = job.metadata_keys("w", query.time_range)
    assert [(each.value, each.requests) for each in found] == [("tenant", 2), ("team", 1)]
    assert [each.value for each in job.metadata_keys("w", query.time_range, prefix="tea")] == [
        "team"
    ]


def test_a_month_is_projected_from_what_is_stored() -> None:
    rows = [row(n * 3600 + 1800, price_cost="0.5") for n in range(24 * 10)]
    query = read_forecast(texts(time_zone="Asia/Kolkata"), workspace_id="w", now=NOW)
    found = AnswerForecast(MemoryQueryStore(rows), clock)(query)
    assert found.month == "2026-11"
    assert found.spent_usd == Decimal(120)
    assert found.method == "the mean of 9 complete days"
    assert found.projected_usd is not None
    assert float(found.projected_usd) == pytest.approx(120 + 12 * (9 + 1 / 17), rel=0.01)


def test_days_of_rest_count_in_what_days_cost_on_average() -> None:
    """A fleet that works from Monday to Friday costs nothing at the weekend, and has no row then."""
    rows = [
        row(n * 3600 + 1800, price_cost="1")
        for n in range(24 * 15)
        if (NOW - timedelta(hours=n, minutes=30)).weekday() < 5
    ]
    query = read_forecast({}, workspace_id="w", now=NOW)
    found = AnswerForecast(MemoryQueryStore(rows, watermark=NOW), clock)(query)
    # From the 7th, the day after that of the first spend: 10 working days and 4 of rest.
    assert found.method == "the mean of 14 complete days"
    assert found.projected_usd is not None
    rest_days = 9 + (24 - 17.1) / 24
    daily = 24 * 10 / 14
    assert float(found.projected_usd - found.spent_usd) == pytest.approx(
        rest_days * daily, rel=0.01
    )
    # Days that have not come in yet are not known to be days of rest.
    late = MemoryQueryStore(rows, watermark=NOW - timedelta(days=30))
    assert AnswerForecast(late, clock)(query).method == "the mean of 10 complete days"


def test_six_weeks_of_spend_are_projected_by_hours_of_the_week() -> None:
    rows = [row(n * 3600 + 1800, price_cost="0.5") for n in range(24 * 42)]
    query = read_forecast({}, workspace_id="w", now=NOW)
    found = AnswerForecast(MemoryQueryStore(rows), clock)(query)
    assert found.method.startswith("what each hour of the week usually costs")
    assert found.projected_usd is not None
    assert float(found.projected_usd) == pytest.approx(30 * 12, rel=0.01)


def test_spend_that_has_just_begun_is_not_projected() -> None:
    rows = [row(n * 60, price_cost="1") for n in range(1, 11)]
    query = read_forecast({}, workspace_id="w", now=NOW)
    found = AnswerForecast(MemoryQueryStore(rows), clock)(query)
    assert (found.spent_usd, found.projected_usd) == (Decimal(10), None)
    assert "ask again at" in found.method


def test_a_forecast_of_what_only_the_log_has_says_since_when_it_knows() -> None:
    query = read_forecast(texts(filter="feature=x"), workspace_id="w", now=NOW)
    found = AnswerForecast(MemoryQueryStore([row(60, feature="x")]), clock)(query)
    assert "spend before 2026-11-07T17:07Z is not kept" in found.method


LAST_HOUR = TimeRange(NOW - timedelta(hours=1), NOW)


def partition(number: int, behind_s: float = 10, **columns: int) -> dict[str, Any]:
    counts = {"chunks": 1, "records": 10, "events": 10, "stored": 10, "dead": 0, "duplicates": 0}
    watermark = NOW - timedelta(seconds=behind_s)
    return {
        "kafka_topic": "inference.requests",
        "kafka_partition": number,
        "watermark": watermark,
        **counts,
        **columns,
    }


def checks(store: MemoryQueryStore) -> dict[str, tuple[bool, str]]:
    found = AnswerPipeline(store, clock)(LAST_HOUR)
    return {check.name: (check.is_ok, check.detail) for check in found.checks}


def test_a_pipeline_that_is_well_says_so() -> None:
    store = MemoryQueryStore(watermark=NOW - timedelta(seconds=20))
    store.partition_rows = [partition(0), partition(1, stored=8, duplicates=2)]
    found = AnswerPipeline(store, clock)(LAST_HOUR)
    assert all(check.is_ok for check in found.checks)
    assert found.ledger == {
        "chunks": 2, "records": 20, "events": 20, "stored": 18, "dead": 0, "duplicates": 2,
    }  # fmt: skip


def test_partitions_say_how_many_records_they_are_behind_where_a_broker_tells() -> None:
    store = MemoryQueryStore(watermark=NOW)
    store.partition_rows = [partition(0), partition(1)]
    lags = {("inference.requests", 1): 42}
    found = AnswerPipeline(store, clock, lambda: lags)(LAST_HOUR)
    assert [row["lag_records"] for row in found.partitions] == [None, 42]


def test_a_pipeline_that_is_not_says_what_to_look_at() -> None:
    store = MemoryQueryStore(
        watermark=NOW - timedelta(hours=1), folded_values={"user_id": frozenset({"u"})}
    )
    store.partition_rows = [partition(0), partition(3, behind_s=3600, events=12)]
    store.dead_letter_rows = [
        {"reason": "not_json", "decided_at": NOW - timedelta(minutes=1), "value": b"{"}
    ]
    found = checks(store)
    assert not any(is_ok for is_ok, _ in found.values())
    assert "1 h ago" in found["fresh"][1]
    assert "Partition 3 is 59 min 50 s behind" in found["in_step"][1]
    assert "2 events" in found["accounted"][1]
    assert "not_json" in found["accepted"][1]
    assert "user_id" in found["kept_apart"][1]


@pytest.mark.parametrize(
    ("zone", "shown"),
    [("UTC", "2026-11-21 17:06:03 UTC"), ("Asia/Kolkata", "2026-11-21 22:36:03 Asia/Kolkata")],
)
def test_a_pipeline_tells_its_time_in_the_zone_of_who_asks(zone: str, shown: str) -> None:
    store = MemoryQueryStore(watermark=NOW - timedelta(seconds=20))
    found = AnswerPipeline(store, clock)(replace(LAST_HOUR, zone=zone))
    assert found.checks[0].detail == f"Complete up to {shown}, 20 s ago."


def test_numbers_of_a_pipeline_can_be_read_and_one_is_not_many() -> None:
    store = MemoryQueryStore(watermark=NOW)
    store.partition_rows = [partition(0, events=3327, stored=3327)]
    refused = {"reason": "not_json", "decided_at": NOW - timedelta(minutes=1), "value": b"{"}
    store.dead_letter_rows = [refused]
    found = checks(store)
    assert found["in_step"] == (True, "One partition is read.")
    assert found["accounted"][1].startswith("Each of the 3,327 events of the last hour ")
    assert found["accepted"][1] == "1 event was refused in this range, most for not_json."


def test_a_pipeline_that_has_seen_nothing_says_what_to_start() -> None:
    found = checks(MemoryQueryStore())
    assert found["fresh"] == (False, "Nothing is stored yet: start a producer.")
    assert found["in_step"][0]
