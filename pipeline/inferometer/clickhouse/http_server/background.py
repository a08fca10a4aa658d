"""Runs the HTTP interface on a loop in a thread of its own, for whoever has no loop."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Self

from inferometer.clickhouse.http_server.server import HttpStoreServer

if TYPE_CHECKING:
    from collections.abc import Callable

LOOPBACK = "127.0.0.1"


class BackgroundServer:
    """A server from `start` to `close`, on a port of the loopback."""

    def __init__(self, make: Callable[[], HttpStoreServer], *, port: int = 0) -> None:
        """Take what makes the server; it is called on the loop. Port 0 takes a free one."""
        self._make = make
        self._port = port
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="dev-store-loop")
        self._server: HttpStoreServer | None = None

    @property
    def url(self) -> str:
        """Return the address to give to `--store`."""
        return f"http://{LOOPBACK}:{self._port}"

    def start(self) -> Self:
        """Return once it listens. Raises StoreError."""
        self._thread.start()
        try:
            asyncio.run_coroutine_threadsafe(self._start(), self._loop).result()
        except BaseException:
            self.close()
            raise
        return self

    def close(self) -> None:
        """Stop the server and its loop; safe to call twice."""
        if not self._thread.is_alive():
            return
        if self._server is not None:
            asyncio.run_coroutine_threadsafe(self._server.stop(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close()

    async def _start(self) -> None:
        self._server = self._make()
        await self._server.start(LOOPBACK, self._port)
        self._port = self._server.port
