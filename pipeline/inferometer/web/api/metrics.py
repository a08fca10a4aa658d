"""`/metrics` and `/changes`: any measure by any group and window, and what moved it."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from inferometer.core.query.answer_files import Kind
from inferometer.core.query.questions import (
    Comparison,
    Granularity,
    Problem,
    QueryRefusedError,
)
from inferometer.core.query.reading import read_changes, read_metrics
from inferometer.web.api import common_parameters as common
from inferometer.web.api.describing import page
from inferometer.web.api.documents import cost_scope, coverage_json, freshness_json
from inferometer.web.api.formats import CSV_TEXTS, FORMAT, Format
from inferometer.web.api.list_files import columns_of, opened_list
from inferometer.web.api.metric_documents import ChangesDocument, MetricsDocument
from inferometer.web.api.workers import Opened

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from inferometer.core.query.answers import Compared, MetricsAnswer, Series
    from inferometer.core.query.asked import ChangesAnswer, ChangesQuery
    from inferometer.core.query.measures import Measure
    from inferometer.core.query.questions import MetricsQuery
    from inferometer.web.api.desk import Desk
    from inferometer.web.api.services import Services

EXPORT_ROW_LIMIT = 1_000_000
NO_VALUE = "(none)"
METRICS = (
    *common.SCOPE,
    common.MEASURE,
    common.GROUP_BY,
    common.GRANULARITY,
    common.TOP,
    common.ORDER_BY,
    common.STATUSES,
    common.COMPARE,
    common.BASELINE_FILTER,
    FORMAT,
)
CHANGES = (*common.SCOPE, common.MEASURE_OF_CHANGES, FORMAT)
_COLUMNS_OF_CHANGES = columns_of(
    dimension=Kind.TEXT,
    value=Kind.TEXT,
    now=Kind.NUMBER,
    before=Kind.NUMBER,
    difference=Kind.NUMBER,
    share_of_difference=Kind.NUMBER,
)
_GRANULARITY_S = {
    Granularity.S10: 10,
    Granularity.S30: 30,
    Granularity.M1: 60,
    Granularity.M5: 300,
    Granularity.M15: 900,
    Granularity.M30: 1800,
    Granularity.H1: 3600,
    Granularity.H3: 10_800,
    Granularity.H6: 21_600,
    Granularity.H12: 43_200,
    Granularity.DAY: 86_400,
    Granularity.WEEK: 604_800,
}


def metrics_routes(desk: Desk, services: Services) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(tags=["metrics"])

    @routes.get(
        "/metrics",
        **page(
            MetricsDocument,
            "Any measure, by any group and window. As CSV, JSON lines or Parquet: a row a window "
            "and group, every group, exact decimals for money, nothing to compare with; "
            f"{CSV_TEXTS}.",
            METRICS,
        ),
    )
    async def metrics(request: Request) -> Response:
        call = await desk.call(request, METRICS, is_read_elsewhere=True)
        form = desk.form(call)
        query = call.read(read_metrics)
        if form is not Format.JSON:
            _check_of_file(query, form)
            opens = functools.partial(_export, services, query, form)
            return await desk.export(call, "metrics", form, opens)
        return await desk.answer(
            call,
            lambda: metrics_json(query, services.metrics(query), services.clock()),
            span=query.time_range,
        )

    @routes.get(
        "/changes",
        **page(
            ChangesDocument,
            "What changed since the span before: how much each value of each dimension adds to the "
            "difference. As CSV, JSON lines or Parquet: a row a value, the largest difference first; "
            f"{CSV_TEXTS}.",
            CHANGES,
        ),
    )
    async def changes(request: Request) -> Response:
        call = await desk.call(request, CHANGES, is_read_elsewhere=True)
        form = desk.form(call)
        query = call.read(read_changes)
        if form is not Format.JSON:
            return await desk.export(
                call, "changes", form, lambda: _changes_file(services.changes(query), form)
            )
        return await desk.answer(
            call,
            lambda: _changes_json(query, services.changes(query), services.clock()),
            span=query.time_range,
        )

    return routes


def _check_of_file(query: MetricsQuery, form: Format) -> None:
    if query.comparison is not Comparison.NONE:
        raise QueryRefusedError(
            Problem(
                "compare",
                f"a file of {form} holds one span, with nothing to compare it with",
                "leave compare out and ask for a file of each span, or ask for format=json",
            )
        )


def _export(services: Services, query: MetricsQuery, form: Format) -> Opened:
    export = services.metrics.export(query, str(form))
    headers = {
        "X-Row-Limit": str(EXPORT_ROW_LIMIT),
        "X-Relation": export.plan.relation.name,
        "X-Is-Whole": str(export.coverage.is_whole).lower(),
    }
    return Opened(headers, export.chunks)


def metrics_json(query: MetricsQuery, answer: MetricsAnswer, now: datetime) -> dict[str, Any]:
    """Return an answer as its document."""
    plan = answer.plan
    return {
        "query": _query_json(query, answer),
        "measures": [measure_json(each) for each in query.measures],
        "relation": plan.relation.name,
        "is_from_log": answer.is_from_log,
        "notes": answer.notes,
        "freshness": freshness_json(answer.freshness, now),
        "coverage": coverage_json(answer.coverage),
        "cost_scope": cost_scope(query.workspace_id, query.filters),
        "windows": answer.windows,
        "window_ends": answer.window_ends,
        "is_final": answer.is_final,
        "total": answer.total,
        "values": answer.values,
        "series": _series_json(answer.series, query.group_by),
        "groups_total": answer.groups_total,
        "compared": _compared_json(answer.compared, query.group_by),
    }


def _query_json(query: MetricsQuery, answer: MetricsAnswer) -> dict[str, Any]:
    plan = answer.plan
    return {
        "from": plan.time_range.start,
        "to": plan.time_range.end,
        "time_zone": plan.time_range.zone,
        "granularity": plan.granularity,
        "granularity_s": _GRANULARITY_S.get(plan.granularity),
        "measures": [measure.name for measure in query.measures],
        "group_by": query.group_by,
        "filters": [
            {"dimension": each.dimension, "match": each.match, "values": each.values}
            for each in query.filters
        ],
        "top": query.top,
        "order_by": plan.order_by.name,
        "statuses": query.statuses,
        "compare": query.comparison,
    }


def measure_json(measure: Measure) -> dict[str, Any]:
    """Return what a measure counts."""
    return {
        "name": measure.name,
        "label": measure.label,
        "unit": measure.unit,
        "definition": measure.definition,
        "higher_is_worse": measure.higher_is_worse,
    }


def _series_json(series: Sequence[Series], group_by: Sequence[str]) -> list[dict[str, Any]]:
    return [
        {
            "group": each.group,
            "label": " / ".join(each.group[name] or NO_VALUE for name in group_by),
            "is_other": each.is_other,
            "total": each.total,
            "values": each.values,
        }
        for each in series
    ]


def _compared_json(compared: Compared | None, group_by: Sequence[str]) -> dict[str, Any] | None:
    if compared is None:
        return None
    return {
        "from": compared.start,
        "to": compared.end,
        "windows": compared.windows,
        "total": compared.total,
        "values": compared.values,
        "series": _series_json(compared.series, group_by),
    }


def _changes_json(query: ChangesQuery, answer: ChangesAnswer, now: datetime) -> dict[str, Any]:
    return {
        "measure": measure_json(answer.measure),
        "from": answer.time_range.start,
        "to": answer.time_range.end,
        "previous_from": answer.previous_range.start,
        "previous_to": answer.previous_range.end,
        "total": answer.total,
        "previous_total": answer.previous_total,
        "changes": _rows_of_changes(answer),
        "freshness": freshness_json(answer.freshness, now),
        "coverage": coverage_json(answer.coverage),
        "notes": answer.notes,
        "cost_scope": cost_scope(query.workspace_id, query.filters),
    }


def _changes_file(answer: ChangesAnswer, form: Format) -> Opened:
    return opened_list(_rows_of_changes(answer), _COLUMNS_OF_CHANGES, form, answer.coverage)


def _rows_of_changes(answer: ChangesAnswer) -> list[dict[str, Any]]:
    return [
        {
            "dimension": each.dimension,
            "value": each.value,
            "now": each.now,
            "before": each.before,
            "difference": each.difference,
            "share_of_difference": each.share_of_difference,
        }
        for each in answer.changes
    ]
