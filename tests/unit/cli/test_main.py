"""Exit codes, streams and errors of the command line."""

from __future__ import annotations

import logging
import sys
from types import ModuleType
from typing import TYPE_CHECKING

import pytest

from inferometer import __version__
from inferometer.cli import main as main_module
from inferometer.cli.command import UsageError
from inferometer.errors import ConfigError, PipelineError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from inferometer.cli.command import Context
    from tests.unit.cli.conftest import Run

Behaviour = "Callable[[argparse.Namespace, Context], int]"


class FakeCommand(ModuleType):
    """A command whose behaviour a test gives."""

    SUMMARY = "do what the test says"
    EXAMPLE = "inferometer fake --times 3"

    def __init__(self, behaviour: Callable[[argparse.Namespace, Context], int]) -> None:
        super().__init__("fake_command")
        self.run = behaviour

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--times", type=int, default=1)


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    def install(behaviour: Callable[[argparse.Namespace, Context], int]) -> None:
        monkeypatch.setitem(sys.modules, "fake_command", FakeCommand(behaviour))
        monkeypatch.setattr(main_module, "COMMANDS", {"fake": "fake_command"})

    return install


def raises(error: BaseException) -> Callable[[argparse.Namespace, Context], int]:
    def behaviour(_arguments: argparse.Namespace, _context: Context) -> int:
        raise error

    return behaviour


def test_the_version_is_a_result(run: Run) -> None:
    outcome = run("--version")
    assert (outcome.code, outcome.out, outcome.err) == (0, f"inferometer {__version__}\n", "")


def test_a_command_writes_results_to_stdout_and_returns_its_code(
    run: Run, command: Callable[..., None]
) -> None:
    def behaviour(arguments: argparse.Namespace, context: Context) -> int:
        print("result", arguments.times, file=context.stdout)
        return 1

    command(behaviour)
    outcome = run("fake", "--times", "3")
    assert (outcome.code, outcome.out, outcome.err) == (1, "result 3\n", "")


def test_the_overview_lists_commands_with_their_summaries(
    run: Run, command: Callable[..., None]
) -> None:
    command(raises(AssertionError()))
    outcome = run("--help")
    assert outcome.code == 0
    assert "fake  do what the test says" in outcome.out


def test_the_help_of_a_command_ends_with_its_example(
    run: Run, command: Callable[..., None]
) -> None:
    command(raises(AssertionError()))
    outcome = run("fake", "--help")
    assert outcome.code == 0
    assert outcome.out.endswith("example:\n  inferometer fake --times 3\n")


@pytest.mark.parametrize(
    "argv",
    [(), ("fkae",), ("fake", "--tmies", "3"), ("fake", "--times", "x"), ("--nonsense",)],
    ids=["no command", "unknown command", "unknown flag", "wrong value", "unknown first flag"],
)
def test_wrong_use_exits_with_2_and_leaves_stdout_empty(
    run: Run, command: Callable[..., None], argv: tuple[str, ...]
) -> None:
    command(raises(AssertionError()))
    outcome = run(*argv)
    assert outcome.code == 2
    assert outcome.out == ""
    assert "usage: inferometer" in outcome.err


def test_an_unknown_command_gets_a_suggestion(run: Run, command: Callable[..., None]) -> None:
    command(raises(AssertionError()))
    assert "unknown command fkae; did you mean fake?" in run("fkae").err


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (PipelineError("broken; mend it"), 1, "inferometer: broken; mend it\n"),
        (UsageError("not both; drop one"), 2, "inferometer: not both; drop one\n"),
        (KeyboardInterrupt(), 130, ""),
        (BrokenPipeError(), 141, ""),
    ],
    ids=["failure", "wrong use", "interrupt", "reader went away"],
)
def test_an_error_is_one_line_and_an_exit_code(
    run: Run,
    command: Callable[..., None],
    error: BaseException,
    code: int,
    message: str,
) -> None:
    command(raises(error))
    outcome = run("fake")
    assert (outcome.code, outcome.out, outcome.err) == (code, "", message)


def test_problems_of_the_configuration_are_listed(run: Run, command: Callable[..., None]) -> None:
    command(raises(ConfigError(["first", "second"])))
    outcome = run("fake")
    assert outcome.code == 1
    assert "  first\n  second\n" in outcome.err
    assert "inferometer config check" in outcome.err


def test_a_missing_library_names_the_extra(run: Run, command: Callable[..., None]) -> None:
    command(raises(ModuleNotFoundError("No module named 'faust'", name="faust.app")))
    outcome = run("fake")
    assert outcome.code == 1
    assert "needs faust" in outcome.err
    assert "pip install 'inferometer[server]'" in outcome.err


def test_a_library_missing_at_import_names_the_extra(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(main_module, "COMMANDS", {"fake": "numba"})
    monkeypatch.setitem(sys.modules, "numba", None)
    outcome = run("fake")
    assert outcome.code == 1
    assert "needs numba" in outcome.err


def test_a_bug_is_reported_as_one(run: Run, command: Callable[..., None]) -> None:
    command(raises(ZeroDivisionError("by zero")))
    outcome = run("fake")
    assert outcome.code == 1
    assert outcome.err.startswith("inferometer: internal error: ZeroDivisionError: by zero")
    assert "Traceback" not in outcome.err


@pytest.mark.parametrize(
    ("argv", "environ"),
    [
        (("fake", "--debug"), {}),
        (("--debug", "fake"), {}),
        (("fake",), {"INFEROMETER_DEBUG": "1"}),
    ],
    ids=["flag after", "flag before", "variable"],
)
def test_debug_shows_the_traceback(
    run: Run, command: Callable[..., None], argv: tuple[str, ...], environ: dict[str, str]
) -> None:
    command(raises(PipelineError("broken")))
    outcome = run(*argv, environ=environ)
    assert "Traceback" in outcome.err
    assert outcome.err.endswith("inferometer: broken\n")


def log_something(_arguments: argparse.Namespace, _context: Context) -> int:
    logging.getLogger("inferometer.test").debug("fine", extra={"partition": 3})
    logging.getLogger("library").info("insides")
    return 0


def test_logs_go_to_stderr_as_json_when_asked(run: Run, command: Callable[..., None]) -> None:
    command(log_something)
    outcome = run("fake", "--log-level", "debug", "--log-format", "json")
    assert outcome.out == ""
    assert '"message":"fine","partition":3' in outcome.err


def test_what_libraries_say_about_their_insides_is_not_logged(
    run: Run, command: Callable[..., None]
) -> None:
    command(log_something)
    assert run("fake", "--log-level", "info").err == ""


def test_a_traceback_in_a_json_log_is_a_field(run: Run, command: Callable[..., None]) -> None:
    def behaviour(arguments: argparse.Namespace, _context: Context) -> int:
        try:
            print(arguments.missing)
        except AttributeError:
            logging.getLogger("inferometer.test").exception("failed")
        return 0

    command(behaviour)
    (line,) = run("fake", "--log-format", "json").err.splitlines()
    assert '"traceback":"Traceback' in line


def test_logging_is_left_as_it_was_found(run: Run, command: Callable[..., None]) -> None:
    root = logging.getLogger()
    before = (list(root.handlers), root.level, logging.getLogger("inferometer").level)
    command(log_something)
    run("fake", "--log-level", "debug")
    assert before == (list(root.handlers), root.level, logging.getLogger("inferometer").level)


def test_flags_of_settings_reach_the_command(run: Run, command: Callable[..., None]) -> None:
    def behaviour(arguments: argparse.Namespace, context: Context) -> int:
        settings = context.settings({"worker.chunk_threads": arguments.times})
        print(settings.worker.chunk_threads, settings.kafka.group, file=context.stdout)
        return 0

    command(behaviour)
    outcome = run("fake", "--times", "2", environ={"INFEROMETER_KAFKA_GROUP": "g"})
    assert outcome.out == "2 g\n"
    refused = run("fake", "--times", "0")
    assert refused.code == 1
    assert "[worker] chunk_threads (from flag): is 0" in refused.err
