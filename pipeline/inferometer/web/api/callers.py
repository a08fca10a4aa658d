"""`/me`, `/session` and `/tokens`: who asks, sessions of the console, and tokens."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter
from pydantic import AwareDatetime, Field
from starlette.requests import Request
from starlette.responses import Response

from inferometer.web.api.call import Call
from inferometer.web.api.describing import page
from inferometer.web.api.documents import Document
from inferometer.web.identity.desks import TokenUnknownError
from inferometer.web.identity.roles import Caller, ForbiddenError, Role
from inferometer.web.identity.token_records import MAX_NAME_CHARS, MAX_WORKSPACE_CHARS

if TYPE_CHECKING:
    from inferometer.web.api.desk import Desk
    from inferometer.web.identity.desks import IssuedToken, TokenFacts


class CallerDocument(Document):
    """Who asks, and what they may."""

    name: str
    role: Role
    workspace: str | None = Field(description="null for all workspaces")
    expires_at: datetime | None


class SessionBody(Document):
    """A token to sign in with."""

    token: str = Field(min_length=1, max_length=512)


class TokenDocument(Document):
    """A token, without its secret."""

    id: str
    name: str
    role: Role
    workspace: str | None
    created_at: datetime
    expires_at: datetime | None


class TokensDocument(Document):
    """The tokens."""

    tokens: list[TokenDocument]


class TokenBody(Document):
    """A token to make."""

    name: str = Field(min_length=1, max_length=MAX_NAME_CHARS)
    role: Role = Role.VIEWER
    workspace: str | None = Field(
        default=None, max_length=MAX_WORKSPACE_CHARS, description="null for all"
    )
    expires_at: AwareDatetime | None = None


class IssuedTokenDocument(TokenDocument):
    """A token and its text, which is shown this once."""

    text: str


TOKEN_ID = {"token_id": "The id of the token."}


def caller_routes(desk: Desk) -> APIRouter:
    """Return the routes of callers and their sessions."""
    routes = APIRouter(tags=["access"])
    sessions = desk.doors.sessions

    @routes.get("/me", **page(CallerDocument, "Who asks, and what they may."))
    async def me(request: Request) -> Response:
        call = await desk.call(request)
        call.asked.check()
        return desk.at_once(call, _caller_json(call.caller))

    @routes.post(
        "/session",
        **page(
            CallerDocument,
            "Sign a browser in: the answer sets a cookie that scripts cannot read.",
            body=SessionBody,
            is_open=True,
        ),
    )
    async def open_session(request: Request) -> Response:
        nobody = Call(request, Caller("", Role.VIEWER), desk.clock())
        nobody.knows(())
        nobody.asked.check()
        opened = await sessions.open(request, (await nobody.body(SessionBody)).token)
        answer = desk.at_once(nobody, _caller_json(opened.caller))
        answer.headers["Set-Cookie"] = opened.set_cookie
        return answer

    @routes.delete("/session", **page(None, "Sign the browser out.", status=204, is_open=True))
    async def close_session(request: Request) -> Response:
        return Response(status_code=204, headers={"Set-Cookie": await sessions.close(request)})

    return routes


def token_routes(desk: Desk) -> APIRouter:
    """Return the routes of tokens; an admin of one workspace sees and makes only its tokens."""
    routes = APIRouter(tags=["access"])
    tokens = desk.doors.tokens

    @routes.get("/tokens", **page(TokensDocument, "The tokens.", role=Role.ADMIN))
    async def list_tokens(request: Request) -> Response:
        call = await desk.call(request, role=Role.ADMIN)
        call.asked.check()
        return await desk.fresh(
            call,
            lambda: {"tokens": [_token_json(one) for one in _own(tokens.tokens(), call.caller)]},
        )

    @routes.post(
        "/tokens",
        **page(IssuedTokenDocument, "Make a token.", status=201, role=Role.ADMIN, body=TokenBody),
    )
    async def create_token(request: Request) -> Response:
        call = await desk.call(request, role=Role.ADMIN)
        call.asked.check()
        wanted = await call.body(TokenBody)
        _check_workspace(wanted.workspace, call.caller)
        return await desk.fresh(
            call,
            lambda: _issued_json(
                tokens.create(
                    name=wanted.name,
                    role=wanted.role,
                    workspace=wanted.workspace,
                    expires_at=_utc(wanted.expires_at),
                )
            ),
            status=201,
        )

    @routes.post(
        "/tokens/{token_id}/rotate",
        **page(
            IssuedTokenDocument,
            "Give a token a new secret; the old one ends.",
            role=Role.ADMIN,
            path=TOKEN_ID,
        ),
    )
    async def rotate_token(request: Request) -> Response:
        call = await desk.call(request, role=Role.ADMIN)
        call.asked.check()
        token_id = call.path("token_id")

        def rotated() -> dict[str, Any]:
            _check_own(tokens.tokens(), token_id, call.caller)
            return _issued_json(tokens.rotate(token_id))

        return await desk.fresh(call, rotated)

    @routes.delete(
        "/tokens/{token_id}",
        **page(None, "End a token.", status=204, role=Role.ADMIN, path=TOKEN_ID),
    )
    async def revoke_token(request: Request) -> Response:
        call = await desk.call(request, role=Role.ADMIN)
        call.asked.check()
        token_id = call.path("token_id")

        def revoked() -> None:
            _check_own(tokens.tokens(), token_id, call.caller)
            tokens.revoke(token_id)

        await desk.others.run(revoked)
        return Response(status_code=204)

    return routes


def _own(tokens: Any, caller: Caller) -> list[TokenFacts]:
    return [one for one in tokens if caller.workspace in {None, one.workspace}]


def _check_own(tokens: Any, token_id: str, caller: Caller) -> None:
    if token_id not in {one.id for one in _own(tokens, caller)}:
        raise TokenUnknownError(f"no token {token_id[:64]}; GET /tokens lists them")


def _check_workspace(workspace: str | None, caller: Caller) -> None:
    if caller.workspace not in {None, workspace}:
        raise ForbiddenError(
            f"the token {caller.name} makes tokens of workspace {caller.workspace} only",
            "name that workspace",
        )


def _utc(at: datetime | None) -> datetime | None:
    return None if at is None else at.astimezone(UTC)


def _caller_json(caller: Caller) -> dict[str, Any]:
    return {
        "name": caller.name,
        "role": caller.role,
        "workspace": caller.workspace,
        "expires_at": caller.expires_at,
    }


def _token_json(facts: TokenFacts) -> dict[str, Any]:
    return {
        "id": facts.id,
        "name": facts.name,
        "role": facts.role,
        "workspace": facts.workspace,
        "created_at": facts.created_at,
        "expires_at": facts.expires_at,
    }


def _issued_json(issued: IssuedToken) -> dict[str, Any]:
    return {**_token_json(issued.facts), "text": issued.text}
