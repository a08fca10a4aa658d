from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferometer.core.redrive import (
    NO_CHANGES,
    Changes,
    LetterFilter,
    LetterPlace,
    ResentEvent,
    Unmendable,
    derived_id,
    resent_event,
    value_text,
)

PLACE = LetterPlace("inference.requests", 3, "stream", 1042, 0)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


def resent(value: bytes, changes: Changes = NO_CHANGES) -> ResentEvent:
    found = resent_event(value, PLACE, changes)
    assert isinstance(found, ResentEvent)
    return found


@given(st.dictionaries(st.text(max_size=8), JSON, max_size=6))
def test_every_other_field_stays_as_it_was(fields: dict[str, Any]) -> None:
    event = {**fields, "event_id": "e-1"}
    found = json.loads(resent(json.dumps(event).encode()).value)
    assert found == {**event, "resent": True}


def test_numbers_keep_every_digit_and_texts_their_escapes() -> None:
    raw = rb'{ "event_id":"a", "price_cost" : 0.100000000000000000001, "x":"\u00e9\n", "y":1e400 }'
    value = resent(raw).value
    assert rb'"price_cost":0.100000000000000000001,"x":"\u00e9\n","y":1e400' in value


def test_a_byte_order_mark_is_taken_off() -> None:
    plain, marked = (resent_event(raw, PLACE, NO_CHANGES) for raw in (b"{}", b"\xef\xbb\xbf{}"))
    assert marked == plain


def test_an_event_keeps_its_id() -> None:
    assert resent(b'{"event_id":"mine"}').event_id == "mine"


@pytest.mark.parametrize(
    "raw", [b"{}", b'{"event_id":null}', b'{"event_id":""}'], ids=["absent", "null", "empty"]
)
def test_an_event_without_an_id_gets_always_the_same(raw: bytes) -> None:
    first, second = resent(raw), resent(raw)
    assert first == second
    assert json.loads(first.value)["event_id"] == first.event_id == derived_id(PLACE)


def test_ids_of_different_letters_differ() -> None:
    places = [LetterPlace("t", p, s, o, i) for p in (0, 1) for s in "ab" for o in (1, 2)
              for i in (0, 1)]  # fmt: skip
    assert len(set(map(derived_id, places))) == len(places)


def test_the_last_of_a_repeated_name_wins_as_for_every_reader() -> None:
    value = resent(b'{"event_id":"a","model":"x","resent":false,"model":"y"}').value
    assert json.loads(value) == {"event_id": "a", "model": "y", "resent": True}
    assert value.count(b"model") == 1


def test_fields_are_set_and_left_out() -> None:
    changes = Changes({"status_code": "200", "model": '"m"'}, frozenset({"bad"}))
    value = resent(b'{"event_id":"a","bad":1,"status_code":"200"}', changes).value
    assert json.loads(value) == {
        "event_id": "a", "status_code": 200, "model": "m", "resent": True,
    }  # fmt: skip


def test_what_was_changed_is_recorded_as_json() -> None:
    changes = Changes({"status_code": "200"}, frozenset({"b", "a"}))
    assert json.loads(changes.as_json()) == {"set": {"status_code": 200}, "unset": ["a", "b"]}
    assert NO_CHANGES.as_json() == ""


@pytest.mark.parametrize(
    ("given", "text"),
    [("200", "200"), ("true", "true"), ("gpt-4o", '"gpt-4o"'), ('"x"', '"x"'), ("", '""')],
)
def test_a_value_is_json_or_else_a_text(given: str, text: str) -> None:
    assert value_text(given) == text


@pytest.mark.parametrize(
    "raw",
    [b"", b"{", b"[]", b"7", b"\xff\xfe", b'{"a":1} x', b'{"a" 1}', b'{"a":}', b'{"a":1,}', b"{a:1}",
     b"[" * 100_000],
)  # fmt: skip
def test_what_is_no_json_object_is_named_and_never_raises(raw: bytes) -> None:
    assert isinstance(resent_event(raw, PLACE, NO_CHANGES), Unmendable)


@given(st.binary(max_size=60))
def test_any_bytes_have_an_outcome(raw: bytes) -> None:
    found = resent_event(raw, PLACE, NO_CHANGES)
    if isinstance(found, ResentEvent):
        assert json.loads(found.value)["resent"] is True


def test_a_filter_is_narrow_once_anything_is_given() -> None:
    assert not LetterFilter("t").is_narrow
    assert LetterFilter("t", from_us=0).is_narrow
    assert LetterFilter("t", reasons=("x",)).is_narrow
