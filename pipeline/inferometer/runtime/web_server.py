"""Query API and console on an open store: puts them together and opens the port."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Self

from inferometer import __version__
from inferometer.clickhouse.incident_records import ClickHouseIncidentRecords
from inferometer.clickhouse.query_limits import QueryLimits
from inferometer.clickhouse.query_store import ClickHouseQueryStore
from inferometer.jobs.answer_alerts import AnswerAlerts
from inferometer.prometheus.web_metrics import WebMetrics
from inferometer.runtime.alert_desk import AlertSources
from inferometer.runtime.clock import now
from inferometer.runtime.store_watch import StoreWatch
from inferometer.runtime.web_app import token_book, web_app
from inferometer.web.listener import HttpListener, open_socket

if TYPE_CHECKING:
    import socket

    from starlette.types import ASGIApp

    from inferometer.clickhouse.connect import StoreConnection
    from inferometer.config import WebConfig
    from inferometer.query_ports import Lags


class WebServer:
    """Enter it to open the port and answer from threads of its own; leave it to stop in order."""

    def __init__(
        self,
        connection: StoreConnection,
        area: WebConfig,
        *,
        alerts: AlertSources | None = None,
        lags: Lags = dict,
        bound: socket.socket | None = None,
    ) -> None:
        """Serve what a store holds, at the port of the settings or one that is open already.

        Raises ConfigError where anybody could come in.
        """
        self._connection = connection
        self._area = area
        self._alerts = alerts or AlertSources()
        self._lags = lags
        self._bound = bound
        self._exits = contextlib.ExitStack()
        self._listener: HttpListener | None = None
        self.tokens, self._link_token = token_book(area)
        self.watch = StoreWatch(connection, monotonic=time.monotonic)

    def __enter__(self) -> Self:
        area = self._area
        with contextlib.ExitStack() as opening:
            bound = self._bound or open_socket(area.host, area.port)
            opening.callback(bound.close)
            opening.enter_context(self.watch)
            self._listener = opening.enter_context(
                HttpListener(self._app(bound.getsockname()[1]), host=area.host, bound=bound)
            )
            self._exits = opening.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._exits.close()

    @property
    def url(self) -> str:
        """Where people reach it."""
        if self._area.public_url:
            return self._area.public_url.rstrip("/")
        return "" if self._listener is None else self._listener.url

    def link(self, page: str = "/") -> str:
        """Return what a person opens: with the token of this run, where there is no file of tokens.

        Behind the `#` stays in the browser: it is in no request and in no log of a proxy.
        """
        token = f"#token={self._link_token}" if self._link_token else ""
        return f"{self.url}{page}{token}"

    def raise_if_failed(self) -> None:
        """Raise what ended it before it was told to."""
        if self._listener is not None:
            self._listener.raise_if_failed()

    def _app(self, port: int) -> ASGIApp:
        alerts = self._alerts
        answers = AnswerAlerts(
            records=ClickHouseIncidentRecords(self._connection),
            clock=now,
            status=alerts.status,
            desk=alerts.desk,
            objectives=alerts.objectives,
        )
        metrics = WebMetrics(version=__version__, is_store_up=lambda: self.watch.is_up)
        return web_app(
            self._area,
            port=port,
            tokens=self.tokens,
            store=ClickHouseQueryStore(self._connection, query_limits(self._area)),
            alerts=answers,
            obstacles=self.watch.obstacles,
            metrics=metrics,
            lags=self._lags,
        )


def query_limits(area: WebConfig) -> QueryLimits:
    """Return what a question may take of the store."""
    return QueryLimits(
        seconds=area.query_max_s, rows=area.query_max_rows, memory_bytes=area.query_max_bytes
    )
