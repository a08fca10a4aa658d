"""Errors as documents: RFC 9457, naming each parameter that is wrong and what to do about it."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import TYPE_CHECKING

import orjson
from fastapi import APIRouter
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Match

from inferometer.core.alerts.silences import MuteRefusedError
from inferometer.core.query.questions import Problem, QueryRefusedError
from inferometer.errors import (
    BrokerError,
    PipelineError,
    QueryTooCostlyError,
    StateError,
    StoreError,
)
from inferometer.web.identity.desks import TokenRefusedError, TokenUnknownError
from inferometer.web.identity.roles import (
    ForbiddenError,
    NotIdentifiedError,
    TooManyRequestsError,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fastapi import FastAPI

MEDIA_TYPE = "application/problem+json"
STORE_RETRY_S = 2
BUSY_RETRY_S = 1

logger = logging.getLogger(__name__)


class ParameterProblem(BaseModel):
    """One parameter, or field of a body, that cannot be used."""

    parameter: str
    reason: str
    remedy: str


class ProblemDocument(BaseModel):
    """What went wrong, as RFC 9457 has it."""

    type: str = Field(description="`/problems/<kind>`: the kind of problem, for programs")
    title: str
    status: int
    detail: str
    problems: list[ParameterProblem] = Field(description="every parameter that is wrong")


class BusyError(PipelineError):
    """Too many questions wait already."""

    def __init__(self) -> None:
        super().__init__("too many questions are waiting to be answered; ask again in a moment")


class NotFoundError(PipelineError):
    """Nothing has this id."""


class NotAcceptableError(PipelineError):
    """None of the forms that the client accepts can be made."""


class UnsupportedBodyError(PipelineError):
    """A body that is not JSON by its media type."""


class BodyTooLargeError(PipelineError):
    """A body beyond what any request needs."""


KINDS = {
    "bad-request": "Parameters or fields cannot be used; `problems` names each, with its remedy.",
    "query-too-costly": "The question met a limit on time, rows or memory; ask for less.",
    "not-identified": "No token, or one that is unknown or has expired.",
    "forbidden": "The token's role or workspace does not allow it.",
    "not-found": "Nothing has this address or id.",
    "method-not-allowed": "The page does not know the method; `Allow` lists those that it knows.",
    "not-acceptable": "The client accepts no form that the page has.",
    "body-too-large": "The body is longer than any request needs.",
    "unsupported-media-type": "The body is not JSON by its Content-Type.",
    "too-many-requests": "The token asks too often; `Retry-After` says when to ask again.",
    "busy": "Too many questions wait to be answered; ask again in a moment.",
    "store-unavailable": "The store is away; answers come again by themselves once it is back.",
    "unavailable": "Something that the answer needs is away for now.",
    "store-refused": "The store refused the question; its schema or settings need somebody.",
    "internal-error": "Something failed that should not; the log of the server says more.",
}
"""What the `type` of each problem document means."""


def problem(
    status: int,
    kind: str,
    detail: str,
    *,
    problems: Sequence[Problem] = (),
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return the response that says what is wrong."""
    said = {
        "type": f"/problems/{kind}",
        "title": kind.replace("-", " ").capitalize(),
        "status": status,
        "detail": detail,
        "problems": [
            {"parameter": each.parameter, "reason": each.reason, "remedy": each.remedy}
            for each in problems
        ],
    }
    return Response(
        orjson.dumps(said),
        status_code=status,
        media_type=MEDIA_TYPE,
        headers={"Cache-Control": "no-store", **(headers or {})},
    )


def response_for(error: Exception) -> Response:
    """Return what a failure is answered by."""
    if isinstance(error, QueryRefusedError):
        return _refused(error.problems)
    if isinstance(error, QueryTooCostlyError):
        asked = Problem("query", error.limit, error.remedy)
        return problem(400, "query-too-costly", str(error), problems=[asked])
    if isinstance(error, MuteRefusedError):
        return _refused(
            [Problem("body", text, "change it and send again") for text in error.problems]
        )
    if isinstance(error, TokenRefusedError):
        return _refused([Problem(error.parameter, error.reason, error.remedy)])
    return _identity_response(error) or _outage_response(error) or _plain_response(error)


def _refused(problems: Sequence[Problem]) -> Response:
    many = "a parameter" if len(problems) == 1 else f"{len(problems)} parameters"
    return problem(400, "bad-request", f"{many} cannot be used; see problems", problems=problems)


def _identity_response(error: Exception) -> Response | None:
    if isinstance(error, NotIdentifiedError):
        named = [Problem("Authorization", error.reason, error.remedy)]
        headers = {"WWW-Authenticate": 'Bearer realm="inferometer"'}
        return problem(401, "not-identified", str(error), problems=named, headers=headers)
    if isinstance(error, ForbiddenError):
        return problem(403, "forbidden", str(error))
    if isinstance(error, TooManyRequestsError):
        headers = {"Retry-After": str(error.retry_after_s)}
        return problem(429, "too-many-requests", str(error), headers=headers)
    return None


def _outage_response(error: Exception) -> Response | None:
    if isinstance(error, BusyError):
        return problem(503, "busy", str(error), headers={"Retry-After": str(BUSY_RETRY_S)})
    if isinstance(error, StoreError | BrokerError) and not error.retryable:
        # A question that the store refuses is our fault, or that of who set the store up.
        logger.error(
            "a question could not be answered: %s", error, extra={"reason": "store_refused"}
        )
        return problem(500, "store-refused", str(error))
    if isinstance(error, StoreError):
        detail = f"the store cannot be reached: {error}; this page recovers by itself"
        headers = {"Retry-After": str(STORE_RETRY_S)}
        return problem(503, "store-unavailable", detail, headers=headers)
    if isinstance(error, BrokerError | StateError):
        headers = {"Retry-After": str(STORE_RETRY_S)}
        return problem(503, "unavailable", str(error), headers=headers)
    return None


_PLAIN: tuple[tuple[type[Exception], int, str], ...] = (
    (NotFoundError, 404, "not-found"),
    (TokenUnknownError, 404, "not-found"),
    (NotAcceptableError, 406, "not-acceptable"),
    (BodyTooLargeError, 413, "body-too-large"),
    (UnsupportedBodyError, 415, "unsupported-media-type"),
)


def _plain_response(error: Exception) -> Response:
    for kind_of_error, status, kind in _PLAIN:
        if isinstance(error, kind_of_error):
            return problem(status, kind, str(error))
    if isinstance(error, HTTPException):
        phrase = HTTPStatus(error.status_code).phrase
        kind = phrase.lower().replace(" ", "-")
        return problem(error.status_code, kind, _said(error), headers=error.headers)
    logger.error(
        "a request failed in a way that was not foreseen; please report it",
        exc_info=error,
        extra={"reason": "internal_error"},
    )
    return problem(
        500, "internal-error", "something failed that should not; the log of the server says more"
    )


def _said(error: HTTPException) -> str:
    if error.status_code == HTTPStatus.NOT_FOUND:
        return "there is no such page; /api/v1/openapi.json lists what there is"
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        return "this page does not know the method; /api/v1/openapi.json lists those that it knows"
    return str(error.detail)


def kind_routes() -> APIRouter:
    """Return the pages that the `type` of a problem leads to."""
    routes = APIRouter(include_in_schema=False)

    @routes.get("/problems/{kind}")
    async def kind_of_problem(request: Request) -> Response:
        text = KINDS.get(request.path_params["kind"])
        if text is None:
            raise NotFoundError(f"no such kind of problem; there are {', '.join(KINDS)}")
        return PlainTextResponse(f"{text}\n")

    return routes


def add_handlers(app: FastAPI) -> None:
    """Have every failure answered by a problem document."""

    async def handle(request: Request, error: Exception) -> Response:
        response = response_for(error)
        if response.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            response.headers["Allow"] = ", ".join(sorted(_methods(request)))
        return response

    for kind in (PipelineError, HTTPException, Exception):
        app.add_exception_handler(kind, handle)


def _methods(request: Request) -> set[str]:
    """Return every method that a path knows: routes have one each."""
    found: set[str] = set()
    for route in request.app.routes:
        if route.matches(request.scope)[0] is not Match.NONE:
            found |= getattr(route, "methods", None) or set()
    return found
