"""The embedded store behind ClickHouse's HTTP interface, until it is told to stop."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import signal
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from inferometer.clickhouse.connect import StoreConnection
from inferometer.clickhouse.http_server.access import AccessPolicy
from inferometer.clickhouse.http_server.server import HttpStoreServer
from inferometer.clickhouse.owner import FolderOwner
from inferometer.clickhouse.settings import StoreSettings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class DevStore:
    """What to serve, and where."""

    data_dir: Path
    host: str
    port: int
    user: str
    password: str = field(default="", repr=False)


def run_dev_store(store: DevStore, tell: Callable[[str], None]) -> None:
    """Serve until SIGINT or SIGTERM. Raises StoreError where folder or port cannot be had."""
    asyncio.run(_run(store, tell))


async def _run(store: DevStore, tell: Callable[[str], None]) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    if not store.password and not _is_loopback(store.host):
        logger.warning(
            "everybody who reaches %s:%d may read, write and see files: set a password",
            store.host,
            store.port,
        )
    with (
        StoreConnection(StoreSettings(data_dir=store.data_dir)) as connection,
        # Its socket answers `inferometer sql --data` of the same folder as well.
        FolderOwner(connection),
    ):
        server = HttpStoreServer(
            connection, access=AccessPolicy(user=store.user, password=store.password)
        )
        await server.start(store.host, store.port)
        try:
            tell(f"ready: http://{_in_url(store.host)}:{server.port} ({store.data_dir})")
            await stop.wait()
        finally:
            await server.stop()


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host
