"""Cursors: opaque, of one question, and never trusted."""

from __future__ import annotations

import base64
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferometer.core.query.cursors import (
    _digest,
    decode_mark,
    decode_place,
    encode_mark,
    encode_place,
)
from inferometer.core.query.questions import (
    Filter,
    LogPlace,
    LogQuery,
    Match,
    QueryRefusedError,
    TimeRange,
)

NOW = datetime(2026, 11, 21, tzinfo=UTC)
FILTERS = (Filter("model", Match.IS, ("a",)), Filter("user_id", Match.IS, ("u",)))
QUESTION = LogQuery(
    workspace_id="w", time_range=TimeRange(NOW - timedelta(days=1), NOW), filters=FILTERS
)
PLACE = (1_767_600_000_000_001, "event-1")
MAX_ID_CHARS = 256
"""Of the contract of events."""


def test_a_cursor_goes_on_after_its_row() -> None:
    assert decode_place(QUESTION, encode_place(QUESTION, PLACE)) == LogPlace(*PLACE)


def test_a_later_page_may_have_moved_with_the_clock_and_may_be_longer() -> None:
    moved = TimeRange(NOW - timedelta(hours=23), NOW + timedelta(hours=1))
    later = replace(QUESTION, time_range=moved, limit=7, filters=FILTERS[::-1])
    assert decode_place(later, encode_place(QUESTION, PLACE)) == LogPlace(*PLACE)


@pytest.mark.parametrize(
    "other",
    [
        replace(QUESTION, workspace_id="v"),
        replace(QUESTION, workspace_id=None),
        replace(QUESTION, filters=FILTERS[:1]),
        replace(QUESTION, request_id="r"),
        replace(QUESTION, is_final_only=True),
    ],
    ids=["workspace", "all workspaces", "filters", "request", "final only"],
)
def test_a_cursor_of_another_question_is_refused(other: LogQuery) -> None:
    with pytest.raises(QueryRefusedError, match="begin again without cursor") as caught:
        decode_place(other, encode_place(QUESTION, PLACE))
    assert caught.value.problems[0].parameter == "cursor"


@pytest.mark.parametrize("character", ["x", "\U0001f600", "\u4f60", "\x01", '"'])
def test_a_cursor_of_the_longest_id_is_taken_back(character: str) -> None:
    place = (PLACE[0], character * MAX_ID_CHARS)
    assert decode_place(QUESTION, encode_place(QUESTION, place)) == LogPlace(*place)


@given(st.binary(max_size=60))
def test_any_bytes_are_refused(raw: bytes) -> None:
    with pytest.raises(QueryRefusedError):
        decode_mark("dead letters", base64.urlsafe_b64encode(raw).decode())


@given(st.text(max_size=60))
def test_any_text_is_refused(text: str) -> None:
    with pytest.raises(QueryRefusedError):
        decode_mark("dead letters", text)


@given(place=st.tuples(st.integers(0, 2**62), st.text(max_size=50)), at=st.integers(0, 10**6))
def test_a_changed_character_is_noticed(place: tuple[int, str], at: int) -> None:
    cursor = encode_mark("dead letters", place)
    assert decode_mark("dead letters", cursor) == place
    at %= len(cursor)
    changed = cursor[:at] + ("A" if cursor[at] != "A" else "B") + cursor[at + 1 :]
    try:
        assert decode_mark("dead letters", changed) == place
    except QueryRefusedError:
        return
    # The last character of base64 may have bits that mean nothing.
    assert at == len(cursor) - 1


def test_a_cursor_of_another_version_is_refused() -> None:
    body = b'[2,1,"e"]'
    cursor = base64.urlsafe_b64encode(_digest("log", body) + body).decode().rstrip("=")
    with pytest.raises(QueryRefusedError, match="another version"):
        decode_mark("log", cursor)


def test_a_cursor_is_safe_in_a_url_and_an_endless_one_is_refused() -> None:
    cursor = encode_place(QUESTION, (1, "ä/+?&=#" * 10))
    assert cursor.isascii()
    assert not set(cursor) & set("/+?&=#")
    with pytest.raises(QueryRefusedError, match="too long"):
        decode_mark("dead letters", "A" * 5000)
