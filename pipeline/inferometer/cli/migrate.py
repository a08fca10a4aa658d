"""`inferometer migrate`: brings the schema of a store up to date."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from inferometer.cli.command import OK, PROBLEMS
from inferometer.cli.store_flags import add_store_flags, chosen_store

if TYPE_CHECKING:
    import argparse

    from inferometer.cli.command import Context

SUMMARY = "create or upgrade tables, views, functions and retention of a store"
EXAMPLE = """
inferometer migrate --data ./data
inferometer migrate --store http://default@localhost:8123/inferometer --check
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare flags and arguments."""
    add_store_flags(parser)
    parser.add_argument(
        "--check", action="store_true", help="change nothing; exit 1 while migrations are missing"
    )
    parser.add_argument("--json", action="store_true", help="one object, for machines")


def run(arguments: argparse.Namespace, context: Context) -> int:
    """Do the work and return the exit code."""
    from inferometer.clickhouse.connect import StoreConnection
    from inferometer.clickhouse.migrations import load_migrations, migrate, pending

    settings = chosen_store(arguments, context)
    with StoreConnection(settings, create=not arguments.check) as connection:
        if arguments.check:
            changed, verb = pending(connection), "missing"
        else:
            changed = migrate(connection, report=lambda line: print(line, file=context.stderr))
            verb = "applied"
    names = [f"{migration.version:04d}_{migration.name}" for migration in changed]
    if arguments.json:
        result = {"store": settings.place, verb: names, "migrations": len(load_migrations())}
        print(orjson.dumps(result).decode(), file=context.stdout)
    else:
        print(f"{settings.place}: {len(names)} migrations {verb}", file=context.stdout)
    return PROBLEMS if arguments.check and names else OK
