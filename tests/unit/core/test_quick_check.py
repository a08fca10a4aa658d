"""The quick check: never surer than the contract, and sure of what producers send."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inferometer.core import codec
from inferometer.core.events import MAX_DURATION_MS
from inferometer.core.fields import FIELDS
from inferometer.core.quick_check import checked
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
    for value in (*full_events(500, 1), *lean_events(500, 1), *map(orjson.dumps, fleet)):
        assert checked(value) is not None


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
