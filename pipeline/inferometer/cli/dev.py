"""`inferometer dev`: real services in the foreground, for development and tests on one machine."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, cast

from inferometer.cli.command import Command, Context, add_subcommand

if TYPE_CHECKING:
    import argparse

SUMMARY = "run a real Kafka or a shared store on this machine, without containers"
EXAMPLE = """
inferometer dev kafka --port 9092 --data ./data/kafka
inferometer dev store --port 8123 --data ./data/store
"""
SERVICES = {"kafka": "inferometer.cli.dev_kafka", "store": "inferometer.cli.dev_store"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags of each service."""
    services = parser.add_subparsers(dest="service", required=True, metavar="|".join(SERVICES))
    for name in SERVICES:
        command = _load(name)
        command.add_arguments(
            add_subcommand(services, name, summary=command.SUMMARY, example=command.EXAMPLE)
        )


def run(arguments: argparse.Namespace, context: Context) -> int:
    """Run the service until a signal."""
    return _load(arguments.service).run(arguments, context)


def _load(name: str) -> Command:
    return cast("Command", importlib.import_module(SERVICES[name]))
