"""What holds for every answer: the host that it is for, its size, and what browsers are told."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from inferometer.web.identity.guard import Guard
from inferometer.web.identity.headers import CONTENT_SECURITY_POLICY, POLICY
from inferometer.web.identity.origins import Origins
from tests.unit.web.identity.asking import ask

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.types import Receive, Scope, Send

PUBLIC = Origins("https://metrics.example.com", is_local=False)
OPEN = Origins(is_local=False)
LOCAL = Origins()


async def echo(request: Request) -> Response:
    return PlainTextResponse(await request.body())


async def lenient(_: Request) -> Response:
    headers = {"Access-Control-Allow-Origin": "*", "Content-Security-Policy": "default-src *"}
    return PlainTextResponse("x", headers={**headers, "Cache-Control": "max-age=60"})


async def failing(_: Request) -> Response:
    raise RuntimeError("a secret that no answer may show")


async def streaming(_: Request) -> Response:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"data: 1\n\n"
        yield b"data: 2\n\n"

    return StreamingResponse(pieces(), media_type="text/event-stream")


def guarded(origins: Origins = LOCAL, *, max_body_bytes: int = 100) -> Guard:
    routes = [
        Route("/echo", echo, methods=["GET", "POST"]),
        Route("/healthz", echo),
        Route("/lenient", lenient),
        Route("/failing", failing),
        Route("/streaming", streaming),
    ]
    return Guard(Starlette(routes=routes), origins=origins, max_body_bytes=max_body_bytes)


@pytest.mark.parametrize(
    ("origins", "host", "status"),
    [
        (Origins(), "127.0.0.1:8700", 200),
        (Origins(), "localhost:8700", 200),
        (Origins(), "LOCALHOST", 200),
        (Origins(), "[::1]:8700", 200),
        (Origins(), "127.8.9.1", 200),
        (Origins(), "evil.example:8700", 403),
        (Origins(), "127.0.0.1.evil.example", 403),
        (Origins(), "localhost.evil.example", 403),
        (Origins(), "localhost@evil.example", 403),
        (Origins(), "10.0.0.7:8700", 403),
        (Origins(), "", 403),
        (Origins(), "[", 403),
        (PUBLIC, "metrics.example.com", 200),
        (PUBLIC, "127.0.0.1:8700", 200),
        (PUBLIC, "evil.example", 403),
        (OPEN, "any.name.example", 200),
        (OPEN, "", 403),
    ],
)
def test_it_answers_to_its_own_names_only(origins: Origins, host: str, status: int) -> None:
    assert ask(guarded(origins), "GET", "/echo", {"Host": host}).status == status


def test_probes_come_by_any_address() -> None:
    assert ask(guarded(PUBLIC), "GET", "/healthz", {"Host": "10.1.2.3:8700"}).status == 200


@pytest.mark.parametrize("path", ["/echo", "/nowhere", "/failing", "/streaming"])
def test_every_answer_has_the_headers(path: str) -> None:
    headers = ask(guarded(), "GET", path).headers
    assert headers["content-security-policy"] == CONTENT_SECURITY_POLICY
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-opener-policy"] == "same-origin"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert headers["cache-control"] == "no-store"
    assert "strict-transport-security" not in headers


def test_a_refusal_has_them_too() -> None:
    answer = ask(guarded(), "GET", "/echo", {"Host": "evil.example"})
    assert answer.headers["content-security-policy"] == CONTENT_SECURITY_POLICY
    assert answer.headers["content-type"] == "application/problem+json"
    assert json.loads(answer.body)["status"] == 403


def test_behind_https_browsers_are_told_to_stay_there() -> None:
    headers = ask(guarded(PUBLIC), "GET", "/echo").headers
    assert headers["strict-transport-security"] == "max-age=31536000"


def test_no_route_can_loosen_them_and_each_may_say_how_long_it_is_kept() -> None:
    headers = ask(guarded(), "GET", "/lenient").headers
    assert "access-control-allow-origin" not in headers
    assert headers["content-security-policy"] == CONTENT_SECURITY_POLICY
    assert headers["cache-control"] == "max-age=60"


def test_the_policy_runs_nothing_that_is_not_a_file_of_ours() -> None:
    assert POLICY["default-src"] == "'none'"
    assert "unsafe" not in CONTENT_SECURITY_POLICY
    assert "*" not in CONTENT_SECURITY_POLICY
    assert "http" not in CONTENT_SECURITY_POLICY
    assert POLICY["frame-ancestors"] == POLICY["base-uri"] == "'none'"


def test_a_body_that_says_that_it_is_too_large_is_not_read() -> None:
    answer = ask(guarded(), "POST", "/echo", {"Content-Length": "101"}, [b"x" * 101])
    assert answer.status == 413


def test_a_body_that_turns_out_too_large_is_cut_off() -> None:
    answer = ask(guarded(), "POST", "/echo", {}, [b"x" * 60, b"x" * 60, b"x" * 60])
    assert answer.status == 413
    assert b"at most 100 bytes" in answer.body
    assert ask(guarded(), "POST", "/echo", {}, [b"x" * 50, b"x" * 50]).body == b"x" * 100


def test_an_address_that_is_too_long_is_refused() -> None:
    assert ask(guarded(), "GET", "/echo", query="x" * 40_000).status == 414


def test_what_nobody_foresaw_shows_nothing_of_itself(caplog: pytest.LogCaptureFixture) -> None:
    app = Guard(failing_bare, origins=Origins())
    answer = ask(app, "GET", "/failing")
    assert answer.status == 500
    assert b"secret" not in answer.body
    assert "please report it" in caplog.text


async def failing_bare(*_: object) -> None:
    raise RuntimeError("a secret that no answer may show")


def test_an_answer_that_the_end_of_the_server_cuts_off_ends_quietly() -> None:
    async def waiting(*_: object) -> None:
        asyncio.current_task().cancel()  # type: ignore[union-attr]
        await asyncio.sleep(10)

    answer = ask(Guard(waiting, origins=LOCAL), "GET", "/echo")
    assert answer.status == 503
    assert b"ask again" in answer.body


def test_a_body_that_does_not_come_is_not_waited_for() -> None:
    app = Guard(Starlette(routes=[Route("/echo", echo, methods=["POST"])]), origins=LOCAL,
                body_timeout_s=0.01)  # fmt: skip
    answer = ask(app, "POST", "/echo", {}, [b"x", b"y"], stalls_after=1)
    assert answer.status == 408


def test_who_waits_for_a_live_view_is_not_timed() -> None:
    async def live(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        assert (await receive())["type"] == "http.disconnect"
        await PlainTextResponse("gone")(scope, receive, send)

    app = Guard(live, origins=LOCAL, body_timeout_s=0.01)
    assert ask(app, "GET", "/echo", leaves_after_s=0.05).body == b"gone"
