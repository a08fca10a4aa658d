"""Query API and console of the demo, on its own store and for this machine only."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING

from inferometer.config import WebConfig
from inferometer.runtime.group_lag_watch import GroupLagWatch
from inferometer.runtime.web_server import WebServer
from inferometer.web.listener import open_first_free

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inferometer.config import Settings
    from inferometer.runtime.embedded import EmbeddedPipeline

LOOPBACK = "127.0.0.1"
DEFAULT_PORT = WebConfig().port
QUERY_THREADS = 2
QUERY_MAX_BYTES = 512 * 1024 * 1024


@contextlib.contextmanager
def served(
    pipeline: EmbeddedPipeline, settings: Settings, *, port: int | None = None
) -> Iterator[WebServer]:
    """Serve a pipeline's store on this machine: at a port, or at the first free one of ours.

    Raises ConfigError where the port is taken.
    """
    # For this run and this machine, whatever the settings say of a server for others.
    area = replace(
        settings.web,
        host=LOOPBACK,
        port=DEFAULT_PORT if port is None else port,
        tokens_file=None,
        # The pipeline shares processor and memory with whoever asks.
        query_threads=min(settings.web.query_threads, QUERY_THREADS),
        query_max_bytes=min(settings.web.query_max_bytes, QUERY_MAX_BYTES),
        public_url="",
    )
    bound = open_first_free(area.host, area.port) if port is None else None
    with (
        GroupLagWatch([pipeline.kafka]) as lag,
        WebServer(
            pipeline.connection, area, alerts=pipeline.alert_sources, lags=lag.lags, bound=bound
        ) as web,
    ):
        yield web
