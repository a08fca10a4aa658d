"""The route of `/live`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from inferometer.errors import PipelineError
from inferometer.web.api import common_parameters as common
from inferometer.web.api.describing import EVENT_STREAM, page, stream_answer
from inferometer.web.api.live import live_events
from inferometer.web.api.parameters import Texts
from inferometer.web.api.problems import BusyError
from inferometer.web.api.source_response import SourceResponse
from inferometer.web.identity.roles import NotIdentifiedError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from inferometer.web.api.call import Call
    from inferometer.web.api.desk import Desk
    from inferometer.web.api.live import LiveHub

IDENTIFY_AGAIN_S = 30
MODEL = Texts("model", "Only these models; repeated, or with commas.")
LIVE = (common.WORKSPACE, MODEL)
_TEXT = (
    "Server-sent events: `snapshot` with the last 300 s by second and model, then each second "
    "`seconds` with the last 30 s again, corrected by what came late; `problem` while the store is "
    "away, and a `snapshot` once it is back. `data` is JSON: a "
    "LiveDocument, or a LiveProblemDocument."
)


def live_routes(desk: Desk, hub: LiveHub) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(tags=["live"])
    described = page(None, _TEXT, LIVE)
    described["responses"][200] = stream_answer("The events; they go on until the client leaves.")

    @routes.get("/live", **described)
    async def live(request: Request) -> Response:
        call = await desk.stream_call(request, LIVE)
        models = call.asked[MODEL]
        call.asked.check()
        if hub.is_full:
            raise BusyError
        events = live_events(hub, call.workspace_id, models, _still_welcome(desk, call))
        return SourceResponse(
            events,
            media_type=EVENT_STREAM,
            # A proxy must pass each event on at once.
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        )

    return routes


def _still_welcome(desk: Desk, call: Call) -> Callable[[], Awaitable[Exception | None]]:
    asked_at = call.now

    async def check() -> Exception | None:
        nonlocal asked_at
        now = desk.clock()
        ends = call.caller.expires_at
        if ends is not None and now >= ends:
            return NotIdentifiedError("the token has expired", "sign in again")
        if (now - asked_at).total_seconds() < IDENTIFY_AGAIN_S:
            return None
        asked_at = now
        try:
            await desk.doors.identify(call.request)
        except NotIdentifiedError as error:
            return error
        except PipelineError:
            # A limit, or a file that cannot be read now, is no reason to end what was allowed.
            return None
        return None

    return check
