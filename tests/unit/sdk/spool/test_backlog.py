"""What a spool sends, again and where to, through refusals, restarts and damage."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson
import pytest

from inferometer.sdk.items import Item
from inferometer.sdk.partitioning import partition_of
from tests.unit.sdk.spool.desk import AWAY, TOO_LARGE, TOPIC, Desk, event

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def segments(desk: Desk) -> list[Path]:
    return sorted(desk.folder.glob("*.segment"))


def test_items_go_out_in_order_and_are_let_go_when_they_are_acknowledged(desk: Desk) -> None:
    desk.emit(1, 2, 3)
    desk.step()
    assert desk.sent == ["e-1", "e-2", "e-3"]
    assert (desk.backlog.waiting, desk.backlog.is_all_sent, desk.backlog.is_done) == (
        3,
        True,
        False,
    )
    desk.broker.report()
    desk.step()
    assert (desk.backlog.waiting, desk.backlog.is_done) == (0, True)


def test_what_was_not_acknowledged_at_a_kill_is_sent_again_and_says_so(desk: Desk) -> None:
    desk.emit(1, 2, 3, 4)
    desk.step()
    desk.broker.report(None, None)
    desk.step(1)
    desk.restart()
    desk.emit(5)
    desk.step()
    assert desk.sent == ["e-3!", "e-4!", "e-5"]
    assert desk.backlog.taken_over == 2


def test_what_was_never_handed_to_a_producer_is_sent_for_the_first_time(desk: Desk) -> None:
    desk.broker.room = 2
    desk.emit(1, 2)
    desk.step()
    desk.emit(3, 4)
    desk.restart()
    desk.broker.room = 10
    desk.step()
    assert desk.sent == ["e-1!", "e-2!", "e-3", "e-4"]
    desk.restart()
    desk.step()
    assert desk.sent == ["e-1!", "e-2!", "e-3!", "e-4!"]


def test_after_a_restart_of_the_machine_everything_counts_as_sent(desk: Desk) -> None:
    desk.emit(1)
    desk.boot = 8
    desk.restart()
    desk.emit(2)
    desk.step()
    assert desk.sent == ["e-1!", "e-2"]
    desk.restart()
    desk.step()
    assert desk.sent == ["e-1!", "e-2!"]


def test_a_report_that_never_reached_the_marks_costs_a_second_copy_never_a_loss(desk: Desk) -> None:
    desk.emit(1, 2)
    desk.step()
    desk.broker.report()
    desk.restart()
    desk.deliver()
    assert desk.arrived == ["e-1", "e-2", "e-1!", "e-2!"]


def test_a_copy_goes_to_the_partition_of_the_first_whatever_the_topic_has_grown_to(
    desk: Desk,
) -> None:
    desk.emit(*range(40))
    desk.step()
    first = [record.partition for record, _ in desk.broker.under_way]
    assert first == [partition_of(b"r-%d" % n, b"", 4) for n in range(40)]
    desk.broker.topic_partitions = 9
    desk.restart()
    desk.emit(100)
    desk.step()
    assert [record.partition for record, _ in desk.broker.under_way][:40] == first
    assert desk.broker.under_way[40][0].partition == partition_of(b"r-100", b"", 9)
    desk.restart()
    desk.step()
    assert desk.broker.under_way[40][0].partition == partition_of(b"r-100", b"", 9)


def test_a_partition_that_the_producer_chose_is_kept(desk: Desk) -> None:
    item = event(1)
    item.partition, item.was_sent = 3, True
    desk.backlog.append([item])
    desk.restart()
    desk.step()
    assert (desk.broker.under_way[0][0].partition, desk.sent) == (3, ["e-1!"])


def test_a_record_without_a_key_keeps_its_partition_too(desk: Desk) -> None:
    desk.backlog.append([Item(b'{"n":%d}' % number) for number in range(30)])
    desk.step()
    first = [record.partition for record, _ in desk.broker.under_way]
    assert set(first) == {0, 1, 2, 3}
    desk.restart()
    desk.step()
    assert [record.partition for record, _ in desk.broker.under_way] == first


def test_nothing_is_sent_before_the_number_of_partitions_is_known(desk: Desk) -> None:
    desk.broker.topic_partitions = 0
    desk.emit(1)
    desk.step()
    assert desk.sent == []
    desk.broker.topic_partitions = 4
    desk.step()
    assert desk.sent == ["e-1"]


def test_after_a_failure_sending_goes_on_in_order_from_the_first_that_is_missing(
    desk: Desk,
) -> None:
    desk.emit(1, 2, 3, 4)
    desk.step()
    desk.broker.report(None, AWAY, None)
    desk.emit(5)
    desk.step()
    assert desk.sent == ["e-4"], "one report is still to come"
    desk.broker.report(AWAY)
    desk.step()
    assert desk.sent == [], "the broker gets a pause"
    desk.step(1)
    assert desk.sent == ["e-2!", "e-4!", "e-5"]
    desk.deliver()
    assert desk.arrived == ["e-1", "e-3", "e-2!", "e-4!", "e-5"]
    assert (desk.backlog.waiting, desk.backlog.is_done) == (0, True)


def test_a_full_producer_is_offered_the_rest_later(desk: Desk) -> None:
    desk.broker.room = 2
    desk.emit(1, 2, 3)
    desk.step()
    assert desk.sent == ["e-1", "e-2"]
    desk.broker.report()
    desk.step()
    assert desk.sent == ["e-3"]


def test_what_the_broker_refuses_even_alone_is_put_aside_and_its_neighbours_arrive(
    desk: Desk,
) -> None:
    desk.emit(1, 2, 3)
    desk.step()
    desk.broker.report(TOO_LARGE, TOO_LARGE, TOO_LARGE)
    desk.step()
    desk.step(1)
    assert desk.sent == ["e-1!"], "each goes alone"
    desk.broker.report()
    desk.step(1)
    assert desk.sent == ["e-2!"]
    desk.broker.report(TOO_LARGE)
    desk.step()
    desk.deliver()
    assert desk.arrived == ["e-1!", "e-3!"]
    assert desk.refused == ["too large"]
    assert (desk.backlog.waiting, desk.backlog.set_aside) == (0, 1)
    (kept,) = (desk.folder / "aside").glob("*.bin")
    assert b'"e-2"' in kept.read_bytes()
    reason = orjson.loads((desk.folder / "aside" / "reasons.jsonl").read_bytes())
    assert (reason["file"], reason["reason"]) == (kept.name, "too large")


def test_a_damaged_frame_is_put_aside_and_its_neighbours_arrive(desk: Desk) -> None:
    desk.emit(1, 2, 3)
    data = bytearray(segments(desk)[0].read_bytes())
    data[data.index(b'"e-2"') + 2] ^= 1
    segments(desk)[0].write_bytes(data)
    desk.restart()
    desk.deliver()
    assert desk.arrived == ["e-1", "e-3"]
    assert (desk.damaged, desk.backlog.set_aside) == (["the checksum does not fit"], 1)
    assert (desk.backlog.taken_over, desk.backlog.waiting) == (2, 0)
    desk.restart()
    desk.deliver()
    assert desk.backlog.set_aside == 0, "it is put aside once"


def test_a_tail_cut_at_any_byte_loses_no_item_before_it(tmp_path: Path) -> None:
    (tmp_path / "whole").mkdir()
    whole = Desk(tmp_path / "whole")
    whole.emit(1, 2)
    kept = whole.journal.end
    whole.emit(3)
    data = segments(whole)[0].read_bytes()
    for length in range(kept + 1, len(data), 7):
        folder = tmp_path / str(length)
        folder.mkdir()
        (folder / segments(whole)[0].name).write_bytes(data[:length])
        desk = Desk(folder)
        desk.emit(4)
        desk.deliver()
        assert desk.arrived == ["e-1!", "e-2!", "e-4"]
        assert (desk.backlog.waiting, desk.backlog.is_done) == (0, True)


def test_lost_marks_cost_copies_never_an_item(desk: Desk) -> None:
    desk.emit(1, 2)
    desk.step()
    desk.broker.report(None)
    desk.step(1)
    (desk.folder / "marks").write_bytes(b"\x00garbage\na 9999 00000000\n")
    desk.restart()
    desk.step()
    assert desk.sent == ["e-1!", "e-2!"]


def test_a_full_spool_takes_nothing_new_and_keeps_what_it_has(tmp_path: Path) -> None:
    desk = Desk(tmp_path, max_bytes=2_000)
    taken = desk.emit(*range(100))
    assert 0 < taken < 100
    assert desk.emit(200) == 0
    assert desk.backlog.size_bytes <= 2_000
    desk.deliver()
    assert desk.arrived == [f"e-{number}" for number in range(taken)]
    assert desk.emit(200) == 1


def test_segments_are_deleted_once_everything_in_them_has_arrived(tmp_path: Path) -> None:
    desk = Desk(tmp_path, max_bytes=8_000)
    for number in range(30):
        desk.emit(number)
    assert len(segments(desk)) > 3
    desk.deliver()
    assert len(segments(desk)) <= 1
    desk.backlog.close()
    assert segments(desk) == []
    assert desk.arrived == [f"e-{number}" for number in range(30)]


def test_a_deleted_segment_costs_its_items_only(tmp_path: Path) -> None:
    desk = Desk(tmp_path, max_bytes=8_000)
    for number in range(30):
        desk.emit(number)
    segments(desk)[1].unlink()
    desk.restart()
    desk.deliver()
    assert 10 < len(desk.arrived) < 30
    assert desk.arrived[-1] == "e-29"
    assert desk.backlog.is_done


def test_more_than_fits_into_memory_is_read_back_in_order(tmp_path: Path) -> None:
    desk = Desk(tmp_path, max_bytes=64 << 20)
    desk.broker.room = 0
    for start in range(0, 12_000, 1_000):
        desk.emit(*range(start, start + 1_000))
    desk.broker.room = 20_000
    desk.deliver()
    assert desk.arrived == [f"e-{number}" for number in range(12_000)]


def test_a_transport_that_is_gone_gives_back_what_it_had(desk: Desk) -> None:
    desk.emit(1, 2)
    desk.step()
    desk.backlog.give_up_under_way()
    desk.step()
    desk.broker.under_way.clear()
    desk.step(1)
    assert desk.sent == ["e-1!", "e-2!"]


def test_the_age_of_the_oldest_item_is_known(desk: Desk) -> None:
    desk.now_s = 50.0
    desk.emit(1)
    desk.now_s = 60.0
    desk.emit(2)
    desk.step()
    assert desk.backlog.oldest_ms == 50_000
    desk.broker.report(None)
    desk.step()
    assert desk.backlog.oldest_ms == 60_000


def test_bytes_that_are_no_object_are_sent_again_as_they_are(desk: Desk) -> None:
    values = [b'{"broken', b"[1]", b'{"a":1}', b"\x00arrow"]
    desk.backlog.append([Item(values[0]), Item(values[1]), Item(values[2])])
    desk.backlog.append([Item(values[3], None, "application/vnd.apache.arrow.stream")])
    desk.step()
    desk.restart()
    desk.step()
    assert [record.value for record, _ in desk.broker.under_way] == [
        values[0],
        values[1],
        b'{"a":1,"resent":true}',
        values[3],
    ]
    assert desk.broker.under_way[3][0].headers == [
        ("content-type", b"application/vnd.apache.arrow.stream")
    ]
    assert desk.broker.under_way[0][0].topic == TOPIC
