"""Every command has a help page with an example, and works where only the contract is installed."""

from __future__ import annotations

import argparse
import io
import shlex
import subprocess
import sys
from collections.abc import Iterator

import pytest

from inferometer.cli.main import COMMANDS, SERVER_MODULES, command_parser, load_command, main


def parsers() -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """Yield the parser of each command and of each of its subcommands."""
    for name in COMMANDS:
        parser = command_parser(name, load_command(name))
        yield name, parser
        for action in parser._actions:
            if isinstance(action, argparse._SubParsersAction):
                yield from ((f"{name} {inner}", found) for inner, found in action.choices.items())


def help_page(*argv: str) -> tuple[int, str]:
    out = io.StringIO()
    code = main([*argv, "--help"], io.StringIO(), out, io.StringIO(), {})
    return code, out.getvalue()


def test_the_overview_names_every_command_and_its_summary() -> None:
    code, page = help_page()
    assert code == 0
    for name in COMMANDS:
        assert f"  {name} " in page
        assert load_command(name).SUMMARY in page


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_page_of_a_command_ends_with_an_example_of_it(name: str) -> None:
    code, page = help_page(name)
    assert code == 0
    _, _, example = page.partition("example:\n")
    lines = [line for line in example.splitlines() if line.strip()]
    assert lines
    assert any(f"inferometer {name}" in line for line in lines)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_summary_is_one_short_line(name: str) -> None:
    summary = load_command(name).SUMMARY
    assert "\n" not in summary
    assert len(summary) <= 90
    assert not summary.endswith(".")


def test_every_flag_is_explained() -> None:
    silent = [
        f"inferometer {name}: {action.option_strings or action.dest}"
        for name, parser in parsers()
        for action in parser._actions
        if not action.help and not isinstance(action, argparse._SubParsersAction)
    ]
    assert silent == []


def test_every_example_is_understood_by_its_command() -> None:
    for name, parser in parsers():
        lines = example_lines(parser)
        assert lines, name
        for line in lines:
            command, *rest = arguments_of(line)
            assert command in COMMANDS, line
            command_parser(command, load_command(command)).parse_args(rest)


def example_lines(parser: argparse.ArgumentParser) -> list[str]:
    _, _, example = (parser.epilog or "").partition("example:\n")
    return [line.strip() for line in example.splitlines() if line.strip()]


def arguments_of(line: str) -> list[str]:
    """Return what the shell would pass to `inferometer`: no variables, pipes or redirections."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars="|><&;")
    lexer.whitespace_split = True
    words = list(lexer)
    start = words.index("inferometer") + 1
    ends = (at for at, word in enumerate(words) if at >= start and word[0] in "|><&;")
    return words[start : next(ends, len(words))]


def test_help_imports_nothing_of_the_extras() -> None:
    code = (
        "import sys; from inferometer.cli.main import COMMANDS, SERVER_MODULES, load_command; "
        "[load_command(name) for name in COMMANDS]; "
        "print(*sorted(SERVER_MODULES & {name.partition('.')[0] for name in sys.modules}))"
    )
    imported = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert imported.stdout.split() == []
    assert "faust" in SERVER_MODULES
