"""What a command is: the shape of its module, and the context that it runs in."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TextIO, TypedDict

from inferometer import config
from inferometer.errors import ConfigError, PipelineError

if TYPE_CHECKING:
    from collections.abc import Mapping

OK = 0
PROBLEMS = 1
WRONG_USE = 2


class UsageError(PipelineError):
    """Arguments that cannot go together; exits with `WRONG_USE`."""


@dataclass(frozen=True, slots=True)
class Context:
    """The outside world as a command sees it: streams, environment, and the `--config` file."""

    stdin: TextIO
    stdout: TextIO
    """Results only: what a pipe wants to read."""
    stderr: TextIO
    """Logs, progress and errors."""
    environ: Mapping[str, str]
    config_file: Path | None = None
    log_flags: Mapping[str, object] = field(default_factory=dict)
    """The common flags `--log-level` and `--log-format`, by the names of their settings."""

    def settings(self, flags: Mapping[str, object]) -> config.Settings:
        """Load the configuration; flags are values by dotted name, such as `store.data_dir`.

        None stands for a flag that was not given.
        Raises ConfigError with every problem found.
        """
        found = self.resolve(flags)
        if found.problems:
            raise ConfigError(list(found.problems))
        return found.settings

    def resolve(self, flags: Mapping[str, object]) -> config.Resolution:
        """Load the configuration without raising: what has a problem keeps its default."""
        return config.resolve(
            self.environ, file=self.config_file, flags={**self.log_flags, **flags}
        )


class Command(Protocol):
    """The shape of a command's module: two constants and two functions.

    A module imports its rooms inside `run`, because the help page imports every command, and must
    work where only the SDK is installed.
    """

    SUMMARY: str
    """One line without a full stop, shown by `inferometer --help`."""
    EXAMPLE: str
    """Command lines that work as they stand; every help page ends with them."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare flags and arguments; reads nothing from outside."""

    def run(self, arguments: argparse.Namespace, context: Context) -> int:
        """Do the work and return the exit code.

        May raise PipelineError (one line on stderr, exit 1) and UsageError (the same, exit 2).
        """


class HelpPage(TypedDict):
    """The arguments of `argparse.ArgumentParser` that every help page shares."""

    description: str
    epilog: str
    formatter_class: type[argparse.RawDescriptionHelpFormatter]
    allow_abbrev: bool
    parents: list[argparse.ArgumentParser]


def new_parser(prog: str, *, summary: str, example: str) -> argparse.ArgumentParser:
    """Return a command's parser: common flags inside, a help page that ends with its example."""
    return argparse.ArgumentParser(prog=prog, **help_page(summary, example))


def add_subcommand(
    subcommands: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    *,
    summary: str,
    example: str,
) -> argparse.ArgumentParser:
    """Add `inferometer <command> <name>`, whose help page ends with its example."""
    return subcommands.add_parser(name, help=summary, **help_page(summary, example))


def common_flags() -> argparse.ArgumentParser:
    """Return the flags of every command, as a parent; they stand before or after its name."""
    # Without defaults, so that a flag before the command is not reset by the command's own parser.
    parser = argparse.ArgumentParser(
        add_help=False, argument_default=argparse.SUPPRESS, allow_abbrev=False
    )
    flags = parser.add_argument_group("common flags")
    flags.add_argument("--config", metavar="FILE", type=Path, help="TOML file of settings")
    flags.add_argument("--log-level", metavar="LEVEL", help="debug, info, warning or error")
    flags.add_argument("--log-format", metavar="FORMAT", help="text or json, on stderr")
    flags.add_argument("--debug", action="store_true", help="show the traceback of an error")
    return parser


def help_page(summary: str, example: str) -> HelpPage:
    """Lay out a help page: the summary first, the example last."""
    lines = "\n".join(f"  {line}" for line in example.strip().splitlines())
    return {
        "description": f"{summary}.",
        "epilog": f"example:\n{lines}",
        "formatter_class": argparse.RawDescriptionHelpFormatter,
        "allow_abbrev": False,
        "parents": [common_flags()],
    }
