"""The application behind the port: query API, console, who may use them, and what surrounds them."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING

from inferometer.errors import ConfigError
from inferometer.runtime.clock import now
from inferometer.web.api.app import create_app
from inferometer.web.api.services import ApiLimits
from inferometer.web.console_files import add_console
from inferometer.web.identity.guard import Guard
from inferometer.web.identity.identification import COOKIE, Identification
from inferometer.web.identity.origins import Origins, is_loopback_name
from inferometer.web.identity.rate_limits import RateLimits
from inferometer.web.identity.roles import Role
from inferometer.web.identity.sessions import Sessions
from inferometer.web.identity.token_book import TokenBook
from inferometer.web.identity.tokens_file import MemoryTokens, TokensFile
from inferometer.web.measured import Measured
from inferometer.web.operation import add_operation

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from inferometer.config import WebConfig
    from inferometer.jobs.answer_alerts import AnswerAlerts
    from inferometer.prometheus.web_metrics import WebMetrics
    from inferometer.query_ports import Lags, QueryStore

FAILURES_PER_S = 5.0
FAILURES_BURST = 50.0
"""Requests without a good token that an address may send; a page of the console sends a dozen."""
LINK_NAME = "link of this run"


def web_app(
    area: WebConfig,
    *,
    port: int,
    tokens: TokenBook,
    store: QueryStore,
    alerts: AnswerAlerts,
    obstacles: Callable[[], list[str]],
    metrics: WebMetrics,
    lags: Lags = dict,
    clock: Callable[[], datetime] = now,
) -> Measured:
    """Return the application that is reached at `port`."""
    origins = Origins(area.public_url, is_local=is_loopback_name(area.host))
    identification = _identification(area, port, tokens, origins, clock)
    app = create_app(
        store=store,
        alerts=alerts,
        identify=identification,
        sessions=identification,
        tokens=tokens,
        clock=clock,
        lags=lags,
        limits=ApiLimits(
            query_threads=area.query_threads,
            waiting_queries=area.waiting_queries,
            live_streams=area.live_streams,
        ),
    )
    add_operation(app, obstacles=obstacles, exposition=metrics.exposition, identify=identification)
    add_console(app)
    return Measured(Guard(app, origins=origins), observer=metrics, monotonic=time.monotonic)


def _identification(
    area: WebConfig, port: int, tokens: TokenBook, origins: Origins, clock: Callable[[], datetime]
) -> Identification:
    return Identification(
        book=tokens,
        sessions=Sessions(
            tokens,
            clock,
            key=area.session_key.reveal().encode(),
            lifetime=timedelta(hours=area.session_hours),
        ),
        origins=origins,
        limits=RateLimits(
            per_s=area.requests_per_s, burst=area.requests_burst, monotonic=time.monotonic
        ),
        failures=RateLimits(per_s=FAILURES_PER_S, burst=FAILURES_BURST, monotonic=time.monotonic),
        # Browsers keep cookies by host alone: two servers of a machine would share one. Behind one
        # public address several processes do share it.
        cookie=COOKIE if area.public_url else f"{COOKIE}_{port}",
    )


def token_book(area: WebConfig) -> tuple[TokenBook, str]:
    """Return the tokens of the settings, and the text of the one that is made for this run.

    Raises ConfigError where the port is open to others and nobody has a token.
    """
    if area.tokens_file is not None:
        book = TokenBook(TokensFile(area.tokens_file), now)
        if not book.has_any() and not is_loopback_name(area.host):
            raise ConfigError(
                [
                    f"web.tokens_file: {area.tokens_file} holds no token that is in force, so nobody "
                    f"could use what {area.host} opens to others; make one first: inferometer token "
                    f"create NAME --role admin --tokens {area.tokens_file}"
                ]
            )
        return book, ""
    if not is_loopback_name(area.host):
        raise ConfigError(
            [
                f"web.host: {area.host} is reached from other machines, which needs tokens; name a "
                "file by web.tokens_file or --tokens and make one with `inferometer token create`, "
                "or stay at 127.0.0.1"
            ]
        )
    book = TokenBook(MemoryTokens(), now)
    made = book.create(name=LINK_NAME, role=Role.ADMIN, workspace=None, expires_at=None)
    return book, made.text
