"""Environments of the peers: one each, kept in `.cache/bench/` of the repository, never our own.

`.cache/` is ignored by git; `make clean` removes it.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
CACHE = REPOSITORY / ".cache" / "bench"
INSTALL_TIMEOUT_S = 900.0

_SHOWN_LINES = 8
_STAMP = "installed.txt"


class InstallError(RuntimeError):
    """A peer cannot be installed here; the message is the reason."""


def python_of(installed: Path) -> str:
    """Return the interpreter of an environment."""
    return str(installed / "venv" / "bin" / "python")


def install_python(installed: Path, requirements: tuple[str, ...]) -> None:
    """Make a Python environment with exactly these requirements, unless it is there.

    Raises InstallError.
    """
    wanted = "\n".join([sys.version, *requirements, ""])
    stamp = installed / _STAMP
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == wanted:
        return
    shutil.rmtree(installed, ignore_errors=True)
    installed.mkdir(parents=True)
    uv = _uv()
    run_install([uv, "venv", "--quiet", "--python", sys.executable, str(installed / "venv")])
    run_install([uv, "pip", "install", "--quiet", "--python", python_of(installed), *requirements])
    stamp.write_text(wanted, encoding="utf-8")


def install_locked(installed: Path, sources: Path) -> str:
    """Make the environment of another commit of ours, from its lock file; return its interpreter.

    Raises InstallError.
    """
    stamp = installed / _STAMP
    if not stamp.is_file():
        shutil.rmtree(installed, ignore_errors=True)
        uv, python = _uv(), python_of(installed)
        run_install([uv, "venv", "--quiet", "--python", sys.executable, str(installed / "venv")])
        install = [uv, "pip", "install", "--quiet", "--python", python]
        run_install([*install, "--require-hashes", "-r", str(sources / "requirements.lock")])
        # Not for its code, which PYTHONPATH names, but for its entry points.
        run_install([*install, "--no-deps", str(sources)])
        stamp.write_text("locked\n", encoding="utf-8")
    return python_of(installed)


def run_install(command: list[str], cwd: Path | None = None) -> None:
    """Run one step of an installation. Raises InstallError with the end of what it said."""
    try:
        done = subprocess.run(
            command, cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, timeout=INSTALL_TIMEOUT_S, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise InstallError(f"{command[0]} took more than {INSTALL_TIMEOUT_S:.0f} s") from error
    if done.returncode:
        said = " / ".join(done.stdout.strip().splitlines()[-_SHOWN_LINES:])
        raise InstallError(f"{Path(command[0]).name} failed: {said}")


def python_versions(installed: Path, names: tuple[str, ...]) -> dict[str, str]:
    """Return the versions of packages in an environment."""
    code = (
        "import sys; from importlib.metadata import version; "
        "print(*(version(name) for name in sys.argv[1:]), sep='\\n')"
    )
    done = subprocess.run(
        [python_of(installed), "-c", code, *names], capture_output=True, text=True, check=True
    )
    return dict(zip(names, done.stdout.split(), strict=True))


def _uv() -> str:
    beside = Path(sys.executable).parent / "uv"
    found = str(beside) if beside.is_file() else shutil.which("uv")
    if found is None:
        raise InstallError("uv is not installed; `make bench` does that")
    return found
