"""`/requests`: the log, page by page, as a file, and one request in full."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from inferometer.core.query.cursors import encode_place
from inferometer.core.query.plans import LOG
from inferometer.core.query.reading import MOST_TEXT_CHARACTERS, read_log
from inferometer.web.api import common_parameters as common
from inferometer.web.api.describing import page
from inferometer.web.api.documents import coverage_json, freshness_json
from inferometer.web.api.formats import CSV_TEXTS, FORMAT, Format
from inferometer.web.api.log_documents import AttemptsDocument, RequestsDocument
from inferometer.web.api.parameters import Flag, Text, Texts, Whole
from inferometer.web.api.problems import NotFoundError
from inferometer.web.api.workers import Opened

if TYPE_CHECKING:
    from datetime import datetime

    from inferometer.core.query.questions import LogQuery
    from inferometer.web.api.desk import Desk
    from inferometer.web.api.services import Services

PAGE_ROWS = 1000
EXPORT_ROWS = 1_000_000
DEFAULT_EXPORT_ROWS = 100_000

MODEL = Texts("model", "Only these models; short for a filter.")
STATUS = Texts(
    "status", "Only these HTTP codes or classes (2xx, 4xx, 429, 499, 5xx, other).", example="429"
)
REQUEST_ID = Text(
    "request_id", "Only the attempts of this request.", max_chars=MOST_TEXT_CHARACTERS
)
EVENT_ID = Text("event_id", "Only this event.", max_chars=MOST_TEXT_CHARACTERS)
USER_ID = Texts("user_id", "Only these users; short for a filter.")
FINAL_ONLY = Flag("final_only", "Only the attempts that callers got.")
LIMIT = Whole(
    "limit",
    f"How many rows: {PAGE_ROWS} at most on a page of JSON; in a file {EXPORT_ROWS:,} at most, by "
    f"default {DEFAULT_EXPORT_ROWS:,}.",
    100,
    least=1,
    most=EXPORT_ROWS,
)
REQUESTS = (
    *common.SCOPE,
    MODEL,
    STATUS,
    REQUEST_ID,
    EVENT_ID,
    USER_ID,
    FINAL_ONLY,
    LIMIT,
    common.CURSOR,
    FORMAT,
)


def request_routes(desk: Desk, services: Services) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(tags=["log"])

    @routes.get(
        "/requests",
        **page(
            RequestsDocument,
            "Attempts of the log, newest first, page by page. As CSV, JSON lines or Parquet: every "
            f"column; {CSV_TEXTS}; the headers X-Row-Count, X-Row-Limit and X-Is-Truncated say how many rows.",
            REQUESTS,
        ),
    )
    async def requests(request: Request) -> Response:
        call = await desk.call(request, REQUESTS, is_read_elsewhere=True)
        form = desk.form(call)
        if form is not Format.JSON:
            call.default(LIMIT, str(DEFAULT_EXPORT_ROWS))
            query = call.read(read_log, most=EXPORT_ROWS)
            opens = functools.partial(_export, services, query, form)
            return await desk.export(call, "requests", form, opens)
        query = call.read(read_log, most=PAGE_ROWS)
        return await desk.answer(
            call, lambda: _requests_json(services, query), span=query.time_range
        )

    @routes.get(
        "/requests/{request_id:path}",
        **page(
            AttemptsDocument,
            "One request in full: its attempts in order, every column.",
            (common.WORKSPACE,),
            path={"request_id": "The id of the request."},
        ),
    )
    async def request_in_full(request: Request) -> Response:
        call = await desk.call(request, (common.WORKSPACE,))
        call.asked.check()
        request_id = call.path("request_id")
        return await desk.answer(
            call, lambda: _attempts_json(services, call.workspace_id, request_id)
        )

    return routes


def _export(services: Services, query: LogQuery, form: Format) -> Opened:
    export = services.log.export(query, str(form))
    headers = {
        "X-Row-Count": str(export.row_count),
        "X-Row-Limit": str(query.limit),
        "X-Is-Truncated": str(export.is_truncated).lower(),
    }
    return Opened(headers, export.chunks)


def _requests_json(services: Services, query: LogQuery) -> dict[str, Any]:
    found = services.log(query)
    count, is_lower_bound = services.log.count(query)
    now: datetime = services.clock()
    return {
        "rows": found.rows,
        "next_cursor": None if found.next_place is None else encode_place(query, found.next_place),
        "row_count": count,
        "row_count_is_lower_bound": is_lower_bound,
        "coverage": coverage_json(found.coverage),
        "freshness": freshness_json(found.freshness, now),
        "kept_days": services.kept_days().get(LOG),
    }


def _attempts_json(services: Services, workspace_id: str | None, request_id: str) -> dict[str, Any]:
    attempts = services.log.attempts(workspace_id, request_id)
    if not attempts:
        raise NotFoundError(
            f"no request {request_id[:128]} in the log; it keeps the last days only, and ids are "
            "compared letter by letter"
        )
    return {"request_id": request_id, "attempts": attempts}
