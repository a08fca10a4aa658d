"""Layer L3 in memory: the events of a trace, through counter and evaluator, give L2's transitions.

The traces run through a broker in `tests/integration`; here their order, repetition, partitions and
restarts are chosen at will.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from inferometer.core.alerts.history import RecordKind
from tests.incidents import export
from tests.incidents.generator import Trace, sample
from tests.incidents.objectives import slo_of
from tests.incidents.ours import MICROSECONDS, play
from tests.incidents.scenario import MINUTE_S, suite
from tests.unit.jobs.alert_pipeline import Pipeline, Request, pieces, shuffled

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from inferometer.core.alerts.history import TransitionRecord
    from tests.incidents.scenario import Case

    Told = list[tuple[int, str, str, str, str]]

CHUNK = 200
BY_THE_CLOCK = {RecordKind.DETECTED_LATE, RecordKind.GROUPED}


def small(key: str) -> Case:
    """Return a case as it looks to a smaller service that has just started."""
    case = next(each for each in suite().counted if each.key == key)
    return replace(case, rph=1500, history_h=0, lead_h=0.6, tail_h=0.8)


STEP, OUTAGE = small("INC-10"), small("INC-01")


def requests_of(case: Case, trace: Trace) -> list[Request]:
    rows = export.events(case, trace, 0)
    return [
        Request(row["event_id"], row["ts_end"], row["ts_end"], row["status_code"], "m",
                row["user_id"])
        for row in rows
    ]  # fmt: skip


def told(transitions: Iterable[TransitionRecord], case: Case) -> Told:
    """Return what happened up to a few minutes before the trace ends.

    What depends on the clock, which goes by chunks here, is left out: whether it was seen late, and
    with what it was told.
    """
    until_us = (case.ends_s - 5 * MINUTE_S) * MICROSECONDS
    return sorted(
        {(each.at_us, str(each.kind), each.rule, str(each.severity), each.incident_id)
         for each in transitions
         if each.at_us <= until_us and each.kind not in BY_THE_CLOCK}
    )  # fmt: skip


def through_the_jobs(
    case: Case, requests: Sequence[Request], *, partitions: int = 1, restarts: bool = False
) -> Told:
    pipeline = Pipeline(slos=(slo_of(case),), source_partitions=partitions)
    for part in pieces(requests, CHUNK):
        pipeline.feed(part, chunk=CHUNK)
        if restarts:
            pipeline.evaluator = pipeline.new_evaluator()
            pipeline.counter = pipeline.new_counter()
    pipeline.finish()
    return told(pipeline.output.transitions, case)


@pytest.mark.parametrize(
    ("case", "how"),
    [
        (STEP, "in order"),
        (STEP, "shuffled over 16"),
        (STEP, "twice over 4"),
        (STEP, "killed"),
        (OUTAGE, "shuffled over 16"),
    ],
)
def test_events_give_the_transitions_of_their_counts(case: Case, how: str) -> None:
    trace = sample(case, 0)
    (diary,) = play(case, [trace], slo_of(case))
    requests = requests_of(case, trace)
    match how:
        case "in order":
            found = through_the_jobs(case, requests)
        case "shuffled over 16":
            found = through_the_jobs(case, shuffled(requests, 3), partitions=16)
        case "twice over 4":
            twice = [each for part in pieces(requests, 50) for each in (*part, *part)]
            found = through_the_jobs(case, twice, partitions=4)
        case _:
            found = through_the_jobs(case, requests, restarts=True)
    assert found == told(diary.transitions, case)
    assert found
