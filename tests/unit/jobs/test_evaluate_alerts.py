"""Requests to notices: the same for any order, repetition, partitioning, cut and crash."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from inferometer.core.alerts.notices import Transition
from inferometer.core.chunks import Chunk
from inferometer.core.records import RecordColumns
from inferometer.core.slo.count_records import decode_counts
from inferometer.errors import StoreError
from inferometer.jobs.count_sources import SignalSource
from inferometer.jobs.evaluate_alerts import EvaluationPolicy
from inferometer.testing.leases import CertainLease
from tests.unit.jobs.alert_pipeline import (
    SIGNALS,
    START_S,
    TOPIC,
    Pipeline,
    chat_slo,
    chunk_records,
    incident_trace,
    node_trace,
    pieces,
    shuffled,
    signal_of,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.unit.jobs.alert_pipeline import Request

    Drivers = dict[str, list[tuple[str, str, float]]]
    Told = tuple[list[tuple[object, ...]], list[str], Drivers]

TRACE = incident_trace()
NODE_TRACE = node_trace()


def told(pipeline: Pipeline) -> Told:
    return pipeline.told(), pipeline.notice_ids(), pipeline.drivers()


def run(
    requests: Sequence[Request], *, chunk: int = 100, partitions: int = 1, targets: int = 1
) -> Told:
    pipeline = Pipeline(source_partitions=partitions, targets=targets)
    pipeline.feed(requests, chunk=chunk)
    pipeline.finish()
    return told(pipeline)


@pytest.fixture(scope="module")
def expected() -> Told:
    return run(TRACE, chunk=100)


def test_an_outage_pages_once_and_is_resolved() -> None:
    pipeline = Pipeline()
    pipeline.feed(TRACE, chunk=100)
    pipeline.finish()
    found = [(notice.transition, notice.labels["model"]) for notice in pipeline.output.notices]
    assert found == [(Transition.FIRING, "m"), (Transition.RESOLVED, "m")]
    detected_s = pipeline.output.notices[0].detected_at_us / 1e6 - START_S - 20 * 60
    assert 0 < detected_s <= 60


@pytest.fixture(scope="module")
def node_told() -> Told:
    return run(NODE_TRACE, chunk=100)


def test_a_notice_says_which_node_most_failures_come_from(node_told: Told) -> None:
    _, _, drivers = node_told
    assert len(drivers) == 2
    for found in drivers.values():
        (status, node) = found
        assert status == ("status_code", "503", 1.0)
        assert node[:2] == ("node_id", "n3")
        assert 0.7 < node[2] < 1.0


def duplicated(requests: Sequence[Request]) -> list[Request]:
    """Every request twice, the second time a while later."""
    twice = [*requests, *(r for r in requests)]
    order = {id(r): place for place, r in enumerate(requests)}
    return sorted(twice, key=lambda r: order[id(r)] // 20)


@pytest.mark.parametrize(
    ("requests", "options"),
    [
        pytest.param(TRACE, {"chunk": 37}, id="in other chunks"),
        pytest.param(TRACE, {"chunk": 200}, id="in large chunks"),
        pytest.param(shuffled(TRACE, 1), {"chunk": 150}, id="shuffled within the lateness"),
        pytest.param(duplicated(TRACE), {"chunk": 150}, id="every request twice"),
        pytest.param(TRACE, {"partitions": 4}, id="over 4 partitions"),
        pytest.param(shuffled(TRACE, 2), {"partitions": 16, "chunk": 160}, id="shuffled over 16"),
        pytest.param(TRACE, {"targets": 4}, id="to 4 evaluators"),
    ],
)
def test_how_requests_come_changes_nothing(
    requests: list[Request], options: dict[str, int], expected: Told
) -> None:
    assert run(requests, **options) == expected


@pytest.mark.parametrize(
    ("requests", "options"),
    [
        pytest.param(NODE_TRACE, {"chunk": 37}, id="in other chunks"),
        pytest.param(NODE_TRACE, {"chunk": 400}, id="in large chunks"),
        pytest.param(shuffled(NODE_TRACE, 1), {"chunk": 150}, id="shuffled within the lateness"),
        pytest.param(duplicated(NODE_TRACE), {"chunk": 150}, id="every request twice"),
        pytest.param(NODE_TRACE, {"partitions": 4}, id="over 4 partitions"),
        pytest.param(
            duplicated(shuffled(NODE_TRACE, 2)), {"partitions": 16, "chunk": 320},
            id="shuffled and twice over 16",
        ),
        pytest.param(NODE_TRACE, {"targets": 4}, id="to 4 evaluators"),
    ],
)  # fmt: skip
def test_how_requests_come_changes_no_driver(
    requests: list[Request], options: dict[str, int], node_told: Told
) -> None:
    assert run(requests, **options) == node_told


def test_another_evaluator_names_the_same_drivers_after_each_chunk(node_told: Told) -> None:
    pipeline = Pipeline(policy=EvaluationPolicy(snapshot_every_s=45))
    for part in pieces(NODE_TRACE, 100):
        pipeline.feed(part, chunk=100)
        pipeline.evaluator = pipeline.new_evaluator()
    pipeline.finish()
    assert told(pipeline) == node_told


def test_late_counts_are_late_again_when_they_are_read_again() -> None:
    first = Pipeline()
    first.feed(shuffled(TRACE, 5, by_s=300), chunk=40)
    first.finish()
    again = Pipeline()
    again.counts.partitions = first.counts.partitions
    again.evaluate()
    board, _lock = again.evaluator.boards()[0]
    assert board.reducer.counters.late
    assert told(again) == told(first)


def test_counts_that_are_read_twice_or_mixed_between_partitions_change_nothing(
    expected: Told,
) -> None:
    pipeline = Pipeline(source_partitions=4)
    chance = random.Random(3)
    for part in pieces(TRACE, 120):
        pipeline.feed(part, chunk=120)
        read = pipeline.counts.partitions[0]
        again = chance.sample(read, min(5, len(read)))
        read.extend(again)
    pipeline.finish()
    assert told(pipeline) == expected


def test_another_evaluator_goes_on_from_the_last_snapshot(expected: Told) -> None:
    pipeline = Pipeline(policy=EvaluationPolicy(snapshot_every_s=600))
    for part in pieces(TRACE, 100):
        pipeline.feed(part, chunk=100)
        pipeline.evaluator = pipeline.new_evaluator()
        pipeline.evaluate()
    pipeline.finish()
    assert told(pipeline) == expected
    assert pipeline.snapshots.saved


def test_what_could_not_be_told_is_told_at_the_next_try(expected: Told) -> None:
    pipeline = Pipeline()
    pipeline.output.fail_next(*[StoreError("away", retryable=True)] * 5)
    failures = 0
    for part in pieces(TRACE, 100):
        pipeline.count(part)
        for _try in range(6):
            try:
                pipeline.evaluate()
            except StoreError:
                failures += 1
            else:
                break
    pipeline.finish()
    assert failures == 5
    assert told(pipeline) == expected


def test_a_snapshot_that_cannot_be_kept_loses_nothing(expected: Told) -> None:
    pipeline = Pipeline(policy=EvaluationPolicy(snapshot_every_s=1))
    for number, part in enumerate(pieces(TRACE, 100)):
        pipeline.count(part)
        if number % 3 == 0:
            pipeline.snapshots.fail_next(StoreError("away", retryable=True))
            with pytest.raises(StoreError):
                pipeline.evaluate()
            pipeline.evaluator = pipeline.new_evaluator()
        pipeline.evaluate()
    pipeline.finish()
    assert told(pipeline) == expected


@pytest.mark.parametrize("seed", range(4))
def test_crashes_anywhere_and_everywhere_lose_nothing_and_add_nothing(
    seed: int, expected: Told
) -> None:
    pipeline = Pipeline(policy=EvaluationPolicy(snapshot_every_s=40))
    chance = random.Random(seed)
    for part in pieces(TRACE, 20):
        pipeline.count(part)
        crash = chance.choice(["before", "untold", "told", "unsaved", "counter", ""])
        if crash in {"untold", "told"}:
            pipeline.output.fail_next(StoreError("away", retryable=True), keeps=crash == "told")
        if crash == "unsaved":
            pipeline.snapshots.fail_next(StoreError("away", retryable=True))
        if crash == "counter":
            pipeline.counter = pipeline.new_counter()
        if crash == "before":
            pipeline.evaluator = pipeline.new_evaluator()
        try:
            pipeline.evaluate()
        except StoreError:
            pipeline.evaluator = pipeline.new_evaluator()
            pipeline.evaluate()
        pipeline.output.forgive()
        pipeline.snapshots.forgive()
    pipeline.finish()
    assert told(pipeline) == expected


@pytest.mark.parametrize("kept", [0, 1, 3])
def test_a_counter_that_dies_between_its_records_counts_everything_once(
    kept: int, expected: Told
) -> None:
    pipeline = Pipeline(targets=4)
    for number, part in enumerate(pieces(TRACE, 100)):
        if number % 4:
            pipeline.feed(part, chunk=100)
            continue
        records = chunk_records(part, pipeline.next_offsets[0])
        pipeline.now_us = max(r.appended_us for r in part)
        pipeline.log.put(0, records)
        intent = pipeline.counter.plan(pipeline.source(0), records)
        pipeline.counts.fail_next(StoreError("away", retryable=True), after=kept)
        with pytest.raises(StoreError):
            pipeline.counter.run(Chunk(pipeline.source(0), intent, records), CertainLease())
        pipeline.counter = pipeline.new_counter()
        pipeline.counter.run(Chunk(pipeline.source(0), intent, records), CertainLease())
        pipeline.next_offsets[0] += len(part)
        pipeline.evaluate()
    pipeline.finish()
    assert told(pipeline) == expected


def test_another_counter_knows_what_has_come_before_it() -> None:
    pipeline = Pipeline()
    pipeline.feed(TRACE[:100], chunk=100)
    pipeline.counter = pipeline.new_counter()
    pipeline.feed(TRACE[:120], chunk=120)
    again = decode_counts(pipeline.counts.partitions[0][-1])
    assert (again.events, sum(t.columns["total"].sum() for t in again.tables)) == (20, 20)


def test_every_target_hears_of_every_chunk() -> None:
    pipeline = Pipeline(targets=4)
    pipeline.feed(TRACE[:50], chunk=50)
    heard = [[decode_counts(value) for value in values] for values in pipeline.counts.partitions]
    assert [len(values) for values in heard] == [1, 1, 1, 1]
    assert sum(bool(values[0].tables) for values in heard) == 1
    assert {(r.first_offset, r.last_offset) for values in heard for r in values} == {(0, 49)}


def test_a_silent_partition_holds_evaluation_until_it_says_that_it_is_idle() -> None:
    pipeline = Pipeline(source_partitions=2)
    for part in pieces(TRACE, 100):
        pipeline.count(part, 0)
    pipeline.evaluate()
    assert pipeline.output.transitions == []
    pipeline.counter.idle(pipeline.source(1), pipeline.now_us)
    pipeline.evaluate()
    assert pipeline.output.transitions


def test_a_slo_whose_counting_changed_begins_without_history() -> None:
    pipeline = Pipeline()
    pipeline.feed(TRACE[:300], chunk=100)
    pipeline.finish()
    pipeline.slos = (chat_slo(group_by=()),)
    evaluator = pipeline.new_evaluator()
    board, _lock = evaluator.boards()[0]
    assert board.left_aside == ["acme/chat-success"]


def test_bytes_that_are_no_counts_are_left_out() -> None:
    pipeline = Pipeline()
    pipeline.counts.partitions[0].append(b"\xc1nonsense")
    pipeline.feed(TRACE, chunk=100)
    pipeline.finish()
    assert pipeline.notice_ids()


def test_deadline_signals_make_hanging_requests_bad() -> None:
    topics = (TOPIC, SIGNALS)
    pipeline = Pipeline(topics=topics)
    signals = pipeline.new_counter(SignalSource(), SIGNALS)
    requests = incident_trace(minutes=40, incident=(90, 90))
    offset = 0
    for part in pieces(requests, 60):
        hanging = [r for r in part if r.model == "m" and r.ts_end_us >= (START_S + 900) * 1_000_000]
        pipeline.count([r for r in part if r not in hanging])
        for request in hanging:
            records = RecordColumns.from_values(
                [signal_of(request)],
                first_offset=offset,
                append_time_ms=request.appended_us // 1000,
            )
            offset += 1
            place = pipeline.source(0, SIGNALS)
            signals.run(Chunk(place, signals.plan(place, records), records), CertainLease())
        signals.idle(pipeline.source(0, SIGNALS), pipeline.now_us)
        pipeline.evaluate()
    told_of = [notice.labels["model"] for notice in pipeline.output.notices]
    assert told_of == ["m"]


def test_a_request_that_misses_two_deadlines_is_bad_once_whenever_the_second_comes() -> None:
    pipeline = Pipeline(topics=(SIGNALS,))
    signals = pipeline.new_counter(SignalSource(), SIGNALS)
    (request,) = incident_trace(minutes=1, every_s=60)[:1]
    first = signal_of(request)
    second = first.replace(b'"s-', b'"t-').replace(b'"e2e"', b'"ttft"')
    for offset, value in enumerate((first, second, first)):
        records = RecordColumns.from_values(
            [value], first_offset=offset, append_time_ms=request.appended_us // 1000
        )
        place = pipeline.source(0, SIGNALS)
        signals.run(Chunk(place, signals.plan(place, records), records), CertainLease())
    heard = [decode_counts(value) for value in pipeline.counts.partitions[0]]
    assert [record.events for record in heard] == [1, 1, 0]
    assert [sum(int(t.columns["bad"].sum()) for t in record.tables) for record in heard] == [
        1,
        0,
        0,
    ]
