"""The quick check: never surer than the contract, and sure of what producers send."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inferometer.core import codec
from inferometer.core.events import MAX_DURATION_MS
from inferometer.core.fields import FIELDS
from inferometer.core.quick_check import EventWriter, checked
from inferometer.simulate.fixed_size import full_events, lean_events
from inferometer.simulate.fleet import Fleet

REQUIRED: dict[str, Any] = {
    "event_id": "e",
    "request_id": "r",
    "model": "m",
    "ts_end": 5,
    "status_code": 200,
}
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-2, 2**33)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from([1.0, 200.0, MAX_DURATION_MS, MAX_DURATION_MS + 1, "", "2xx", "text", "1.5"])
    | st.text(max_size=3)
    | st.sampled_from(["x" * 128, "x" * 129, "é" * 128, "😀" * 128, "x" * 256, "x" * 257])
)
BINS = st.lists(st.integers(-2, 4402), max_size=6)
VALUES = (
    SCALARS
    | st.lists(SCALARS, max_size=3)
    | st.dictionaries(st.text(max_size=2), SCALARS, max_size=3)
    | st.fixed_dictionaries(
        {"count": st.integers(0, 9), "sum_ms": SCALARS}, optional={"max_ms": SCALARS, "bins": BINS}
    )
)
NAMES = st.sampled_from([field.name for field in FIELDS] + ["unknown"])


@given(st.dictionaries(NAMES, VALUES, max_size=4))
@settings(max_examples=1_500, deadline=None)
def test_what_it_vouches_for_the_contract_accepts(fields: dict[str, Any]) -> None:
    value = orjson.dumps({**REQUIRED, **fields})
    if checked(value) is not None:
        codec.decode(value)


OBJECTS = st.sampled_from(
    [
        float("nan"), float("inf"), Decimal("0.123456789012"), Decimal("NaN"), UUID(int=1),
        datetime(2026, 1, 1, tzinfo=UTC), timedelta(seconds=1), b"bytes", ("a", "b"), {"a"}, 2**70,
        "\ud800", object(), {"count": 1, "sum_ms": float("nan")}, {"a": float("nan")},
    ]
)  # fmt: skip


@given(
    st.dictionaries(NAMES, VALUES | OBJECTS, max_size=4),
    st.dictionaries(NAMES.filter(lambda name: name != "unknown"), VALUES | OBJECTS, max_size=2),
)
@settings(max_examples=1_500, deadline=None)
def test_what_it_writes_is_the_event_that_the_contract_makes_of_the_fields(
    fields: dict[str, Any], defaults: dict[str, Any]
) -> None:
    try:
        writer = EventWriter(defaults)
    except ValueError:
        return
    given_fields = {**REQUIRED, **fields}
    written = writer.write(given_fields, lambda: "new")
    if written is not None:
        present = {
            name: value
            for fields in ({"event_id": "new"}, defaults, given_fields)
            for name, value in fields.items()
            if value is not None
        }
        assert codec.decode(written) == codec.event_of(present)
        assert b"null" not in written


def test_a_default_of_none_stands_for_no_required_field() -> None:
    fields = {**REQUIRED, "request_id": None}
    assert EventWriter({"request_id": None}).write(fields, str) is None
    assert EventWriter({"request_id": "r"}).write(fields, str) is not None


@given(st.dictionaries(st.sampled_from(["e2e_ms", "region"]), VALUES | OBJECTS, min_size=1))
@settings(deadline=None)
def test_defaults_that_it_takes_are_those_of_an_event(defaults: dict[str, Any]) -> None:
    try:
        EventWriter(defaults)
    except ValueError:
        return
    given_defaults = {name: value for name, value in defaults.items() if value is not None}
    codec.event_of({**REQUIRED, **given_defaults})


@given(st.binary(max_size=40))
def test_any_bytes_are_judged(value: bytes) -> None:
    if checked(value) is not None:
        codec.decode(value)


@pytest.mark.parametrize("broken", [b"\xff", b"\xed\xa0\x80", b"\xc3"])
def test_text_that_is_no_utf8_is_left_to_the_contract(broken: bytes) -> None:
    value = orjson.dumps({**REQUIRED, "model": "?"}).replace(b"?", broken)
    assert checked(value) is None
    assert checked(b'{"' + broken + b'":1}') is None


def test_it_is_sure_of_what_producers_send() -> None:
    fleet = Fleet(seed=1, start_us=1_790_000_000_000_000, rate=100).take(500)
    writer = EventWriter({"source": "gw-1"})
    for value in (*full_events(500, 1), *lean_events(500, 1), *map(orjson.dumps, fleet)):
        assert checked(value) is not None
        written = writer.write(orjson.loads(value), str)
        assert written is not None
        assert checked(written) is not None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("e2e_ms", -1.0),
        ("e2e_ms", MAX_DURATION_MS * 2),
        ("model", ""),
        ("status_code", "200"),
        ("stream", 1),
        ("hosting", "cloud"),
        ("team_ids", ["x" * 129]),
        ("itl", {"count": 2, "sum_ms": 1.0, "bins": [5, 1]}),
        ("itl", {"count": 2, "sum_ms": 1.0, "bins": [6, 1, 5, 1]}),
        ("itl", {"count": 1, "sum_ms": 1.0, "bins": [4401, 1]}),
        ("itl", {"count": 0, "sum_ms": 1.0, "bins": [5, 0]}),
        ("itl", {"count": 1, "sum_ms": 1.0, "bins": [5]}),
    ],
)
def test_it_vouches_for_nothing_that_breaks_the_contract(name: str, value: object) -> None:
    assert checked(orjson.dumps({**REQUIRED, name: value})) is None
    assert EventWriter({}).write({**REQUIRED, name: value}, str) is None
