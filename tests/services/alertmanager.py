"""A real Alertmanager, from Debian's package."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import time
import urllib.request
from typing import TYPE_CHECKING

import pytest

from inferometer.kafka.local_broker import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PROGRAMS = ("prometheus-alertmanager", "alertmanager")
"""As Debian and as the project itself names it."""
START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 10.0
POLL_S = 0.1


def alertmanager_program() -> str:
    """Return where the program is; skip the test where it is not installed."""
    found = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if found is None:
        pytest.skip(
            "Alertmanager is not installed (Debian, Ubuntu: apt-get install prometheus-alertmanager)"
        )
    return found


@contextlib.contextmanager
def running_alertmanager(folder: Path, config: str) -> Iterator[str]:
    """Run one with a configuration, without peers; yield its address."""
    program = alertmanager_program()
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "alertmanager.yml"
    file.write_text(config, encoding="utf-8")
    url = f"http://127.0.0.1:{free_port()}"
    command = [
        program,
        f"--config.file={file}",
        f"--storage.path={folder / 'data'}",
        f"--web.listen-address={url.removeprefix('http://')}",
        "--cluster.listen-address=",
    ]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        _wait_until_ready(url, process, folder / "log")
        yield url
    finally:
        process.terminate()
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_ready(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text(encoding="utf-8")
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{url}/-/ready") as answer:
            if answer.status == 200:
                return
        time.sleep(POLL_S)
    raise AssertionError(log.read_text(encoding="utf-8"))
