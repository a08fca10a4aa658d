"""Who is killed while telling, or right after it, leaves nothing open, whoever goes on and when."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest

from inferometer.core.alerts.history import RecordKind
from inferometer.core.alerts.notices import Transition
from inferometer.errors import StoreError
from inferometer.testing.alerts import MemorySnapshots
from tests.unit.jobs.alert_pipeline import Pipeline, Request, incident_trace, pieces

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

TRACE = incident_trace()


class UnsavedSnapshots(MemorySnapshots):
    """Whoever takes a snapshot is killed before it is kept."""

    def save(self, partition: int, snapshot: bytes) -> None:
        """Keep nothing."""


def killed(*, is_told: bool = True) -> tuple[Pipeline, Iterator[Sequence[Request]]]:
    """Feed an evaluator until it tells of the outage, or fails to; return what is left to feed."""
    pipeline = Pipeline(snapshots=UnsavedSnapshots())
    parts = pieces(TRACE, 100)
    if not is_told:
        pipeline.output.fail_next(StoreError("killed", retryable=True))
    with contextlib.suppress(StoreError):
        while not pipeline.output.notices:
            pipeline.feed(next(parts), chunk=100)
    return pipeline, parts


def told(pipeline: Pipeline) -> list[tuple[Transition, str]]:
    """Return what was told of the incident that was told first, repetitions left out."""
    found = {one.notification_id: one for one in pipeline.output.notices}
    first, *_ = pipeline.output.notices
    mine = (one for one in found.values() if one.incident_id == first.incident_id)
    return [(one.transition, one.reason) for one in mine]


@pytest.mark.parametrize("is_told", [True, False], ids=["right after", "while telling"])
def test_what_was_told_before_a_kill_ends_although_its_objective_is_gone(is_told: bool) -> None:
    pipeline, parts = killed(is_told=is_told)
    pipeline.slos = ()
    pipeline.evaluator = pipeline.new_evaluator()
    for part in parts:
        pipeline.feed(part, chunk=100)
    pipeline.finish()
    assert told(pipeline) == [
        (Transition.FIRING, "first_notification"),
        (Transition.RESOLVED, "rule_removed"),
    ]
    ended = {
        one.incident_id for one in pipeline.output.transitions if one.kind is RecordKind.RESOLVED
    }
    assert ended == {one.incident_id for one in pipeline.output.notices}


def test_an_outage_that_ended_while_nobody_evaluated_is_ended_where_it_was_told() -> None:
    pipeline, parts = killed()
    for part in parts:
        pipeline.count(part)
    # Far beyond the age at which a firing is still told.
    pipeline.now_us += 6 * 3_600_000_000
    pipeline.evaluator = pipeline.new_evaluator()
    pipeline.finish()
    assert [transition for transition, _ in told(pipeline)] == [
        Transition.FIRING,
        Transition.RESOLVED,
    ]


def test_what_was_told_is_told_again_only_until_a_snapshot_holds_it() -> None:
    pipeline = Pipeline()
    parts = pieces(TRACE, 100)
    while not pipeline.output.notices:
        pipeline.feed(next(parts), chunk=100)
    pipeline.feed(next(parts), chunk=100)
    pipeline.evaluator = pipeline.new_evaluator()
    for part in parts:
        pipeline.feed(part, chunk=100)
    pipeline.finish()
    assert len(pipeline.output.notices) == len(told(pipeline)) == 2
