"""A port in a thread of its own: open before anybody is told, closed in order."""

from __future__ import annotations

import asyncio
import http.client
import socket
from typing import TYPE_CHECKING, Any

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route

from inferometer.errors import ConfigError
from inferometer.web.listener import HttpListener, open_first_free, open_socket

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


async def hello(_: Any) -> PlainTextResponse:
    return PlainTextResponse("hello")


async def endless(_: Any) -> StreamingResponse:
    async def pieces() -> AsyncIterator[bytes]:
        while True:
            yield b"data: x\n\n"
            await asyncio.sleep(0.01)

    return StreamingResponse(pieces(), media_type="text/event-stream")


def app() -> Starlette:
    return Starlette(routes=[Route("/", hello), Route("/live", endless)])


def asked(port: int, path: str = "/") -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", path)
    return connection.getresponse()


def test_it_answers_as_soon_as_it_is_entered_and_not_after() -> None:
    with HttpListener(app(), host="127.0.0.1") as listener:
        assert listener.url == f"http://127.0.0.1:{listener.port}"
        answer = asked(listener.port)
        assert answer.read() == b"hello"
        assert answer.headers["server"] is None
        answer.close()
    with pytest.raises(ConnectionRefusedError):
        asked(listener.port)


def test_a_port_that_is_taken_is_told_with_what_to_do() -> None:
    taken = open_socket("127.0.0.1", 0)
    port = taken.getsockname()[1]
    with taken, pytest.raises(ConfigError, match="taken by another process; choose another"):
        open_socket("127.0.0.1", port)


def test_an_address_of_another_machine_is_told() -> None:
    with pytest.raises(ConfigError, match="cannot be opened"):
        open_socket("203.0.113.1", 0)


def test_the_next_free_port_takes_the_place_of_one_that_is_taken() -> None:
    taken = open_socket("127.0.0.1", 0)
    port = taken.getsockname()[1]
    with taken, open_first_free("127.0.0.1", port) as opened:
        assert opened.getsockname()[1] != port


def test_a_stream_without_an_end_does_not_hold_up_the_end() -> None:
    with HttpListener(app(), host="127.0.0.1", stop_timeout_s=1) as listener:
        answer = asked(listener.port, "/live")
        assert answer.read(9) == b"data: x\n\n"
    answer.close()


def test_an_application_that_cannot_start_is_told() -> None:
    async def broken(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "no"})

    with pytest.raises(Exception, match="could not start"), HttpListener(broken, host="127.0.0.1"):
        pass


@pytest.mark.skipif(not socket.has_ipv6, reason="no IPv6")
def test_an_address_of_ipv6_stands_in_brackets() -> None:
    try:
        with HttpListener(app(), host="::1") as listener:
            assert listener.url == f"http://[::1]:{listener.port}"
    except ConfigError:
        pytest.skip("this machine has no ::1")


def test_the_end_of_an_answer_does_not_wait_for_an_acknowledgement() -> None:
    # Head and body are two pieces; the second once waited 40 ms until the client owned to the first.
    async def is_sent_at_once() -> bool:
        found: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

        def connected(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            accepted = writer.get_extra_info("socket")
            found.set_result(bool(accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)))
            writer.close()

        opened = open_socket("127.0.0.1", 0)
        async with await asyncio.start_server(connected, sock=opened):
            _, writer = await asyncio.open_connection(*opened.getsockname())
            writer.close()
            return await found

    assert asyncio.run(is_sent_at_once())
