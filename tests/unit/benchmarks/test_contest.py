"""The protocol between the harness and a contestant, with contestants of a few lines."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from tests.benchmarks.contest import ContestError, run_once
from tests.benchmarks.contestants import Contestant, Place, always_available
from tests.benchmarks.process_tree import is_measurable

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(not is_measurable(), reason="reads CPU times from /proc")

# Enough for a few ticks of the system's CPU clock.
_WORK = "sum(i * i for i in range(600_000))"


def place(folder: Path) -> Place:
    return Place(
        bootstrap_servers="", topic="t", partitions=1, shape="lean", events=100, warm_up=10,
        until=60, group="g", folder=folder, installed=folder,
    )  # fmt: skip


def contestant(program: str, start_timeout_s: float = 30.0) -> Contestant:
    return Contestant(
        name="fake", title="a fake", work="", guarantee="", late_data="", settings="",
        unavailable=always_available, prepare=lambda _folder: None,
        command=lambda _place: [sys.executable, "-c", program], start_timeout_s=start_timeout_s,
    )  # fmt: skip


def lines(*said: str) -> str:
    return "\n".join(
        f"print({line!r}, flush=True); {_WORK if line.startswith('progress') else ''}"
        for line in said
    )


def test_a_run_is_measured_between_its_two_marks(tmp_path: Path) -> None:
    said = lines("progress 5", "progress 20", "progress 70", "progress 100", "counted 100")
    run = run_once(contestant(said), place(tmp_path))
    assert (run.events, run.counted, run.dropped) == (50, 100, 0)
    assert 0 < run.cpu_s <= run.wall_s + 0.1
    assert run.rate == pytest.approx(50 / run.cpu_s)
    assert run.peak_rss_bytes > 1_000_000


def test_cpu_of_child_processes_counts(tmp_path: Path) -> None:
    child = f"import subprocess, sys; subprocess.run([sys.executable, '-c', '{_WORK}'])"
    program = "\n".join(
        ["print('progress 10', flush=True)", child, lines("progress 100", "counted 100")]
    )
    assert run_once(contestant(program), place(tmp_path)).cpu_s >= 0.02


def test_events_dropped_as_late_are_accounted_for(tmp_path: Path) -> None:
    said = lines("progress 10", "progress 60", "progress 100", "dropped 30", "counted 70")
    run = run_once(contestant(said), place(tmp_path))
    assert (run.counted, run.dropped) == (70, 30)


def test_remarks_are_kept(tmp_path: Path) -> None:
    said = lines("progress 10", "progress 60", "note Java 21", "counted 100")
    assert run_once(contestant(said), place(tmp_path)).notes == ("Java 21",)


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        pytest.param(
            ["progress 10", "progress 100", "counted 99"],
            "counted 99 and dropped 0 of 100",
            id="an event is missing",
        ),
        pytest.param(
            ["progress 10", "progress 100", "counted 101"],
            "counted 101 and dropped 0 of 100",
            id="an event is counted twice",
        ),
        pytest.param(["progress 10", "progress 100"], "without the line counted", id="no count"),
        pytest.param(["progress 10", "progress 7"], "went back from 10 to 7", id="it goes back"),
        pytest.param(["progress soon"], "none of the protocol", id="no number"),
        pytest.param(["Hello"], "none of the protocol", id="some other line"),
        pytest.param(["progress 100", "counted 100"], "told of no progress", id="all at once"),
    ],
)
def test_a_run_that_says_nothing_about_speed_is_refused(
    tmp_path: Path, said: list[str], reason: str
) -> None:
    with pytest.raises(ContestError, match=reason):
        run_once(contestant(lines(*said)), place(tmp_path))


def test_a_failure_shows_the_end_of_stderr(tmp_path: Path) -> None:
    program = lines("progress 10", "progress 70", "counted 100") + "\nraise SystemExit('no disk')"
    with pytest.raises(ContestError, match=r"code 1\n.*no disk"):
        run_once(contestant(program), place(tmp_path))


def test_a_silent_contestant_is_ended(tmp_path: Path) -> None:
    with pytest.raises(ContestError, match="silent for 1 s at 0 of 100"):
        run_once(contestant("import time; time.sleep(60)", start_timeout_s=0.6), place(tmp_path))
