"""Asks an ASGI application without a network, with headers exactly as given."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from starlette.types import ASGIApp

Headers = "Mapping[str, str] | Sequence[tuple[str, str]]"
HOST = "127.0.0.1:8700"


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes


def ask(
    app: ASGIApp,
    method: str,
    path: str,
    headers: Mapping[str, str] | None = None,
    body: Sequence[bytes] = (b"",),
    *,
    query: str = "",
    client: str = "127.0.0.1",
    stalls_after: int | None = None,
    leaves_after_s: float = 0.0,
) -> Answer:
    """Return the answer; `Host` is this machine's unless given.

    `stalls_after` so many pieces of the body none comes any more; the client leaves after the last.
    """
    given = {"host": HOST, **{name.lower(): text for name, text in (headers or {}).items()}}
    scope: dict[str, Any] = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(name.encode(), text.encode("latin-1")) for name, text in given.items()],
        "client": (client, 5000),
        "server": ("127.0.0.1", 8700),
    }
    pieces = [*body]
    sent: list[Any] = []

    async def receive() -> Any:
        if stalls_after is not None and len(body) - len(pieces) >= stalls_after:
            await asyncio.Event().wait()
        if pieces:
            piece = pieces.pop(0)
            return {"type": "http.request", "body": piece, "more_body": bool(pieces)}
        await asyncio.sleep(leaves_after_s)
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    async def run() -> None:
        await app(scope, receive, send)

    asyncio.run(run())
    starts = [each for each in sent if each["type"] == "http.response.start"]
    assert len(starts) == 1
    return Answer(
        starts[0]["status"],
        {name.decode().lower(): text.decode("latin-1") for name, text in starts[0]["headers"]},
        b"".join(each.get("body", b"") for each in sent if each["type"] == "http.response.body"),
    )
