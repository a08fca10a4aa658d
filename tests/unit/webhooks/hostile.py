"""A server on this host that answers as badly as it is told, and counts who came."""

from __future__ import annotations

import asyncio
import contextlib
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

    Behaviour = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass(slots=True)
class Request:
    """What arrived."""

    line: str
    headers: dict[str, str]
    body: bytes


@dataclass(slots=True)
class HostileServer:
    """Where it listens, and what it saw."""

    port: int = 0
    connections: int = 0
    requests: list[Request] = field(default_factory=list)
    news: asyncio.Event = field(default_factory=asyncio.Event)

    async def request(self, number: int) -> Request:
        """Wait until so many requests have arrived, and return the last of them."""
        while len(self.requests) < number:
            self.news.clear()
            await self.news.wait()
        return self.requests[number - 1]


async def read_request(reader: asyncio.StreamReader) -> Request:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    line, *rest = head.strip().split("\r\n")
    headers = {name.lower(): value for name, _, value in (one.partition(": ") for one in rest)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Request(line, headers, body)


def answering(*raw: bytes) -> Behaviour:
    """Return a behaviour that answers in parts, then closes."""

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for part in raw:
            writer.write(part)
            await writer.drain()

    return answer


def status(code: int, *headers: str, body: bytes = b"") -> Behaviour:
    head = "\r\n".join([f"HTTP/1.1 {code} X", f"Content-Length: {len(body)}", *headers, "", ""])
    return answering(head.encode() + body)


async def hanging(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    await reader.read()


async def slow_loris(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    for letter in b"HTTP/1.1 200 OK\r\nX-Slow: " + b"a" * 1000:
        writer.write(bytes([letter]))
        await writer.drain()
        await asyncio.sleep(0.02)


async def slow_body(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    while True:
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.02)


async def resetting(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


async def half_closing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write_eof()
    await reader.read()


async def endless_body(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    del reader
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10000000\r\n\r\n")
    for _ in range(1000):
        writer.write(b"x" * 10_000)
        await writer.drain()


@asynccontextmanager
async def hostile_server(
    behaviour: Behaviour | Sequence[Behaviour], *, tls: ssl.SSLContext | None = None
) -> AsyncIterator[HostileServer]:
    """Listen on a free port of 127.0.0.1; a sequence of behaviours is for one request each."""
    found = HostileServer()
    script = [behaviour] if callable(behaviour) else list(behaviour)
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        found.connections += 1
        task = asyncio.current_task()
        if task is not None:
            tasks.add(task)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            found.requests.append(await read_request(reader))
            found.news.set()
            await script[min(len(found.requests), len(script)) - 1](reader, writer)
        with contextlib.suppress(OSError):
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    found.port = server.sockets[0].getsockname()[1]
    try:
        yield found
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()
