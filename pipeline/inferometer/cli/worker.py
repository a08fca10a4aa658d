"""`inferometer worker`: the stream processor, from Kafka to ClickHouse."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inferometer.cli.command import OK
from inferometer.cli.store_flags import add_store_flags, chosen_store

if TYPE_CHECKING:
    import argparse

    from inferometer.cli.command import Context

SUMMARY = "run the stream processor, from Kafka to ClickHouse"
EXAMPLE = """
inferometer worker --kafka localhost:9092 --store http://localhost:8123 --group inferometer
inferometer worker --kafka kafka-1:9092,kafka-2:9092 --store http://clickhouse:8123 --instance-id w-0
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


def run(arguments: argparse.Namespace, context: Context) -> int:
    """Work until a signal; print what was done."""
    from inferometer.runtime.worker import run_worker

    settings = context.settings(
        {
            "kafka.bootstrap_servers": arguments.kafka,
            "kafka.group": arguments.group,
            "kafka.instance_id": arguments.instance_id,
        }
    )
    counters = run_worker(settings, chosen_store(arguments, context))
    print(
        f"events {counters.events}  stored {counters.stored}  dead_lettered {counters.dead}  "
        f"duplicates {counters.duplicates}  chunks {counters.chunks}",
        file=context.stdout,
    )
    return OK
