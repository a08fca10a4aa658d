"""The flags that choose a store, and the store that flags, environment and file lead to."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from inferometer.cli.command import UsageError

if TYPE_CHECKING:
    import argparse

    from inferometer.cli.command import Context
    from inferometer.clickhouse.settings import StoreSettings


def add_store_flags(parser: argparse.ArgumentParser) -> None:
    """Declare `--data` and `--store`."""
    place = parser.add_mutually_exclusive_group()
    place.add_argument("--data", metavar="DIR", type=Path, help="folder of the embedded store")
    place.add_argument(
        "--store",
        metavar="URL",
        help="ClickHouse server, http(s)://[user:password@]host:port[/database]",
    )


def chosen_store(arguments: argparse.Namespace, context: Context) -> StoreSettings:
    """Return the store to open. Raises ConfigError, or UsageError where none is chosen."""
    from inferometer.runtime.mapping import store_settings

    area = context.settings(store_overrides(arguments)).store
    if area.data_dir is None and not area.url:
        raise UsageError("which store? give --data DIR or --store URL")
    return store_settings(area)


def store_overrides(arguments: argparse.Namespace) -> dict[str, object]:
    """Return the settings that the flags stand for."""
    if arguments.data is not None:
        # The flag wins over a server of file or environment, which would exclude the folder.
        return {"store.data_dir": arguments.data, "store.url": ""}
    if arguments.store is None:
        return {}
    from inferometer.clickhouse.settings import StoreSettings

    parts = urlsplit(arguments.store)
    given = StoreSettings.from_url(arguments.store)
    return {
        "store.url": given.url,
        "store.user": given.user if parts.username else None,
        "store.password": given.password if parts.password else None,
        "store.database": given.database if parts.path.strip("/") else None,
    }
