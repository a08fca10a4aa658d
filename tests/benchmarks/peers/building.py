"""Builds the peers that are not Python: once for the same sources, in a folder that is kept."""

from __future__ import annotations

import hashlib
import shutil
from typing import TYPE_CHECKING

from tests.benchmarks.environments import run_install

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

BUILD = "build"
"""Folder of what was built, inside the one that `prepare` is given."""
JAVA_NEEDS = {
    "javac": "a JDK, 17 or newer; Debian: apt-get install default-jdk-headless",
    "java": "comes with the JDK",
    "mvn": "Maven; Debian: apt-get install maven",
}
JVM_FLAGS = ("-Xms1g", "-Xmx1g", "-XX:+UseSerialGC")
"""On one core the serial collector costs least; a heap of its final size spares the JVM growing it."""

_STAMP = "built.txt"


def build_once(installed: Path, sources: tuple[Path, ...], build: Callable[[Path], None]) -> None:
    """Copy the sources into a clean folder and let `build` work there, unless that is done already.

    Raises InstallError.
    """
    digest = hashlib.sha256(b"\0".join(source.read_bytes() for source in sources)).hexdigest()
    stamp, folder = installed / _STAMP, installed / BUILD
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == digest:
        return
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for source in sources:
        shutil.copy(source, folder)
    build(folder)
    stamp.write_text(digest, encoding="utf-8")


def maven(folder: Path, *goals: str) -> None:
    """Run Maven over the pom of a folder. Raises InstallError."""
    run_install(["mvn", "-q", "-B", *goals], cwd=folder)


def missing(programs: dict[str, str]) -> str | None:
    """Return which of these programs are not on PATH, each with what to install, or None."""
    absent = [
        f"{program} is not on PATH ({remedy})"
        for program, remedy in programs.items()
        if shutil.which(program) is None
    ]
    return "; ".join(absent) or None


def jar_versions(folder: Path, names: tuple[str, ...]) -> dict[str, str]:
    """Return the versions that the file names of jars in a folder carry."""
    found = {}
    for name in names:
        for jar in folder.glob(f"{name}-[0-9]*.jar"):
            found[name] = jar.stem.removeprefix(f"{name}-")
    return found
