"""The console's JavaScript: its types, its style, and what it decides without a browser."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CONSOLE = ROOT / "pipeline" / "inferometer" / "web" / "console"
TESTS = ROOT / "tests" / "console"
MAX_LINES = 400


def deno(*arguments: str | Path) -> None:
    find = pytest.importorskip("deno", reason="pip install deno: make test does").find_deno_bin
    done = subprocess.run(
        [find(), *arguments],
        capture_output=True,
        text=True,
        cwd=CONSOLE,
        env={**os.environ, "NO_COLOR": "1"},
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def modules() -> list[Path]:
    return sorted(path for path in CONSOLE.rglob("*.js") if "vendor" not in path.parts)


def test_types_agree() -> None:
    pages = sorted(CONSOLE.glob("pages/*.js"))
    deno("check", "--config", "deno.json", "app.js", *pages)


def test_style_is_the_linters() -> None:
    deno("lint", "--config", "deno.json")


def test_format_is_the_formatters() -> None:
    deno("fmt", "--config", "deno.json", "--check")


def test_what_the_shell_decides() -> None:
    deno("test", "--no-check", "--allow-read", "--config", "deno.json", TESTS)


@pytest.mark.parametrize("path", modules(), ids=lambda path: path.name)
def test_a_module_says_what_it_is_for_and_stays_small(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.startswith("// @ts-check\n/**"), "checked by deno, with a sentence on its purpose"
    assert text.count("\n") <= MAX_LINES
    assert "innerHTML" not in text, "data would become markup"


def test_the_page_has_no_inline_scripts_or_styles() -> None:
    page = (CONSOLE / "index.html").read_text(encoding="utf-8")
    assert "<style" not in page
    assert "style=" not in page
    assert page.count("<script") == page.count("src=")


def test_every_file_that_the_page_names_is_there() -> None:
    page = (CONSOLE / "index.html").read_text(encoding="utf-8")
    named = [part.split('"')[0] for part in page.split('"/static/')[1:]]
    assert [name for name in named if not (CONSOLE / name).is_file()] == []
