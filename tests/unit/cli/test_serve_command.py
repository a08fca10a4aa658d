"""The flags of `inferometer serve` lead to settings, and what is missing is asked for."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from inferometer.cli.command import Context
from inferometer.cli.main import command_parser, load_command, main
from inferometer.cli.serve import chosen_settings
from inferometer.config import Settings


def settings(*argv: str, **environ: str) -> Settings:
    arguments = command_parser("serve", load_command("serve")).parse_args(argv)
    context = Context(
        stdin=io.StringIO(), stdout=io.StringIO(), stderr=io.StringIO(), environ=environ
    )
    return chosen_settings(arguments, context)


def test_flags_win_over_the_environment() -> None:
    found = settings(
        "--store", "http://ann:secret@clickhouse:8123/telemetry", "--port", "9000",
        "--tokens", "tokens.json", "--slo", "slos", "--alerts-url", "http://alerts:9093",
        INFEROMETER_WEB_PORT="1", INFEROMETER_WEB_HOST="10.0.0.1",
    )  # fmt: skip
    assert (found.store.url, found.store.database) == ("http://clickhouse:8123", "telemetry")
    assert (found.web.host, found.web.port) == ("10.0.0.1", 9000)
    assert found.web.tokens_file == Path("tokens.json")
    assert found.alerts.slo_path == Path("slos")
    assert found.web.alerts_url == "http://alerts:9093"


@pytest.mark.parametrize(
    ("argv", "code", "said"),
    [
        ((), 2, "--data DIR or --store URL"),
        (("--store", "http://x:1", "--port", "many"), 1, "[web] port"),
        (("--store", "http://x:1", "--public-url", "x"), 1, "[web] public_url"),
        (("--store", "http://x:1", "--slo", "nowhere.yaml"), 1, "nowhere.yaml"),
    ],
)
def test_what_cannot_work_is_told_before_anything_is_opened(
    argv: tuple[str, ...], code: int, said: str
) -> None:
    err = io.StringIO()
    assert main(["serve", *argv], io.StringIO(), io.StringIO(), err, {}) == code
    assert said in err.getvalue()
