"""Flags of the worker, as far as they need no broker."""

from __future__ import annotations

import argparse
import io
from typing import Any

import pytest

from inferometer.cli import worker
from inferometer.cli.command import Context, UsageError
from inferometer.errors import ConfigError


def settings_of(*argv: str, environ: dict[str, str] | None = None) -> Any:
    """Return the settings with which the worker would be started."""
    parser = argparse.ArgumentParser()
    worker.add_arguments(parser)
    context = Context(io.StringIO(), io.StringIO(), io.StringIO(), environ or {})
    return worker.chosen_settings(parser.parse_args(argv), context).worker


def test_without_the_flag_no_port_is_opened() -> None:
    assert settings_of().metrics_port == 0


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [("127.0.0.1:9465", "127.0.0.1", 9465), ("0.0.0.0:80", "0.0.0.0", 80), ("[::1]:1", "::1", 1)],
)
def test_the_flag_is_host_and_port(text: str, host: str, port: int) -> None:
    found = settings_of("--metrics", text)
    assert (found.metrics_host, found.metrics_port) == (host, port)


@pytest.mark.parametrize("text", ["9465", ":9465", "localhost", "localhost:", ""])
def test_half_an_address_is_wrong_use(text: str) -> None:
    with pytest.raises(UsageError, match="is not HOST:PORT"):
        settings_of("--metrics", text)


@pytest.mark.parametrize("text", ["localhost:http", "localhost:65536", "localhost:-1"])
def test_a_port_that_is_none_is_a_problem_of_the_setting(text: str) -> None:
    with pytest.raises(ConfigError, match="metrics_port"):
        settings_of("--metrics", text)


def test_the_flag_goes_before_the_variable() -> None:
    environ = {"INFEROMETER_WORKER_METRICS_PORT": "1", "INFEROMETER_WORKER_METRICS_HOST": "h"}
    assert settings_of(environ=environ).metrics_port == 1
    assert settings_of("--metrics", "a:2", environ=environ).metrics_host == "a"
