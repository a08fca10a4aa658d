"""What every page does: let its caller in, have its question answered, send the answer."""

from __future__ import annotations

import functools
import gzip
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import orjson
from starlette.responses import Response

from inferometer.web.api.answer_cache import FRESH_S, AnswerCache, Rendered, keep_s
from inferometer.web.api.call import Call
from inferometer.web.api.formats import (
    FORMAT,
    FORMAT_JSON,
    MEDIA_TYPES,
    Format,
    check_events,
    check_json,
    chosen_format,
    file_headers,
    takes_gzip,
)
from inferometer.web.api.source_response import SourceResponse
from inferometer.web.api.workers import Workers
from inferometer.web.identity.roles import ForbiddenError, Role

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from starlette.requests import Request

    from inferometer.core.query.questions import TimeRange
    from inferometer.web.api.parameters import Parameter
    from inferometer.web.api.services import ApiLimits, Doors
    from inferometer.web.api.workers import Opened

OTHER_THREADS = 2
GZIP_FROM_BYTES = 2048
GZIP_LEVEL = 4
_OPTIONS = orjson.OPT_UTC_Z | orjson.OPT_NON_STR_KEYS
NO_STORE = {"Cache-Control": "no-store", "Vary": "Accept, Accept-Encoding, Authorization, Cookie"}


class Desk:
    """Shared by all pages of one app; belongs to one event loop."""

    def __init__(
        self,
        *,
        doors: Doors,
        clock: Callable[[], datetime],
        seconds: Callable[[], float],
        limits: ApiLimits,
    ) -> None:
        self.doors = doors
        self.clock = clock
        self.limits = limits
        self.queries = Workers(
            threads=limits.query_threads, waiting=limits.waiting_queries, name="query"
        )
        self.others = Workers(threads=OTHER_THREADS, waiting=limits.waiting_queries, name="other")
        """For what asks no store: a store that hangs must keep nobody from silencing an alert."""
        self._exports = Workers(
            threads=limits.export_threads, waiting=limits.waiting_exports, name="export"
        )
        self._cache = AnswerCache(seconds=seconds)

    def close(self) -> None:
        """Take no more questions."""
        self.queries.close()
        self.others.close()
        self._exports.close()

    async def call(
        self,
        request: Request,
        parameters: Sequence[Parameter[Any]] = (),
        *,
        role: Role = Role.VIEWER,
        all_workspaces: bool = False,
        is_read_elsewhere: bool = False,
    ) -> Call:
        """Return the request of a caller who may make it.

        `is_read_elsewhere`: whoever reads the parameters refuses those that are unknown.
        Raises NotIdentifiedError, ForbiddenError, TooManyRequestsError, NotAcceptableError.
        """
        call = await self._let_in(request, role, all_workspaces=all_workspaces)
        if FORMAT not in parameters:
            check_json(request, call.asked)
        if not is_read_elsewhere:
            call.knows((*parameters, FORMAT_JSON))
        return call

    async def stream_call(self, request: Request, parameters: Sequence[Parameter[Any]]) -> Call:
        """Return a request for events; raises as `call`."""
        call = await self._let_in(request, Role.VIEWER, all_workspaces=False)
        check_events(request)
        call.knows(parameters)
        return call

    async def _let_in(self, request: Request, role: Role, *, all_workspaces: bool) -> Call:
        caller = await self.doors.identify(request)
        if not caller.role.allows(role):
            raise ForbiddenError(
                f"this page needs the role {role}; the token {caller.name} is {caller.role}",
                "use another token",
            )
        if all_workspaces and caller.workspace is not None:
            raise ForbiddenError(
                f"this page is about all workspaces; the token {caller.name} sees one",
                "use a token of all workspaces",
            )
        return Call(request, caller, self.clock())

    async def answer(
        self,
        call: Call,
        ask: Callable[[], Any],
        *,
        span: TimeRange | None = None,
        asks_store: bool = True,
    ) -> Response:
        """Answer by the JSON of what `ask` returns, in a thread; equal questions are asked once.

        Answers about a span that is long, or long over, are kept for longer.
        """
        kept_s = FRESH_S if span is None else keep_s(span, call.now)
        make = functools.partial(_rendered, ask, kept_s)
        workers = self.queries if asks_store else self.others
        rendered = await self._cache.get(call.key(), lambda: workers.run(make))
        return _json_response(call.request, rendered)

    async def fresh(self, call: Call, ask: Callable[[], Any], *, status: int = 200) -> Response:
        """Answer by the JSON of what `ask`, which asks no store, returns; nothing is kept or shared."""
        rendered = await self.others.run(functools.partial(_rendered, ask, 0.0))
        return _json_response(call.request, rendered, status)

    def at_once(self, call: Call, payload: Any) -> Response:
        """Answer by the JSON of what is known without asking: it waits behind no slow question."""
        return _json_response(call.request, _rendered(lambda: payload, 0.0))

    async def export(
        self, call: Call, name: str, form: Format, opens: Callable[[], Opened]
    ) -> Response:
        """Answer by a file, sent while it is read."""
        stream = await self._exports.stream(opens)
        headers = {**NO_STORE, **file_headers(name, form, call.now), **stream.headers}
        return SourceResponse(stream, media_type=MEDIA_TYPES[form], headers=headers)

    def form(self, call: Call) -> Format:
        """Return the form of an answer that is a table. Raises NotAcceptableError."""
        return chosen_format(call.request, call.asked)


def rendered_json(payload: Any) -> bytes:
    """Return a payload as JSON: instants in UTC, money as numbers."""
    return orjson.dumps(payload, default=_plain, option=_OPTIONS)


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, tuple | set | frozenset):
        return list(value)
    raise TypeError(f"{type(value).__name__} has no JSON")


def _rendered(ask: Callable[[], Any], keep_s: float) -> Rendered:
    body = rendered_json(ask())
    is_long = len(body) >= GZIP_FROM_BYTES
    return Rendered(body, keep_s, gzip.compress(body, GZIP_LEVEL, mtime=0) if is_long else None)


def _json_response(request: Request, rendered: Rendered, status: int = 200) -> Response:
    headers = dict(NO_STORE)
    body = rendered.body
    if rendered.gzipped is not None and takes_gzip(request.headers.get("Accept-Encoding", "")):
        body = rendered.gzipped
        headers["Content-Encoding"] = "gzip"
    return Response(body, status_code=status, media_type="application/json", headers=headers)
