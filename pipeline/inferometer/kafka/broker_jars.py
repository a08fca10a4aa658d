"""The jars of Apache Kafka: fetched once by Maven, kept in the user's cache."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from inferometer.errors import BrokerError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from importlib.resources.abc import Traversable

DOWNLOAD_TIMEOUT_S = 900.0
REMEDY = "on Debian and Ubuntu: apt-get install default-jre-headless maven"

_PACKAGED = "_deploy/kafka/pom.xml"
_CHECKOUT = Path(__file__).resolve().parents[3] / "deploy" / "kafka" / "pom.xml"
_VERSION = re.compile(r"<kafka\.version>(.+?)</kafka\.version>")
_SHOWN_LINES = 5


def kafka_version() -> str:
    """Return the version of Apache Kafka that the shipped pom names."""
    return _version(_pom_text())


def broker_jars(environ: Mapping[str, str] | None = None) -> Path:
    """Return the folder of the broker's jars; the first call downloads them, about 45 MB.

    Raises BrokerError where Maven is missing or fails.
    """
    pom = _pom_text()
    digest = hashlib.sha256(pom.encode()).hexdigest()[:12]
    cache = _cache_folder(os.environ if environ is None else environ)
    whole = cache / f"{_version(pom)}-{digest}"
    if whole.is_dir():
        return whole
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with (cache / "download.lock").open("w") as lock:
            # One download, however many ask at the same time.
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not whole.is_dir():
                _download(pom, whole)
    except OSError as error:
        raise BrokerError(
            f"{cache}: cannot be written ({error.strerror}); let XDG_CACHE_HOME name another folder",
            retryable=False,
        ) from error
    return whole


def _download(pom: str, whole: Path) -> None:
    """Fetch beside the place and rename, so that half a download is never taken for whole."""
    staging = Path(tempfile.mkdtemp(prefix="download-", dir=whole.parent))
    try:
        (staging / "pom.xml").write_text(pom, encoding="utf-8")
        jars = staging / "jars"
        _run_maven(staging / "pom.xml", jars)
        jars.rename(whole)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _run_maven(pom: Path, jars: Path) -> None:
    program = shutil.which("mvn")
    if program is None:
        raise BrokerError(
            f"Maven (mvn) is needed once, to fetch Apache Kafka, and is not on PATH; {REMEDY}",
            retryable=False,
        )
    command = [program, "-q", "-B", "-f", str(pom), "dependency:copy-dependencies"]
    try:
        done = subprocess.run(
            [*command, f"-DoutputDirectory={jars}"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=DOWNLOAD_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise BrokerError(
            f"Maven did not fetch Apache Kafka within {DOWNLOAD_TIMEOUT_S:.0f} s; try again",
            retryable=True,
        ) from error
    if done.returncode or not any(jars.glob("kafka_*.jar")):
        lines = (done.stdout + done.stderr).strip().splitlines()[:_SHOWN_LINES]
        raise BrokerError(
            "Maven could not fetch Apache Kafka (a proxy or mirror goes into ~/.m2/settings.xml):\n"
            + "\n".join(lines),
            retryable=True,
        )


def _cache_folder(environ: Mapping[str, str]) -> Path:
    # An empty or relative value counts as none, says the specification of these folders.
    named = Path(environ.get("XDG_CACHE_HOME", ""))
    root = named if named.is_absolute() else Path.home() / ".cache"
    return root / "inferometer" / "kafka"


def _pom_text() -> str:
    # The wheel first, as with the schemas: an editable install has no copy.
    packaged: Traversable = resources.files("inferometer") / _PACKAGED
    found = packaged if packaged.is_file() else _CHECKOUT
    try:
        return found.read_text(encoding="utf-8")
    except OSError as error:
        raise BrokerError(
            "the pom of Apache Kafka is not part of this installation; reinstall inferometer",
            retryable=False,
        ) from error


def _version(pom: str) -> str:
    found = _VERSION.search(pom)
    return found.group(1) if found else "unknown"
