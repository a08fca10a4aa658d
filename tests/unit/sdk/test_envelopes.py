"""Records of many events: where they end, what stays alone, and that every event is accounted for."""

from __future__ import annotations

import sys
from typing import Any

import orjson
import pyarrow as pa
import pytest

from inferometer.errors import ConfigError
from inferometer.names import ARROW_CONTENT_TYPE, NDJSON_CONTENT_TYPE
from inferometer.sdk import DropReason, EventTooLargeError
from inferometer.sdk.partitioning import partition_of
from inferometer.sdk.stats import Delivery, Drop
from inferometer.sdk.transport import Outgoing, Refusal
from tests.unit.sdk.recording import Bench, bench

END_US = 1_790_000_000_000_000
AWAY = Refusal("away", is_for_the_record=False)


def fields(number: int, second: int = 0) -> dict[str, Any]:
    return {
        "event_id": f"e-{number}",
        "request_id": f"r-{number}",
        "model": "m",
        "ts_end": END_US + second * 1_000_000 + number,
        "status_code": 200,
    }


def sizes(desk: Bench) -> list[int]:
    return [record.events for record in desk.transport.sent]


def ids(desk: Bench) -> list[str]:
    return [event["event_id"] for event in desk.transport.events()]


def test_events_share_a_record_of_lines_in_their_order() -> None:
    desk = bench()
    for number in range(3):
        desk.client.emit(fields(number))
    (record,) = desk.transport.sent
    assert record.headers == [("content-type", NDJSON_CONTENT_TYPE.encode())]
    assert [orjson.loads(line) for line in record.value.split(b"\n")] == [
        fields(number) for number in range(3)
    ]
    assert desk.client.stats().delivered == 3


def test_a_record_ends_at_the_number_of_events() -> None:
    desk = bench(batch_max_events=4)
    for number in range(10):
        desk.client.emit(fields(number))
    assert sizes(desk) == [4, 4, 2]
    assert ids(desk) == [f"e-{number}" for number in range(10)]


def test_a_record_ends_before_the_number_of_bytes() -> None:
    line = len(orjson.dumps(fields(0))) + 1
    desk = bench(batch_max_bytes=3 * line)
    for number in range(7):
        desk.client.emit(fields(number))
    assert sizes(desk) == [3, 3, 1]


def test_a_record_never_exceeds_what_one_event_may() -> None:
    line = len(orjson.dumps(fields(0))) + 1
    desk = bench(max_event_bytes=2 * line)
    for number in range(5):
        desk.client.emit(fields(number))
    assert all(len(record.value) <= 2 * line for record in desk.transport.sent)
    assert ids(desk) == [f"e-{number}" for number in range(5)]


def test_an_event_larger_than_a_batch_goes_alone() -> None:
    desk = bench(batch_max_bytes=400)
    large = {**fields(1), "error_message": "x" * 1_000}
    for each in (fields(0), large, fields(2)):
        desk.client.emit(each)
    assert sizes(desk) == [1, 1, 1]
    assert ids(desk) == ["e-0", "e-1", "e-2"]


def test_an_event_beyond_the_limit_is_refused_and_its_neighbours_go() -> None:
    desk = bench(max_event_bytes=300)
    desk.client.emit(fields(0))
    with pytest.raises(EventTooLargeError, match="exceed the limit of 300"):
        desk.client.emit({**fields(1), "error_message": "x" * 300})
    desk.client.emit(fields(2))
    assert ids(desk) == ["e-0", "e-2"]
    assert desk.client.stats().dropped_too_large == 1


def test_events_of_one_partition_share_a_record_and_keep_their_order() -> None:
    desk = bench()
    for number in range(100):
        desk.client.emit(fields(number, second=number))
    found = desk.transport.sent
    assert sorted(record.partition for record in found) == [0, 1, 2, 3]
    for record in found:
        numbers = [int(orjson.loads(line)["event_id"][2:]) for line in record.value.split(b"\n")]
        assert numbers == sorted(numbers)
        assert record.partition == partition_of(record.key, b"", 4)


def test_while_partitions_are_unknown_the_key_of_the_second_decides() -> None:
    desk = bench(source="gw-1")
    desk.transport.topic_partitions = 0
    for second in (0, 1):
        desk.client.emit(fields(1, second))
        desk.client.emit(fields(2, second))
    found = desk.transport.sent
    assert [(record.events, record.partition) for record in found] == [(2, -1), (2, -1)]
    desk.transport.topic_partitions = 4
    desk.client.emit(fields(3))
    assert desk.transport.sent[-1].key == found[0].key
    assert desk.transport.sent[-1].partition == partition_of(found[0].key, b"", 4)


def test_however_an_event_is_given_it_goes_to_one_partition() -> None:
    desk = bench(source="gw-1")
    event = fields(1, second=7)
    desk.client.emit(event)
    desk.client.flush(0)
    desk.client.emit_record(orjson.dumps(event), key=b"another")
    desk.client.flush(0)
    desk.client.emit_records([orjson.dumps(event)])
    desk.client.flush(0)
    desk.client.emit(desk.client.event(event))
    desk.client.flush(0)
    assert len({record.partition for record in desk.transport.sent}) == 1
    assert len(desk.transport.sent) == 4


def test_ready_events_are_neither_judged_nor_described_where_each_has_a_record() -> None:
    drops: list[Drop] = []
    desk = bench(envelope="json", on_drop=drops.append)
    values = [orjson.dumps(fields(1)), b'{"model":"m"}']
    desk.client.emit_records(values)
    desk.client.emit_record(values[0])
    assert [record.value for record in desk.transport.sent] == [*values, values[0]]
    assert [record.headers for record in desk.transport.sent] == [
        [("content-type", b"application/json")]
    ] * 3
    assert drops == []


def test_what_is_no_event_on_one_line_stays_alone_as_it_is() -> None:
    desk = bench()
    desk.client.emit(fields(1))
    for value in (b'{"a":\n1}', b"[1]", b"", b'{"cut'):
        desk.client.emit_record(value, key=b"k")
    desk.client.emit_record(b"{}", key=b"k", content_type="text/plain")
    desk.client.emit(fields(2))
    alone = [record for record in desk.transport.sent if record.key == b"k"]
    assert [record.value for record in alone] == [b'{"a":\n1}', b"[1]", b"", b'{"cut', b"{}"]
    assert [record.events for record in desk.transport.sent if record.key != b"k"] == [2]


def test_an_event_that_breaks_the_contract_is_told_and_sent_among_the_others() -> None:
    drops: list[Drop] = []
    desk = bench(on_drop=drops.append)
    desk.client.emit(fields(1))
    desk.client.emit({**fields(2), "e2e_ms": -1.0})
    assert ids(desk) == ["e-1", "e-2"]
    assert [(drop.reason, drop.key) for drop in drops] == [(DropReason.INVALID, b"r-2")]
    stats = desk.client.stats()
    assert (stats.invalid, stats.emitted, stats.delivered) == (1, 2, 2)


def test_without_room_for_a_record_each_of_its_events_is_dropped_and_told() -> None:
    drops: list[Drop] = []
    desk = bench(on_drop=drops.append)
    desk.transport.room = 0
    for number in range(3):
        desk.client.emit(fields(number))
    desk.client.flush(0)
    stats = desk.client.stats()
    assert (stats.emitted, stats.dropped_buffer_full, stats.in_flight) == (3, 3, 0)
    assert [(drop.reason, drop.key) for drop in drops] == [
        (DropReason.BUFFER_FULL, f"r-{number}".encode()) for number in range(3)
    ]


def test_a_record_that_failed_is_told_event_by_event() -> None:
    drops: list[Drop] = []
    desk = bench(on_drop=drops.append)
    desk.transport.holds = True
    for number in range(3):
        desk.client.emit(fields(number))
    assert desk.transport.in_flight() == 1
    assert (desk.client.stats().in_flight, desk.client.stats().delivered) == (3, 0)
    desk.transport.report(AWAY)
    stats = desk.client.stats()
    assert (stats.failed, stats.in_flight, stats.delivered) == (3, 0, 0)
    assert [drop.key for drop in drops] == [b"r-0", b"r-1", b"r-2"]


def test_what_waits_for_the_broker_counts_in_events_and_bytes() -> None:
    line = len(orjson.dumps(fields(0)))
    for settings in ({"buffer_events": 5}, {"buffer_bytes": 5 * line, "buffer_events": 99}):
        if "buffer_bytes" in settings:
            settings["buffer_bytes"] = 1024
        desk = bench(**settings)
        desk.transport.holds = True
        room = settings.get("buffer_bytes", 5 * line) // line
        for number in range(room + 3):
            desk.client.emit(fields(number % 10))
            assert desk.transport is not None
        stats = desk.client.stats()
        assert (stats.in_flight, stats.dropped_buffer_full) == (room, 3)
        desk.transport.report()
        assert desk.client.stats().delivered == room


def test_many_ready_events_are_taken_by_one_call_as_far_as_there_is_room() -> None:
    drops: list[Drop] = []
    desk = bench(on_drop=drops.append, buffer_events=4, max_event_bytes=1_000)
    values = [orjson.dumps(fields(number)) for number in range(5)]
    assert desk.client.emit_records([values[0], b"x" * 1_001, *values[1:]]) == 4
    assert ids(desk) == ["e-0", "e-1", "e-2", "e-3"]
    stats = desk.client.stats()
    assert (stats.emitted, stats.delivered) == (6, 4)
    assert (stats.dropped_too_large, stats.dropped_buffer_full) == (1, 1)
    assert [(drop.reason, drop.key) for drop in drops] == [
        (DropReason.TOO_LARGE, None),
        (DropReason.BUFFER_FULL, b"r-4"),
    ]


def test_a_delivery_says_how_many_events_it_carries() -> None:
    assert Delivery("t", 0, 0, 10).events == 1


def test_one_event_a_record_remains_a_choice() -> None:
    desk = bench(envelope="json")
    desk.client.emit(fields(1))
    desk.client.emit(fields(2))
    assert [record.key for record in desk.transport.sent] == [b"r-1", b"r-2"]
    assert {name for name, _ in desk.transport.sent[0].headers} > {"ce_id", "ce_time"}


@pytest.mark.parametrize(
    "settings",
    [
        {"envelope": "xml"},
        {"batch_max_events": 0},
        {"batch_max_events": 1_000_000},
        {"batch_max_bytes": 0},
    ],
)
def test_senseless_envelopes_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        bench(**settings)


def test_the_envelope_may_come_from_the_environment() -> None:
    assert bench(environ={"INFEROMETER_ENVELOPE": "json"}).client.settings.envelope == "json"


def rows(record: Outgoing) -> list[dict[str, Any]]:
    assert record.headers == [("content-type", ARROW_CONTENT_TYPE.encode())]
    found: list[dict[str, Any]] = pa.ipc.open_stream(record.value).read_all().to_pylist()
    return found


def test_events_become_columns_and_what_is_unsure_stays_a_line() -> None:
    desk = bench(envelope="arrow")
    for number in range(50):
        desk.client.emit(fields(number))
    desk.client.emit({**fields(50), "price_cost": "0.0000000000000001"})
    desk.client.emit({**fields(51), "e2e_ms": -1.0})
    columns, *others = desk.transport.sent
    assert [row["request_id"] for row in rows(columns)] == [f"r-{number}" for number in range(50)]
    assert columns.events == 50
    assert sum(record.events for record in others) == 2
    assert (desk.client.stats().delivered, desk.client.stats().invalid) == (52, 1)


def test_few_events_stay_lines_where_columns_would_cost_more() -> None:
    desk = bench(envelope="arrow")
    desk.client.emit(fields(1))
    assert ids(desk) == ["e-1"]


def test_columns_are_compressed_by_zstd_unless_told_otherwise() -> None:
    assert bench(envelope="arrow").client.settings.compression == "zstd"
    assert bench(envelope="arrow", compression="lz4").client.settings.compression == "lz4"
    assert bench().client.settings.compression == "lz4"


def test_without_pyarrow_columns_are_refused_with_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delitem(sys.modules, "inferometer.sdk.columns", raising=False)
    monkeypatch.delattr("inferometer.sdk.columns", raising=False)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ConfigError, match=r"pip install 'inferometer\[sdk-arrow\]'"):
        bench(envelope="arrow")
    desk = bench()
    with pytest.raises(ConfigError, match="sdk-arrow"):
        desk.client.emit_table(None)
