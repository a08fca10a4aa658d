"""`/models`: models side by side, with the span before, as a page or as a file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from inferometer.core.query.answer_files import FileColumn, Kind
from inferometer.core.query.reading import read_models
from inferometer.jobs.answer_models import DURATIONS_OF_MODELS, OF_MODELS
from inferometer.web.api import common_parameters as common
from inferometer.web.api.describing import page
from inferometer.web.api.documents import cost_scope, coverage_json, freshness_json
from inferometer.web.api.formats import CSV_TEXTS, FORMAT, Format
from inferometer.web.api.list_files import columns_of, opened_list
from inferometer.web.api.metric_documents import ModelsDocument

if TYPE_CHECKING:
    from datetime import datetime

    from inferometer.core.query.asked import ModelsAnswer, ModelsQuery
    from inferometer.web.api.desk import Desk
    from inferometer.web.api.services import Services
    from inferometer.web.api.workers import Opened

MODELS = (*common.SCOPE, common.PERCENTILE, FORMAT)
_WHOLE = ("requests", "input_tokens", "output_tokens")
_NUMBERS = (*OF_MODELS, *(f"{duration}_ms" for duration in DURATIONS_OF_MODELS))
_BEFORE = "previous_"
_COLUMNS = (
    *columns_of(model=Kind.TEXT, provider=Kind.TEXT, is_other=Kind.FLAG),
    *(
        FileColumn(f"{span}{name}", Kind.WHOLE if name in _WHOLE else Kind.NUMBER)
        for span in ("", _BEFORE)
        for name in _NUMBERS
    ),
)


def model_routes(desk: Desk, services: Services) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(tags=["metrics"])

    @routes.get(
        "/models",
        **page(
            ModelsDocument,
            "Models side by side: volume, success, latencies at a percentile, tokens, cost; each "
            "beside the span before. As CSV, JSON lines or Parquet: a row a model, the numbers of the "
            f"span before as `previous_...`; {CSV_TEXTS}.",
            MODELS,
        ),
    )
    async def models(request: Request) -> Response:
        call = await desk.call(request, MODELS, is_read_elsewhere=True)
        form = desk.form(call)
        query = call.read(read_models)
        if form is not Format.JSON:
            return await desk.export(
                call, "models", form, lambda: _models_file(services.models(query), form)
            )
        return await desk.answer(
            call,
            lambda: _models_json(query, services.models(query), services.clock()),
            span=query.time_range,
        )

    return routes


def _models_file(answer: ModelsAnswer, form: Format) -> Opened:
    rows = [
        {**row, **{f"{_BEFORE}{name}": value for name, value in (row["previous"] or {}).items()}}
        for row in answer.rows
    ]
    return opened_list(rows, _COLUMNS, form, answer.coverage)


def _models_json(query: ModelsQuery, answer: ModelsAnswer, now: datetime) -> dict[str, Any]:
    return {
        "models": answer.rows,
        "percentile": answer.percentile,
        "from": answer.time_range.start,
        "to": answer.time_range.end,
        "span_s": answer.span_s,
        "freshness": freshness_json(answer.freshness, now),
        "coverage": coverage_json(answer.coverage),
        "notes": answer.notes,
        "cost_scope": cost_scope(query.workspace_id, query.filters),
    }
