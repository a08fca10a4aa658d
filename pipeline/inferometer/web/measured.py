"""Measures every answer of an application: which route, which status, how long."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from inferometer.web.identity.guard import PROBES

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
BASE = "/api/v1"
GONE = 499
"""The status of a request whose client went away before an answer began; that of nginx."""


class WebObserver(Protocol):
    """What learns of answers; called on the event loop, must not block."""

    def request_began(self) -> None:
        """Take note that a request has come."""

    def request_ended(
        self, *, method: str, route: str, status: int, seconds: float, is_stream: bool
    ) -> None:
        """Take note of its answer."""


class Measured:
    """An ASGI application around another."""

    def __init__(
        self, app: ASGIApp, *, observer: WebObserver, monotonic: Callable[[], float]
    ) -> None:
        self._app = app
        self._observer = observer
        self._monotonic = monotonic

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status, is_stream = GONE, False

        async def measured_send(message: Message) -> None:
            nonlocal status, is_stream
            if message["type"] == "http.response.start":
                status = message["status"]
                is_stream = _is_stream(message)
            await send(message)

        began_s = self._monotonic()
        self._observer.request_began()
        try:
            await self._app(scope, receive, measured_send)
        finally:
            method = scope["method"]
            self._observer.request_ended(
                # Both are chosen by who asks: anything else would make series without end.
                method=method if method in METHODS else "other",
                route=_route(scope),
                status=status,
                seconds=self._monotonic() - began_s,
                is_stream=is_stream,
            )


def _route(scope: Scope) -> str:
    """Return the path of the route that answered, with the names of its parameters."""
    path: str = scope["path"]
    found: str | None = getattr(scope.get("route"), "path", None)
    if found is not None:
        # A router that is mounted under a prefix may know its own part only.
        is_whole = found.startswith(BASE) or not path.startswith(BASE)
        return found if is_whole else BASE + found
    if path.startswith("/static/"):
        return "/static"
    if path in PROBES:
        return path
    # A route of the console has an endpoint and no path here; nothing was found without one.
    return "console" if "endpoint" in scope else "unknown"


def _is_stream(message: Message) -> bool:
    return any(
        name.lower() == b"content-type" and value.startswith(b"text/event-stream")
        for name, value in message.get("headers", ())
    )
