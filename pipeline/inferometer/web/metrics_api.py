"""What this process counts, as Prometheus scrapes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Callable

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class MetricsApi:
    """The route of metrics, where Alertmanager has it too."""

    def __init__(self, text: Callable[[], bytes]) -> None:
        """Serve what `text` returns, in the text format of Prometheus; it must not block."""
        self._text = text

    def routes(self) -> list[web.RouteDef]:
        """Return the routes, without a prefix."""
        return [web.get("/metrics", self._metrics)]

    async def _metrics(self, _: web.Request) -> web.Response:
        return web.Response(body=self._text(), headers={"Content-Type": CONTENT_TYPE})
