"""`inferometer serve`: the query API and the console."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from inferometer.cli.command import OK, UsageError
from inferometer.cli.store_flags import add_store_flags, store_overrides

if TYPE_CHECKING:
    import argparse

    from inferometer.cli.command import Context
    from inferometer.config import Settings
    from inferometer.runtime.web_server import WebServer

SUMMARY = "serve the query API and the console of a store"
EXAMPLE = """
inferometer serve --data ./data/demo
inferometer serve --store http://localhost:8123 --host 0.0.0.0 --tokens tokens.json
inferometer serve --store http://localhost:8123 --kafka localhost:9092 --slo slos/ --alerts-url http://localhost:9093
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags."""
    add_store_flags(parser)
    parser.add_argument(
        "--host", metavar="ADDRESS", help="address to open; default 127.0.0.1; others need --tokens"
    )
    parser.add_argument(
        "--port", metavar="N", help="port to open; default 8700; 0 for any free one"
    )
    parser.add_argument(
        "--tokens",
        metavar="FILE",
        type=Path,
        help="file of tokens, see `inferometer token`; default: one token for this run, in the link",
    )
    parser.add_argument(
        "--public-url", metavar="URL", help="where people reach it behind a proxy, https://..."
    )
    parser.add_argument(
        "--kafka",
        metavar="HOST:PORT",
        help="the broker that keeps the state of alerts; default: setting kafka.bootstrap_servers",
    )
    parser.add_argument(
        "--slo", metavar="PATH", type=Path, help="objectives whose state is shown; default: none"
    )
    parser.add_argument(
        "--alerts-url",
        metavar="URL",
        help="interface of `inferometer alerts`, for silences; default: none",
    )


def run(arguments: argparse.Namespace, context: Context) -> int:
    """Serve until a signal."""
    from inferometer.runtime.mapping import store_settings
    from inferometer.runtime.serve import run_serve

    settings = chosen_settings(arguments, context)
    if settings.store.data_dir is None and not settings.store.url:
        raise UsageError("which store? give --data DIR or --store URL")

    def opened(web: WebServer) -> None:
        print(f"query API at {web.url}/api/v1, console at", file=context.stderr)
        # A result, so that a script can read where to go.
        print(web.link(), file=context.stdout, flush=True)
        if not web.tokens.has_any():
            print(
                "nobody has a token yet; make one: inferometer token create NAME --role admin "
                f"--tokens {settings.web.tokens_file}",
                file=context.stderr,
            )

    run_serve(settings, store_settings(settings.store), context.environ, opened=opened)
    return OK


def chosen_settings(arguments: argparse.Namespace, context: Context) -> Settings:
    """Return the configuration under the flags. Raises ConfigError."""
    return context.settings(
        {
            **store_overrides(arguments),
            "web.host": arguments.host,
            "web.port": arguments.port,
            "web.tokens_file": arguments.tokens,
            "web.public_url": arguments.public_url,
            "web.alerts_url": arguments.alerts_url,
            "kafka.bootstrap_servers": arguments.kafka,
            "alerts.slo_path": arguments.slo and str(arguments.slo),
        }
    )
