"""The process itself: its streams, its exit code, and a reader that goes away."""

from __future__ import annotations

import subprocess
import sys

COMMAND = [sys.executable, "-m", "inferometer"]


def test_the_process_exits_with_the_code_of_its_command() -> None:
    done = subprocess.run([*COMMAND, "schema", "none"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("inferometer: unknown contract none")


def test_a_reader_that_goes_away_is_no_error() -> None:
    with subprocess.Popen(
        [*COMMAND, "schema", "inference.request.v1"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        complaint = process.stderr.read()
    assert complaint == b""
    assert process.returncode == 141
