"""Silences and windows as JSON: read back equal, and any bytes give an entry or a StateError."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferometer.core.alerts.instant_texts import instant_text, instant_us
from inferometer.core.alerts.maintenance import FOREVER_US, Effect, Maintenance
from inferometer.core.alerts.matchers import Matcher
from inferometer.core.alerts.mute_book import Entry
from inferometer.core.alerts.mute_json import (
    decode_entry,
    encode_entry,
    maintenance_answer,
    maintenance_from,
    silence_answer,
    silence_from,
)
from inferometer.core.alerts.silences import MuteRefusedError, Silence
from inferometer.core.alerts.time_intervals import TimeInterval
from inferometer.errors import StateError

S = 1_000_000
NOW = 1_767_600_000 * S

texts = st.text(st.characters(codec="utf-8"), max_size=12)
instants = st.integers(0, 4_000_000_000 * S)
some_matchers = st.lists(
    st.builds(Matcher, st.just("a"), texts, st.just(False), st.booleans()), max_size=3
).map(lambda found: (Matcher("slo", "x"), *found))
silences = st.builds(
    Silence,
    id=texts,
    matchers=some_matchers,
    starts_at_us=instants,
    ends_at_us=instants,
    updated_at_us=instants,
    created_by=texts,
    comment=texts,
    annotations=st.dictionaries(texts, texts, max_size=2),
)
windows = st.builds(
    Maintenance,
    id=texts.filter(bool),
    matchers=some_matchers,
    effect=st.sampled_from(Effect),
    reason=texts.filter(bool),
    created_by=texts,
    updated_at_us=instants,
    starts_at_us=instants,
    ends_at_us=instants | st.just(FOREVER_US),
    intervals=st.sampled_from(
        [(), (TimeInterval(times=((120, 180),), weekdays=((0, 0),), location="Europe/Berlin"),)]
    ),
)


@given(silences | windows)
def test_a_record_is_read_back_equal(entry: Entry) -> None:
    assert decode_entry(encode_entry(entry)) == entry


values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
fields = st.sampled_from(
    ["matchers", "startsAt", "endsAt", "id", "annotations", "time_intervals", "effect", "ttl"]
)


@given(
    st.sampled_from(["silence", "maintenance", "else"]),
    st.dictionaries(fields, values, max_size=8),
    st.binary(max_size=20),
)
def test_any_bytes_give_an_entry_or_a_state_error(
    kind: str, given_fields: dict[str, object], noise: bytes
) -> None:
    body = orjson.dumps({"kind": kind, "schema": "1", **given_fields})
    for value in (body, noise, body[: len(noise)]):
        try:
            decode_entry(value)
        except StateError:
            continue


def test_a_record_of_another_version_is_named() -> None:
    with pytest.raises(StateError, match="'2'"):
        decode_entry(b'{"kind": "silence", "schema": "2"}')


def test_a_pattern_that_does_not_compile_never_reaches_a_notice() -> None:
    broken = Silence(
        id="a",
        matchers=(Matcher("a", "(", is_regex=True),),
        starts_at_us=NOW,
        ends_at_us=NOW,
        updated_at_us=NOW,
        created_by="me",
        comment="",
    )
    with pytest.raises(StateError, match="regular expression"):
        decode_entry(encode_entry(broken))


def test_what_amtool_sends_is_read() -> None:
    read = silence_from(
        {
            "matchers": [{"name": "alertname", "value": "x", "isRegex": False, "isEqual": True}],
            "startsAt": "2026-01-05T10:00:00.123456789Z",
            "endsAt": "2026-01-05T13:00:00+01:00",
            "createdBy": "me",
            "comment": "c",
        },
        now_us=NOW,
    )
    assert read.id == ""
    assert read.matchers == (Matcher("alertname", "x"),)
    assert instant_text(read.starts_at_us) == "2026-01-05T10:00:00.123456Z"
    assert instant_text(read.ends_at_us) == "2026-01-05T12:00:00.000000Z"


def test_a_matcher_without_is_equal_means_equal_as_before_alertmanager_0_22() -> None:
    raw = {"matchers": [{"name": "a", "value": "x"}], "endsAt": "2026-01-05T12:00:00Z"}
    assert silence_from(raw, now_us=NOW).matchers == (Matcher("a", "x"),)


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ([], "JSON object"),
        ({"matchers": {}}, "matchers must be a list"),
        ({"matchers": [1]}, "JSON object"),
        ({"matchers": [{"name": 1, "value": "x"}]}, "name must be a text"),
        ({"matchers": [{"name": "a", "value": "x", "isRegex": "no"}]}, "true or false"),
        ({"endsAt": "tomorrow"}, "instant"),
        ({"endsAt": "2026-01-05T12:00:00"}, "instant"),
        ({"annotations": {"a": 1}}, "annotations"),
    ],
)
def test_a_wrong_request_is_told(raw: object, said: str) -> None:
    with pytest.raises(MuteRefusedError, match=said):
        silence_from(raw, now_us=NOW)


def hook(**fields: object) -> dict[str, object]:
    matchers = [{"name": "service", "value": "chat"}]
    return {"matchers": matchers, "reason": "deploy 7", "createdBy": "ci", **fields}


@pytest.mark.parametrize(
    ("ttl", "seconds"), [("30m", 1800), ("1h30m", 5400), ("90s", 90), (600, 600), ("2h", 7200)]
)
def test_a_deploy_hook_ends_by_itself(ttl: object, seconds: int) -> None:
    made = maintenance_from(hook(ttl=ttl), now_us=NOW, new_id="new")
    assert (made.starts_at_us, made.ends_at_us) == (NOW, NOW + seconds * S)
    assert (made.id, made.effect) == ("new", Effect.MUTE)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"ttl": "3h"}, "2h"),
        ({"ttl": "0s"}, "1s"),
        ({"ttl": ""}, "1s"),
        ({"ttl": "soon"}, "30m"),
        ({"ttl": "1h", "endsAt": "2026-01-05T12:00:00Z"}, "excludes"),
        ({"ttl": "1h", "startsAt": "2027-01-05T12:00:00Z"}, "2h ahead"),
        ({"effect": "delete"}, "effect"),
        ({"time_intervals": "x"}, "time_intervals"),
        ({"time_intervals": [{"weekdays": ["x"]}]}, "weekday"),
    ],
)
def test_a_wrong_hook_is_told(fields: dict[str, object], said: str) -> None:
    with pytest.raises(MuteRefusedError, match=said):
        maintenance_from(hook(**fields), now_us=NOW, new_id="new")


def test_answers_carry_the_state() -> None:
    made = maintenance_from(hook(ttl="1h"), now_us=NOW, new_id="new")
    for now_us, state in ((NOW - 1, "pending"), (NOW, "active"), (NOW + 3600 * S, "expired")):
        assert maintenance_answer(made, now_us)["status"] == {"state": state}
    known = silence_from(
        {"matchers": [], "startsAt": "2026-01-05T08:00:00Z", "endsAt": "2026-01-05T09:00:00Z"},
        now_us=NOW,
    )
    assert silence_answer(known, NOW)["status"] == {"state": "active"}


@given(st.integers(0, 253_402_300_799_999_999))
def test_an_instant_survives_being_written(at_us: int) -> None:
    assert instant_us(instant_text(at_us)) == at_us
