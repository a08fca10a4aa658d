"""Silences: the rules of Alertmanager, and patterns that could stop every notice."""

from __future__ import annotations

import re
import time
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferometer.core.alerts.matchers import Matcher
from inferometer.core.alerts.safe_patterns import danger_of
from inferometer.core.alerts.silences import (
    MuteRefusedError,
    Silence,
    SilenceState,
    changes,
    ending,
)

S = 1_000_000
NOW = 1_767_600_000 * S
SLO = Matcher("slo", "chat-success")


def silence(**fields: object) -> Silence:
    made = Silence(
        id="old",
        matchers=(SLO,),
        starts_at_us=NOW - 60 * S,
        ends_at_us=NOW + 3600 * S,
        updated_at_us=NOW - 60 * S,
        created_by="me",
        comment="known",
    )
    return replace(made, **fields)  # type: ignore[arg-type]


def test_a_silence_mutes_from_its_start_until_before_its_end() -> None:
    known = silence()
    labels = {"slo": "chat-success"}
    assert known.mutes(labels, known.starts_at_us)
    assert known.mutes(labels, known.ends_at_us - 1)
    assert not known.mutes(labels, known.ends_at_us)
    assert not known.mutes(labels, known.starts_at_us - 1)
    assert not known.mutes({"slo": "other"}, NOW)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"matchers": ()}, "no matcher"),
        ({"matchers": (Matcher("a", ".*", is_regex=True),)}, "missing label"),
        ({"matchers": (Matcher("a", "x", is_equal=False),)}, "missing label"),
        ({"matchers": (Matcher("a", "(", is_regex=True),)}, "regular expression"),
        ({"matchers": (Matcher("a", "(a+)+", is_regex=True),)}, "for ever"),
        ({"matchers": (Matcher("", "x"),)}, "without a name"),
        ({"matchers": (Matcher("a", "x" * 5000),)}, "longer"),
        ({"matchers": (SLO,) * 101}, "101"),
        ({"ends_at_us": NOW - 60 * S}, "start time must be before end time"),
        ({"ends_at_us": NOW - 1}, "past"),
        ({"created_by": ""}, "createdBy"),
        ({"comment": "x" * 5000}, "longer"),
    ],
)
def test_a_silence_that_cannot_be_says_why(fields: dict[str, object], said: str) -> None:
    with pytest.raises(MuteRefusedError, match=re.escape(said)):
        changes(silence(**fields), None, now_us=NOW, new_id="new")


def test_every_problem_is_told_at_once() -> None:
    with pytest.raises(MuteRefusedError) as refused:
        changes(silence(matchers=(), created_by=""), None, now_us=NOW, new_id="new")
    assert len(refused.value.problems) == 2


def test_a_new_silence_gets_an_id_and_begins_now_at_the_earliest() -> None:
    (made,) = changes(silence(id=""), None, now_us=NOW + 1, new_id="new")
    assert (made.id, made.starts_at_us, made.updated_at_us) == ("new", NOW, NOW + 1)


def test_one_in_force_keeps_its_id_while_its_matchers_and_start_stay() -> None:
    before = silence(starts_at_us=NOW - 60 * S + 123)
    longer = replace(before, starts_at_us=NOW - 60 * S, ends_at_us=NOW + 7200 * S, comment="more")
    (changed,) = changes(longer, before, now_us=NOW, new_id="new")
    assert changed.id == "old"
    assert changed.starts_at_us == before.starts_at_us
    assert changed.ends_at_us == NOW + 7200 * S


def test_other_matchers_end_the_silence_and_begin_another() -> None:
    wanted = silence(matchers=(Matcher("slo", "other"),))
    ended, made = changes(wanted, silence(), now_us=NOW, new_id="new")
    assert (ended.id, ended.state(NOW)) == ("old", SilenceState.EXPIRED)
    assert (made.id, made.state(NOW)) == ("new", SilenceState.ACTIVE)


def test_one_that_has_expired_comes_back_as_another() -> None:
    expired = silence(ends_at_us=NOW - 10 * S)
    (made,) = changes(silence(), expired, now_us=NOW, new_id="new")
    assert made.id == "new"


def test_a_pending_one_may_move_but_not_into_the_past() -> None:
    pending = silence(starts_at_us=NOW + 60 * S)
    (moved,) = changes(replace(pending, starts_at_us=NOW + 30 * S), pending, now_us=NOW, new_id="n")
    assert (moved.id, moved.starts_at_us) == ("old", NOW + 30 * S)
    ended, made = changes(replace(pending, starts_at_us=NOW - S), pending, now_us=NOW, new_id="n")
    assert (ended.state(NOW), made.id) == (SilenceState.EXPIRED, "n")


@given(
    st.integers(NOW - 100 * S, NOW + 100 * S),
    st.integers(1, 200 * S),
    st.integers(NOW - 100 * S, NOW + 100 * S),
)
def test_what_was_ended_is_over_at_once_and_wins_over_what_it_ended(
    start: int, length: int, updated: int
) -> None:
    before = silence(starts_at_us=start, ends_at_us=start + length, updated_at_us=updated)
    ended = ending(before, NOW)
    if ended is None:
        assert before.state(NOW) is SilenceState.EXPIRED
    else:
        assert ended.state(NOW) is SilenceState.EXPIRED
        assert ended.starts_at_us <= ended.ends_at_us
        assert ended.updated_at_us > before.updated_at_us
        assert ending(ended, NOW) is None


@pytest.mark.parametrize(
    "pattern",
    [
        "gpt.*",
        "(?:a|b|c)",
        "(a|b)?x",
        r"\[[a-z]+\]",
        ".*chat.*code.*",
        "a.*|b.*|c.*|d.*|(?:e.*|f.*)g.*",
        "[a-z]+-[0-9]{1,3}",
        "(?i:chat)",
        r"a\.b\+",
        "[*+|(]+",
        "",
        "a{2}",
    ],
)
def test_ordinary_patterns_pass(pattern: str) -> None:
    assert danger_of(pattern) == ""


@pytest.mark.parametrize(
    "pattern",
    [
        "(a+)+",
        "(a*)*",
        "(a|a)*",
        "(a|aa)+b",
        "((a+)b?)*",
        "(?:a+){2,}",
        "([a-z]+)*x",
        "(x+x+)+y",
        "(a?b|c)+",
        ".*a.*b.*c.*",
        "(.*|x)(.*|y)(.*|z)(.*|w)",
        "(?=a)b",
        "(?!a)b",
        "(?<=a)b",
        r"(a)\1",
        "(?P<n>a)(?P=n)",
        "[[:alpha:]]",
        "[a--b]",
        "[^[a]",
        "a" * 1025,
    ],
)
def test_dangerous_patterns_do_not(pattern: str) -> None:
    assert danger_of(pattern)


@given(st.text("ab()|*+?[]^\\{,2}.", max_size=12))
def test_a_pattern_that_passes_is_quick(pattern: str) -> None:
    if danger_of(pattern):
        return
    try:
        compiled = re.compile(f"(?:{pattern})")
    except re.error:
        return
    began = time.process_time()
    compiled.fullmatch("ab" * 20 + "c")
    compiled.fullmatch("a" * 30 + "c")
    assert time.process_time() - began < 1
