"""`inferometer alerts`: evaluates objectives and budgets, and tells people."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from inferometer.cli import alert_receivers
from inferometer.cli.accept_level import add_accept, run_accept
from inferometer.cli.backtest import add_backtest, run_backtest
from inferometer.cli.command import OK, add_subcommand
from inferometer.cli.store_flags import add_store_flags, store_overrides

if TYPE_CHECKING:
    import argparse

    from inferometer.cli.command import Context
    from inferometer.config import Settings

SUMMARY = "evaluate objectives and budgets, and tell people"
EXAMPLE = """
inferometer alerts --kafka localhost:9092 --slo slos/ --receivers receivers.yaml
inferometer alerts --slo slos/ --receivers receivers.yaml --store http://localhost:8123
inferometer alerts status --kafka localhost:9092 --slo slos/
inferometer alerts status --slo slos/ --json
inferometer alerts test oncall --receivers receivers.yaml
inferometer alerts redeliver --kafka localhost:9092
inferometer alerts accept ttft-unusual model=m-large --comment "new hardware"
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags and subcommands."""
    _add_flags(parser)
    parser.add_argument(
        "--http", metavar="HOST:PORT", help="HTTP interface; default 127.0.0.1:9093"
    )
    # Alerting itself asks no store; what it did is kept in one where one is named.
    add_store_flags(parser)
    subcommands = parser.add_subparsers(dest="action", metavar="ACTION")
    status = add_subcommand(
        subcommands,
        "status",
        summary="show how every objective stands",
        example="inferometer alerts status --kafka localhost:9092 --slo slos/ --json",
    )
    _add_flags(status)
    status.add_argument("--json", action="store_true", help="JSON instead of a table")
    alert_receivers.add_actions(subcommands, _add_flags)
    add_accept(subcommands)
    add_backtest(subcommands)


def _add_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--kafka", metavar="HOST:PORT", help="the broker; default: setting kafka.bootstrap_servers"
    )
    parser.add_argument(
        "--slo", type=Path, metavar="PATH", help="file or folder of objectives, budgets and rules"
    )
    parser.add_argument(
        "--receivers", type=Path, metavar="FILE", help="file of receivers and routes"
    )


def run(arguments: argparse.Namespace, context: Context) -> int:
    """Work until a signal, or answer a question."""
    if arguments.action == "backtest":
        return run_backtest(arguments, context)
    if arguments.action == "accept":
        return run_accept(arguments, context)
    settings = chosen_settings(arguments, context)
    if arguments.action == "status":
        return _status(arguments, context, settings)
    if arguments.action in alert_receivers.ACTIONS:
        return alert_receivers.run_action(arguments, context, settings)
    from inferometer.runtime.alerts import run_alerts

    run_alerts(settings, context.environ)
    return OK


def chosen_settings(arguments: argparse.Namespace, context: Context) -> Settings:
    """Return the configuration under the flags. Raises ConfigError."""
    host, _, port = (getattr(arguments, "http", None) or "").rpartition(":")
    return context.settings(
        {
            "kafka.bootstrap_servers": arguments.kafka,
            "alerts.slo_path": arguments.slo and str(arguments.slo),
            "alerts.receivers_file": arguments.receivers and str(arguments.receivers),
            "alerts.http_host": host.removeprefix("[").removesuffix("]") or None,
            "alerts.http_port": port or None,
            **(store_overrides(arguments) if hasattr(arguments, "store") else {}),
        }
    )


def _status(arguments: argparse.Namespace, context: Context, settings: Settings) -> int:
    import orjson

    from inferometer.runtime.alert_status import read_status, status_table

    rows = read_status(settings, context.environ)
    if arguments.json:
        print(orjson.dumps(rows, option=orjson.OPT_INDENT_2).decode(), file=context.stdout)
    else:
        print(status_table(rows), file=context.stdout)
    return OK
