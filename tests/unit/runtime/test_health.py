"""When a worker counts as healthy and as ready."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field

import pytest

from inferometer.kafka.status import WorkerStatus
from inferometer.runtime.health import BEAT_TIMEOUT_S, PROBE_TIMEOUT_S, Health


@dataclass
class Patient:
    """A health whose worker and clock the test sets."""

    now_s: float = 50.0
    status: WorkerStatus = field(default_factory=lambda: WorkerStatus(is_member=True))
    is_backing_off: bool = False

    def __post_init__(self) -> None:
        self.health = Health(group="g", place="http://store:8123", monotonic=lambda: self.now_s)

    def begin(self) -> None:
        self.health.watch(status=lambda: self.status, is_backing_off=lambda: self.is_backing_off)
        self.health.store_answered(did_answer=True)


@pytest.fixture
def patient() -> Patient:
    found = Patient()
    found.begin()
    return found


def test_a_worker_that_starts_is_healthy_and_says_what_it_waits_for() -> None:
    health = Patient().health
    assert health.problems() == []
    assert health.obstacles() == [
        "the store at http://store:8123 does not answer",
        "no assignment of the group g yet",
    ]


def test_a_member_whose_store_answers_is_ready(patient: Patient) -> None:
    assert patient.health.obstacles() == []


def test_without_an_assignment_it_is_not_ready(patient: Patient) -> None:
    patient.status = WorkerStatus(is_member=False)
    assert patient.health.obstacles() == ["no assignment of the group g yet"]
    assert patient.health.problems() == []


def test_a_store_that_refused_makes_it_not_ready(patient: Patient) -> None:
    patient.health.store_answered(did_answer=False)
    assert "does not answer" in patient.health.obstacles()[0]
    patient.health.store_answered(did_answer=True)
    assert patient.health.obstacles() == []


def test_a_store_that_hangs_makes_it_not_ready(patient: Patient) -> None:
    patient.now_s += PROBE_TIMEOUT_S
    assert "does not answer" in patient.health.obstacles()[0]


def test_a_partition_that_waits_for_the_store_makes_it_not_ready(patient: Patient) -> None:
    patient.is_backing_off = True
    assert not patient.health.is_store_up


def test_a_store_that_is_away_is_no_reason_to_start_the_process_again(patient: Patient) -> None:
    patient.health.store_answered(did_answer=False)
    assert patient.health.problems() == []


def test_a_loop_that_stands_still_is_not_healthy(patient: Patient) -> None:
    async def beat_once() -> None:
        beating = asyncio.create_task(patient.health.beat())
        await asyncio.sleep(0)
        beating.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await beating

    asyncio.run(beat_once())
    assert patient.health.problems() == []
    patient.now_s += BEAT_TIMEOUT_S + 1
    assert patient.health.problems() == ["the loop has not moved for 31 s"]
