"""Serves `/metrics`, `/healthz` and `/readyz` from threads of its own, beside a busy event loop."""

from __future__ import annotations

import socket
import threading
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING, Any, Self
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from prometheus_client import make_wsgi_app

from inferometer.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from prometheus_client import CollectorRegistry

    Checks = Callable[[], list[str]]

CLIENT_TIMEOUT_S = 10.0
CLOSE_EVERY_S = 0.1
"""How often the server looks whether it is to end."""
PLAIN_TEXT = (("Content-Type", "text/plain; charset=utf-8"), ("Cache-Control", "no-store"))


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True
    # Looking up its own name may take a minute where the name service is away.
    server_name = "inferometer"

    def server_bind(self) -> None:
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_port = self.server_address[1]
        self.setup_environ()


class _Server6(_Server):
    address_family = socket.AF_INET6


class _Handler(WSGIRequestHandler):
    timeout = CLIENT_TIMEOUT_S

    def log_message(self, format: str, *_arguments: Any) -> None:  # noqa: A002 - of the superclass
        """Log nothing: a line each scrape says nothing."""


class OperationServer:
    """An HTTP server for operators; enter it to open the port, leave it to close.

    `health` and `readiness` return what is wrong, nothing when all is well; they are called in
    threads and must not block.
    """

    def __init__(
        self,
        *,
        host: str,
        port: int,
        registry: CollectorRegistry,
        health: Checks,
        readiness: Checks,
    ) -> None:
        self._host = host
        self._port = port
        self._metrics_app = make_wsgi_app(registry)
        self._checks = {"/healthz": health, "/readyz": readiness}
        self._server: _Server | None = None

    @property
    def port(self) -> int:
        """The port that is open; where 0 was asked for, the one that the system chose."""
        return self._server.server_port if self._server is not None else self._port

    def __enter__(self) -> Self:
        kind = _Server6 if ":" in self._host else _Server
        try:
            self._server = server = kind((self._host, self._port), _Handler)
        except OSError as error:
            raise ConfigError(
                [
                    f"worker.metrics_port: {self._host}:{self._port} cannot be opened "
                    f"({error.strerror or error}); choose another, each worker needs its own"
                ]
            ) from error
        server.set_app(self._answer)
        threading.Thread(
            target=server.serve_forever,
            args=(CLOSE_EVERY_S,),
            name="inferometer-metrics",
            daemon=True,
        ).start()
        return self

    def __exit__(self, *_: object) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.shutdown()
            server.server_close()

    def _answer(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if environ.get("REQUEST_METHOD") not in {"GET", "HEAD"}:
            return _plain(start_response, "405 Method Not Allowed", "read only\n")
        if path == "/metrics":
            answer: Iterable[bytes] = self._metrics_app(environ, start_response)
            return answer
        checks = self._checks.get(path)
        if checks is None:
            return _plain(start_response, "404 Not Found", "/metrics /healthz /readyz\n")
        problems = checks()
        if problems:
            text = "".join(f"{problem}\n" for problem in problems)
            return _plain(start_response, "503 Service Unavailable", text)
        return _plain(start_response, "200 OK", "ok\n")


def _plain(start_response: Any, status: str, text: str) -> list[bytes]:
    start_response(status, list(PLAIN_TEXT))
    return [text.encode()]
