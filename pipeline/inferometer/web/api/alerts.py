"""Alerts over HTTP: how objectives stand, incidents, notices, silences, and the screen at night."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from inferometer.core.query.reading import read_range
from inferometer.web.api import common_parameters as common
from inferometer.web.api.alert_documents import (
    IncidentDocument,
    IncidentsDocument,
    NotificationsDocument,
    OncallDocument,
    SilenceBody,
    SilenceMade,
    SilencesDocument,
    StatusDocument,
)
from inferometer.web.api.describing import page
from inferometer.web.api.parameters import Choice, Whole
from inferometer.web.api.problems import NotFoundError
from inferometer.web.identity.roles import Role

if TYPE_CHECKING:
    from inferometer.web.api.desk import Desk
    from inferometer.web.api.services import Services


class IncidentState(enum.StrEnum):
    """Which incidents."""

    OPEN = "open"
    ALL = "all"


STATE = Choice("state", "Those that are open, or all.", IncidentState.ALL)
LIMIT = Whole("limit", "How many rows at most.", 500, least=1, most=5000)
INCIDENTS = (common.WORKSPACE, *common.RANGE, STATE, LIMIT)
NOTIFICATIONS = (common.WORKSPACE, *common.RANGE, LIMIT)
ONE_WORKSPACE = (common.WORKSPACE,)
ONCALL = (common.WORKSPACE, common.TIME_ZONE)


def alert_routes(desk: Desk, services: Services) -> APIRouter:
    """Return the routes that only read."""
    routes = APIRouter(tags=["alerts"])
    alerts = services.alerts

    @routes.get(
        "/alerts/status", **page(StatusDocument, "How every objective stands.", ONE_WORKSPACE)
    )
    async def alert_status(request: Request) -> Response:
        call = await desk.call(request, ONE_WORKSPACE)
        call.asked.check()
        return await desk.answer(call, lambda: alerts.status(call.workspace_id), asks_store=False)

    @routes.get(
        "/incidents",
        **page(
            IncidentsDocument, "Incidents that were open in a span, the latest first.", INCIDENTS
        ),
    )
    async def incidents(request: Request) -> Response:
        call = await desk.call(request, INCIDENTS)
        state, limit = call.asked[STATE], call.asked[LIMIT]
        span = call.span(read_range)
        return await desk.answer(
            call,
            lambda: alerts.incidents(
                call.workspace_id,
                since=span.start,
                until=span.end,
                state=str(state),
                limit=limit,
            ),
        )

    @routes.get(
        "/incidents/{incident_id}",
        **page(
            IncidentDocument,
            "One incident with the numbers, windows and notices behind it.",
            ONE_WORKSPACE,
            path={"incident_id": "The id of the incident."},
        ),
    )
    async def incident(request: Request) -> Response:
        call = await desk.call(request, ONE_WORKSPACE)
        call.asked.check()
        incident_id = call.path("incident_id")
        return await desk.answer(
            call, lambda: _found(alerts.incident(call.workspace_id, incident_id), incident_id)
        )

    @routes.get(
        "/notifications",
        **page(
            NotificationsDocument, "Attempts to tell somebody, the latest first.", NOTIFICATIONS
        ),
    )
    async def notifications(request: Request) -> Response:
        call = await desk.call(request, NOTIFICATIONS)
        limit = call.asked[LIMIT]
        span = call.span(read_range)
        return await desk.answer(
            call,
            lambda: alerts.notifications(
                call.workspace_id, since=span.start, until=span.end, limit=limit
            ),
        )

    @routes.get(
        "/oncall",
        **page(
            OncallDocument,
            "What is broken, since when, for whom, and which model, node and region is behind it.",
            ONCALL,
        ),
    )
    async def oncall(request: Request) -> Response:
        call = await desk.call(request, ONCALL)
        zone = call.span(read_range).zone
        return await desk.answer(call, lambda: services.oncall.now(call.workspace_id, zone))

    return routes


def silence_routes(desk: Desk, services: Services) -> APIRouter:
    """Return the routes of silences."""
    routes = APIRouter(tags=["alerts"])
    alerts = services.alerts

    @routes.get(
        "/silences",
        **page(SilencesDocument, "The silences and maintenance windows.", ONE_WORKSPACE),
    )
    async def silences(request: Request) -> Response:
        call = await desk.call(request, ONE_WORKSPACE)
        call.asked.check()
        return await desk.fresh(call, lambda: alerts.silences(call.workspace_id))

    @routes.post(
        "/silences",
        **page(
            SilenceMade,
            "Make a silence, or change one. A token of one workspace silences only that.",
            ONE_WORKSPACE,
            status=201,
            role=Role.OPERATOR,
            body=SilenceBody,
        ),
    )
    async def add_silence(request: Request) -> Response:
        call = await desk.call(request, ONE_WORKSPACE, role=Role.OPERATOR)
        call.asked.check()
        wanted = (await call.body(SilenceBody)).model_dump(mode="json", exclude_none=True)
        return await desk.fresh(
            call,
            lambda: alerts.add_silence(call.workspace_id, wanted, created_by=call.caller.name),
            status=201,
        )

    @routes.delete(
        "/silences/{silence_id}",
        **page(
            None,
            "End a silence now.",
            ONE_WORKSPACE,
            status=204,
            role=Role.OPERATOR,
            path={"silence_id": "The id of the silence."},
        ),
    )
    async def expire_silence(request: Request) -> Response:
        call = await desk.call(request, ONE_WORKSPACE, role=Role.OPERATOR)
        call.asked.check()
        silence_id = call.path("silence_id")
        if not await desk.others.run(lambda: alerts.expire_silence(call.workspace_id, silence_id)):
            raise NotFoundError(f"no silence {silence_id[:64]}; GET /silences lists them")
        return Response(status_code=204)

    return routes


def _found(incident: dict[str, Any] | None, incident_id: str) -> dict[str, Any]:
    if incident is None:
        raise NotFoundError(f"no incident {incident_id[:64]}; GET /incidents lists them")
    return incident
