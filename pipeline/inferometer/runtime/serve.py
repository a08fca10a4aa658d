"""`inferometer serve`: query API and console on a store by address or folder, until it is stopped."""

from __future__ import annotations

import contextlib
import logging
from typing import TYPE_CHECKING

from inferometer.clickhouse.connect import ANSWER_TIMEOUT_S, StoreConnection
from inferometer.clickhouse.folder_lock import is_owned
from inferometer.clickhouse.owner import FolderOwner
from inferometer.config.areas import KafkaConfig
from inferometer.errors import StoreError
from inferometer.runtime.alert_desk import alert_sources
from inferometer.runtime.opened_store import require_schema
from inferometer.runtime.stopping import stopping_signals
from inferometer.runtime.web_server import WebServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from inferometer.clickhouse.settings import StoreSettings
    from inferometer.config import Settings
    from inferometer.query_ports import Lags

LOOK_EVERY_S = 0.5

logger = logging.getLogger(__name__)


def run_serve(
    settings: Settings,
    store: StoreSettings,
    environ: Mapping[str, str],
    *,
    opened: Callable[[WebServer], None],
) -> None:
    """Serve until SIGINT or SIGTERM; `opened` is told once the port is open.

    A server that is away is waited for while the port is open. Raises ConfigError, StoreError where
    a folder belongs to another process, and StateError where the schema is not up to date.
    """
    alerts = alert_sources(settings, environ)
    with (
        stopping_signals() as stopping,
        open_for_reading(store) as connection,
        FolderOwner(connection) if store.is_embedded else contextlib.nullcontext(),
        _lags(settings) as lags,
        WebServer(connection, settings.web, alerts=alerts, lags=lags) as web,
    ):
        opened(web)
        while not stopping.wait(LOOK_EVERY_S):
            web.raise_if_failed()
        logger.info("stopping; answers under way may end first")


@contextlib.contextmanager
def _lags(settings: Settings) -> Iterator[Lags]:
    """Watch how far the workers' group is behind, where a broker is named."""
    is_named = settings.kafka.bootstrap_servers != KafkaConfig().bootstrap_servers
    if not is_named and not settings.alerts.slo_path:
        yield dict
        return
    # Who only asks a store waits for no Kafka client.
    from inferometer.runtime.group_lag_watch import GroupLagWatch
    from inferometer.runtime.mapping import worker_settings

    with GroupLagWatch([worker_settings(settings).kafka]) as watch:
        yield watch.lags


@contextlib.contextmanager
def open_for_reading(store: StoreSettings) -> Iterator[StoreConnection]:
    """Open a store that others fill. Raises StoreError and StateError."""
    with _connection(store) as connection:
        try:
            require_schema(connection)
        except StoreError as error:
            if not error.retryable:
                raise
            logger.warning(
                "no store at %s yet (%s); the query API answers 503 until it is there",
                store.place, error,
                extra={"store": store.place, "reason": "store_away"},
            )  # fmt: skip
        yield connection


def _connection(store: StoreSettings) -> StoreConnection:
    try:
        return StoreConnection(store, create=False, answer_timeout_s=ANSWER_TIMEOUT_S)
    except StoreError as error:
        if store.data_dir is not None and is_owned(store.data_dir):
            raise StoreError(
                f"{error}; `inferometer demo` serves the console of its own folder, at the link "
                "that it printed",
                retryable=False,
            ) from error
        raise
