"""`inferometer config`: checks the configuration, or shows each value with its origin."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import orjson

from inferometer.cli.command import OK, PROBLEMS, Context, add_subcommand

if TYPE_CHECKING:
    import argparse

    from inferometer.config import Resolution

SUMMARY = "check the configuration, or show each value and where it came from"
EXAMPLE = """
inferometer config check --config inferometer.toml
INFEROMETER_WORKER_CHUNK_MAX_WAIT_S=1 inferometer config show
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare flags and arguments."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="check|show")
    add_subcommand(
        actions,
        "check",
        summary="find every problem of file and environment; exit 1 when there is one",
        example="inferometer config check --config inferometer.toml",
    )
    show = add_subcommand(
        actions,
        "show",
        summary="show each value and where it came from; secrets stay hidden",
        example="inferometer config show --json",
    )
    show.add_argument("--json", action="store_true", help="one object, for machines")


def run(arguments: argparse.Namespace, context: Context) -> int:
    """Do the work and return the exit code."""
    found = context.resolve({})
    if arguments.action == "check":
        return _check(found, context)
    if found.problems:
        _print_problems(found, context)
        return PROBLEMS
    rows = _rows(found)
    if arguments.json:
        by_name = {name: {"value": value, "origin": origin} for name, value, origin in rows}
        print(orjson.dumps(by_name, option=orjson.OPT_INDENT_2).decode(), file=context.stdout)
        return OK
    name_width = max(len(name) for name, _, _ in rows)
    value_width = max(len(_text(value)) for _, value, _ in rows)
    for name, value, origin in rows:
        line = f"{name:<{name_width}}  {_text(value):<{value_width}}  {origin}"
        print(line, file=context.stdout)
    return OK


def _check(found: Resolution, context: Context) -> int:
    if found.problems:
        _print_problems(found, context)
        return PROBLEMS
    given = sum(origin != "default" for origin in found.origins.values())
    print(f"ok: {given} of {len(found.origins)} settings given, no problem", file=context.stdout)
    return OK


def _print_problems(found: Resolution, context: Context) -> None:
    for problem in found.problems:
        print(problem, file=context.stderr)


def _rows(found: Resolution) -> list[tuple[str, str | int | float | bool | None, str]]:
    return [
        (f"{section}.{key}", _plain(value), found.origins[f"{section}.{key}"])
        for section, area in asdict(found.settings).items()
        for key, value in area.items()
    ]


def _plain(value: object) -> str | int | float | bool | None:
    """Return what JSON can say; a secret becomes its stars, a path its text."""
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def _text(value: object) -> str:
    return "-" if value in {None, ""} else str(value)
