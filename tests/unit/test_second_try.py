"""What CI tries a second time: few tests, of a run that came to its end."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

ONCE = """
@pytest.mark.parametrize("number", range({times}))
def test_that_fails_once(number):
    told = pathlib.Path(f"told-{{number}}")
    was_told = told.exists()
    told.touch()
    assert was_told
"""
ALWAYS = """
def test_that_always_fails():
    assert False
"""
DIES = """
def test_that_is_interrupted():
    raise KeyboardInterrupt
"""


def run(repository: Path, folder: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    # Plugins of others have no part in this, and take most of the time to load.
    environ = {"PYTHONPATH": str(repository), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "tests.conftest", *flags],
        cwd=folder, env={**os.environ, **environ},
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("tests", "said"),
    [
        (ONCE.format(times=3), None),
        (ONCE.format(times=4), "no second try"),
        (ONCE.format(times=1) + ALWAYS, "1 failed, 1 passed"),
        (ONCE.format(times=1) + DIES, "did not come to its end"),
        ("", "no tests"),
    ],
)
def test_only_few_failures_are_tried_again(
    repository: Path, tmp_path: Path, tests: str, said: str | None
) -> None:
    (tmp_path / "test_tried.py").write_text(f"import pathlib\nimport pytest\n{tests}")
    assert run(repository, tmp_path).returncode != 0
    again = run(repository, tmp_path, "--again", "--last-failed", "--last-failed-no-failures=none")
    if said is None:
        assert again.returncode == 0, again.stdout + again.stderr
    else:
        assert again.returncode != 0
        assert said in again.stdout + again.stderr
