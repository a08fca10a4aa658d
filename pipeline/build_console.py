"""Puts the charting library of the console beside it when the package is built or installed.

Apache ECharts is a dependency, so its file is not in the repository. No Node is needed either: a
small package of the Python index carries the file as its authors publish it, and the digest below,
taken from the authors' own release on npm, proves that. Nothing of that package is run.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

VERSION = "6.1.0"
FILE_NAME = "echarts.esm.min.js"
SHA256 = "28515f26aa57f87eb1e4ed4eb446927eaf329b5f5e02b4bfd4b0264fea40d1da"
"""Of `dist/echarts.esm.min.js` in npm's echarts 6.1.0."""
REQUIREMENT = "instaui-echarts==0.8.0"
MEMBER = "instaui_echarts/static/echarts.esm.min.js"
# The wheel is for any Python, but says that it is not for 3.14, where we run too.
ANY_PYTHON = ("--only-binary=:all:", "--python-version=3.12")

VENDOR = Path("pipeline/inferometer/web/console/vendor")


class ChartsMissingError(Exception):
    """The charting library could not be had; says what was tried and what to do."""


class ConsoleBuildHook(BuildHookInterface[Any]):
    """Fetches the file unless it is there, and has it packed into the wheel."""

    def dependencies(self) -> list[str]:
        """Return what an isolated build needs: pip, and only where there is something to fetch."""
        return [] if is_there(self._file) else ["pip>=24"]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Make sure that the file is there before anything is packed."""
        if not is_there(self._file):
            fetch(self._file)
        # Git ignores it, so the wheel would too.
        build_data["artifacts"].append(f"/{VENDOR.as_posix()}/{FILE_NAME}")

    @property
    def _file(self) -> Path:
        return Path(self.root) / VENDOR / FILE_NAME


def is_there(file: Path) -> bool:
    """Whether the file is there and is the one that we mean."""
    return file.is_file() and hashlib.sha256(file.read_bytes()).hexdigest() == SHA256


def fetch(file: Path) -> None:
    """Take the file out of its package on the configured index."""
    with tempfile.TemporaryDirectory() as folder:
        text = _from_wheel(_download(Path(folder)))
    found = hashlib.sha256(text).hexdigest()
    if found != SHA256:
        raise ChartsMissingError(
            f"{REQUIREMENT} has another {FILE_NAME} than ECharts {VERSION}: sha256 {found},"
            f" wanted {SHA256}; put the right file at {file} and build again"
        )
    file.parent.mkdir(parents=True, exist_ok=True)
    # Whole or not at all: two installations may run at once.
    part = file.with_name(f"{file.name}.{os.getpid()}.part")
    part.write_bytes(text)
    part.replace(file)


def _download(folder: Path) -> Path:
    index = os.environ.get("UV_DEFAULT_INDEX") or os.environ.get("UV_INDEX_URL")
    chosen = ["--index-url", index] if index and "PIP_INDEX_URL" not in os.environ else []
    done = subprocess.run(  # noqa: S603 - our own arguments
        [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check",
         "--no-deps", *ANY_PYTHON, *chosen, "--dest", str(folder), REQUIREMENT],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    wheels = list(folder.glob("*.whl"))
    if done.returncode != 0 or not wheels:
        last = done.stderr.strip().splitlines()[-1:] or ["pip said nothing"]
        raise ChartsMissingError(
            f"the console needs {FILE_NAME} of Apache ECharts {VERSION}, which comes in"
            f" {REQUIREMENT} from the Python index: {last[0]}; configure an index (PIP_INDEX_URL),"
            f" or put the file from npm's echarts {VERSION} (dist/{FILE_NAME}) into {VENDOR}"
        )
    return wheels[0]


def _from_wheel(wheel: Path) -> bytes:
    with zipfile.ZipFile(wheel) as archive:
        return archive.read(MEMBER)
