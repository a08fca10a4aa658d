"""Rules on gauges: what is sampled by producers, and what the evaluator reads of the pipeline itself."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from inferometer.core import codec
from inferometer.core.alerts.incident_listing import listed_alerts
from inferometer.core.chunks import Chunk, StreamPartition
from inferometer.core.records import RecordColumns
from inferometer.core.slo.count_records import target_of
from inferometer.core.slo.definitions import Severity
from inferometer.core.slo.measure_lanes import MetricLane, samples_of_rule
from inferometer.core.slo.metric_rules import Level, MetricRule, parse_metric
from inferometer.core.slo.shipped_rules import CONSUMER_LAG, ENQUEUED_TOKENS, HEARTBEAT_AGE
from inferometer.core.slo.subject_definitions import definition_of_rule
from inferometer.errors import LeaseError
from inferometer.jobs.count_sources import SignalSource
from inferometer.testing.leases import CertainLease
from tests.unit.jobs.alert_pipeline import COUNTS, SIGNALS, START_S, Pipeline, incident_trace

if TYPE_CHECKING:
    from inferometer.core.alerts.subjects import Definition

STALLED = MetricRule(
    name="watermark-stalled",
    metric=parse_metric("watermark_age_s"),
    levels=(Level(value=Decimal(300), severity=Severity.PAGE),),
    is_meta=True,
)


class Watched(Pipeline):
    rule = STALLED

    def lanes(self, partition: int, count: int) -> dict[str, Any]:
        lane = MetricLane(self.rule)
        return {lane.name: lane, **super().lanes(partition, count)}

    def definitions(self) -> list[Definition]:
        return [*super().definitions(), definition_of_rule(self.rule)]


class WatchedLag(Watched):
    rule = CONSUMER_LAG


def test_a_counter_that_falls_silent_is_told_by_the_clock() -> None:
    pipeline = Watched()
    pipeline.feed(incident_trace(minutes=10, incident=(90, 90)), chunk=100)
    source = StreamPartition(COUNTS, 0, "counts-1")
    pipeline.evaluator.idle(source, 0)
    assert pipeline.output.notices == []
    for _ in range(40):
        pipeline.now_us += 10_000_000
        pipeline.evaluator.idle(source, 0)
    (notice,) = pipeline.output.notices
    assert (notice.labels["slo"], notice.severity) == ("watermark-stalled", Severity.PAGE)


def test_what_the_clock_told_is_known_after_a_restart() -> None:
    pipeline = Watched()
    pipeline.feed(incident_trace(minutes=10, incident=(90, 90)), chunk=100)
    for _ in range(40):
        pipeline.now_us += 10_000_000
        pipeline.evaluator.idle(StreamPartition(COUNTS, 0, "counts-1"), 0)
    pipeline.evaluator = pipeline.new_evaluator()
    later = incident_trace(minutes=60, incident=(90, 90))
    pipeline.feed([one for one in later if one.ts_end_us > pipeline.now_us], chunk=20)
    told = {one.notification_id: one for one in pipeline.output.notices}
    assert [str(one.transition) for one in told.values()] == ["firing", "resolved"]
    assert len({one.incident_id for one in told.values()}) == 1


class LosableLease:
    is_lost = False

    def check(self) -> None:
        if self.is_lost:
            raise LeaseError("another process has it")


def test_who_may_have_lost_the_partition_tells_nothing_by_the_clock() -> None:
    lease = LosableLease()
    pipeline = Watched(lease=lease)
    pipeline.feed(incident_trace(minutes=10, incident=(90, 90)), chunk=100)
    for is_lost, notices in ((True, 0), (False, 1)):
        lease.is_lost = is_lost
        for _ in range(40):
            pipeline.now_us += 10_000_000
            pipeline.evaluator.idle(StreamPartition(COUNTS, 0, "counts-1"), 0)
        assert len(pipeline.output.notices) == notices


def test_a_group_that_stays_far_behind_is_a_ticket_that_ends_when_it_has_caught_up() -> None:
    pipeline = WatchedLag()
    pipeline.gauges = {"consumer_lag_records": 999_999.0}
    pipeline.feed(incident_trace(minutes=10, incident=(90, 90)), chunk=100)
    source = StreamPartition(COUNTS, 0, "counts-1")

    def wait(seconds: int) -> None:
        for _ in range(seconds // 10):
            pipeline.now_us += 10_000_000
            pipeline.evaluator.idle(source, 0)

    wait(900)
    assert pipeline.output.notices == []
    pipeline.gauges = {"consumer_lag_records": 1_000_001.0}
    wait(200)
    assert pipeline.output.notices == []
    wait(300)
    (notice,) = pipeline.output.notices
    assert (notice.labels["slo"], notice.severity) == ("consumer-lag", Severity.TICKET)
    pipeline.gauges = {"consumer_lag_records": 10.0}
    wait(3600)
    assert [n.transition.value for n in pipeline.output.notices] == ["firing", "resolved"]


HOUR_US = 3600 * 1_000_000


def wait(pipeline: Pipeline, seconds: int) -> None:
    """Let time pass in which nothing is counted."""
    for _ in range(seconds // 10):
        pipeline.now_us += 10_000_000
        pipeline.evaluator.idle(StreamPartition(COUNTS, 0, "counts-1"), 0)


def test_a_clock_that_jumps_forward_pages_nobody_and_a_stall_still_does() -> None:
    pipeline = Watched()
    pipeline.feed(incident_trace(minutes=10, incident=(90, 90)), chunk=100)
    wait(pipeline, 10)
    pipeline.jumped_us = HOUR_US
    wait(pipeline, 200)
    assert pipeline.output.notices == []
    wait(pipeline, 200)
    (notice,) = pipeline.output.notices
    assert (notice.labels["slo"], notice.severity) == ("watermark-stalled", Severity.PAGE)


def test_after_a_clock_was_set_back_its_rules_are_judged_all_the_same() -> None:
    pipeline = WatchedLag()
    pipeline.gauges = {"consumer_lag_records": 1_000_001.0}
    pipeline.feed(incident_trace(minutes=10, incident=(90, 90)), chunk=100)
    wait(pipeline, 10)
    pipeline.jumped_us = -HOUR_US
    wait(pipeline, 900)
    (notice,) = pipeline.output.notices
    assert notice.labels["slo"] == "consumer-lag"
    # Another process finds ticks of an hour that its clock has yet to see.
    pipeline.evaluator = pipeline.new_evaluator()
    pipeline.gauges = {"consumer_lag_records": 10.0}
    wait(pipeline, 3600)
    told = {one.notification_id: one.transition.value for one in pipeline.output.notices}
    assert list(told.values()) == ["firing", "resolved"]


def test_a_clock_that_was_behind_and_is_put_right_is_believed() -> None:
    pipeline = Watched()
    # By more, and the events themselves would be from the future.
    pipeline.jumped_us = -240 * 1_000_000
    pipeline.feed(incident_trace(minutes=10, incident=(90, 90)), chunk=100)
    wait(pipeline, 10)
    pipeline.jumped_us = 0
    wait(pipeline, 200)
    assert pipeline.output.notices == []
    wait(pipeline, 200)
    assert [notice.labels["slo"] for notice in pipeline.output.notices] == ["watermark-stalled"]


class WatchedQueue(Watched):
    rule = ENQUEUED_TOKENS


class Heartbeats(Pipeline):
    """Several partitions, of which one tells of heartbeats and all know of them."""

    def lanes(self, partition: int, count: int) -> dict[str, Any]:
        lane = MetricLane(HEARTBEAT_AGE, is_echo=partition != target_of("", "", count))
        return {lane.name: lane}

    def definitions(self) -> list[Definition]:
        return [definition_of_rule(HEARTBEAT_AGE)]


def test_a_producer_that_falls_silent_is_known_in_every_partition_and_told_by_one() -> None:
    wanted = samples_of_rule(HEARTBEAT_AGE)
    assert wanted is not None
    pipeline = Heartbeats(topics=(SIGNALS,), sampled=(wanted,), targets=4)
    signals = pipeline.new_counter(SignalSource(), SIGNALS)
    place = pipeline.source(0, SIGNALS)
    sent = 0
    for number in range(60):
        at_us = (START_S + 10 * number) * 1_000_000
        pipeline.now_us = at_us
        for source in ("a", "b") if number < 20 else ("b",):
            sample = codec.sample_of(
                {"event_id": f"{source}-{number}", "ts": at_us, "gauge": "heartbeat",
                 "value": 10.0, "source": source}
            )  # fmt: skip
            records = RecordColumns.from_values(
                [codec.encode_signal(sample)], first_offset=sent, append_time_ms=at_us // 1000
            )
            signals.run(Chunk(place, signals.plan(place, records), records), CertainLease())
            sent += 1
        pipeline.evaluate()
    boards = [board for board, _ in pipeline.evaluator.boards().values()]
    assert [
        [dict(one.subject.group)["source"] for one in board.alerts.incidents()] for board in boards
    ] == [["a"]] * 4
    (notice,) = pipeline.output.notices
    assert (notice.labels["slo"], notice.labels["source"]) == ("heartbeat-missing", "a")
    assert len({one.transition_id for one in pipeline.output.transitions}) == len(
        pipeline.output.transitions
    )
    assert sum(len(listed_alerts(board.alerts)) for board in boards) == 1
    assert sum(len(list(board.own_lanes())) for board in boards) == 1


def test_tokens_in_the_queue_come_as_samples_and_page_near_the_limit() -> None:
    wanted = samples_of_rule(ENQUEUED_TOKENS)
    assert wanted is not None
    pipeline = WatchedQueue(topics=(SIGNALS,), sampled=(wanted,))
    signals = pipeline.new_counter(SignalSource(), SIGNALS)
    for number, tokens in enumerate([7e9] * 40 + [8.5e9] * 40 + [9.9e9] * 40):
        at_us = (START_S + 10 * number) * 1_000_000
        sample = codec.sample_of(
            {"event_id": f"g-{number}", "ts": at_us, "gauge": "enqueued_tokens", "value": tokens,
             "model": "m", "source": "queue"}
        )  # fmt: skip
        records = RecordColumns.from_values(
            [codec.encode_signal(sample)], first_offset=number, append_time_ms=at_us // 1000
        )
        place = pipeline.source(0, SIGNALS)
        pipeline.now_us = at_us
        signals.run(Chunk(place, signals.plan(place, records), records), CertainLease())
        pipeline.evaluate()
    told = [
        (n.transition.value, n.severity.value, n.labels["model"]) for n in pipeline.output.notices
    ]
    assert told == [("firing", "ticket", "m"), ("escalated", "page", "m")]
