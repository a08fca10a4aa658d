"""Sends what the engine answers: whole, or block by block with errors told in midstream."""

from __future__ import annotations

import asyncio
import secrets
from typing import TYPE_CHECKING

import orjson
from aiohttp import web

from inferometer.clickhouse.http_server.encodings import Compressor, chosen, compressor
from inferometer.clickhouse.http_server.engine import STREAMED_FORMATS
from inferometer.clickhouse.http_server.refusals import Refusal
from inferometer.clickhouse.http_server.statements import Kind

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from inferometer.clickhouse.http_server.engine import Answer, Engine
    from inferometer.clickhouse.http_server.requests import StoreRequest

SEND_TIMEOUT_S = 30.0
"""How long a client may leave a block unread, before its place goes to another."""

_CONTENT_TYPES = {
    "TabSeparated": "text/tab-separated-values; charset=UTF-8",
    "TSV": "text/tab-separated-values; charset=UTF-8",
    "TabSeparatedWithNames": "text/tab-separated-values; charset=UTF-8",
    "CSV": "text/csv; charset=UTF-8; header=absent",
    "CSVWithNames": "text/csv; charset=UTF-8; header=present",
    "JSON": "application/json; charset=UTF-8",
    "JSONCompact": "application/json; charset=UTF-8",
    "JSONEachRow": "application/x-ndjson; charset=UTF-8",
    "Native": "application/octet-stream",
    "RowBinary": "application/octet-stream",
    "ArrowStream": "application/octet-stream",
    "Arrow": "application/octet-stream",
    "Parquet": "application/octet-stream",
}


def refuse(refusal: Refusal, query_id: str) -> web.Response:
    """Return an error as ClickHouse sends it."""
    headers = {
        "X-ClickHouse-Exception-Code": str(refusal.code),
        "X-ClickHouse-Query-Id": query_id,
    }
    if refusal.status == web.HTTPUnauthorized.status_code:
        headers["WWW-Authenticate"] = 'Basic realm="inferometer dev store"'
    return web.Response(status=refusal.status, text=refusal.text + "\n", headers=headers)


class EngineReply:
    """The answer to one request."""

    def __init__(
        self, engine: Engine, http: web.Request, request: StoreRequest, query_id: str
    ) -> None:
        self._engine = engine
        self._http = http
        self._request = request
        self._query_id = query_id
        self._tag = secrets.token_hex(8)
        self._loop = asyncio.get_running_loop()
        self._response: web.StreamResponse | None = None
        encoding = chosen(http.headers.get("Accept-Encoding", ""))
        self._encoding = encoding if request.wants_compression else None
        self._compressor: Compressor | None = compressor(self._encoding) if self._encoding else None

    async def send(self, threads: Executor) -> web.StreamResponse:
        """Run the statement in a thread and send what it gives. Raises Refusal before the first byte."""
        request = self._request
        is_streamed = (
            request.statement.kind is Kind.SELECT
            and not request.waits_for_end
            and request.output_format in STREAMED_FORMATS
        )
        if not is_streamed:
            return await self._loop.run_in_executor(threads, self._whole)
        try:
            await self._loop.run_in_executor(threads, self._engine.stream, request, self._take)
        except Refusal as refusal:
            if self._response is None:
                raise
            await self._break_off(refusal)
        except (ConnectionError, TimeoutError):
            # The client went away or does not read; a second answer in its body would be worse.
            self._drop()
        else:
            await self._end()
        return self._response or self._new_response()

    def _whole(self) -> web.Response:
        answer: Answer = self._engine.run(self._request)
        body = self._encoded(answer.body) + self._encoded_end()
        headers = self._headers()
        headers["X-ClickHouse-Summary"] = orjson.dumps(answer.summary).decode()
        return web.Response(body=body, headers=headers)

    def _take(self, piece: bytes) -> None:
        """Send a block from the engine's thread, at the pace of the client."""
        encoded = self._encoded(piece)
        asyncio.run_coroutine_threadsafe(self._write(encoded), self._loop).result(SEND_TIMEOUT_S)

    async def _write(self, piece: bytes) -> None:
        if self._response is None:
            self._response = self._new_response()
            await self._response.prepare(self._http)
        if piece:
            await self._response.write(piece)

    async def _end(self) -> None:
        await self._write(self._encoded_end())
        if self._response is not None:
            await self._response.write_eof()

    async def _break_off(self, refusal: Refusal) -> None:
        """Tell the error at the end of the body, and leave the body without its end."""
        text = refusal.text.encode() + b"\n"
        tag = self._tag.encode()
        block = b"__exception__\r\n%b\r\n%b%d %b\r\n__exception__\r\n" % (tag, text, len(text), tag)
        await self._write(self._encoded(block) + self._encoded_end())
        if self._http.transport is not None:
            self._http.transport.close()

    def _drop(self) -> None:
        if self._http.transport is not None:
            self._http.transport.abort()

    def _new_response(self) -> web.StreamResponse:
        return web.StreamResponse(headers=self._headers())

    def _headers(self) -> dict[str, str]:
        headers = {
            "X-ClickHouse-Query-Id": self._query_id,
            "X-ClickHouse-Timezone": self._engine.timezone,
            "X-ClickHouse-Server-Display-Name": "inferometer dev store",
            "X-ClickHouse-Exception-Tag": self._tag,
            "Content-Type": "text/plain; charset=UTF-8",
        }
        if self._request.statement.kind in {Kind.SELECT, Kind.ANSWER}:
            name = self._request.output_format
            # Clients take this header for the sign that there is a result.
            headers["X-ClickHouse-Format"] = name
            headers["Content-Type"] = _CONTENT_TYPES.get(name, headers["Content-Type"])
        if self._encoding:
            headers["Content-Encoding"] = self._encoding
        return headers

    def _encoded(self, piece: bytes) -> bytes:
        if self._compressor is None:
            return piece
        self._compressor.compress(piece)
        return bytes(self._compressor.flush())

    def _encoded_end(self) -> bytes:
        return b"" if self._compressor is None else bytes(self._compressor.finish())
