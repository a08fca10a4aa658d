"""`inferometer worker`: the stream processor, from Kafka to ClickHouse."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inferometer.cli.command import OK, UsageError
from inferometer.cli.store_flags import add_store_flags, chosen_store

if TYPE_CHECKING:
    import argparse

    from inferometer.cli.command import Context
    from inferometer.config import Settings

SUMMARY = "run the stream processor, from Kafka to ClickHouse"
EXAMPLE = """
inferometer worker --kafka localhost:9092 --store http://localhost:8123 --group inferometer
inferometer worker --kafka kafka-1:9092,kafka-2:9092 --store http://clickhouse:8123 --instance-id w-0
inferometer worker --store http://localhost:8123 --metrics 127.0.0.1:9465 --log-format json
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags."""
    parser.add_argument(
        "--kafka", metavar="HOST:PORT", help="the broker; default: setting kafka.bootstrap_servers"
    )
    add_store_flags(parser)
    parser.add_argument("--group", metavar="G", help="consumer group; default inferometer")
    parser.add_argument(
        "--instance-id",
        metavar="I",
        help="static membership: unique for each worker, the same after a restart",
    )
    parser.add_argument(
        "--metrics",
        metavar="HOST:PORT",
        help="serve /metrics, /healthz and /readyz there; default: nowhere",
    )


def run(arguments: argparse.Namespace, context: Context) -> int:
    """Work until a signal; print what was done."""
    from inferometer.runtime.worker import run_worker

    settings = chosen_settings(arguments, context)
    counters = run_worker(settings, chosen_store(arguments, context))
    print(
        f"events {counters.events}  stored {counters.stored}  dead_lettered {counters.dead}  "
        f"duplicates {counters.duplicates}  chunks {counters.chunks}",
        file=context.stdout,
    )
    return OK


def chosen_settings(arguments: argparse.Namespace, context: Context) -> Settings:
    """Return the configuration under the worker's flags. Raises ConfigError and UsageError."""
    metrics_host, metrics_port = _host_and_port(arguments.metrics)
    return context.settings(
        {
            "kafka.bootstrap_servers": arguments.kafka,
            "kafka.group": arguments.group,
            "kafka.instance_id": arguments.instance_id,
            "worker.metrics_host": metrics_host,
            "worker.metrics_port": metrics_port,
        }
    )


def _host_and_port(text: str | None) -> tuple[str | None, str | None]:
    """Return both halves of an address; an IPv6 host stands in brackets. Raises UsageError."""
    if text is None:
        return None, None
    host, colon, port = text.rpartition(":")
    if not (colon and host and port):
        raise UsageError(f"--metrics: {text!r} is not HOST:PORT, such as 127.0.0.1:9465")
    return host.removeprefix("[").removesuffix("]"), port
