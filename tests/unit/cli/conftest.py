"""Runs command lines inside the test, on streams and an environment of its own."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import pytest

from inferometer.cli.main import main

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Outcome:
    """What a command line left behind."""

    code: int
    out: str
    err: str


class Run(Protocol):
    """Runs one command line."""

    def __call__(self, *argv: str, environ: Mapping[str, str] | None = None) -> Outcome: ...


@pytest.fixture
def run() -> Run:
    def run_line(*argv: str, environ: Mapping[str, str] | None = None) -> Outcome:
        out, err = io.StringIO(), io.StringIO()
        code = main(argv, io.StringIO(), out, err, environ or {})
        return Outcome(code, out.getvalue(), err.getvalue())

    return run_line
