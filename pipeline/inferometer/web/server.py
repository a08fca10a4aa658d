"""Serves the alerts' HTTP interface on the running loop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import orjson
from aiohttp import web

from inferometer.core.alerts.silences import MuteRefusedError
from inferometer.errors import BrokerError, ConfigError, StateError
from inferometer.web.acceptances_api import AcceptancesApi
from inferometer.web.alerts_api import AlertsApi
from inferometer.web.maintenance_api import MaintenanceApi
from inferometer.web.metrics_api import MetricsApi
from inferometer.web.requests import MAX_BODY_BYTES
from inferometer.web.silences_api import SilencesApi

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import datetime

    from inferometer.alert_ports import AlertsView, SilenceStore
    from inferometer.web.access import AccessPolicy

    Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

DEFAULT_PORT = 9093
"""That of Alertmanager, so that `amtool` finds it unasked."""
STOP_TIMEOUT_S = 2.0
_US_PER_S = 1_000_000


class AlertsServer:
    """The HTTP interface from `start` to `stop`, both on one loop."""

    def __init__(
        self,
        *,
        host: str,
        port: int,
        access: AccessPolicy,
        store: SilenceStore,
        view: AlertsView,
        clock: Callable[[], datetime],
        version: str,
        config: str = "",
        metrics: Callable[[], bytes] | None = None,
    ) -> None:
        """Serve at host and port, 0 for a free one. Raises ConfigError where anybody could write.

        `config` is shown to everybody who may read: no secrets in it. `metrics` returns what
        Prometheus scrapes.
        """
        access.check_host(host)
        self._host = host
        self._port = port

        def now_us() -> int:
            # A float of seconds would be off by a microsecond now and then.
            now = clock()
            return int(now.timestamp()) * _US_PER_S + now.microsecond

        self._application = _application(
            access,
            [
                *SilencesApi(store=store, now_us=now_us).routes(),
                *AcceptancesApi(store=store, view=view, now_us=now_us).routes(),
                *MaintenanceApi(store=store, now_us=now_us).routes(),
                *AlertsApi(
                    store=store, view=view, now_us=now_us, version=version, config=config
                ).routes(),
                *([] if metrics is None else MetricsApi(metrics).routes()),
            ],
        )
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        """The address to give to clients."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self._port}"

    async def start(self) -> None:
        """Open the port. Raises ConfigError where it cannot be opened."""
        self._runner = web.AppRunner(
            self._application, access_log=None, shutdown_timeout=STOP_TIMEOUT_S
        )
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, self._host, self._port).start()
        except OSError as error:
            await self.stop()
            raise ConfigError(
                [
                    f"the alerts' HTTP interface cannot open {self._host}:{self._port} "
                    f"({error.strerror or error}); choose another port"
                ]
            ) from error
        self._port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Close the port and wait for requests under way; safe to call twice."""
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()


def _application(access: AccessPolicy, routes: list[web.RouteDef]) -> web.Application:
    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        access.check(request.method, request.headers)
        try:
            return await handler(request)
        except MuteRefusedError as error:
            return _problem(400, str(error))
        except StateError as error:
            return _problem(503, str(error))
        except BrokerError as error:
            return _problem(503 if error.retryable else 500, str(error))

    application = web.Application(middlewares=[guard], client_max_size=MAX_BODY_BYTES)
    application.add_routes(routes)
    return application


def _problem(status: int, text: str) -> web.Response:
    body = orjson.dumps(text)
    return web.Response(status=status, body=body, content_type="application/json")
