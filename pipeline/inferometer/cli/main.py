"""The command line: finds the command, runs it, and turns what it raises into an exit code."""

from __future__ import annotations

import argparse
import contextlib
import importlib
import os
import sys
import traceback
from dataclasses import replace
from typing import TYPE_CHECKING, TextIO, cast

from inferometer import __version__, config
from inferometer.cli import logs
from inferometer.cli.command import (
    OK,
    PROBLEMS,
    WRONG_USE,
    Command,
    Context,
    UsageError,
    common_flags,
    new_parser,
)
from inferometer.errors import ConfigError, PipelineError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

COMMANDS: Mapping[str, str] = {
    "demo": "inferometer.cli.demo",
    "dev": "inferometer.cli.dev",
    "replay": "inferometer.cli.replay",
    "sql": "inferometer.cli.sql",
    "worker": "inferometer.cli.worker",
    "serve": "inferometer.cli.serve",
    "token": "inferometer.cli.token",
    "simulate": "inferometer.cli.simulate",
    "migrate": "inferometer.cli.migrate",
    "topics": "inferometer.cli.topics",
    "alerts": "inferometer.cli.alerts",
    "audit": "inferometer.cli.audit",
    "dead-letters": "inferometer.cli.dead_letters",
    "explain": "inferometer.cli.explain",
    "silence": "inferometer.cli.silence",
    "slo": "inferometer.cli.slo",
    "prices": "inferometer.cli.prices",
    "bill": "inferometer.cli.bill",
    "size": "inferometer.cli.size",
    "schema": "inferometer.cli.schema",
    "config": "inferometer.cli.config",
}
"""Module of each command, imported only when it is asked for (all of them by the help page)."""

INTERRUPTED = 128 + 2
BROKEN_PIPE = 128 + 13

CONFIG_NEXT_STEP = "fix them and try again; inferometer config check looks without running anything"
OVERVIEW_END = "Every command explains itself: inferometer COMMAND --help"

SERVER_MODULES = frozenset(
    {
        "aiohttp",
        "aiokafka",
        "chdb",
        "clickhouse_connect",
        "confluent_kafka",
        "cramjam",
        "duckdb",
        "fastapi",
        "faust",
        "genai_prices",
        "mode",
        "msgspec",
        "numba",
        "numpy",
        "prometheus_client",
        "pyarrow",
        "rich",
        "starlette",
        "uvicorn",
        "yaml",
    }
)
"""What only the extra `server` installs."""


def main(
    argv: Sequence[str],
    stdin: TextIO,
    stdout: TextIO,
    stderr: TextIO,
    environ: Mapping[str, str],
) -> int:
    """Run one command line and return its exit code.

    0 ok, 1 problems found, 2 wrong use, 130 interrupted, 141 the reader of stdout went away.
    """
    try:
        with contextlib.redirect_stdout(stdout), contextlib.redirect_stderr(stderr):
            arguments, command = _parse(argv)
    except SystemExit as stop:  # how argparse ends a help page or a wrong use
        return int(stop.code or OK)
    except ModuleNotFoundError as error:
        print(_explain(error), file=stderr)
        return PROBLEMS
    context = Context(
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        environ=environ,
        config_file=getattr(arguments, "config", None),
        log_flags={
            "log.level": getattr(arguments, "log_level", None),
            "log.format": getattr(arguments, "log_format", None),
        },
    )
    with logs.on(stderr, _log_settings(command, context)):
        return _guarded(command, arguments, context)


def _log_settings(command: Command, context: Context) -> config.LogConfig:
    """Return how to log: a command that draws on the terminal is quieter unless told otherwise."""
    found = context.resolve({})
    quiet = getattr(command, "QUIET_LOG_LEVEL", None)
    if quiet is None or found.origins["log.level"] != config.DEFAULT:
        return found.settings.log
    return replace(found.settings.log, level=quiet)


def entry_point() -> None:
    """Run the process's own command line."""
    code = main(sys.argv[1:], sys.stdin, sys.stdout, sys.stderr, os.environ)
    if code == BROKEN_PIPE:
        # The interpreter flushes stdout once more at exit, and would complain about the pipe.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(code)


def load_command(name: str) -> Command:
    """Import the module of a command."""
    return cast("Command", importlib.import_module(COMMANDS[name]))


def command_parser(name: str, command: Command) -> argparse.ArgumentParser:
    """Return the whole parser of one command, common flags included."""
    parser = new_parser(f"inferometer {name}", summary=command.SUMMARY, example=command.EXAMPLE)
    command.add_arguments(parser)
    return parser


class _OverviewParser(argparse.ArgumentParser):
    """The parser in front of all commands; its help page lists them, and so imports them all."""

    def format_help(self) -> str:
        width = max(map(len, COMMANDS))
        commands = [f"  {name:<{width}}  {load_command(name).SUMMARY}" for name in COMMANDS]
        return "\n".join([super().format_help(), "commands:", *commands, "", OVERVIEW_END, ""])


def _parse(argv: Sequence[str]) -> tuple[argparse.Namespace, Command]:
    parser = _OverviewParser(
        prog="inferometer",
        usage="inferometer COMMAND ...",
        description="Exact telemetry of LLM inference, from Kafka to ClickHouse.",
        allow_abbrev=False,
        parents=[common_flags()],
    )
    parser.add_argument("--version", action="version", version=f"inferometer {__version__}")
    parser.add_argument("command", nargs=argparse.PARSER, help="one of those below")
    arguments = parser.parse_args(argv)
    name, *rest = arguments.command
    if name not in COMMANDS:
        parser.error(f"{config.unknown('command', name, COMMANDS)}; see inferometer --help")
    command = load_command(name)
    return command_parser(name, command).parse_args(rest, arguments), command


def _guarded(command: Command, arguments: argparse.Namespace, context: Context) -> int:
    debug = _is_debug(arguments, context.environ)
    try:
        code = command.run(arguments, context)
        context.stdout.flush()
    except BrokenPipeError:
        return BROKEN_PIPE
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as error:  # noqa: BLE001 - the last line of defence: an exit code, not a dump
        if debug:
            traceback.print_exception(error, file=context.stderr)
        print(_explain(error), file=context.stderr)
        return WRONG_USE if isinstance(error, UsageError) else PROBLEMS
    return code


def _explain(error: Exception) -> str:
    """Return what went wrong and what to do next, in as few lines as that takes."""
    if isinstance(error, ConfigError):
        problems = "\n".join(f"  {problem}" for problem in error.problems)
        return f"inferometer: the configuration has problems:\n{problems}\n{CONFIG_NEXT_STEP}"
    if isinstance(error, PipelineError):
        return f"inferometer: {error}"
    if isinstance(error, ModuleNotFoundError) and _top_level(error.name) in SERVER_MODULES:
        return (
            f"inferometer: this command needs {_top_level(error.name)}, which is not installed; "
            "run: pip install 'inferometer[server]'"
        )
    return (
        f"inferometer: internal error: {type(error).__name__}: {error}; "
        "run it again with --debug and report the traceback"
    )


def _top_level(module: str | None) -> str:
    return (module or "").partition(".")[0]


def _is_debug(arguments: argparse.Namespace, environ: Mapping[str, str]) -> bool:
    if getattr(arguments, "debug", False):
        return True
    return environ.get(config.DEBUG_VARIABLE, "").lower() in config.TRUE_WORDS
