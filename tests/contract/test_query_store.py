"""The contract of `QueryStore`, over the fake and over the embedded engine, on the same events."""

from __future__ import annotations

import csv
import io
import json
import math
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from inferometer.clickhouse.query_store import ClickHouseQueryStore
from inferometer.core.query.catalogue import MEASURES, measure
from inferometer.core.query.filters import read_filter
from inferometer.core.query.margins import MarginOrder, MarginsPlan
from inferometer.core.query.planning import plan_metrics
from inferometer.core.query.plans import OTHER, Relation
from inferometer.core.query.questions import LogPlace, TimeRange
from inferometer.core.query.reading import (
    read_changes,
    read_log,
    read_metrics,
    read_range,
    read_values,
)
from inferometer.jobs.answer_changes import AnswerChanges
from inferometer.jobs.answer_metrics import AnswerMetrics
from inferometer.testing.query_store import MemoryQueryStore
from tests.integration.query_seed import SPAN, QuerySeed, query_seed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inferometer.core.query.plans import MetricsPlan
    from inferometer.query_ports import QueryStore

    Texts = dict[str, list[str]]

OF_CUBES = [each.name for each in MEASURES if not each.is_from_log_only]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def seed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[QuerySeed]:
    with query_seed(tmp_path_factory.mktemp("store")) as opened:
        yield opened


@pytest.fixture(scope="module")
def real(seed: QuerySeed) -> ClickHouseQueryStore:
    return ClickHouseQueryStore(seed.connection)


@pytest.fixture(scope="module")
def fake(seed: QuerySeed, real: ClickHouseQueryStore) -> MemoryQueryStore:
    watermark = real.freshness().watermark
    return MemoryQueryStore(seed.rows, kept_days=real.kept_days(), watermark=watermark)


@pytest.fixture(params=["fake", "real"])
def store(request: pytest.FixtureRequest) -> QueryStore:
    found: QueryStore = request.getfixturevalue(request.param)
    return found


@pytest.fixture(scope="module")
def now(seed: QuerySeed) -> datetime:
    return seed.start + SPAN + timedelta(minutes=10, seconds=7)


def planned(
    store: QueryStore, now: datetime, workspace_id: str | None = "acme", **texts: str
) -> MetricsPlan:
    asked = {name.rstrip("_"): [text] for name, text in texts.items()}
    query = read_metrics(asked, workspace_id=workspace_id, now=now)
    return plan_metrics(query, kept_days=store.kept_days(), now=now).plan


QUESTIONS: dict[str, Texts] = {
    "every measure of the service cube": {"measure": OF_CUBES[:40], "from": ["now-2d"]},
    "the next forty": {"measure": OF_CUBES[40:80], "from": ["now-2d"]},
    "all that are left": {"measure": OF_CUBES[80:], "from": ["now-2d"]},
    "latencies of every status": {"measure": OF_CUBES[60:], "statuses": ["all"]},
    "by model and provider": {
        "measure": ["requests,cost_usd,e2e_p99_ms"], "group_by": ["model,provider"], "top": ["4"],
    },
    "by user, of the usage cube": {
        "measure": ["total_tokens,ttft_p50_ms"], "group_by": ["user_id"], "top": ["5"],
        "from": ["now-50h"], "granularity": ["1h"],
    },
    "by team and class": {
        "measure": ["requests"], "group_by": ["team_id,status_class"], "top": ["200"],
        "granularity": ["1d"], "time_zone": ["Europe/Berlin"],
    },
    "by status code, ranked by a mean": {
        "measure": ["requests"], "group_by": ["status_code"], "order_by": ["e2e_mean_ms"],
        "statuses": ["all"], "granularity": ["total"],
    },
    "by metadata, from the log": {
        "measure": ["requests,cost_input_usd,e2e_p90_ms,itl_p50_ms,itl_mean_ms,gpu_s"],
        "group_by": ["metadata.tenant,stream"], "top": ["7"], "granularity": ["1h"],
    },
    "by an odd metadata key": {"group_by": ["metadata.it's`a\\key"]},
    "included, excluded, begun": {
        "measure": ["requests,failure_ratio"], "group_by": ["model"], "from": ["now-2d"],
        "filter": ["model!=tiny", "region=eu", "status_code^=2", "provider=openai,vllm"],
    },
    "one that is hostile": {"filter": ["user_id=' OR 1=1 --"], "group_by": ["model"]},
    "without a user": {"filter": ["user_id="], "measure": ["attempts"]},
    "not without a tenant": {"filter": ["metadata.tenant!="], "measure": ["attempts"]},
    "in windows of 10 s, of a zone": {
        "from": ["now-3h"], "to": ["now-2h"], "granularity": ["10s"], "measure": ["rps,rpm"],
        "time_zone": ["Asia/Kathmandu"],
    },
    "by days of a zone that is half an hour off": {
        "granularity": ["1d"], "time_zone": ["Asia/Kolkata"], "from": ["now-2d/d"],
        "measure": ["requests,cost_usd"],
    },
    "against the span before": {
        "from": ["now-24h"], "compare": ["previous"], "group_by": ["model"], "top": ["2"],
        "measure": ["requests,cost_per_request_usd"], "granularity": ["3h"],
    },
    "against groups of the span before that vanished": {
        "from": ["now-2h"], "compare": ["previous"], "group_by": ["user_id"], "top": ["3"],
        "measure": ["requests,ttft_p99_ms"], "granularity": ["1h"],
    },
    "against everybody": {
        "compare": ["baseline"], "baseline_filter": ["region=eu"], "filter": ["model=whale"],
        "group_by": ["model"], "measure": ["e2e_p95_ms,success_ratio"], "granularity": ["6h"],
    },
    "of nobody": {"filter": ["model=none"], "group_by": ["model"], "measure": ["requests,rps"]},
}  # fmt: skip


@pytest.mark.parametrize("workspace_id", ["acme", None], ids=["one workspace", "all"])
@pytest.mark.parametrize("texts", QUESTIONS.values(), ids=QUESTIONS)
def test_the_engine_answers_as_plain_python_does(
    texts: Texts,
    workspace_id: str | None,
    real: ClickHouseQueryStore,
    fake: MemoryQueryStore,
    now: datetime,
) -> None:
    query = read_metrics(texts, workspace_id=workspace_id, now=now)
    found, wanted = (AnswerMetrics(each, lambda: now)(query) for each in (real, fake))
    assert found.plan == wanted.plan
    assert found.groups_total == wanted.groups_total
    assert found.is_final == wanted.is_final
    _check_total(found.total, wanted.total)
    _check_values(found.values, wanted.values)
    _check_series(found.series, wanted.series)
    assert (found.compared is None) is (wanted.compared is None)
    if found.compared is not None and wanted.compared is not None:
        _check_total(found.compared.total, wanted.compared.total)
        _check_values(found.compared.values, wanted.compared.values)
        _check_series(found.compared.series, wanted.compared.series)


def _check_series(found: list[Any], wanted: list[Any]) -> None:
    assert [each.group for each in found] == [each.group for each in wanted]
    for one, other in zip(found, wanted, strict=True):
        _check_total(one.total, other.total)
        _check_values(one.values, other.values)


def _check_total(found: dict[str, Any], wanted: dict[str, Any]) -> None:
    _check_values(*({name: [value] for name, value in each.items()} for each in (found, wanted)))


def _check_values(found: dict[str, list[Any]], wanted: dict[str, list[Any]]) -> None:
    assert list(found) == list(wanted)
    for name, values in found.items():
        pairs = zip(values, wanted[name], strict=True)
        assert [pair for pair in pairs if not _is_same(*pair)] == [], name


def _is_same(one: Any, other: Any) -> bool:
    if one is None or other is None:
        return one is other
    return math.isclose(one, other, rel_tol=1e-9)


@pytest.mark.parametrize("ends_after", [timedelta(hours=25), timedelta(hours=49)])
def test_a_last_window_that_is_longer_keeps_its_rows(
    ends_after: timedelta,
    real: ClickHouseQueryStore,
    fake: MemoryQueryStore,
    seed: QuerySeed,
    now: datetime,
) -> None:
    """As a day has when clocks are put back, or December after November."""
    day = timedelta(hours=(ends_after - timedelta(hours=1)) // timedelta(hours=2))
    plan = planned(real, now, measure="requests,rpm", group_by="model", top="9", from_="now-2d/h")
    plan = replace(
        plan,
        relation=Relation("service_1h_rows", 3600),
        time_range=TimeRange(seed.start, seed.start + ends_after),
        windows=(seed.start, seed.start + day),
        window_ends=(seed.start + day, seed.start + ends_after),
    )
    found, wanted = (
        {(row.window_start, row.group): row.values for row in each.measured(plan)[0]}
        for each in (real, fake)
    )
    assert found.keys() == wanted.keys()
    for key, values in found.items():
        assert all(map(_is_same, values, wanted[key])), key
    files = [list(csv.DictReader(io.StringIO(b"".join(each.export_measured(plan, "csv")).decode())))
             for each in (real, fake)]  # fmt: skip
    for one, other in zip(*files, strict=True):
        assert (one["model"], one["requests"]) == (other["model"], other["requests"])
        for name in ("window_start", "window_end"):
            assert datetime.fromisoformat(one[name]) == datetime.fromisoformat(other[name])


def test_what_changed_is_the_same(
    real: ClickHouseQueryStore, fake: MemoryQueryStore, now: datetime
) -> None:
    texts = {"measure": ["failures"], "from": ["now-24h"], "limit": ["500"]}
    query = read_changes(texts, workspace_id="acme", now=now)
    found, wanted = (AnswerChanges(each, lambda: now)(query) for each in (real, fake))
    assert found.total == wanted.total
    assert found.changes == wanted.changes


def test_rows_of_a_plan_add_up(store: QueryStore, now: datetime) -> None:
    plan = planned(store, now, group_by="model,region", top="3", from_="now-2d")
    rows, groups_total = store.measured(plan)
    [whole] = [row for row in rows if row.group is None and row.window_start is None]
    totals = [row for row in rows if row.group is not None and row.window_start is None]
    assert sum(int(row.values[0] or 0) for row in totals) == whole.values[0]
    assert len(totals) == 4
    assert groups_total == 10
    assert (OTHER, OTHER) in {row.group for row in totals}


def test_asked_groups_are_the_only_ones_that_have_rows(store: QueryStore, now: datetime) -> None:
    plan = planned(store, now, group_by="model", from_="now-2d")
    rows, _ = store.measured(replace(plan, groups=(("tiny",), ("not there",))))
    found = {row.group for row in rows if row.group is not None}
    assert found <= {("tiny",), ("not there",), (OTHER,)}
    assert {("tiny",), (OTHER,)} <= found


def test_rows_of_the_log_are_newest_first_and_go_on_after_a_place(
    store: QueryStore, seed: QuerySeed, now: datetime
) -> None:
    texts = {"from": ["now-50h"], "limit": ["50"], "filter": ["model!=tiny"]}
    query = read_log(texts, workspace_id="globex", now=now)
    seen: list[str] = []
    while rows := store.log_rows(query):
        seen += [row["event_id"] for row in rows]
        last = rows[-1]
        at_us = (last["ts_end"] - _EPOCH) // timedelta(microseconds=1)
        query = replace(query, after=LogPlace(at_us, last["event_id"]))
    own = [
        row
        for row in seed.rows
        if row["workspace_id"] == "globex"
        and row["model"] != "tiny"
        and query.time_range.start <= row["ts_end"] < query.time_range.end
    ]
    own.sort(key=lambda row: (row["ts_end"], row["event_id"]), reverse=True)
    assert seen == [row["event_id"] for row in own]
    assert store.log_count(replace(query, after=None), at_most=10_000) == len(own)
    assert store.log_count(replace(query, after=None), at_most=7) == 7


def test_a_page_has_the_columns_that_are_shown(store: QueryStore, now: datetime) -> None:
    texts = {"from": ["now-50h"], "limit": ["1"], "status": ["429"]}
    [row] = store.log_rows(read_log(texts, workspace_id=None, now=now))
    assert set(row) == {
        "request_id", "event_id", "ts_end", "model", "total_tokens", "input_tokens",
        "output_tokens", "ttft_ms", "e2e_ms", "status_code", "status_class", "error_type",
        "user_id", "workspace_id", "cost_usd", "attempt_no", "is_final",
    }  # fmt: skip
    assert (row["status_code"], row["status_class"]) == (429, "429")
    assert row["total_tokens"] == row["input_tokens"] + row["output_tokens"]
    assert row["ts_end"].utcoffset() == timedelta(0)
    assert isinstance(row["cost_usd"], Decimal)


def test_attempts_of_a_request_are_all_and_in_order(store: QueryStore, seed: QuerySeed) -> None:
    request_id = "request-7"
    wanted = [row for row in seed.rows if row["request_id"] == request_id]
    found = store.attempts(None, request_id)
    assert [row["attempt_no"] for row in found] == [1, 2]
    assert {row["event_id"] for row in found} == {row["event_id"] for row in wanted}
    assert found[0]["metadata"] == min(wanted, key=lambda row: row["attempt_no"])["metadata"]
    workspaces = {row["workspace_id"] for row in wanted}
    for workspace_id in ("acme", "globex"):
        assert bool(store.attempts(workspace_id, request_id)) is (workspace_id in workspaces)
    assert store.attempts(None, "no such request") == []


@pytest.mark.parametrize("dimension", ["model", "user_id", "status_class", "stream", "feature"])
def test_values_are_counted_in_final_requests(
    dimension: str, store: QueryStore, fake: MemoryQueryStore, now: datetime
) -> None:
    query = read_values(dimension, {"from": ["now-2d/h"]}, workspace_id="acme", now=now)
    found = {each.value: each.requests for each in store.values(query)}
    assert found == {each.value: each.requests for each in fake.values(query)}


def test_metadata_keys_are_found(store: QueryStore, now: datetime) -> None:
    span = read_range({"from": ["now-2d"]}, now=now)
    found = store.metadata_keys("acme", span)
    assert {each.value for each in found} == {"tenant", "it's`a\\key"}


def test_seconds_add_up_to_what_ended(store: QueryStore, seed: QuerySeed, now: datetime) -> None:
    since, until = now - timedelta(hours=5), now - timedelta(hours=2)
    counts: Counter[str] = Counter()
    for row in store.seconds("acme", since, until):
        assert since <= row["at"] < until
        counts[row["model"]] += row["requests"]
    wanted = Counter(
        row["model"]
        for row in seed.rows
        if row["workspace_id"] == "acme" and row["is_final"] and since <= row["ts_end"] < until
    )
    assert +counts == wanted


def test_an_export_is_what_the_answer_has(store: QueryStore, now: datetime) -> None:
    plan = planned(
        store, now, group_by="model", measure="requests,cost_usd", granularity="6h", from_="now-2d"
    )
    rows, _ = store.measured(replace(plan, top=200))
    cells = {
        (row.window_start, row.group): row.values
        for row in rows
        if row.window_start is not None and row.group is not None
    }
    text = b"".join(store.export_measured(plan, "csv")).decode()
    found = list(csv.DictReader(io.StringIO(text)))
    assert list(found[0]) == ["window_start", "window_end", "model", "requests", "cost_usd"]
    assert len(found) == len(cells)
    for row in found:
        at = datetime.fromisoformat(row["window_start"])
        values = cells[at if at.tzinfo else at.replace(tzinfo=UTC), (row["model"],)]
        assert int(row["requests"]) == values[0]
        assert Decimal(row["cost_usd"]) == values[1]


def test_an_export_of_the_log_has_its_rows(store: QueryStore, now: datetime) -> None:
    texts = {"from": ["now-2d"], "limit": ["20"]}
    query = read_log(texts, workspace_id="acme", now=now)
    lines = b"".join(store.export_log(query, "jsonl")).splitlines()
    ids = [json.loads(line)["event_id"] for line in lines]
    assert ids == [row["event_id"] for row in store.log_rows(query)]


@pytest.mark.parametrize("order", MarginOrder)
@pytest.mark.parametrize("relation", ["service_1m_rows", "usage_1h_rows", "requests"])
def test_margins_are_the_same_in_every_relation_that_has_the_dimensions(
    relation: str,
    order: MarginOrder,
    real: ClickHouseQueryStore,
    fake: MemoryQueryStore,
    seed: QuerySeed,
) -> None:
    start = seed.start + timedelta(hours=25)
    names = ("requests", "cost_usd", "e2e_p90_ms", "success_ratio", "rpm", "e2e_share_below_900ms")
    plan = MarginsPlan(
        relation=Relation(relation, {"service": 60, "usage_1": 3600}.get(relation[:7], 0)),
        workspace_id="acme",
        measures=tuple(measure(name) for name in names),
        during=TimeRange(start, start + timedelta(hours=12)),
        before=TimeRange(seed.start, start),
        filters=(read_filter("model!=whale"),),
        dimensions=("model", "status_class"),
        order=order,
        most_values=3,
    )
    found, wanted = real.margins(plan), fake.margins(plan)
    assert {name: list(values) for name, values in found.values.items()} == {
        name: list(values) for name, values in wanted.values.items()
    }
    pairs = [(found.total, wanted.total)]
    for name in plan.dimensions:
        pairs += zip(found.values[name].values(), wanted.values[name].values(), strict=True)
    for one, other in pairs:
        for side, wanted_side in ((one.now, other.now), (one.before, other.before)):
            assert all(map(_is_same, side, wanted_side)), (one, other)
