"""`/models`: models side by side, with the span before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from inferometer.core.query.reading import read_models
from inferometer.web.api import common_parameters as common
from inferometer.web.api.describing import page
from inferometer.web.api.documents import cost_scope, coverage_json, freshness_json
from inferometer.web.api.metric_documents import ModelsDocument

if TYPE_CHECKING:
    from datetime import datetime

    from inferometer.core.query.asked import ModelsAnswer, ModelsQuery
    from inferometer.web.api.desk import Desk
    from inferometer.web.api.services import Services

MODELS = (*common.SCOPE, common.PERCENTILE)


def model_routes(desk: Desk, services: Services) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(tags=["metrics"])

    @routes.get(
        "/models",
        **page(
            ModelsDocument,
            "Models side by side: volume, success, latencies at a percentile, tokens, cost; each "
            "beside the span before.",
            MODELS,
        ),
    )
    async def models(request: Request) -> Response:
        call = await desk.call(request, MODELS, is_read_elsewhere=True)
        query = call.read(read_models)
        return await desk.answer(
            call,
            lambda: _models_json(query, services.models(query), services.clock()),
            span=query.time_range,
        )

    return routes


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
