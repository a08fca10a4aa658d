"""What machines ask: alive, ready, metrics; the last only for who may see all workspaces."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from inferometer.prometheus.web_metrics import WebMetrics
from inferometer.web.identity.roles import Caller, ForbiddenError, Role
from inferometer.web.measured import Measured
from inferometer.web.operation import add_operation
from tests.unit.web.identity.asking import ask

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request


def served(obstacles: list[str], workspace: str | None = None) -> Starlette:
    async def who(_: Request) -> Caller:
        return Caller("ann", Role.VIEWER, workspace)

    async def refused(_: Request, error: Exception) -> Response:
        return PlainTextResponse(str(error), 403)

    app = Starlette(exception_handlers={ForbiddenError: refused})
    add_operation(
        app, obstacles=lambda: obstacles, exposition=lambda: ("text/x", b"m 1\n"), identify=who
    )
    return app


def test_it_is_alive_while_it_answers_and_ready_while_the_store_does() -> None:
    assert ask(served(["the store is away"]), "GET", "/healthz").status == 200
    assert ask(served([]), "GET", "/readyz").status == 200
    away = ask(served(["the store is away"]), "GET", "/readyz")
    assert (away.status, away.body) == (503, b"the store is away\n")


def test_metrics_are_for_tokens_of_all_workspaces() -> None:
    shown = ask(served([]), "GET", "/metrics")
    assert (shown.status, shown.body, shown.headers["content-type"]) == (200, b"m 1\n", "text/x")
    assert ask(served([], "acme"), "GET", "/metrics").status == 403


def measured() -> tuple[Measured, WebMetrics]:
    async def page(_: Request) -> Response:
        return PlainTextResponse("x")

    async def live(_: Request) -> Response:
        async def pieces() -> AsyncIterator[bytes]:
            yield b"data: x\n\n"

        return StreamingResponse(pieces(), media_type="text/event-stream")

    metrics = WebMetrics(version="1.2.3", is_store_up=lambda: True)
    app = Starlette(routes=[Route("/static/{path:path}", page), Route("/live", live)])
    return Measured(app, observer=metrics, monotonic=lambda: 1.0), metrics


def test_answers_are_counted_by_route_and_never_by_what_was_asked() -> None:
    app, metrics = measured()
    for number in range(50):
        ask(app, "GET", f"/static/{number}")
        ask(app, "GET", f"/nowhere/{number}")
        ask(app, f"X{number}", "/nowhere")
    media_type, text = metrics.exposition()
    lines = [
        line
        for line in text.decode().splitlines()
        if line.startswith("inferometer_web_requests_total")
    ]
    assert len(lines) == 3
    assert any('route="unknown"' in line and 'method="other"' in line for line in lines)
    assert "inferometer_web_requests_under_way 0.0" in text.decode()
    assert "inferometer_web_store_up 1.0" in text.decode()
    assert media_type.startswith("text/plain")


def test_a_live_view_is_no_slow_answer() -> None:
    app, metrics = measured()
    ask(app, "GET", "/live")
    assert b"inferometer_web_request_seconds_count" not in metrics.exposition()[1]
