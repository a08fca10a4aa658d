"""Resolves names to addresses, one look-up a name at a time, and pins what was found."""

from __future__ import annotations

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Protocol

from aiohttp.abc import AbstractResolver, ResolveResult

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_NAMES_AT_ONCE = 32


class Resolver(Protocol):
    """Finds the addresses of a name."""

    async def addresses(self, host: str, port: int) -> Sequence[str]:
        """Return all addresses of a host; raises OSError if it has none."""


class SystemResolver:
    """The resolver of the operating system, in threads of its own.

    A look-up cannot be stopped, and may last half a minute while nobody waits for it any more. So
    attempts for one name share the look-up that runs: a name that hangs holds one thread, and the
    names of other receivers are found meanwhile.
    """

    def __init__(self) -> None:
        self._threads: ThreadPoolExecutor | None = None
        self._running: dict[tuple[str, int], asyncio.Future[Any]] = {}

    async def addresses(self, host: str, port: int) -> Sequence[str]:
        """See `Resolver.addresses`."""
        key = host, port
        running = self._running.get(key)
        if running is None:
            running = self._running[key] = self._started(host, port)
            running.add_done_callback(lambda ended: self._forget(key, ended))
        found = await asyncio.shield(running)
        return list(dict.fromkeys(str(info[4][0]) for info in found))

    def _started(self, host: str, port: int) -> asyncio.Future[Any]:
        if self._threads is None:
            self._threads = ThreadPoolExecutor(MAX_NAMES_AT_ONCE, thread_name_prefix="resolve")
        loop = asyncio.get_running_loop()
        return loop.run_in_executor(
            self._threads, lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        )

    def _forget(self, key: tuple[str, int], ended: asyncio.Future[Any]) -> None:
        self._running.pop(key, None)
        if not ended.cancelled():
            # Looked at, so that asyncio does not complain where nobody waits any more.
            ended.exception()


class PinnedAddresses(AbstractResolver):
    """Answers with addresses that were vetted, whatever the name."""

    def __init__(self, addresses: Sequence[str]) -> None:
        self._addresses = addresses

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Return them all."""
        del family
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=socket.IPPROTO_TCP,
                flags=socket.AI_NUMERICHOST,
            )
            for address in self._addresses
        ]

    async def close(self) -> None:
        """Hold nothing, so close nothing."""
