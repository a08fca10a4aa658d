"""`inferometer dev store`: ClickHouse's HTTP interface over an embedded store."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from inferometer.cli.command import OK, UsageError

if TYPE_CHECKING:
    import argparse

    from inferometer.cli.command import Context

SUMMARY = "serve an embedded store by ClickHouse's HTTP interface, for one machine"
EXAMPLE = """
inferometer dev store --port 8123 --data ./data
inferometer migrate --store http://127.0.0.1:8123
inferometer sql "SHOW TABLES" --store http://127.0.0.1:8123
"""

DEFAULT_PORT = 8123
DEFAULT_DATA = Path(".inferometer/store")
LOOPBACK = "127.0.0.1"
LAST_PORT = 65_535


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags."""
    parser.add_argument(
        "--port",
        type=int,
        default=DEFAULT_PORT,
        help=f"default {DEFAULT_PORT}; 0 takes a free one and prints it",
    )
    parser.add_argument(
        "--data", metavar="DIR", type=Path, help=f"folder of the store; default {DEFAULT_DATA}"
    )
    parser.add_argument(
        "--host",
        default=LOOPBACK,
        help=f"address to listen on; default {LOOPBACK}: this machine only",
    )
    parser.add_argument("--user", metavar="U", help="default: setting store.user, or default")
    parser.add_argument(
        "--password",
        metavar="P",
        help="ask for it; better in INFEROMETER_STORE_PASSWORD; without one everybody who reaches "
        "the port is let in, and may read files as you",
    )


def run(arguments: argparse.Namespace, context: Context) -> int:
    """Serve until a signal; say `ready` once it listens."""
    from inferometer.runtime.dev_store import DevStore, run_dev_store

    if not 0 <= arguments.port <= LAST_PORT:
        raise UsageError(f"--port must be from 0 to {LAST_PORT}")
    area = context.settings(
        {"store.user": arguments.user, "store.password": arguments.password}
    ).store
    store = DevStore(
        data_dir=arguments.data or area.data_dir or DEFAULT_DATA,
        host=arguments.host,
        port=arguments.port,
        user=area.user,
        password=area.password.reveal(),
    )

    def tell(line: str) -> None:
        print(line, file=context.stdout, flush=True)

    run_dev_store(store, tell)
    return OK
