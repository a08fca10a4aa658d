"""What operators and their machines ask: is it alive, is it ready, what are its metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from inferometer.web.identity.roles import ForbiddenError

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.applications import Starlette
    from starlette.requests import Request

    from inferometer.web.identity.roles import Identify

NO_STORE = {"Cache-Control": "no-store"}


def add_operation(
    app: Starlette,
    *,
    obstacles: Callable[[], list[str]],
    exposition: Callable[[], tuple[str, bytes]],
    identify: Identify,
) -> None:
    """Add `/healthz`, `/readyz` and `/metrics`; the last for tokens of all workspaces.

    `obstacles` returns why questions cannot be answered now, and must not block.
    """

    async def healthz(_: Request) -> Response:
        # That it is answered shows that the loop moves: the rest mends itself.
        return PlainTextResponse("ok\n", headers=NO_STORE)

    async def readyz(_: Request) -> Response:
        found = obstacles()
        text = "".join(f"{obstacle}\n" for obstacle in found) or "ok\n"
        return PlainTextResponse(text, status_code=503 if found else 200, headers=NO_STORE)

    async def metrics(request: Request) -> Response:
        caller = await identify(request)
        if caller.workspace is not None:
            raise ForbiddenError(
                "metrics of the process are of no single workspace", "use a token of all workspaces"
            )
        media_type, text = exposition()
        return Response(text, headers={**NO_STORE, "Content-Type": media_type})

    app.router.routes[:0] = [
        Route("/healthz", healthz),
        Route("/readyz", readyz),
        Route("/metrics", metrics),
    ]
