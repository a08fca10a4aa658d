"""`/measures`, `/dimensions` and `/metadata-keys`: what can be asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from inferometer.core.query.catalogue import MEASURES, relations_of
from inferometer.core.query.dimensions import DIMENSIONS
from inferometer.core.query.reading import read_range, read_values
from inferometer.web.api import common_parameters as common
from inferometer.web.api.describing import page
from inferometer.web.api.log_documents import (
    DimensionsDocument,
    MeasuresDocument,
    ValuesDocument,
)
from inferometer.web.api.metrics import measure_json
from inferometer.web.api.parameters import Whole

if TYPE_CHECKING:
    from collections.abc import Iterable

    from inferometer.core.query.answers import DimensionValue
    from inferometer.core.query.questions import TimeRange
    from inferometer.web.api.desk import Desk
    from inferometer.web.api.services import Services

LIMIT = Whole("limit", "How many values at most.", 100, least=1, most=1000)
VALUES = (*common.SCOPE, common.PREFIX, LIMIT)
METADATA_KEYS = (common.WORKSPACE, *common.RANGE, common.PREFIX, LIMIT)


def dimension_routes(desk: Desk, services: Services) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(tags=["catalogue"])

    @routes.get("/measures", **page(MeasuresDocument, "The measures, with unit and definition."))
    async def measures(request: Request) -> Response:
        call = await desk.call(request)
        call.asked.check()
        return desk.at_once(call, _measures_json())

    @routes.get("/dimensions", **page(DimensionsDocument, "The dimensions, with definition."))
    async def dimensions(request: Request) -> Response:
        call = await desk.call(request)
        call.asked.check()
        return desk.at_once(call, _dimensions_json())

    @routes.get(
        "/dimensions/{name:path}/values",
        **page(
            ValuesDocument,
            "The values of a dimension or `metadata.<key>` in a span, the most requests first.",
            VALUES,
            path={"name": "A dimension of `/dimensions`, or `metadata.<key>`."},
        ),
    )
    async def dimension_values(request: Request) -> Response:
        call = await desk.call(request, VALUES, is_read_elsewhere=True)
        query = call.read(read_values, request.path_params["name"])
        return await desk.answer(
            call,
            lambda: _values_json(services.values(query), query.time_range),
            span=query.time_range,
        )

    @routes.get(
        "/metadata-keys",
        **page(
            ValuesDocument,
            "The metadata keys that were sent in a span; each is the dimension `metadata.<key>`.",
            METADATA_KEYS,
        ),
    )
    async def metadata_keys(request: Request) -> Response:
        call = await desk.call(request, METADATA_KEYS)
        prefix, limit = call.asked[common.PREFIX], call.asked[LIMIT]
        span = call.span(read_range)
        return await desk.answer(
            call,
            lambda: _values_json(
                services.values.metadata_keys(call.workspace_id, span, prefix, limit), span
            ),
            span=span,
        )

    return routes


def _measures_json() -> dict[str, Any]:
    return {
        "measures": [
            {**measure_json(measure), "relations": relations_of(measure)} for measure in MEASURES
        ]
    }


def _dimensions_json() -> dict[str, Any]:
    return {
        "dimensions": [
            {
                "name": each.name,
                "label": each.label,
                "definition": each.definition,
                "relations": each.relations,
            }
            for each in DIMENSIONS
        ]
    }


def _values_json(values: Iterable[DimensionValue], span: TimeRange) -> dict[str, Any]:
    return {
        "values": [{"value": each.value, "requests": each.requests} for each in values],
        "from": span.start,
        "to": span.end,
    }
