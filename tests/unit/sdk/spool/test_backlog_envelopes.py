"""What a spool sends in envelopes: records of many, again to the same place, through every refusal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson
import pytest

from inferometer.core import codec
from inferometer.names import ARROW_CONTENT_TYPE
from inferometer.sdk.columns import LineColumns
from inferometer.sdk.items import Item, item_of
from inferometer.sdk.partitioning import partition_of
from inferometer.sdk.spread import Spread, shared_key
from inferometer.simulate.fixed_size import full_events
from tests.unit.sdk.spool.desk import AWAY, TOO_LARGE, Desk

if TYPE_CHECKING:
    from pathlib import Path

    from inferometer.sdk.transport import Outgoing

END_US = 1_790_000_000_000_000
PRODUCER = 77


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path, envelope="ndjson", batch_max_events=3, producer=PRODUCER)


def event(number: int, second: int = 0) -> Item:
    fields = {
        "event_id": f"e-{number}", "request_id": f"r-{number}", "model": "m",
        "ts_end": END_US + second * 1_000_000 + number, "status_code": 200,
    }  # fmt: skip
    return item_of(codec.event_of(fields))


def labels(record: Outgoing) -> list[str]:
    found = [orjson.loads(line) for line in record.value.split(b"\n")]
    return [f"{each['event_id']}{'!' if each.get('resent') else ''}" for each in found]


def under_way(desk: Desk) -> list[list[str]]:
    return [labels(record) for record, _ in desk.broker.under_way]


def taken(desk: Desk) -> list[str]:
    return [each for record in desk.broker.taken for each in labels(record)]


def test_items_share_records_and_are_let_go_together(desk: Desk) -> None:
    desk.backlog.append([event(number) for number in range(5)])
    desk.step()
    assert under_way(desk) == [["e-0", "e-1", "e-2"], ["e-3", "e-4"]]
    assert desk.backlog.waiting == 5
    desk.broker.report(None)
    desk.step(1)
    assert (desk.backlog.waiting, desk.marks.acknowledged > 0) == (2, True)
    desk.broker.report()
    desk.step()
    assert (desk.backlog.waiting, desk.backlog.is_done) == (0, True)


def test_a_copy_goes_to_its_partition_whatever_it_shares_its_record_with(desk: Desk) -> None:
    desk.backlog.append([event(number, second=number // 4) for number in range(40)])
    desk.step()
    first = {
        each: record.partition for record, _ in desk.broker.under_way for each in labels(record)
    }
    assert len(set(first.values())) == 4
    for record, _ in desk.broker.under_way:
        assert record.partition == partition_of(record.key, b"", 4)
    # Another process, with another name, other bounds and more partitions, inherits the folder.
    desk.producer, desk.batch_max_events, desk.broker.topic_partitions = 99, 500, 9
    desk.restart()
    desk.step()
    again = {
        each: record.partition for record, _ in desk.broker.under_way for each in labels(record)
    }
    assert again == {f"{each}!": partition for each, partition in first.items()}


def test_the_name_of_the_folder_outlasts_the_process(desk: Desk) -> None:
    desk.backlog.append([event(1)])
    desk.step()
    desk.producer = 99
    desk.restart()
    desk.backlog.append([event(2)])
    desk.step()
    assert desk.backlog.producer == PRODUCER
    assert {record.key for record, _ in desk.broker.under_way} == {
        shared_key(PRODUCER, b"1790000000")
    }


def test_what_was_sent_one_by_one_keeps_its_partition_when_events_begin_to_share(
    tmp_path: Path,
) -> None:
    desk = Desk(tmp_path)
    desk.backlog.append([event(1), event(2)])
    desk.step()
    assert [record.key for record, _ in desk.broker.under_way] == [b"r-1", b"r-2"]
    desk.envelope, desk.producer = "ndjson", PRODUCER
    desk.restart()
    desk.backlog.append([event(3)])
    desk.step()
    *old, new = [record for record, _ in desk.broker.under_way]
    assert [record.partition for record in old] == [
        partition_of(b"r-1", b"", 4),
        partition_of(b"r-2", b"", 4),
    ]
    assert (new.key, labels(new)) == (shared_key(PRODUCER, b"1790000000"), ["e-3"])


def test_what_shared_records_keeps_its_partition_when_events_go_one_by_one(desk: Desk) -> None:
    desk.backlog.append([event(1), event(2)])
    desk.step()
    ((first, _),) = desk.broker.under_way
    desk.envelope, desk.producer = "json", 0
    desk.restart()
    desk.backlog.append([event(3)])
    desk.step()
    *old, new = [record for record, _ in desk.broker.under_way]
    assert {record.partition for record in old} == {first.partition}
    assert (new.key, new.partition) == (b"r-3", partition_of(b"r-3", b"", 4))


def test_a_transport_that_fills_up_between_records_takes_the_rest_later_in_order(
    desk: Desk,
) -> None:
    desk.broker.room = 2
    desk.backlog.append([event(number, second=number) for number in range(12)])
    desk.step()
    assert len(desk.broker.under_way) == 2
    assert not desk.backlog.is_all_sent
    for _ in range(20):
        desk.broker.report()
        desk.step()
    assert sorted(taken(desk), key=lambda each: int(each[2:])) == [f"e-{n}" for n in range(12)]
    assert desk.backlog.is_done


def test_a_full_transport_marks_nothing_as_sent_that_was_not(desk: Desk) -> None:
    desk.broker.room = 0
    desk.backlog.append([event(1), event(2)])
    desk.step()
    desk.broker.room = 5
    desk.step()
    assert under_way(desk) == [["e-1", "e-2"]]


def test_a_record_that_failed_is_sent_again_whole_and_says_so(desk: Desk) -> None:
    desk.backlog.append([event(number) for number in range(4)])
    desk.step()
    desk.broker.report(AWAY, None)
    desk.step()
    desk.step(10)
    assert under_way(desk) == [["e-0!", "e-1!", "e-2!"]]
    desk.deliver()
    assert sorted(taken(desk)) == ["e-0!", "e-1!", "e-2!", "e-3"]


def test_a_refused_record_costs_the_one_event_that_the_broker_does_not_take(desk: Desk) -> None:
    desk.backlog.append([event(number) for number in range(3)])
    desk.step()
    desk.broker.report(TOO_LARGE)
    for _ in range(12):
        desk.step(10)
        if desk.broker.under_way:
            assert len(desk.broker.under_way) == 1, "suspects go alone"
            ((name,),) = under_way(desk)
            desk.broker.report(TOO_LARGE if name == "e-1!" else None)
    desk.step(10)
    assert sorted(taken(desk)) == ["e-0!", "e-2!"]
    assert (len(desk.refused), desk.backlog.waiting, desk.backlog.set_aside) == (1, 0, 1)


def test_columns_count_their_events_and_say_when_they_are_sent_again(desk: Desk) -> None:
    pa = pytest.importorskip("pyarrow")
    stream, _ = LineColumns().write(list(full_events(40, 1)))
    key = Spread(PRODUCER).place(b"1790000000", 4)[0]
    item = Item(stream, key, ARROW_CONTENT_TYPE, is_event=True, events=40)
    desk.backlog.append([item, event(1)])
    assert desk.backlog.waiting == 41
    desk.step()
    (columns, _), _line = desk.broker.under_way
    assert (columns.value, columns.events, columns.partition) == (
        stream,
        40,
        partition_of(key, b"", 4),
    )
    desk.restart()
    desk.step()
    assert (desk.backlog.taken_over, desk.backlog.waiting) == (41, 41)
    again, _ = desk.broker.under_way[0]
    assert again.partition == columns.partition
    assert again.headers == [("content-type", ARROW_CONTENT_TYPE.encode())]
    assert pa.ipc.open_stream(again.value).read_all().column("resent").to_pylist() == [True] * 40
    desk.broker.report()
    desk.step()
    assert desk.backlog.waiting == 0
