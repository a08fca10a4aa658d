"""Columns: the events that lines say, to the unit; tables of callers, cut, spread and counted."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pytest

from inferometer.core.admission import admit
from inferometer.core.door import DoorPolicy
from inferometer.core.records import ContentType, RecordColumns
from inferometer.names import ARROW_CONTENT_TYPE
from inferometer.sdk import DropReason, InvalidEventError
from inferometer.sdk.columns import LineColumns, marked_resent
from inferometer.sdk.stats import Drop
from inferometer.simulate.fixed_size import full_events
from tests.unit.sdk.recording import bench

START_US = 1_790_000_000_000_000


def us(value: dt.timedelta) -> int:
    return value // dt.timedelta(microseconds=1)


def table_of(lines: list[bytes]) -> pa.Table:
    stream, odd = LineColumns().write(lines)
    assert odd == []
    return pa.ipc.open_stream(stream).read_all()


def test_every_kind_of_field_survives() -> None:
    event = {
        "event_id": "e", "request_id": "r", "model": "m", "ts_end": START_US, "status_code": 200,
        "is_final": False, "team_ids": ["a", "b"], "metadata": {"k": "v"}, "e2e_ms": 1.5,
        "gpu_seconds": 0.25, "price_cost": "0.000000000001", "cost_input": 0.5,
        "itl": {"count": 3, "sum_ms": 2.5, "bins": [5, 1, 9, 2]},
    }  # fmt: skip
    (row,) = table_of([orjson.dumps(event)]).to_pylist()
    assert row["ts_end"] == dt.datetime(2026, 9, 21, 14, 13, 20, tzinfo=dt.UTC)
    assert (row["is_final"], row["team_ids"], row["metadata"]) == (False, ["a", "b"], [("k", "v")])
    assert (us(row["e2e_ms"]), us(row["gpu_seconds"])) == (1_500, 250_000)
    assert (row["price_cost"], row["cost_input"]) == (Decimal("1e-12"), Decimal("0.5"))
    itl = row["itl"]
    assert (itl["count"], us(itl["sum"]), itl["max"]) == (3, 2_500, None)
    assert itl["bins"] == [(5, 1), (9, 2)]
    assert set(row) == set(event)


@pytest.mark.parametrize(
    ("ms", "expected_us"), [(0.0005, 0), (0.0015, 2), (1.0005, 1000), (1.0015, 1002), (2.5, 2500)]
)
def test_durations_are_rounded_half_even_by_their_digits(ms: float, expected_us: int) -> None:
    event = {
        "event_id": "e", "request_id": "r", "model": "m", "ts_end": START_US, "status_code": 200,
        "e2e_ms": ms,
    }  # fmt: skip
    (row,) = table_of([orjson.dumps(event)]).to_pylist()
    assert us(row["e2e_ms"]) == expected_us


def test_a_column_once_used_stays_so_that_records_are_alike() -> None:
    writer = LineColumns()
    lines = list(full_events(3, 1, start_us=START_US))
    first, _ = writer.write(lines)
    bare = {"event_id": "e", "request_id": "r", "model": "m", "ts_end": 5, "status_code": 200}
    second, _ = writer.write([orjson.dumps(bare)])
    schemas = [pa.ipc.open_stream(stream).schema for stream in (first, second)]
    assert schemas[0] == schemas[1]
    (row,) = pa.ipc.open_stream(second).read_all().to_pylist()
    assert {name for name, value in row.items() if value is not None} == set(bare)


def test_a_table_is_cut_and_its_rows_are_counted() -> None:
    table = table_of(list(full_events(1_200, 1, start_us=START_US, rate=10_000)))
    desk = bench()
    assert desk.client.emit_table(table) == 1_200
    sent = desk.transport.sent
    assert [record.events for record in sent] == [500, 500, 200]
    assert {dict(record.headers)["content-type"] for record in sent} == {
        ARROW_CONTENT_TYPE.encode()
    }
    back = pa.concat_tables(
        [pa.ipc.open_stream(record.value).read_all() for record in sent]
    ).to_pylist()
    assert back == table.to_pylist()
    assert desk.client.stats().delivered == 1_200


def test_rows_of_one_partition_stay_together_and_in_order() -> None:
    table = table_of(list(full_events(200, 1, start_us=START_US, rate=10)))
    desk = bench()
    desk.client.emit_table(table)
    places: dict[bytes | None, int] = {}
    for record in desk.transport.sent:
        ends = pa.ipc.open_stream(record.value).read_all().column("ts_end").to_pylist()
        assert ends == sorted(ends)
        places[record.key] = len(ends)
    assert (sum(places.values()), len(places)) == (200, 4)


def test_a_row_and_its_line_go_to_one_partition() -> None:
    lines = list(full_events(1, 1, start_us=START_US))
    desk = bench(source="gw-1")
    desk.client.emit_table(table_of(lines))
    desk.client.flush(0)
    desk.client.emit_records(lines)
    first, second = desk.transport.sent
    assert first.key == second.key


def test_a_dictionary_has_only_what_its_record_uses() -> None:
    table = table_of(list(full_events(3_000, 1, start_us=START_US, rate=100_000)))
    desk = bench()
    desk.client.emit_table(table.unify_dictionaries().combine_chunks())
    for record in desk.transport.sent:
        column = pa.ipc.open_stream(record.value).read_all().column("user_id").chunk(0)
        assert len(column.dictionary) == len(set(column.to_pylist()))


def test_ids_and_defaults_are_added_and_types_that_fit_are_cast() -> None:
    desk = bench(region="eu")
    table = pa.table(
        {
            "request_id": ["r-1", "r-2"],
            "model": ["m", "m"],
            "ts_end": pa.array([START_US, START_US], pa.int64()),
            "status_code": pa.array([200, 200], pa.int16()),
        }
    )
    desk.client.emit_table(table)
    found = pa.ipc.open_stream(desk.transport.sent[0].value).read_all().to_pylist()
    assert [row["region"] for row in found] == ["eu", "eu"]
    assert len({row["event_id"] for row in found}) == 2


@pytest.mark.parametrize("kind", [pa.int64(), pa.uint32(), pa.float64(), pa.float32()])
def test_numbers_for_durations_count_in_the_unit_of_their_field(kind: pa.DataType) -> None:
    desk = bench()
    table = pa.table(
        {
            "request_id": ["r"],
            "model": ["m"],
            "ts_end": pa.array([START_US], pa.int64()),
            "status_code": pa.array([200], pa.int16()),
            "e2e_ms": pa.array([1_500], kind),
            "gpu_seconds": pa.array([2], kind),
        }
    )
    desk.client.emit_table(table)
    records = RecordColumns.from_values(
        [record.value for record in desk.transport.sent], content_types=[ContentType.ARROW]
    )
    policy = DoorPolicy(now_us=START_US, retention_us=1, future_tolerance_us=0)
    events = admit(records, policy).select(np.array([0]))
    assert events.numbers["e2e_ms"].tolist() == [1_500_000]
    assert events.numbers["gpu_seconds"].tolist() == [2_000_000]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"modle": ["m"]}, "modle"),
        ({"model": ["m"]}, "lacks required columns"),
        ({"team_ids": [5]}, "team_ids"),
    ],
)
def test_a_table_that_makes_no_events_is_refused(columns: dict[str, Any], message: str) -> None:
    desk = bench()
    with pytest.raises(InvalidEventError, match=message):
        desk.client.emit_table(pa.table(columns))
    assert desk.client.stats().emitted == 0


def test_rows_are_split_below_the_limit_and_one_beyond_it_is_told() -> None:
    drops: list[Drop] = []
    desk = bench(max_event_bytes=20_000, on_drop=drops.append)
    lines = [orjson.loads(line) for line in full_events(100, 1, start_us=START_US)]
    lines[50]["metadata"] = {str(n): "x" * 128 for n in range(32)}
    lines[51]["error_message"] = "y" * 2_000
    desk.client.emit_table(table_of([orjson.dumps(line) for line in lines]))
    assert all(len(record.value) <= 20_000 for record in desk.transport.sent)
    stats = desk.client.stats()
    assert stats.delivered + stats.dropped_too_large == stats.emitted == 100
    assert {drop.reason for drop in drops} <= {DropReason.TOO_LARGE}


def test_a_stream_can_be_marked_as_sent_again() -> None:
    stream, _ = LineColumns().write(list(full_events(10, 1, start_us=START_US)))
    marked = pa.ipc.open_stream(marked_resent(stream)).read_all()
    assert marked.column("resent").to_pylist() == [True] * 10
    assert marked.drop_columns(["resent"]) == pa.ipc.open_stream(stream).read_all()
    assert marked_resent(marked_resent(stream)) == marked_resent(stream)


def test_an_empty_table_is_nothing() -> None:
    desk = bench()
    assert desk.client.emit_table(pa.table({"model": pa.array([], pa.string())})) == 0
    assert desk.transport.sent == []
