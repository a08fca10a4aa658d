"""The broker and the store of the harness, as processes that can be killed and started again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

from inferometer.kafka.local_broker import LocalBroker, free_port

REPOSITORY = Path(__file__).resolve().parent.parent.parent
START_TIMEOUT_S = 300.0
_POLL_S = 0.05

BROKER_PROPERTIES = {
    # Quicker rebalances and starts; what they must not change is what is measured here.
    "offsets.topic.num.partitions": "4",
    "group.min.session.timeout.ms": "1000",
    "log.segment.bytes": str(256 << 20),
}


def new_broker(folder: Path) -> LocalBroker:
    """Return a broker on a folder, not started."""
    return LocalBroker(data_dir=folder / "kafka", properties=BROKER_PROPERTIES)


@dataclass
class Store:
    """`inferometer dev store` on a folder and a port that stay."""

    folder: Path
    port: int = field(default_factory=free_port)
    starts: int = 0
    _process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def start(self, timeout_s: float = START_TIMEOUT_S) -> None:
        """Start it, and return once it answers. Raises TimeoutError."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.starts += 1
        command = ["dev", "store", "--port", str(self.port), "--data", str(self.folder / "store")]
        with (self.folder / "store.log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "inferometer", *command],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        deadline = time.monotonic() + timeout_s
        while not self._answers():
            if self._process.poll() is not None:
                raise RuntimeError(f"the store ended with {self._process.returncode}: {self.tail}")
            if time.monotonic() > deadline:
                raise TimeoutError(f"the store does not answer: {self.tail}")
            time.sleep(_POLL_S)

    @property
    def tail(self) -> str:
        """The end of its log."""
        return (self.folder / "store.log").read_text(errors="replace")[-1500:]

    @property
    def pid(self) -> int:
        """Id of its process. Raises RuntimeError where it has not been started."""
        if self._process is None:
            raise RuntimeError("the store has not been started")
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether the process is there."""
        return self._process is not None and self._process.poll() is None

    def kill(self) -> None:
        """End it by kill -9."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End it in order."""
        self._end(signal.SIGTERM)

    def _end(self, number: signal.Signals) -> None:
        if self._process is None or self._process.poll() is not None:
            return
        os.kill(self._process.pid, number)
        try:
            self._process.wait(30.0)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/ping", timeout=5.0) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False


def run_command(*arguments: str, timeout_s: float = START_TIMEOUT_S) -> str:
    """Run `inferometer` with arguments and return what it printed. Raises RuntimeError."""
    done = subprocess.run(
        [sys.executable, "-m", "inferometer", *arguments],
        capture_output=True, text=True, timeout=timeout_s, check=False,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"inferometer {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout
