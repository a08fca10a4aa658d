"""The wire format: what goes out comes back, and any bytes give an event or a reason."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inferometer.core import codec
from inferometer.core.events import InferenceRequest
from inferometer.core.reasons import Reason
from inferometer.core.signals import InferenceSignal
from inferometer.errors import DecodeError

MINIMAL: dict[str, Any] = {
    "event_id": "e-1",
    "request_id": "r-1",
    "ts_end": 1_790_000_000_000_000,
    "model": "m",
    "status_code": 200,
}

words = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
counts = st.integers(0, 2**32 - 1)
durations = st.floats(0, 1e8, allow_nan=False)


@st.composite
def sketches(draw: st.DrawFn) -> dict[str, Any]:
    bins = draw(st.dictionaries(st.integers(-1, 4400), st.integers(1, 1000), max_size=8))
    gaps: dict[str, Any] = {
        "count": sum(bins.values()) if bins else draw(counts),
        "sum_ms": draw(durations),
        "bins": [number for entry in sorted(bins.items()) for number in entry],
    }
    return gaps | draw(st.fixed_dictionaries({}, optional={"max_ms": durations}))


events = st.fixed_dictionaries(
    {
        "event_id": words.filter(bool),
        "request_id": words.filter(bool),
        "ts_end": st.integers(0, 4_000_000_000_000_000),
        "model": words.filter(bool),
        "status_code": st.integers(0, 999),
    },
    optional={
        "ts": st.integers(0, 4_000_000_000_000_000),
        "source": words,
        "is_final": st.booleans(),
        "stream": st.booleans(),
        "billed_success": st.booleans(),
        "priority": st.integers(-1_000_000, 1_000_000),
        "team_ids": st.lists(words, max_size=4),
        "metadata": st.dictionaries(words, words, max_size=4),
        "input_tokens": counts,
        "cache_read_tokens": counts,
        "audio_in_seconds": st.floats(0, 1e6),
        "ttft_ms": durations,
        "e2e_ms": durations,
        "itl": sketches(),
        "price_cost": st.decimals(0, 100_000, allow_nan=False, places=12),
        "cost_input": st.decimals(0, 1, allow_nan=False),
        "egress_bytes": st.integers(0, 2**46),
        "model_type": st.sampled_from(["text", "image", "audio"]),
    },
).map(InferenceRequest.model_validate)


@settings(deadline=None)
@given(events)
def test_an_event_comes_back_as_it_was(event: InferenceRequest) -> None:
    assert codec.decode(codec.encode(event)) == event


@settings(deadline=None)
@given(st.binary(max_size=60) | st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5),
    lambda inner: st.dictionaries(st.sampled_from([*MINIMAL, "itl", "metadata"]), inner),
).map(orjson.dumps))  # fmt: skip
def test_any_bytes_give_an_event_or_a_reason(value: bytes) -> None:
    reason = None
    try:
        codec.decode(value)
    except DecodeError as error:
        reason = error.reason
    assert reason is None or reason in set(Reason)


def test_defaults_stay_off_the_wire() -> None:
    event = InferenceRequest(**MINIMAL, source="", is_final=True, cache_read_tokens=0)
    assert orjson.loads(codec.encode(event)) == MINIMAL


def test_a_false_flag_whose_absence_means_something_else_stays_on_the_wire() -> None:
    event = InferenceRequest(**MINIMAL, billed_success=False, is_final=False, input_tokens=0)
    wire = orjson.loads(codec.encode(event))
    assert (wire["billed_success"], wire["is_final"], wire["input_tokens"]) == (False, False, 0)


def test_an_instant_given_as_text_travels_as_microseconds() -> None:
    event = InferenceRequest.model_validate({**MINIMAL, "ts_end": "2026-09-21T13:33:20.000001Z"})
    assert orjson.loads(codec.encode(event))["ts_end"] == 1_789_997_600_000_001


@pytest.mark.parametrize(
    ("money", "text"),
    [("0.000000019", "0.000000019"), ("1E-9", "0.000000001"), ("12.50", "12.50"), ("1E+2", "100")],
)
def test_money_travels_as_decimal_text_without_an_exponent(money: str, text: str) -> None:
    event = InferenceRequest(**MINIMAL, price_cost=Decimal(money))
    assert orjson.loads(codec.encode(event))["price_cost"] == text


def test_all_attempts_of_a_request_share_a_key() -> None:
    first = InferenceRequest(**MINIMAL)
    second = InferenceRequest(**{**MINIMAL, "event_id": "e-2", "attempt_no": 2})
    assert codec.key(first) == codec.key(second) == b"r-1"


def test_headers_carry_the_cloudevents_attributes() -> None:
    event = InferenceRequest(**MINIMAL, source="node 7/pöd", user_id="u-1", workspace_id="w-1")
    assert dict(codec.headers(event)) == {
        "content-type": b"application/json",
        "ce_specversion": b"1.0",
        "ce_id": b"e-1",
        "ce_source": b"node%207/p%C3%B6d",
        "ce_type": b"inference.request.v1",
        "ce_time": b"2026-09-21T14:13:20.000000Z",
        "ce_subject": b"u-1",
    }


def test_a_source_is_always_there_and_a_subject_only_where_somebody_is_known() -> None:
    headers = dict(codec.headers(InferenceRequest(**MINIMAL)))
    assert headers["ce_source"] == b"inferometer"
    assert "ce_subject" not in headers


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"", Reason.EMPTY_RECORD),
        (b'{"event_id":', Reason.INVALID_JSON),
        (b'{"ttft_ms": NaN}', Reason.NOT_FINITE),
        (b"[]", Reason.NOT_AN_OBJECT),
        (b"{}", Reason.MISSING_FIELD),
        (orjson.dumps({**MINIMAL, "status_code": "200"}), Reason.WRONG_TYPE),
        (orjson.dumps({**MINIMAL, "e2e_ms": -1}), Reason.OUT_OF_RANGE),
        (orjson.dumps({**MINIMAL, "model_type": "smell"}), Reason.UNKNOWN_VALUE),
        (orjson.dumps({**MINIMAL, "model_type": 7}), Reason.WRONG_TYPE),
        (orjson.dumps({**MINIMAL, "metadata": {"k": "v" * 129}}), Reason.INVALID_METADATA),
        (orjson.dumps({**MINIMAL, "ts_end": "2026-01-01T00:00:00"}), Reason.WRONG_TYPE),
    ],
)
def test_a_refusal_names_its_reason(value: bytes, reason: Reason) -> None:
    with pytest.raises(DecodeError) as refused:
        codec.decode(value)
    assert refused.value.reason == reason


def test_a_signal_comes_back_as_it_was() -> None:
    signal = InferenceSignal(
        event_id="s-1", request_id="r-1", ts=5, deadline="ttft", deadline_ms=250.0, model="m",
        region="eu", stream=True,
    )  # fmt: skip
    assert codec.decode_signal(codec.encode_signal(signal)) == signal
    assert dict(codec.signal_headers(signal))["ce_type"] == b"inference.signal.v1"
    assert codec.key(signal) == b"r-1"
