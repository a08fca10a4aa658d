from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

import pytest

from inferometer.clickhouse.query_columns import RELATIONS
from inferometer.clickhouse.query_limits import QueryLimits, limited
from inferometer.clickhouse.query_log import AttemptsOf, ExportedLog, LogCount, LogRows, Seconds
from inferometer.clickhouse.query_measured import (
    ExportedCells,
    MeasuredCells,
    TopGroups,
    Windows,
    cells_and_margins,
)
from inferometer.clickhouse.query_parameters import Bound
from inferometer.clickhouse.query_state import (
    DeadLetterCounts,
    DeadLetters,
    Folded,
    FreshnessNow,
    Partitions,
)
from inferometer.clickhouse.query_values import (
    MetadataKeys,
    Prices,
    Reconciliation,
    Unpriced,
    Values,
    relation_for,
    resolution_for,
    widened,
)
from inferometer.core.cubes import RESOLUTION_1H, RESOLUTION_1M
from inferometer.core.query.catalogue import MEASURES, measure
from inferometer.core.query.dimensions import DIMENSIONS
from inferometer.core.query.plans import MetricsPlan, Relation
from inferometer.core.query.questions import (
    Filter,
    Granularity,
    LogPlace,
    LogQuery,
    Match,
    Statuses,
    TimeRange,
    ValuesQuery,
)
from inferometer.core.query.ranges import window_bounds
from inferometer.errors import QueryTooCostlyError, StoreError

GOLDEN = Path(__file__).parents[2] / "golden" / "clickhouse"
START = datetime(2026, 3, 28, tzinfo=UTC)
RANGE = TimeRange(START, START + timedelta(days=2))
EVIL = "x'; DROP TABLE requests; --"


def plan(**changes: Any) -> MetricsPlan:
    time_range = changes.pop("time_range", RANGE)
    granularity = changes.pop("granularity", Granularity.H1)
    bounds = tuple(window_bounds(time_range, granularity))
    made = MetricsPlan(
        relation=Relation("service_1h_rows", 3600),
        workspace_id="acme",
        measures=tuple(map(measure, ("requests", "success_ratio", "ttft_p99_ms", "rpm"))),
        time_range=time_range,
        granularity=granularity,
        windows=bounds[:-1],
        window_ends=bounds[1:],
        group_by=("model",),
        filters=(Filter("region", Match.IS, ("eu", "us")),),
        statuses=Statuses.SUCCESSES,
        top=10,
        order_by=measure("requests"),
    )
    return replace(made, **changes)


LOG = LogQuery(
    workspace_id="acme",
    time_range=RANGE,
    filters=(Filter("status_class", Match.IS_NOT, ("2xx",)),),
    request_id="r",
    is_final_only=True,
    after=LogPlace(7, "e"),
)
COLUMNS = {
    "event_id": "String",
    "user_id": "LowCardinality(String)",
    "metadata": "Map(LowCardinality(String), String)",
}
OF_LOG = Relation("requests", 0)
TOTAL = Granularity.TOTAL


class Question(Protocol):
    def sql(self) -> tuple[str, dict[str, Any]]: ...


TEXTS: dict[str, Question] = {
    "query_top_groups": TopGroups(plan()),
    "query_cells": MeasuredCells(plan(), (("a",), ("b",))),
    "query_cells_of_two": MeasuredCells(
        plan(group_by=("model", "status_code"), granularity=TOTAL), (("a", "200"),)
    ),
    "query_cells_joined": MeasuredCells(plan(), None, has_margins=False),
    "query_cells_of_margins": MeasuredCells(plan(), None, has_cells=False),
    "query_cells_of_log": MeasuredCells(plan(relation=OF_LOG, group_by=("metadata.tenant",)), None),
    "query_days_of_a_zone": MeasuredCells(
        plan(
            granularity=Granularity.DAY,
            group_by=(),
            time_range=TimeRange(START, START + timedelta(days=3), "Europe/Berlin"),
        ),
        None,
    ),
    "query_exported_cells": ExportedCells(plan(), has_only_texts=True),
    "query_log_rows": LogRows(LOG),
    "query_log_count": LogCount(LOG, 100),
    "query_exported_log": ExportedLog(LOG, COLUMNS, has_only_texts=True),
    "query_attempts": AttemptsOf("acme", "r", COLUMNS),
    "query_seconds": Seconds("acme", START, START),
    "query_values": Values(
        ValuesQuery(workspace_id="acme", dimension="model", time_range=RANGE, prefix="g"),
        "service_1h_rows",
    ),
    "query_metadata_keys": MetadataKeys("acme", RANGE),
    "query_prices": Prices(START),
    "query_unpriced": Unpriced("acme", RANGE),
    "query_reconciliation": Reconciliation(START.date(), START.date() + timedelta(days=30)),
    "query_freshness": FreshnessNow(),
    "query_partitions": Partitions(),
    "query_dead_letter_counts": DeadLetterCounts(RANGE),
    "query_dead_letters": DeadLetters(RANGE, "invalid_json", 10, (7, "p")),
    "query_folded": Folded(),
}


@pytest.mark.parametrize("name", TEXTS)
def test_the_text_of_a_question_is_golden(name: str, update_golden: bool) -> None:
    text, _ = TEXTS[name].sql()
    file = GOLDEN / f"{name}.sql"
    if update_golden:
        file.write_text(text + "\n", encoding="utf-8")
    assert file.read_text(encoding="utf-8") == text + "\n"


@pytest.mark.parametrize("match", list(Match))
def test_what_a_person_chose_is_bound_and_never_in_the_text(match: Match) -> None:
    filters = (
        Filter("model", match, (EVIL,)),
        Filter("status_code", match, (EVIL,)),
        Filter("status_class", match, (EVIL,)),
    )
    of_log = (*filters, Filter(f"metadata.{EVIL}", match, (EVIL,)))
    log = replace(
        LOG,
        filters=of_log,
        workspace_id=EVIL,
        request_id=EVIL,
        event_id=EVIL,
        after=LogPlace(1, EVIL),
    )
    of_log_plan = plan(
        relation=OF_LOG, filters=of_log, workspace_id=EVIL, group_by=(f"metadata.{EVIL}",)
    )
    values = ValuesQuery(
        workspace_id=EVIL,
        dimension=f"metadata.{EVIL}",
        time_range=RANGE,
        prefix=EVIL,
        filters=of_log,
    )
    for question in (
        TopGroups(plan(filters=filters, workspace_id=EVIL)),
        MeasuredCells(plan(filters=filters), ((EVIL,),)),
        MeasuredCells(plan(group_by=("model", "provider")), ((EVIL, EVIL),)),
        TopGroups(of_log_plan),
        MeasuredCells(of_log_plan, ((EVIL,),)),
        ExportedCells(of_log_plan),
        LogRows(log),
        LogCount(log, 5),
        ExportedLog(log, COLUMNS, has_only_texts=True),
        AttemptsOf(EVIL, EVIL, COLUMNS),
        Seconds(EVIL, START, START),
        Values(values, "requests"),
        MetadataKeys(EVIL, RANGE),
        Unpriced(EVIL, RANGE),
        DeadLetters(RANGE, EVIL, 5, (1, EVIL)),
    ):
        text, parameters = question.sql()
        assert "DROP" not in text
        assert EVIL in str(parameters) or "DROP" in str(parameters)


@pytest.mark.parametrize("name", ["", "nonsense", EVIL, "window_start", "requests", "metadata"])
def test_a_name_outside_the_catalogue_is_refused(name: str) -> None:
    for relation in RELATIONS.values():
        with pytest.raises(StoreError, match="no such dimension"):
            relation.column(name, Bound())
        with pytest.raises(StoreError, match="no such sum"):
            relation.total(EVIL, only_successes=True)
        with pytest.raises(StoreError, match="have percentiles"):
            relation.sketch(EVIL, only_successes=True)


def test_every_dimension_and_measure_of_the_catalogue_has_a_text() -> None:
    for dimension in DIMENSIONS:
        for table, relation in RELATIONS.items():
            assert relation.has(dimension.name) is (
                (table.partition("_")[0]) in dimension.relations
            )
    log = plan(relation=OF_LOG, measures=MEASURES)
    cube = plan(measures=tuple(each for each in MEASURES if not each.is_from_log_only))
    for asked in (log, cube, replace(cube, relation=Relation("usage_1m_rows", 60), filters=())):
        text, _ = MeasuredCells(asked, None).sql()
        assert f" AS m{len(asked.measures) - 1}" in text


def test_a_number_of_a_status_is_compared_as_one() -> None:
    filters = (Filter("status_code", Match.IS, ("200", "0429", "x", "9" * 40, "٤")),)
    _, parameters = TopGroups(plan(filters=filters)).sql()
    assert [200] in parameters.values()


def test_windows_of_one_length_are_told_by_arithmetic() -> None:
    assert Windows.of(plan()).step == 3600
    assert Windows.of(plan(relation=OF_LOG)).step == 3600 * 10**6
    days = plan(
        granularity=Granularity.DAY,
        time_range=TimeRange(START, START + timedelta(days=3), "Europe/Berlin"),
    )
    irregular = Windows.of(days)
    assert irregular.step == 0
    assert [irregular.index(start) for start in irregular.starts] == [0, 1, 2, 3]


def test_many_cells_of_few_rows_are_asked_for_apart() -> None:
    week = TimeRange(START, START + timedelta(days=7))
    assert len(cells_and_margins(plan(time_range=week), None)) == 1
    many = plan(time_range=week, top=200)
    assert [(each.has_cells, each.has_margins) for each in cells_and_margins(many, None)] == [
        (True, False),
        (False, True),
    ]
    for merged in (
        replace(many, relation=OF_LOG),
        replace(many, relation=Relation("service_1m_rows", 60)),
        replace(many, measures=(measure("requests"),)),
    ):
        assert len(cells_and_margins(merged, None)) == 1


def test_lists_of_short_ranges_come_from_minutes() -> None:
    short = TimeRange(START + timedelta(seconds=61, microseconds=5), START + timedelta(hours=3))
    assert resolution_for(short) is RESOLUTION_1M
    assert widened(short, 60).start == START + timedelta(minutes=1)
    assert resolution_for(TimeRange(START, START + timedelta(days=3))) is RESOLUTION_1H
    assert relation_for("model", (), RESOLUTION_1M) == "service_1m_rows"
    assert relation_for("user_id", (), RESOLUTION_1H) == "usage_1h_rows"
    filters = (Filter("user_id", Match.IS, ("a",)),)
    assert relation_for("region", filters, RESOLUTION_1H) == "requests"
    assert relation_for("metadata.x", (), RESOLUTION_1H) == "requests"


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ("Code: 159. DB::Exception: Timeout exceeded", "20 s"),
        ("Code: 158. DB::Exception: Limit for rows exceeded", "rows"),
        ("Code: 241. DB::Exception: Query memory limit exceeded: would use", "memory"),
    ],
)
def test_a_met_limit_names_itself_and_a_remedy(message: str, said: str) -> None:
    with pytest.raises(QueryTooCostlyError, match=said) as refused:
        _fail(message)
    assert refused.value.remedy


@pytest.mark.parametrize(
    "message",
    [
        "Code: 241. DB::Exception: (total) memory limit exceeded: would use",
        "Code: 210. DB::Exception: Connection refused",
    ],
)
def test_what_is_no_limit_of_the_question_stays_an_error_to_retry(message: str) -> None:
    with pytest.raises(StoreError) as refused:
        _fail(message)
    assert refused.value.retryable


def _fail(message: str) -> None:
    with limited("here", QueryLimits()):
        raise OSError(message)


def test_limits_are_in_the_text_of_each_question() -> None:
    limits = QueryLimits(seconds=2.5, export_seconds=60, rows=7, memory_bytes=9)
    assert "max_execution_time = 2.5" in limits.settings()
    assert "max_execution_time = 60" in limits.settings(is_export=True)
    assert "max_rows_to_read = 7" in limits.settings()
    assert "max_memory_usage = 9" in limits.settings()
