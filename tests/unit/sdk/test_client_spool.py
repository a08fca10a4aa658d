"""The client with a spool: what it writes when, and what the next process finds."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from inferometer.errors import ConfigError
from inferometer.sdk import DropReason
from inferometer.sdk.spool.slots import SEGMENT_SUFFIX
from inferometer.sdk.stats import Drop
from inferometer.sdk.transport import Refusal
from tests.unit.sdk.recording import Bench, bench

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Open = Callable[..., Bench]

AWAY = Refusal("away", is_for_the_record=False)


def fields(number: int) -> dict[str, Any]:
    return {"request_id": f"r-{number}", "model": "m", "ts_end": 5, "status_code": 200}


@pytest.fixture
def open_desk(tmp_path: Path) -> Iterator[Open]:
    """Open clients on one spool; those left open are closed at the end."""
    desks: list[Bench] = []

    def opened(**arguments: Any) -> Bench:
        desks.append(bench(spool_dir=str(tmp_path / "spool"), **arguments))
        return desks[-1]

    yield opened
    for desk in desks:
        desk.client.close(0)


def away(desk: Bench) -> Bench:
    """Take the broker away from a client that has sent nothing yet."""
    desk.transports[-1].topic_partitions = 0
    return desk


def sent(desk: Bench) -> list[tuple[str, bool]]:
    return [(each["request_id"], each.get("resent", False)) for each in desk.transport.events()]


def test_what_one_process_could_not_send_the_next_sends_first(open_desk: Open) -> None:
    first = away(open_desk())
    for number in range(3):
        first.client.emit(fields(number))
    assert first.client.persist()
    assert first.client.close(0) == 3
    stats = first.client.stats()
    assert (stats.delivered, stats.in_flight, stats.spool_events, stats.failed) == (0, 3, 3, 0)
    second = open_desk()
    second.client.emit(fields(3))
    second.client.flush(1)
    assert sent(second) == [("r-0", False), ("r-1", False), ("r-2", False), ("r-3", False)]
    stats = second.client.stats()
    assert (stats.taken_over, stats.emitted, stats.delivered, stats.in_flight) == (3, 1, 4, 0)


def test_a_copy_keeps_its_event_id(open_desk: Open) -> None:
    first = open_desk()
    first.transports[-1].holds = True
    first.client.emit(fields(1))
    event_id = first.transport.events()[0]["event_id"]
    first.client.close(0)
    copy = open_desk().transport.events()[0]
    assert (copy["event_id"], copy["resent"]) == (event_id, True)


def test_two_clients_share_a_folder_without_meeting(open_desk: Open) -> None:
    one, other = away(open_desk()), away(open_desk())
    one.client.emit(fields(1))
    other.client.emit(fields(2))
    one.client.persist()
    other.client.persist()
    one.client.close(0)
    other.client.close(0)
    heir = open_desk()
    heir.client.flush(1)
    assert sorted(sent(heir)) == [("r-1", False), ("r-2", False)]


def test_what_a_neighbour_leaves_is_taken_over_while_the_process_runs(open_desk: Open) -> None:
    heir, neighbour = open_desk(), away(open_desk())
    heir.client.flush(1)
    neighbour.client.emit(fields(1))
    neighbour.client.persist()
    neighbour.client.close(0)
    heir.client.flush(1)
    assert sent(heir) == []
    heir.clock.pass_ms(31_000)
    heir.client.flush(1)
    assert sent(heir) == [("r-1", False)]
    stats = heir.client.stats()
    assert (stats.taken_over, stats.delivered, stats.spool_events) == (1, 1, 0)


def test_without_a_broker_the_counts_are_those_of_the_disk(open_desk: Open) -> None:
    desk = away(open_desk())
    desk.client.emit(fields(1))
    desk.client.persist()
    desk.clock.pass_ms(5_000)
    stats = desk.client.stats()
    assert (stats.emitted, stats.delivered, stats.in_flight, stats.spool_events) == (1, 0, 1, 1)
    assert stats.spool_bytes > 100


def test_overflow_writes_nothing_while_the_broker_is_well(open_desk: Open, tmp_path: Path) -> None:
    desk = open_desk(spool="overflow")
    for number in range(3):
        desk.client.emit(fields(number))
    assert desk.client.flush(1) == 0
    assert sent(desk) == [("r-0", False), ("r-1", False), ("r-2", False)]
    assert list((tmp_path / "spool").rglob("*.segment")) == []


def test_overflow_writes_what_the_producer_cannot_take_and_keeps_the_order(
    open_desk: Open,
) -> None:
    desk = open_desk(spool="overflow", envelope="json")
    desk.transports[-1].room = 1
    for number in range(4):
        desk.client.emit(fields(number))
    assert sent(desk) == [("r-0", False)]
    assert desk.client.stats().spool_events == 3
    desk.transports[-1].room = 100
    desk.client.emit(fields(4))
    desk.client.flush(1)
    assert sent(desk) == [(f"r-{number}", False) for number in range(5)]
    assert desk.client.stats().in_flight == 0


def test_overflow_writes_what_the_producer_gives_up(open_desk: Open) -> None:
    desk = open_desk(spool="overflow")
    transport = desk.transport
    transport.holds = True
    desk.client.emit(fields(1))
    assert len(desk.transport.held) == 1
    transport.report(AWAY)
    transport.holds = False
    desk.client.flush(1)
    assert sent(desk) == [("r-1", False), ("r-1", True)]
    assert (desk.client.stats().failed, desk.client.stats().delivered) == (0, 1)


def test_overflow_writes_what_the_producer_still_has_at_the_end(open_desk: Open) -> None:
    first = open_desk(spool="overflow")
    first.transport.holds = True
    first.client.emit(fields(1))
    first.client.flush(0)
    first.client.close(0)
    second = open_desk(spool="overflow")
    second.client.flush(1)
    assert sent(second) == [("r-1", True)]


def test_a_full_spool_and_a_full_buffer_drop_count_and_tell(open_desk: Open) -> None:
    drops: list[Drop] = []
    desk = away(
        open_desk(max_event_bytes=600, spool_max_bytes=1_200, on_drop=drops.append, envelope="json")
    )
    desk.transports[-1].room = 2
    for number in range(40):
        desk.client.emit(fields(number))
    desk.client.flush(0)
    stats = desk.client.stats()
    assert (stats.delivered, stats.in_flight + len(drops)) == (2, 38)
    assert stats.dropped_spool_full == len(drops) > 0
    assert {drop.reason for drop in drops} == {DropReason.SPOOL_FULL}
    assert stats.spool_bytes <= 1_200


def test_a_disk_that_refuses_does_not_keep_events_from_the_broker(
    open_desk: Open, tmp_path: Path
) -> None:
    desk = open_desk()
    folder = tmp_path / "spool" / "0"
    folder.rename(tmp_path / "gone")
    desk.client.emit(fields(1))
    desk.client.flush(1)
    assert sent(desk) == [("r-1", False)]
    assert desk.client.stats().in_flight == 0


def test_an_event_that_the_disk_could_not_keep_is_sent_once_and_persisted_by_the_broker_alone(
    open_desk: Open, tmp_path: Path
) -> None:
    desk = open_desk(spool_fsync="batch")
    (tmp_path / "spool" / "0" / f"{0:020d}{SEGMENT_SUFFIX}").symlink_to("/dev/null")
    desk.transports[-1].holds = True
    desk.client.emit(fields(1))
    assert not desk.client.persist(0), "the producer has it, the broker and the disk do not"
    desk.transports[-1].report()
    assert desk.client.persist(0)
    desk.client.flush(0)
    assert sent(desk) == [("r-1", False)]
    stats = desk.client.stats()
    assert (stats.delivered, stats.in_flight, stats.spool_events) == (1, 0, 0)


def test_a_producer_that_met_a_fatal_error_is_replaced_and_nothing_is_lost(
    open_desk: Open,
) -> None:
    desk = open_desk()
    desk.transports[-1].is_broken = True
    desk.client.emit(fields(1))
    desk.client.flush(1)
    assert desk.transports[0].is_closed
    assert [each["request_id"] for each in desk.transports[-1].events()] == ["r-1"]
    assert desk.client.stats().delivered == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_child_spools_to_a_folder_of_its_own(open_desk: Open, tmp_path: Path) -> None:
    desk = away(open_desk())
    desk.client.emit(fields(1))
    desk.client.persist()
    child = os.fork()
    if child == 0:
        desk.client.emit(fields(2))
        desk.transports[-1].topic_partitions = 0
        ok = desk.client.persist() and (tmp_path / "spool" / "1").is_dir()
        os._exit(0 if ok else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert desk.client.stats().spool_events == 1


def test_problems_of_the_spool_are_reported_with_all_others() -> None:
    with pytest.raises(ConfigError) as refused:
        bench(
            spool_dir="x", spool="sometimes", spool_fsync="maybe", spool_fsync_interval_s=0,
            spool_max_bytes=5,
        )  # fmt: skip
    assert len(refused.value.problems) == 4


def test_the_spool_may_come_from_the_environment(tmp_path: Path) -> None:
    environ = {"INFEROMETER_SPOOL_DIR": str(tmp_path), "INFEROMETER_SPOOL": "overflow"}
    with bench(environ=environ).client as client:
        assert (client.settings.spool_dir, client.settings.spool) == (str(tmp_path), "overflow")
