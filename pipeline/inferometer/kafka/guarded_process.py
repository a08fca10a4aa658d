"""A child process that does not outlive this one, however this one ends."""

from __future__ import annotations

import contextlib
import signal
import subprocess
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_GUARD = 'read -r _; kill -9 "$1" 2>/dev/null'


class GuardedProcess:
    """A program with its output in a file, and a guard that kills it once this process is gone.

    The guard is a shell that reads from a pipe of ours: the pipe ends with this process, even by
    kill -9. The parent-death signal of Linux would be sent when the thread ends that started the
    child, needs code between fork and exec, and is on Linux only.
    """

    def __init__(self, command: Sequence[str], *, output: IO[bytes], cwd: Path) -> None:
        # A session of its own: an interrupt of the terminal is for us, who stop it in order.
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=cwd,
            start_new_session=True,
        )
        self._guard = subprocess.Popen(
            ["/bin/sh", "-c", _GUARD, "guard", str(self._process.pid)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            start_new_session=True,
        )

    @property
    def pid(self) -> int:
        """Process id, also after the end."""
        return self._process.pid

    def exit_code(self) -> int | None:
        """Return how it ended, None while it runs."""
        if self._process.returncode is None and self._process.poll() is not None:
            self._dismiss_guard()
        return self._process.returncode

    def wait(self, timeout_s: float | None = None) -> int:
        """Wait for the end and return the exit code. Raises TimeoutError."""
        if self._process.returncode is None:
            try:
                self._process.wait(timeout_s)
            except subprocess.TimeoutExpired as error:
                raise TimeoutError(f"process {self.pid} still runs") from error
            self._dismiss_guard()
        return self._process.returncode

    def send(self, number: signal.Signals) -> None:
        """Send a signal; nothing happens where the process has ended."""
        self._process.send_signal(number)

    def stop(self, *, timeout_s: float) -> None:
        """Ask it to end, and kill it when it has not ended in time."""
        self.send(signal.SIGTERM)
        # One that was frozen hears nothing before it goes on.
        self.send(signal.SIGCONT)
        try:
            self.wait(timeout_s)
        except TimeoutError:
            self.kill()

    def kill(self) -> None:
        """End it at once, as kill -9 does."""
        self.send(signal.SIGKILL)
        self.wait()

    def _dismiss_guard(self) -> None:
        """End the guard before it could kill another process of the same number."""
        self._guard.kill()
        self._guard.wait()
        if self._guard.stdin is not None:
            with contextlib.suppress(OSError):
                self._guard.stdin.close()
