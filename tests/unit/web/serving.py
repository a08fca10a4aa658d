"""An interface on the loopback with a store in memory, for tests that ask it over HTTP."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import aiohttp

from inferometer.core.alerts.listing import ListedAlert
from inferometer.testing.silences import ListedAlerts, MemorySilenceStore
from inferometer.web.access import AccessPolicy
from inferometer.web.server import AlertsServer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

S = 1_000_000
NOW_S = 1_767_600_000
TOKEN = "a-token-of-the-tests"
AUTHORIZED = {"Authorization": f"Bearer {TOKEN}"}
ALERT = ListedAlert(
    fingerprint="9f86d081884c7d65",
    labels={"workspace": "acme", "service": "chat", "slo": "chat-success", "severity": "page"},
    annotations={"summary": "failing"},
    receivers=("oncall",),
    starts_at_us=NOW_S * S,
    updated_at_us=NOW_S * S,
    ends_at_us=(NOW_S + 3600) * S,
)


@dataclass
class Bench:
    """What a test asks, and what it looks at afterwards."""

    url: str
    session: aiohttp.ClientSession
    store: MemorySilenceStore
    view: ListedAlerts = field(default_factory=ListedAlerts)

    async def ask(self, method: str, path: str, **options: Any) -> tuple[int, Any]:
        """Return the status and the body, as JSON where it is some."""
        async with self.session.request(method, self.url + path, **options) as answer:
            if answer.content_type == "application/json":
                return answer.status, await answer.json()
            return answer.status, await answer.text()


@asynccontextmanager
async def _bench(access: AccessPolicy, store: MemorySilenceStore) -> AsyncIterator[Bench]:
    view = ListedAlerts([ALERT], ["oncall"])
    server = AlertsServer(
        host="127.0.0.1",
        port=0,
        access=access,
        store=store,
        view=view,
        clock=lambda: datetime.fromtimestamp(NOW_S, UTC),
        version="1.2.3",
        config="route: {receiver: oncall}\n",
        metrics=lambda: b"inferometer_slo_bad_requests_total 1.0\n",
    )
    async with server, aiohttp.ClientSession() as session:
        yield Bench(server.url, session, store, view)


def serving(
    use: Callable[[Bench], Awaitable[None]],
    *,
    tokens: tuple[str, ...] = (TOKEN,),
    store: MemorySilenceStore | None = None,
    reads_need_token: bool = False,
) -> None:
    """Serve while `use` asks."""

    async def run() -> None:
        access = AccessPolicy(tokens=tokens, reads_need_token=reads_need_token)
        async with _bench(access, store or MemorySilenceStore()) as bench:
            await use(bench)

    asyncio.run(run())
