"""The README's quick start, executed as it stands from a built wheel in an empty environment."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
INSTALL = "pip install 'inferometer[server]'"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of an environment that holds the wheel with what `server` needs."""
    folder = tmp_path_factory.mktemp("quick-start")
    uv = shutil.which("uv", path=str(Path(sys.executable).parent)) or shutil.which("uv")
    if uv is None:
        pytest.skip("uv is not installed; make test installs it")
    wheels, environment = folder / "wheels", folder / "environment"

    def run(*arguments: str | Path) -> None:
        subprocess.run([uv, *arguments], cwd=ROOT, check=True, capture_output=True, timeout=600)

    run("build", "--wheel", "--out-dir", wheels, ".")
    run("venv", "--python", sys.executable, environment)
    [wheel] = wheels.glob("*.whl")
    python = environment / "bin" / "python"
    run("pip", "install", "--python", python, "--constraint", "requirements.lock",
        f"{wheel}[server]")  # fmt: skip
    return environment / "bin"


def test_the_quick_start_runs_as_it_stands(installed: Path, tmp_path: Path) -> None:
    [block] = [text for text in blocks("sh") if INSTALL in text]
    environ = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    done = subprocess.run(
        ["sh", "-e", "-c", block.replace(INSTALL, ":")],
        cwd=tmp_path,
        env={**environ, "PATH": f"{installed}:{environ['PATH']}"},
        capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "look further" in done.stdout
    assert "ttft_p99_ms" in done.stdout
    assert "claude" in done.stdout or "gpt" in done.stdout


def test_the_example_of_the_sdk_runs_and_keeps_the_request_unharmed_without_a_broker() -> None:
    example, *_ = [text for text in blocks("python") if "Client(" in text]
    chunks = [SimpleNamespace(tokens=3), SimpleNamespace(tokens=5)]
    scope: dict[str, Any] = {
        "model_server": SimpleNamespace(generate=lambda _prompt: iter(chunks)),
        "prompt": "hello",
    }
    exec(compile(example, "README.md", "exec"), scope)
    client = scope["client"]
    assert client.stats().emitted == 1
    assert client.stats().invalid == 0
    client.close(0.0)
