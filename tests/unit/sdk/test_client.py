"""The client: defaults, refusals, counts, and what it does when it cannot send."""

from __future__ import annotations

import logging
import os
from typing import Any

import pyarrow as pa
import pytest

from inferometer.errors import ConfigError
from inferometer.sdk import DropReason, EventTooLargeError, InferenceRequest, InvalidEventError
from inferometer.sdk.stats import Complaints, Drop
from inferometer.sdk.transport import Outgoing
from tests.unit.sdk.recording import Clock, bench

FIELDS: dict[str, Any] = {"request_id": "r-1", "model": "m", "ts_end": 5, "status_code": 200}


def test_an_event_starts_from_the_defaults_of_the_client() -> None:
    desk = bench(workspace_id="w", region="eu", fields={"feature": "chat"})
    desk.client.emit({**FIELDS, "region": "us"})
    event = desk.transport.events()[0]
    assert (event["workspace_id"], event["region"], event["feature"]) == ("w", "us", "chat")


def test_arguments_win_over_the_environment() -> None:
    environ = {"INFEROMETER_NODE_ID": "n-env", "INFEROMETER_REGION": "r-env"}
    desk = bench(region="r-arg", environ=environ)
    assert desk.client.defaults == {"node_id": "n-env", "region": "r-arg"}


def test_the_broker_may_come_from_the_environment() -> None:
    environ = {"INFEROMETER_KAFKA_BOOTSTRAP_SERVERS": "k:1"}
    desk = bench(bootstrap_servers=None, environ=environ)
    assert desk.client.settings.bootstrap_servers == "k:1"


def test_every_problem_of_the_settings_is_reported_at_once() -> None:
    with pytest.raises(ConfigError) as refused:
        bench(bootstrap_servers=None, buffer_events=0, compression="rar")
    assert len(refused.value.problems) == 3


def test_secrets_do_not_show_in_the_settings() -> None:
    assert "hunter2" not in repr(bench(kafka={"sasl.password": "hunter2"}).client.settings)


def test_a_validated_event_is_sent_as_it_is() -> None:
    desk = bench(region="eu")
    desk.client.emit(InferenceRequest(event_id="e-1", **FIELDS))
    assert desk.transport.events() == [{"event_id": "e-1", **FIELDS}]


def test_each_event_gets_an_id_of_its_own() -> None:
    desk = bench()
    desk.client.emit(FIELDS)
    desk.client.emit(FIELDS)
    assert len({event["event_id"] for event in desk.transport.events()}) == 2


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({**FIELDS, "modle": "typo"}, "unknown_field"),
        ({**FIELDS, "e2e_ms": float("nan")}, "not_finite"),
        ({**FIELDS, "model": object()}, "wrong_type"),
    ],
)
def test_what_cannot_be_noted_exactly_is_refused_at_once(
    fields: dict[str, Any], reason: str
) -> None:
    desk = bench()
    with pytest.raises(InvalidEventError) as refused:
        desk.client.emit(fields)
    assert refused.value.reason == reason
    assert (desk.client.stats().invalid, desk.client.stats().emitted) == (1, 0)


def test_values_that_make_no_event_are_told_and_sent_as_they_are() -> None:
    drops: list[Drop] = []
    desk = bench(on_drop=drops.append, region="eu", envelope="json")
    desk.client.emit({**FIELDS, "e2e_ms": -1.0})
    desk.client.emit({"model": "m"})
    first, second = desk.transport.events()
    assert (first["e2e_ms"], first["region"], second["model"]) == (-1.0, "eu", "m")
    assert [record.key for record in desk.transport.sent] == [b"r-1", None]
    assert [(drop.reason, drop.key) for drop in drops] == [
        (DropReason.INVALID, b"r-1"),
        (DropReason.INVALID, None),
    ]
    stats = desk.client.stats()
    assert (stats.invalid, stats.emitted, stats.delivered) == (2, 2, 2)


def test_an_event_is_checked_at_once_where_the_caller_asks_for_it() -> None:
    desk = bench()
    with pytest.raises(InvalidEventError, match="out_of_range"):
        desk.client.event({**FIELDS, "e2e_ms": -1.0})


def test_an_absent_value_may_be_given_as_none() -> None:
    desk = bench()
    desk.client.emit({**FIELDS, "user_id": None})
    assert "user_id" not in desk.transport.events()[0]


def test_what_the_caller_changes_after_emit_is_not_sent() -> None:
    desk = bench()
    metadata = {"app": "a"}
    desk.client.emit({**FIELDS, "metadata": metadata})
    metadata["app"] = "b"
    assert desk.transport.events()[0]["metadata"] == {"app": "a"}


def test_an_event_beyond_the_limit_is_refused_and_counted() -> None:
    desk = bench(max_event_bytes=200)
    with pytest.raises(EventTooLargeError, match="exceed the limit of 200"):
        desk.client.emit({**FIELDS, "error_message": "x" * 300})
    assert desk.client.stats().dropped_too_large == 1


def test_a_full_buffer_drops_counts_and_tells() -> None:
    drops: list[Drop] = []
    desk = bench(on_drop=drops.append, envelope="json")
    desk.transport.room = 1
    for _ in range(3):
        desk.client.emit(FIELDS)
    desk.client.flush(0)
    assert desk.client.stats().dropped_buffer_full == 2
    assert [(drop.reason, drop.key) for drop in drops] == [(DropReason.BUFFER_FULL, b"r-1")] * 2


def test_a_hook_that_raises_does_not_reach_the_request() -> None:
    def hook(drop: Drop) -> None:
        raise RuntimeError(drop)

    desk = bench(on_drop=hook)
    desk.transport.room = 0
    desk.client.emit(FIELDS)
    desk.client.flush(0)
    assert desk.client.stats().dropped_buffer_full == 1


def test_a_producer_that_met_a_fatal_error_is_replaced() -> None:
    desk = bench()
    desk.transport.is_broken = True
    desk.client.emit(FIELDS)
    desk.client.flush(0)
    desk.client.emit(FIELDS)
    desk.client.flush(0)
    assert desk.transports[0].is_closed
    assert [len(transport.sent) for transport in desk.transports] == [0, 1]
    assert (desk.client.stats().failed, desk.client.stats().delivered) == (1, 1)


def test_after_close_events_are_counted_and_nothing_raises() -> None:
    desk = bench()
    with desk.client:
        desk.client.emit(FIELDS)
    desk.client.emit(FIELDS)
    assert desk.client.close() == 0
    assert (desk.client.stats().delivered, desk.client.stats().dropped_closed) == (1, 1)


def test_an_event_that_comes_as_the_sender_closes_is_turned_away() -> None:
    desk = bench()
    sender = desk.client._sender
    assert sender is not None
    assert sender.put(b"in time")
    sender.close()
    # A thread that looked at the client before it was closed.
    assert not sender.put(b"late")
    assert sender.put_all([b"late", b"later"]) == 0
    assert sender.in_flight() == 0


def test_a_closed_client_opens_no_producer_in_a_forked_child_for_what_it_turns_away() -> None:
    desk = bench()
    desk.client.close()
    desk.client.restart_in_child()
    assert desk.client.emit_table(pa.table({key: [value] for key, value in FIELDS.items()})) == 0
    assert (len(desk.transports), desk.client.stats().dropped_closed) == (1, 1)


def test_bytes_are_passed_on_as_they_are() -> None:
    desk = bench()
    desk.client.emit_record(b'{"broken', key=b"k", content_type="text/plain")
    assert desk.transport.sent == [
        Outgoing("inference.requests", b"k", b'{"broken', [("content-type", b"text/plain")])
    ]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_child_starts_with_a_producer_and_counts_of_its_own() -> None:
    desk = bench()
    desk.client.emit(FIELDS)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        desk.client.emit(FIELDS)
        told = f"{len(desk.transports)} {len(desk.transport.sent)} {desk.client.stats().emitted}"
        os.write(writing, told.encode())
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(reading, 100) == b"2 1 1"
    os.close(reading)
    os.close(writing)


def test_a_subject_is_logged_once_a_period_with_the_number_left_unsaid(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock = Clock()
    complaints = Complaints(logging.getLogger("inferometer.sdk"), clock.monotonic, every_s=30)
    for _ in range(5):
        complaints.say("broker", "away")
    complaints.say("other", "said apart")
    clock.pass_ms(30_000)
    complaints.say("broker", "away")
    assert caplog.messages == ["away", "said apart", "away (4 more since the last line)"]
