"""What is remembered survives, and what cannot be read says so."""

from __future__ import annotations

import re

import orjson
import pytest

from inferometer.core.alerts.alert_state import AlertState
from inferometer.core.alerts.history import decode_transition, encode_transition
from inferometer.errors import StateError
from tests.unit.core.alerts.ticking import T, definition, reading, run_of

CHAT = definition(group_by=("model",))


def _state() -> AlertState:
    run = run_of(CHAT)
    run.say(CHAT.subject(("m",)), [reading(T), reading(T, rule="slow", for_s=60)], 60)
    return run.alerts.state


def test_a_snapshot_restores_an_equal_state() -> None:
    raw = _state().to_snapshot()
    assert AlertState.from_snapshot(raw).to_snapshot() == raw


def test_nothing_to_remember_is_a_snapshot_too() -> None:
    restored = AlertState.from_snapshot(AlertState().to_snapshot())
    assert restored.last_tick_s is None
    assert restored.subjects == {}


def test_a_snapshot_of_a_newer_release_is_refused() -> None:
    found = orjson.loads(_state().to_snapshot())
    with pytest.raises(StateError, match=re.escape("version 99")):
        AlertState.from_snapshot(orjson.dumps({**found, "v": 99}))


def test_fields_that_a_newer_release_added_are_left_aside() -> None:
    found = orjson.loads(_state().to_snapshot())
    found["incidents"][0]["mood"] = "bad"
    found["groups"][0]["mood"] = "bad"
    found["subjects"][0]["rules"][0]["mood"] = "bad"
    assert AlertState.from_snapshot(orjson.dumps(found)).to_snapshot() == _state().to_snapshot()


@pytest.mark.parametrize("raw", [b"", b"[]", b"{}", b'{"v":"x"}', b'{"v":1,"incidents":[{}]}'])
def test_a_snapshot_that_cannot_be_read_names_the_remedy(raw: bytes) -> None:
    with pytest.raises(StateError, match="delete its key"):
        AlertState.from_snapshot(raw)


@pytest.mark.parametrize("raw", [b"", b"[]", b"{}", b'{"v":1,"kind":"dance"}'])
def test_a_row_that_cannot_be_read_is_skipped(raw: bytes) -> None:
    with pytest.raises(StateError, match="skip this record"):
        decode_transition(raw)


def test_a_row_of_a_newer_release_is_refused() -> None:
    run = run_of(CHAT)
    run.say(CHAT.subject(("m",)), [reading(T)])
    found = orjson.loads(encode_transition(run.records[0]))
    with pytest.raises(StateError, match="version 99"):
        decode_transition(orjson.dumps({**found, "v": 99}))
