"""Runs an ASGI application on a port, in a thread of its own beside everything else."""

from __future__ import annotations

import errno
import logging
import socket
import threading
from typing import TYPE_CHECKING, Self

import uvicorn

from inferometer.errors import ConfigError, PipelineError

if TYPE_CHECKING:
    from starlette.types import ASGIApp

BACKLOG = 512
STOP_TIMEOUT_S = 3
"""How long answers under way may still take; a live stream would never end by itself."""
KEEP_ALIVE_S = 15
MAX_CONNECTIONS = 1000
"""At a time; more are told to come again, which costs less than to be slow for all."""
MAX_HEADER_BYTES = 64 * 1024


class HttpListener:
    """Enter it to open the port and answer, leave it to stop in order.

    The port is open before `__enter__` returns, so who is given `url` gets an answer.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        host: str,
        port: int = 0,
        bound: socket.socket | None = None,
        stop_timeout_s: int = STOP_TIMEOUT_S,
    ) -> None:
        """Listen at host and port, 0 for a free one, or at a socket that is open already."""
        self._host = host
        self._port = port
        self._socket = bound
        self._server = uvicorn.Server(
            uvicorn.Config(
                app,
                lifespan="on",
                log_config=None,
                access_log=False,
                server_header=False,
                # The address that a request came from is that of its connection, whatever it says.
                proxy_headers=False,
                backlog=BACKLOG,
                limit_concurrency=MAX_CONNECTIONS,
                h11_max_incomplete_event_size=MAX_HEADER_BYTES,
                timeout_keep_alive=KEEP_ALIVE_S,
                timeout_graceful_shutdown=stop_timeout_s,
                ws="none",
            )
        )
        logging.getLogger("uvicorn.error").addFilter(_is_worth_telling)
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="inferometer-web", daemon=True)

    @property
    def port(self) -> int:
        """The port that is open; where 0 was asked for, the one that the system chose."""
        return self._port

    @property
    def url(self) -> str:
        """The address to give to this machine's clients."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(self._host, self._host)  # noqa: S104
        return f"http://{f'[{host}]' if ':' in host else host}:{self._port}"

    def __enter__(self) -> Self:
        if self._socket is None:
            self._socket = open_socket(self._host, self._port)
        self._port = self._socket.getsockname()[1]
        self._thread.start()
        self._wait_until_started()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join()
        if self._socket is not None:
            self._socket.close()

    def raise_if_failed(self) -> None:
        """Raise what ended the server before it was told to."""
        if isinstance(self._failure, PipelineError):
            raise self._failure
        if self._failure is not None:
            raise PipelineError(f"the web server ended: {self._failure!r}") from self._failure

    def _run(self) -> None:
        try:
            self._server.run(sockets=[self._socket] if self._socket else None)
        except SystemExit:
            self._failure = PipelineError("the web server could not start; its log says why")
        except BaseException as error:  # noqa: BLE001 - raised again by whoever looks
            self._failure = error

    def _wait_until_started(self) -> None:
        while not self._server.started:
            self._thread.join(0.01)
            if not self._thread.is_alive():
                self.raise_if_failed()
                raise PipelineError("the web server could not start; its log says why")


def _is_worth_telling(record: logging.LogRecord) -> bool:
    # What it says of its start, of its end and of live views that its end cuts off, nobody missed.
    return record.levelno >= logging.WARNING and not record.getMessage().startswith("Cancel ")


def open_socket(host: str, port: int) -> socket.socket:
    """Return a socket that is bound and listens. Raises ConfigError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With the protocol named, the loop sends small pieces at once; else the end of every answer
    # waits for an acknowledgement, which clients hold back for 40 ms.
    opened = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind((host, port))
        opened.listen(BACKLOG)
    except OSError as error:
        opened.close()
        is_taken = error.errno == errno.EADDRINUSE
        why = "is taken by another process" if is_taken else f"cannot be opened ({error.strerror})"
        raise ConfigError(
            [
                f"web.port: {host}:{port} {why}; choose another by --port or web.host, 0 for any free one"
            ]
        ) from error
    opened.setblocking(False)
    return opened


def open_first_free(host: str, first: int, tries: int = 50) -> socket.socket:
    """Return a socket at the first port from `first` on that is free, or at any. Raises ConfigError."""
    for port in (*range(first, min(first + tries, 65_536)), 0):
        try:
            return open_socket(host, port)
        except ConfigError:
            if port == 0:
                raise
    raise AssertionError("the range above ends with 0")
