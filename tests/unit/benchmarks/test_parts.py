"""What `make bench` runs is there, and its inputs hold what they promise."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson
import pyarrow as pa
import pytest

from inferometer.sdk.settings import ClientSettings
from tests.benchmarks.envelopes import EVENTS_A_RECORD, in_envelopes
from tests.benchmarks.feeder import value_stream
from tests.benchmarks.parts import PARTS, find_part

if TYPE_CHECKING:
    from tests.benchmarks.contestants import Content, Shape

EVENTS = 1200


@pytest.mark.parametrize("name", PARTS)
def test_each_part_is_there(name: str) -> None:
    assert find_part(name).what


@pytest.mark.parametrize("shape", ["lean", "full"])
def test_lines_hold_every_event(shape: Shape) -> None:
    values = list(value_stream(shape, EVENTS, seed=3))
    records = list(in_envelopes(values, "ndjson"))
    assert [line for record in records for line in record.value.split(b"\n")] == values


@pytest.mark.parametrize("shape", ["lean", "full"])
def test_columns_hold_every_event(shape: Shape) -> None:
    values = list(value_stream(shape, EVENTS, seed=3))
    found = [
        name
        for record in in_envelopes(values, "arrow")
        for name in pa.ipc.open_stream(record.value).read_all()["event_id"].to_pylist()
    ]
    assert found == [orjson.loads(value)["event_id"] for value in values]


@pytest.mark.parametrize("content", ["ndjson", "arrow"])
def test_envelopes_are_as_large_as_those_of_the_sdk(content: Content) -> None:
    values = list(value_stream("full", EVENTS, seed=3))
    assert ClientSettings(bootstrap_servers="h:1").batch_max_events == EVENTS_A_RECORD
    assert len(list(in_envelopes(values, content))) == -(-EVENTS // EVENTS_A_RECORD)


def test_every_field_varies() -> None:
    events = [orjson.loads(value) for value in value_stream("lean", EVENTS, seed=3)]
    for name in ("ts_end", "model", "user_id", "status_code", "input_tokens", "ttft_ms", "e2e_ms"):
        assert len({event[name] for event in events}) > 1, name
