"""Surrounds the whole application: whom it answers, how much it reads, what browsers are told.

Who asks is found out inside, by each route; this is what holds for every answer, errors included.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

import orjson

from inferometer.web.identity.headers import secured

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from inferometer.web.identity.origins import Origins

MAX_BODY_BYTES = 256 * 1024
BODY_TIMEOUT_S = 30.0
"""How long the next piece of a body may take; who sends none holds a place among the connections."""
MAX_TARGET_BYTES = 32 * 1024
"""Of path and query; a filter of a few hundred values fits."""
PROBES = frozenset({"/healthz", "/readyz", "/metrics"})
"""Asked by address, whatever this server is called: they tell nothing that a page could use."""

logger = logging.getLogger(__name__)


class Guard:
    """An ASGI application around another."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        origins: Origins,
        max_body_bytes: int = MAX_BODY_BYTES,
        body_timeout_s: float = BODY_TIMEOUT_S,
    ) -> None:
        self._app = app
        self._body_timeout_s = body_timeout_s
        self._origins = origins
        self._max_body_bytes = max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or refuse it."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await self._answer(scope, receive, send)
        # Anything else, which is a web socket, ends unanswered: the server refuses it.

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = _Answer(send, is_https=self._origins.is_secure)
        refusal = self._refusal(scope)
        if refusal is not None:
            await answer.problem(*refusal)
            return
        body = _Body(receive, answer, self._max_body_bytes, self._body_timeout_s)
        try:
            await self._app(scope, body.receive, answer.send)
        except asyncio.CancelledError:
            # The server stops and has waited long enough: this is the end of the task all the same.
            if not answer.has_begun:
                await answer.problem(503, "Stopping", "the server stops; ask again in a moment")
        except Exception:
            if answer.is_given_up:
                # What read the body was told that the client had gone.
                return
            # What a route did not foresee must not show itself to who asked.
            logger.exception("a request failed; please report it", extra={"path": scope["path"]})
            if not answer.has_begun:
                await answer.problem(500, "Internal error", "the log of the server says more")
            elif not answer.is_complete:
                # The server breaks the connection, so that half an answer is not taken for whole.
                raise

    def _refusal(self, scope: Scope) -> tuple[int, str, str] | None:
        headers = {name.lower(): value for name, value in scope["headers"]}
        host = headers.get(b"host", b"").decode("latin-1")
        if scope["path"] not in PROBES and not self._origins.is_own_host(host):
            return (
                403,
                "Unknown host",
                f"this server is not {host[:100]!r}; open it by its address, or name it by the "
                "setting web.public_url",
            )
        if len(scope.get("raw_path") or b"") + len(scope["query_string"]) > MAX_TARGET_BYTES:
            return 414, "URI too long", "send fewer or shorter filters"
        length = headers.get(b"content-length", b"0")
        if length.isdigit() and int(length) > self._max_body_bytes:
            return self._too_large()
        return None

    def _too_large(self) -> tuple[int, str, str]:
        return 413, "Body too large", f"send at most {self._max_body_bytes} bytes"


class _Answer:
    """What goes back: its headers are completed, and it begins once."""

    def __init__(self, send: Send, *, is_https: bool) -> None:
        self._send = send
        self._is_https = is_https
        self.has_begun = False
        self.is_complete = False
        self.is_given_up = False

    async def send(self, message: Message) -> None:
        if self.is_given_up:
            return
        if message["type"] == "http.response.start":
            self.has_begun = True
            headers = secured(list(message.get("headers", ())), is_https=self._is_https)
            message = {**message, "headers": headers}
        await self._send(message)
        if message["type"] == "http.response.body" and not message.get("more_body", False):
            self.is_complete = True

    async def problem(self, status: int, title: str, detail: str) -> None:
        """Answer with a problem, and drop what else is sent."""
        body = orjson.dumps(
            {
                "type": "about:blank",
                "title": title,
                "status": status,
                "detail": detail,
                "problems": [],
            }
        )
        headers = [
            (b"content-type", b"application/problem+json"),
            (b"content-length", str(len(body)).encode()),
        ]
        start: MutableMapping[str, Any] = {
            "type": "http.response.start", "status": status, "headers": headers,
        }  # fmt: skip
        await self.send(start)
        await self.send({"type": "http.response.body", "body": body})
        self.is_given_up = True


class _Body:
    """What comes in, counted and timed: a length need not be told before, nor kept."""

    def __init__(self, receive: Receive, answer: _Answer, max_bytes: int, timeout_s: float) -> None:
        self._receive = receive
        self._answer = answer
        self._left = max_bytes
        self._max_bytes = max_bytes
        self._timeout_s = timeout_s
        self._is_whole = False

    async def receive(self) -> Message:
        if self._is_whole:
            # From now on this waits for the client to go away, as long as that takes.
            return await self._receive()
        try:
            async with asyncio.timeout(self._timeout_s):
                message = await self._receive()
        except TimeoutError:
            return await self._refuse(408, "Request timeout", "send the body without a pause")
        if message["type"] == "http.request":
            self._left -= len(message.get("body", b""))
            self._is_whole = not message.get("more_body", False)
            if self._left < 0:
                return await self._refuse(
                    413, "Body too large", f"send at most {self._max_bytes} bytes"
                )
        return message

    async def _refuse(self, status: int, title: str, detail: str) -> Message:
        if not self._answer.has_begun:
            await self._answer.problem(status, title, detail)
        return {"type": "http.disconnect"}
