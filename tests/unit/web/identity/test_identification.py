"""Who asks: bearer tokens, sessions of browsers, and what other web pages can make browsers send."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from inferometer.web.identity.identification import Identification
from inferometer.web.identity.origins import Origins
from inferometer.web.identity.rate_limits import RateLimits
from inferometer.web.identity.roles import (
    ForbiddenError,
    NotIdentifiedError,
    Role,
    TooManyRequestsError,
)
from inferometer.web.identity.sessions import Sessions
from inferometer.web.identity.token_book import TokenBook
from inferometer.web.identity.tokens_file import MemoryTokens
from tests.unit.web.identity.asking import HOST, Answer, ask
from tests.unit.web.identity.clocks import Clock

if TYPE_CHECKING:
    from collections.abc import Mapping

LOCAL = Origins()
OWN = {"Origin": f"http://{HOST}", "X-Inferometer": "console"}
STATUS = {NotIdentifiedError: 401, ForbiddenError: 403, TooManyRequestsError: 429}


@dataclass
class Bench:
    """An application that says who asks."""

    clock: Clock
    book: TokenBook
    app: Starlette
    token: str
    token_id: str

    def me(self, headers: Mapping[str, str], method: str = "GET", **options: Any) -> Answer:
        return ask(self.app, method, "/me", headers, **options)

    def bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    def signed_in(self) -> dict[str, str]:
        answer = ask(self.app, "POST", "/session", {"X-Token": self.token})
        assert answer.status == 200, answer.body
        return {"Cookie": answer.headers["set-cookie"].partition(";")[0]}


def bench(origins: Origins = LOCAL, *, burst: float = 1000.0) -> Bench:
    clock = Clock()
    book = TokenBook(MemoryTokens(), clock)
    issued = book.create(name="ann", role=Role.OPERATOR, workspace="acme", expires_at=None)
    who = Identification(
        book=book,
        sessions=Sessions(book, clock),
        origins=origins,
        limits=RateLimits(per_s=1.0, burst=burst, monotonic=clock.monotonic),
        failures=RateLimits(per_s=1.0, burst=5.0, monotonic=clock.monotonic),
    )

    async def me(request: Request) -> Response:
        caller = await who(request)
        return JSONResponse({"name": caller.name, "workspace": caller.workspace})

    async def session(request: Request) -> Response:
        if request.method == "DELETE":
            return Response(headers={"Set-Cookie": await who.close(request)})
        opened = await who.open(request, request.headers["x-token"])
        return Response(headers={"Set-Cookie": opened.set_cookie})

    async def refused(_: Request, error: Exception) -> Response:
        return JSONResponse({"detail": str(error)}, STATUS[type(error)])

    app = Starlette(
        routes=[
            Route("/me", me, methods=["GET", "HEAD", "POST", "PUT", "DELETE"]),
            Route("/session", session, methods=["POST", "DELETE"]),
        ],
        exception_handlers=dict.fromkeys(STATUS, refused),
    )
    return Bench(clock, book, app, issued.text, issued.facts.id)


def test_a_bearer_token_tells_who_asks() -> None:
    one = bench()
    assert one.me(one.bearer()).body == b'{"name":"ann","workspace":"acme"}'
    assert one.me({"Authorization": f"bearer  {one.token} "}).status == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": ""},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer imt_000000000000_" + "a" * 43},
        {"Authorization": "Basic YW5uOnNlY3JldA=="},
        {"Cookie": "inferometer_session=1.0.0.0.0"},
        {"Cookie": "inferometer_session="},
        {"X-Workspace": "acme"},
    ],
)
def test_nothing_else_lets_anybody_in(headers: dict[str, str]) -> None:
    assert bench().me(headers).status == 401


def test_a_token_in_the_address_is_not_looked_at() -> None:
    one = bench()
    assert one.me({}, query=f"token={one.token}&access_token={one.token}").status == 401


def test_a_wrong_bearer_token_is_not_mended_by_a_good_cookie() -> None:
    one = bench()
    assert one.me({**one.signed_in(), "Authorization": "Bearer x"}).status == 401


def test_a_browser_signs_in_and_out() -> None:
    one = bench()
    cookie = one.signed_in()
    assert one.me(cookie).status == 200
    answer = ask(one.app, "DELETE", "/session", {**cookie, **OWN})
    assert "Max-Age=0" in answer.headers["set-cookie"]
    assert one.me(cookie).status == 401


def test_the_cookie_is_for_this_server_and_no_script() -> None:
    one = bench()
    made = ask(one.app, "POST", "/session", {"X-Token": one.token}).headers["set-cookie"]
    attributes = set(made.split("; ")[1:])
    assert attributes == {"Path=/", "Max-Age=43200", "HttpOnly", "SameSite=Strict"}


def test_behind_https_the_cookie_is_bound_to_it() -> None:
    one = bench(Origins("https://metrics.example.com", is_local=False))
    headers = {"X-Token": one.token, "Origin": "https://metrics.example.com"}
    made = ask(one.app, "POST", "/session", headers).headers["set-cookie"]
    assert made.startswith("__Host-inferometer_session=")
    assert made.endswith("; Secure")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (OWN, 200),
        ({}, 403),
        ({"Origin": f"http://{HOST}"}, 403),
        ({"X-Inferometer": "console"}, 403),
        ({**OWN, "X-Inferometer": "page"}, 403),
        ({**OWN, "Origin": "http://evil.example"}, 403),
        ({**OWN, "Origin": "http://127.0.0.1:8701"}, 403),
        ({**OWN, "Origin": "null"}, 403),
        ({**OWN, "Origin": f"http://{HOST}.evil.example"}, 403),
        ({**OWN, "Origin": f"http://{HOST}@evil.example"}, 403),
        ({**OWN, "Sec-Fetch-Site": "cross-site"}, 403),
        ({**OWN, "Sec-Fetch-Site": "same-site"}, 403),
        ({**OWN, "Sec-Fetch-Site": "same-origin"}, 200),
    ],
)
def test_a_session_changes_things_from_the_console_only(
    method: str, headers: dict[str, str], status: int
) -> None:
    one = bench()
    assert one.me({**one.signed_in(), **headers}, method).status == status


def test_signing_out_cannot_be_forged() -> None:
    one = bench()
    cookie = one.signed_in()
    assert ask(one.app, "DELETE", "/session", cookie).status == 403
    assert one.me(cookie).status == 200


def test_a_program_needs_no_headers_of_browsers_to_change_things() -> None:
    one = bench()
    assert one.me(one.bearer(), "POST").status == 200


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_pages_of_other_origins_are_refused_whatever_they_know(method: str) -> None:
    one = bench()
    foreign = {"Origin": "https://evil.example"}
    assert one.me({**one.bearer(), **foreign}, method).status == 403
    assert ask(one.app, "POST", "/session", {"X-Token": one.token, **foreign}).status == 403


def test_another_site_cannot_read_by_the_cookie() -> None:
    one = bench()
    assert one.me({**one.signed_in(), "Sec-Fetch-Site": "same-site"}).status == 403


def test_a_public_url_is_an_origin_of_its_own() -> None:
    one = bench(Origins("https://metrics.example.com/", is_local=False))
    headers = {**one.bearer(), "Origin": "https://metrics.example.com"}
    assert one.me(headers, "POST").status == 200
    assert one.me({**headers, "Origin": "https://metrics.example.com.evil"}, "POST").status == 403


def test_a_token_meets_its_limit_and_comes_back() -> None:
    one = bench(burst=3)
    assert [one.me(one.bearer()).status for _ in range(5)] == [200, 200, 200, 429, 429]
    one.clock.move(timedelta(seconds=1))
    assert one.me(one.bearer()).status == 200


def test_sessions_of_a_token_share_its_limit() -> None:
    one = bench(burst=2)
    cookies = [one.signed_in(), one.signed_in()]
    assert [one.me(cookies[turn % 2]).status for turn in range(3)] == [200, 200, 429]


def test_who_guesses_is_slowed_down_and_who_has_a_token_is_not() -> None:
    one = bench()
    statuses = [one.me({"Authorization": "Bearer x"}).status for _ in range(7)]
    assert statuses == [401] * 5 + [429] * 2
    assert one.me(one.bearer()).status == 200
    assert one.me({"Authorization": "Bearer x"}, client="10.0.0.9").status == 401


@pytest.mark.parametrize("end", ["revoke", "rotate"])
def test_a_session_is_over_with_its_token(end: str) -> None:
    one = bench()
    cookie = one.signed_in()
    getattr(one.book, end)(one.token_id)
    assert one.me(cookie).status == 401
    assert one.me(one.bearer()).status == 401
