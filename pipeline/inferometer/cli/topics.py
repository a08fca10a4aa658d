"""`inferometer topics`: makes the topics where they are missing."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from inferometer.cli.command import OK

if TYPE_CHECKING:
    import argparse

    from inferometer.cli.command import Context

SUMMARY = "make the Kafka topics where they are missing"
EXAMPLE = """
inferometer topics --kafka localhost:9092 --partitions 12
inferometer topics --kafka kafka-1:9092 --partitions 48 --replication-factor 3
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags."""
    parser.add_argument(
        "--kafka", metavar="HOST:PORT", help="the broker; default: setting kafka.bootstrap_servers"
    )
    parser.add_argument(
        "--partitions", type=int, metavar="N", help="partitions of the requests topic; default 12"
    )
    parser.add_argument(
        "--replication-factor", type=int, metavar="N", help="copies; default 1, on a cluster 3"
    )


def run(arguments: argparse.Namespace, context: Context) -> int:
    """Make what is missing and print a line for each topic."""
    from inferometer.kafka.security import wait_for_access
    from inferometer.kafka.topics import ANSWER_TIMEOUT_S, make_topics
    from inferometer.runtime.mapping import worker_settings

    settings = context.settings(
        {
            "kafka.bootstrap_servers": arguments.kafka,
            "kafka.partitions": arguments.partitions,
            "kafka.replication_factor": arguments.replication_factor,
        }
    )
    kafka = worker_settings(settings).kafka
    # Its refusals are clear and come at once, where librdkafka tries until the time is over.
    asyncio.run(wait_for_access(kafka, timeout_s=ANSWER_TIMEOUT_S))
    states = make_topics(
        kafka,
        (settings.kafka.requests_topic, settings.kafka.signals_topic),
        partitions=settings.kafka.partitions,
        replication_factor=settings.kafka.replication_factor,
    )
    for state in states:
        verb = "created" if state.was_created else "exists"
        print(f"{state.name}  {verb}  {state.partitions} partitions", file=context.stdout)
    return OK
