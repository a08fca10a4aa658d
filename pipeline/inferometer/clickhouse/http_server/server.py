"""Serves ClickHouse's HTTP interface: reads requests, has the engine run them in threads, answers."""

from __future__ import annotations

import asyncio
import logging
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from aiohttp import web

from inferometer.clickhouse.connect import ENGINE_FOLDER
from inferometer.clickhouse.http_server.access import AccessPolicy
from inferometer.clickhouse.http_server.encodings import decompress
from inferometer.clickhouse.http_server.engine import Engine
from inferometer.clickhouse.http_server.refusals import (
    NOT_IMPLEMENTED,
    TOO_LARGE,
    UNKNOWN_EXCEPTION,
    Refusal,
)
from inferometer.clickhouse.http_server.replies import EngineReply, refuse
from inferometer.clickhouse.http_server.requests import read_request
from inferometer.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from aiohttp.typedefs import Middleware

    from inferometer.clickhouse.connect import StoreConnection
    from inferometer.clickhouse.http_server.requests import StoreRequest

ENGINE_THREADS = 16
"""Statements at a time; more wait their turn."""
MAX_BODY_BYTES = 1 << 30
MAX_LINE_BYTES = 1 << 20
"""As much of an address and of a header as ClickHouse takes."""
STOP_S = 5.0
"""How long running statements may take to end when the server stops."""

OK_TEXT = "Ok.\n"
CLIENT_GONE = 499

logger = logging.getLogger(__name__)


class HttpStoreServer:
    """One embedded store behind HTTP, on the running loop, from `start` to `stop`."""

    def __init__(
        self,
        connection: StoreConnection,
        *,
        access: AccessPolicy | None = None,
        max_body_bytes: int = MAX_BODY_BYTES,
        middlewares: Iterable[Middleware] = (),
    ) -> None:
        """Serve an open embedded store, which stays the caller's to close.

        Middlewares of aiohttp stand in front of everything; tests make a store fail with them.
        """
        folder = connection.settings.data_dir
        if folder is None:
            raise StoreError("only an embedded store is served; give a folder", retryable=False)
        self._folder = folder / ENGINE_FOLDER
        self._access = access or AccessPolicy()
        self._max_body_bytes = max_body_bytes
        self._threads = ThreadPoolExecutor(ENGINE_THREADS, "dev-store")
        self._engine: Engine | None = None
        self._runner = web.AppRunner(
            self._application(middlewares),
            access_log=None,
            # Encodings that HTTP does not know are undone here as well.
            auto_decompress=False,
            max_line_size=MAX_LINE_BYTES,
            max_field_size=MAX_LINE_BYTES,
            shutdown_timeout=STOP_S,
        )
        self.port = 0

    async def start(self, host: str, port: int) -> None:
        """Listen; port 0 takes a free one. Raises StoreError."""
        try:
            self._engine = await asyncio.to_thread(Engine, self._folder)
        except Refusal as refusal:
            raise StoreError(f"the engine does not start: {refusal}", retryable=False) from refusal
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, host, port).start()
        except OSError as error:
            await self.stop()
            raise StoreError(
                f"cannot listen on {host}:{port} ({error.strerror}); choose another --port",
                retryable=False,
            ) from error
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Stop listening, give running statements a while to end, let the engine go.

        Safe to call twice.
        """
        await self._runner.cleanup()
        engine, self._engine = self._engine, None
        self._threads.shutdown(wait=False, cancel_futures=True)
        if engine is not None:
            engine.cancel_statements()
            await asyncio.to_thread(self._threads.shutdown)
            engine.close()

    def _application(self, middlewares: Iterable[Middleware]) -> web.Application:
        app = web.Application(middlewares=middlewares, client_max_size=self._max_body_bytes)
        app.router.add_get("/ping", _ping)
        app.router.add_get("/replicas_status", _ping)
        for method in ("GET", "HEAD", "POST"):
            app.router.add_route(method, "/", self._serve)
        return app

    async def _serve(self, http: web.Request) -> web.StreamResponse:
        if http.method != "POST" and "query" not in http.query:
            return await _ping(http)
        query_id = http.query.get("query_id") or str(uuid.uuid4())
        try:
            self._access.check(http.headers, http.query)
            request = await self._read(http)
            return await self._reply(http, request, query_id)
        except Refusal as refusal:
            return refuse(refusal, query_id)
        except web.HTTPException:
            raise
        except ConnectionError:
            # Whoever asked went away within the body: nothing has run, and nobody reads this.
            return web.Response(status=CLIENT_GONE)
        except Exception as error:  # one request's failure is not the server's
            logger.exception("a request failed")
            text = f"{type(error).__name__}: {error}"
            return refuse(Refusal.of_interface(UNKNOWN_EXCEPTION, text), query_id)

    async def _read(self, http: web.Request) -> StoreRequest:
        if (http.content_length or 0) > self._max_body_bytes:
            raise self._too_large()
        query = list(http.query.items())
        if http.content_type == "multipart/form-data":
            query += await _form_fields(http)
            body = b""
        else:
            body = await self._body(http)
        encoding = http.headers.get("Content-Encoding", "")
        return await asyncio.get_running_loop().run_in_executor(
            self._threads, _decode, http.method, query, http.headers, body, encoding
        )

    async def _body(self, http: web.Request) -> bytes:
        """Return the whole body; one that ends early raises and is never taken for whole."""
        body = bytearray()
        async for piece in http.content.iter_any():
            body += piece
            if len(body) > self._max_body_bytes:
                raise self._too_large()
        return bytes(body)

    def _too_large(self) -> Refusal:
        return Refusal.of_interface(
            TOO_LARGE, f"The body is larger than {self._max_body_bytes} bytes", status=413
        )

    async def _reply(
        self, http: web.Request, request: StoreRequest, query_id: str
    ) -> web.StreamResponse:
        if self._engine is None:
            raise Refusal.of_interface(UNKNOWN_EXCEPTION, "The store is stopping", status=503)
        reply = EngineReply(self._engine, http, request, query_id)
        return await reply.send(self._threads)


def _decode(
    method: str,
    query: list[tuple[str, str]],
    headers: Mapping[str, str],
    body: bytes,
    encoding: str,
) -> StoreRequest:
    return read_request(
        method=method, query=query, headers=headers, body=decompress(body, encoding)
    )


async def _ping(_: web.Request) -> web.Response:
    return web.Response(text=OK_TEXT, content_type="text/html")


async def _form_fields(http: web.Request) -> list[tuple[str, str]]:
    fields = []
    for name, value in (await http.post()).items():
        if not isinstance(value, str):
            raise Refusal.of_interface(NOT_IMPLEMENTED, "External tables are not served here")
        fields.append((name, value))
    return fields
