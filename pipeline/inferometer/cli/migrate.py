"""`inferometer migrate`: brings the schema of a store up to date."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from inferometer.cli.command import OK, PROBLEMS
from inferometer.cli.store_flags import add_store_flags, chosen_store

if TYPE_CHECKING:
    import argparse

    from inferometer.cli.command import Context
    from inferometer.clickhouse.migrations import Lacks

SUMMARY = "create or upgrade tables, views, functions and retention of a store"
EXAMPLE = """
inferometer migrate --data ./data
inferometer migrate --store http://default@localhost:8123/inferometer --check
inferometer migrate --config inferometer.toml --shorten-retention
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare flags and arguments."""
    add_store_flags(parser)
    parser.add_argument(
        "--check",
        action="store_true",
        help="change nothing; say what would be changed, exit 1 if anything",
    )
    parser.add_argument(
        "--shorten-retention",
        action="store_true",
        help="also let tables that have rows keep them for fewer days, as the settings say",
    )
    parser.add_argument("--json", action="store_true", help="one object, for machines")


def run(arguments: argparse.Namespace, context: Context) -> int:
    """Do the work and return the exit code."""
    from inferometer.clickhouse.connect import StoreConnection
    from inferometer.clickhouse.migrations import lacks, load_migrations, migrate

    settings = chosen_store(arguments, context)
    with StoreConnection(settings, create=not arguments.check) as connection:
        if arguments.check:
            return _tell(lacks(connection), settings.place, arguments, context)
        applied = migrate(
            connection,
            report=lambda line: print(line, file=context.stderr),
            shortens_retention=arguments.shorten_retention,
        )
    names = [str(migration) for migration in applied]
    if arguments.json:
        result = {"store": settings.place, "applied": names, "migrations": len(load_migrations())}
        print(orjson.dumps(result).decode(), file=context.stdout)
    else:
        print(f"{settings.place}: {len(names)} migrations applied", file=context.stdout)
    return OK


def _tell(lacks: Lacks, place: str, arguments: argparse.Namespace, context: Context) -> int:
    """Say what would be changed, and return the exit code."""
    from inferometer.clickhouse.migrations import load_migrations

    names = [str(migration) for migration in lacks.migrations]
    days = {kept.table: kept.wanted_days for kept in lacks.retention}
    if arguments.json:
        result = {
            "store": place,
            "missing": names,
            "migrations": len(load_migrations()),
            "gone": list(lacks.definitions),
            "retention_days": days,
            "shortened": list(lacks.shortened),
        }
        print(orjson.dumps(result).decode(), file=context.stdout)
    else:
        print(f"{place}: {len(names)} migrations missing", file=context.stdout)
        for name in lacks.definitions:
            print(f"{name} is gone and would be made again", file=context.stdout)
        for kept in lacks.retention:
            condition = " with --shorten-retention" if kept.table in lacks.shortened else ""
            print(
                f"{kept.table} keeps {kept.days} days and would keep {kept.wanted_days}{condition}",
                file=context.stdout,
            )
    return PROBLEMS if names or lacks.definitions or lacks.retention else OK
