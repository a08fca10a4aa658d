"""Builds the query API: one app over ports, without a module-level one."""

from __future__ import annotations

import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, cast

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response

from inferometer.web.api.alerts import alert_routes, silence_routes
from inferometer.web.api.callers import caller_routes, token_routes
from inferometer.web.api.describing import BASE
from inferometer.web.api.desk import Desk, rendered_json
from inferometer.web.api.dimensions import dimension_routes
from inferometer.web.api.live import LiveHub
from inferometer.web.api.live_routes import live_routes
from inferometer.web.api.metrics import metrics_routes
from inferometer.web.api.models import model_routes
from inferometer.web.api.openapi import openapi_document
from inferometer.web.api.pipeline import pipeline_routes
from inferometer.web.api.problems import add_handlers, kind_routes
from inferometer.web.api.recent_freshness import RecentFreshness
from inferometer.web.api.requests import request_routes
from inferometer.web.api.services import ApiLimits, Doors, Services
from inferometer.web.api.spend import spend_routes

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from datetime import datetime

    from inferometer.jobs.answer_alerts import AnswerAlerts
    from inferometer.query_ports import Lags, QueryStore
    from inferometer.web.identity.desks import SessionDesk, TokenDesk
    from inferometer.web.identity.roles import Identify


def create_app(
    *,
    store: QueryStore,
    alerts: AnswerAlerts,
    identify: Identify,
    sessions: SessionDesk,
    tokens: TokenDesk,
    clock: Callable[[], datetime],
    lags: Lags = dict,
    limits: ApiLimits | None = None,
    seconds: Callable[[], float] = time.monotonic,
    pause: Callable[[float], Awaitable[None]] | None = None,
) -> FastAPI:
    """Return the app. Its threads end with its lifespan; `seconds` is a clock that never goes back."""
    limits = limits or ApiLimits()
    store = cast("QueryStore", RecentFreshness(store, seconds))
    services = Services(store=store, alerts=alerts, clock=clock, lags=lags)
    desk = Desk(
        doors=Doors(identify=identify, sessions=sessions, tokens=tokens),
        clock=clock,
        seconds=seconds,
        limits=limits,
    )
    hub = LiveHub(
        store=store,
        workers=desk.queries,
        clock=clock,
        most=limits.live_streams,
        **({} if pause is None else {"pause": pause}),
    )
    return build_app(desk, services, hub)


def openapi_schema() -> dict[str, Any]:
    """Return the OpenAPI document; no store is needed for it."""
    nothing: Any = _Nothing()
    app = create_app(
        store=nothing,
        alerts=nothing,
        identify=nothing,
        sessions=nothing,
        tokens=nothing,
        clock=nothing,
    )
    return openapi_document(app)


class _Nothing:
    """Stands where a document is made and nothing is asked."""

    def __getattr__(self, name: str) -> Any:
        return None


def build_app(desk: Desk, services: Services, hub: LiveHub) -> FastAPI:
    """Return the app of parts that stand."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        hub.close()
        desk.close()

    app = FastAPI(
        # Its pages would load scripts from elsewhere; the document is served below.
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
        redirect_slashes=False,
        generate_unique_id_function=_route_name,
    )
    app.openapi = lambda: openapi_document(app)  # type: ignore[method-assign]
    for routes in (
        metrics_routes(desk, services),
        model_routes(desk, services),
        dimension_routes(desk, services),
        request_routes(desk, services),
        live_routes(desk, hub),
        alert_routes(desk, services),
        silence_routes(desk, services),
        spend_routes(desk, services),
        pipeline_routes(desk, services),
        caller_routes(desk),
        token_routes(desk),
        _document_routes(app),
    ):
        app.include_router(routes, prefix=BASE)
    app.include_router(kind_routes())
    add_handlers(app)
    return app


def _document_routes(app: FastAPI) -> APIRouter:
    routes = APIRouter()
    made: list[bytes] = []

    @routes.get("/openapi.json", include_in_schema=False)
    async def document(_: Request) -> Response:
        if not made:
            made.append(rendered_json(app.openapi()))
        return Response(made[0], media_type="application/json")

    return routes


def _route_name(route: APIRoute) -> str:
    return route.name
