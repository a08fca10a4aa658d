"""Another commit of this repository, laid out in a folder, with the environment that it wants."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from tests.benchmarks.environments import CACHE, REPOSITORY, install_locked

_LOCK = "requirements.lock"


@dataclass(frozen=True, slots=True)
class Tree:
    """A state of the sources, and how to run its command line."""

    name: str
    """For people: a commit, or `these files`."""
    sources: Path
    python: str
    kernels: Path
    """Where its compiled kernels are kept: numba does not see what a kernel calls into."""

    def environ(self) -> dict[str, str]:
        """Return the variables under which `python -m inferometer` is this tree's."""
        return {
            **{name: value for name, value in os.environ.items() if name[:12] != "INFEROMETER_"},
            "PYTHONPATH": str(self.sources / "pipeline"),
            "NUMBA_CACHE_DIR": str(self.kernels),
        }


def these_files() -> Tree:
    """Return the tree as it lies here, changes that are not committed included."""
    return Tree("these files", REPOSITORY, sys.executable, Path(os.environ["NUMBA_CACHE_DIR"]))


def tree_of(commit: str) -> Tree:
    """Lay out a commit and install what it wants, where that differs from what is installed here.

    Raises ValueError where there is no such commit, InstallError.
    """
    name = short_name(commit)
    folder = CACHE / f"commit-{name}"
    sources = folder / "sources"
    if not sources.is_dir():
        # The branch, the index and the list of worktrees stay as they are.
        packed = _git("archive", "--format=tar", commit)
        unfinished = folder / "unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        with tarfile.open(fileobj=BytesIO(packed)) as archive:
            archive.extractall(unfinished, filter="data")
        unfinished.rename(sources)
    return Tree(name, sources, _python_for(sources), folder / "kernels")


def default_base() -> str:
    """Return the last release's tag; without one HEAD if there are changes, else its parent."""
    try:
        return _git("describe", "--tags", "--abbrev=0").decode().strip()
    except ValueError:
        has_changes = _git("status", "--porcelain", "--", "pipeline", "schemas")
        return "HEAD" if has_changes else "HEAD^"


def short_name(commit: str) -> str:
    """Return the short hash of a commit. Raises ValueError where there is none."""
    return _git("rev-parse", "--short", "--verify", f"{commit}^{{commit}}").decode().strip()


def _python_for(sources: Path) -> str:
    lock = (sources / _LOCK).read_bytes()
    if lock == (REPOSITORY / _LOCK).read_bytes():
        return sys.executable
    digest = hashlib.sha256(lock).hexdigest()[:12]
    return install_locked(CACHE / f"locked-{digest}", sources)


def _git(*arguments: str) -> bytes:
    done = subprocess.run(["git", *arguments], cwd=REPOSITORY, capture_output=True, check=False)
    if done.returncode:
        raise ValueError(f"git {' '.join(arguments)}: {done.stderr.decode().strip()}")
    return done.stdout
