"""Alerts, receivers and the state of this process, as Alertmanager's API v2 shows them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from inferometer.core.alerts.instant_texts import instant_text
from inferometer.core.alerts.listing import alerts_answer, groups_answer
from inferometer.web.requests import alert_query, bad_request

if TYPE_CHECKING:
    from collections.abc import Callable

    from inferometer.alert_ports import AlertsView, SilenceStore

NO_ALERTS_TAKEN = (
    "this interface takes no alerts: it shows those that `inferometer alerts` finds by its own "
    "objectives; send yours to an Alertmanager, which a receiver of format alertmanager_api tells "
    "of ours too"
)
_US_PER_S = 1_000_000


class AlertsApi:
    """The routes that only show."""

    def __init__(
        self,
        *,
        store: SilenceStore,
        view: AlertsView,
        now_us: Callable[[], int],
        version: str,
        config: str,
    ) -> None:
        """Show `config`, which must hold no secrets, as the configuration that is loaded."""
        self._store = store
        self._view = view
        self._now_us = now_us
        self._version = version
        self._config = config
        self._started_us = now_us()

    def routes(self) -> list[web.RouteDef]:
        """Return the routes, without a prefix."""
        return [
            web.get("/api/v2/status", self._status),
            web.get("/api/v2/receivers", self._receivers),
            web.get("/api/v2/alerts", self._alerts),
            web.post("/api/v2/alerts", self._refused),
            web.get("/api/v2/alerts/groups", self._groups),
            web.get("/-/healthy", self._healthy),
            web.get("/-/ready", self._ready),
        ]

    async def _status(self, _: web.Request) -> web.Response:
        said = {
            # Instances share silences through their topic, not by gossip.
            "cluster": {"status": "disabled", "peers": []},
            "versionInfo": {
                "version": self._version,
                "revision": "",
                "branch": "inferometer",
                "buildUser": "",
                "buildDate": "",
                "goVersion": "",
            },
            "config": {"original": self._config},
            "uptime": instant_text(self._started_us),
        }
        return web.json_response(said)

    async def _receivers(self, _: web.Request) -> web.Response:
        return web.json_response([{"name": name} for name in self._view.receivers()])

    async def _alerts(self, request: web.Request) -> web.Response:
        query, now_s = alert_query(request), self._now_us() // _US_PER_S
        found = alerts_answer(self._view.alerts(), self._store.book(), query, now_s)
        return web.json_response(found)

    async def _refused(self, _: web.Request) -> web.Response:
        # Prometheus and `amtool alert add` end here where somebody took this for an Alertmanager;
        # the latter shows the text of a 400 alone.
        raise bad_request(NO_ALERTS_TAKEN)

    async def _groups(self, request: web.Request) -> web.Response:
        query, now_s = alert_query(request), self._now_us() // _US_PER_S
        found = groups_answer(self._view.alerts(), self._store.book(), query, now_s)
        return web.json_response(found)

    async def _healthy(self, _: web.Request) -> web.Response:
        return web.Response(text="OK")

    async def _ready(self, _: web.Request) -> web.Response:
        # Answers 503 through the middleware while the silences are being read.
        self._store.book()
        return web.Response(text="OK")
