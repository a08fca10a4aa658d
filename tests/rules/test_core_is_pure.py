"""Core computes: it reads no clock, file, socket or environment, never logs, never awaits."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

CORE = Path(__file__).parents[2] / "pipeline" / "inferometer" / "core"

IMPURE_MODULES = frozenset(
    {
        "asyncio",
        "fcntl",
        "http.client",
        "http.server",
        "io",
        "logging",
        "multiprocessing",
        "os",
        "pathlib",
        "random",
        "secrets",
        "select",
        "shutil",
        "socket",
        "ssl",
        "subprocess",
        "sys",
        "tempfile",
        "threading",
        "time",
        "urllib.request",
        "warnings",
    }
)
IMPURE_NAMES = frozenset({"open", "print", "input", "breakpoint", "exec", "eval", "globals"})
IMPURE_METHODS = frozenset({"now", "utcnow", "today"})


def impurities(source: str) -> list[str]:
    """Return what a module of core does that it must not, each with its line."""
    return [
        f"line {getattr(node, 'lineno', '?')}: {what}"
        for node in ast.walk(ast.parse(source))
        if (what := _impurity(node))
    ]


def _impurity(node: ast.AST) -> str | None:
    match node:
        case ast.Import(names=names):
            found = [alias.name for alias in names if _is_impure(alias.name)]
            return ", ".join(found) or None
        case ast.ImportFrom(module=str(module)) if _is_impure(module):
            return module
        case ast.Call(func=ast.Name(id=name)) if name in IMPURE_NAMES:
            return name
        case ast.Call(func=ast.Attribute(attr=name)) if name in IMPURE_METHODS:
            return name
        case ast.AsyncFunctionDef(name=name):
            return f"async def {name}"
        case ast.Await() | ast.AsyncFor() | ast.AsyncWith():
            return "await"
        case _:
            return None


def _is_impure(module: str) -> bool:
    return any(module == name or module.startswith(f"{name}.") for name in IMPURE_MODULES)


@pytest.mark.parametrize(
    "path", sorted(CORE.rglob("*.py")), ids=lambda path: str(path.relative_to(CORE))
)
def test_core_is_pure(path: Path) -> None:
    assert impurities(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "source",
    [
        "import time",
        "from os import environ",
        "import logging.handlers",
        "open('x')",
        "datetime.now(UTC)",
        "async def f(): ...",
        "print(1)",
    ],
)
def test_an_impurity_is_found(source: str) -> None:
    assert len(impurities(source)) == 1
