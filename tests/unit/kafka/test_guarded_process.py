from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest

from inferometer.kafka.guarded_process import GuardedProcess

if TYPE_CHECKING:
    from pathlib import Path

LIMIT_S = 60.0
PARENT = """
import sys
from pathlib import Path
from inferometer.kafka.guarded_process import GuardedProcess
with open("out", "wb") as output:
    process = GuardedProcess(["sleep", "600"], output=output, cwd=Path.cwd())
print(process.pid, flush=True)
sys.stdin.read()
"""


def start(folder: Path, *command: str) -> GuardedProcess:
    with (folder / "out").open("wb") as output:
        return GuardedProcess(command, output=output, cwd=folder)


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_kill_minus_nine_of_the_parent_takes_the_child_along(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PARENT],
        cwd=tmp_path,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert is_alive(child)
        parent.kill()
        parent.wait()
    deadline = time.monotonic() + LIMIT_S
    while is_alive(child):
        assert time.monotonic() < deadline
        os.sched_yield()


def test_the_end_of_the_thread_that_started_it_is_not_its_end(tmp_path: Path) -> None:
    started: list[GuardedProcess] = []
    thread = threading.Thread(target=lambda: started.append(start(tmp_path, "sleep", "600")))
    thread.start()
    thread.join()
    (process,) = started
    with pytest.raises(TimeoutError):
        process.wait(0.2)
    process.kill()
    assert process.exit_code() == -signal.SIGKILL


def test_output_and_exit_code_are_kept(tmp_path: Path) -> None:
    process = start(tmp_path, "sh", "-c", "echo said; exit 3")
    assert process.wait(LIMIT_S) == 3
    assert process.exit_code() == 3
    assert (tmp_path / "out").read_text() == "said\n"
    process.stop(timeout_s=LIMIT_S)


def test_a_frozen_child_is_stopped_in_order(tmp_path: Path) -> None:
    script = "trap 'exit 7' TERM; echo ready; while true; do sleep 0.05; done"
    process = start(tmp_path, "sh", "-c", script)
    deadline = time.monotonic() + LIMIT_S
    while (tmp_path / "out").read_text() != "ready\n":
        assert time.monotonic() < deadline
        os.sched_yield()
    process.send(signal.SIGSTOP)
    process.stop(timeout_s=LIMIT_S)
    assert process.exit_code() == 7


def test_a_child_that_does_not_listen_is_killed(tmp_path: Path) -> None:
    script = "trap '' TERM; echo ready; while true; do sleep 0.05; done"
    process = start(tmp_path, "sh", "-c", script)
    deadline = time.monotonic() + LIMIT_S
    while (tmp_path / "out").read_text() != "ready\n":
        assert time.monotonic() < deadline
        os.sched_yield()
    process.stop(timeout_s=0.2)
    assert process.exit_code() == -signal.SIGKILL
