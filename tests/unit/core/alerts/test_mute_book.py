"""What mutes what: silences, maintenance windows and deploys, in any order of their records."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferometer.core.alerts.instant_texts import instant_us
from inferometer.core.alerts.maintenance import (
    FOREVER_US,
    Effect,
    Maintenance,
    ending,
    problems_of,
    stored,
)
from inferometer.core.alerts.matchers import Matcher
from inferometer.core.alerts.mute_book import Entry, MuteBook
from inferometer.core.alerts.silences import MuteRefusedError, Silence
from inferometer.core.alerts.time_intervals import TimeInterval

S = 1_000_000
NOW_S = 1_767_600_000
NOW = NOW_S * S
LABELS = {"workspace": "acme", "service": "chat", "slo": "chat-success", "severity": "page"}
SERVICE = Matcher("service", "chat")
SUNDAY_NIGHT = TimeInterval(times=((120, 180),), weekdays=((0, 0),), location="Europe/Berlin")


def silence(name: str, **fields: object) -> Silence:
    made = Silence(
        id=name,
        matchers=(Matcher("alertname", "chat-success"),),
        starts_at_us=NOW - 60 * S,
        ends_at_us=NOW + 60 * S,
        updated_at_us=NOW - 60 * S,
        created_by="me",
        comment="known",
    )
    return replace(made, **fields)  # type: ignore[arg-type]


def window(name: str, **fields: object) -> Maintenance:
    made = Maintenance(
        id=name,
        matchers=(SERVICE,),
        effect=Effect.MUTE,
        reason="upgrade",
        created_by="ci",
        updated_at_us=NOW - 60 * S,
        starts_at_us=NOW - 60 * S,
        ends_at_us=NOW + 60 * S,
    )
    return replace(made, **fields)  # type: ignore[arg-type]


def test_an_objective_is_muted_by_its_name_as_that_of_an_alert() -> None:
    book = MuteBook([silence("a")])
    assert book.muted_by(LABELS, NOW_S) == ("silence:a",)
    assert book.muted_by({**LABELS, "slo": "other"}, NOW_S) == ()
    assert book.muted_by({**LABELS, "alertname": "own"}, NOW_S) == ()
    assert book.muted_by(LABELS, NOW_S + 60) == ()


def test_a_severity_can_be_muted_alone() -> None:
    book = MuteBook([silence("a", matchers=(Matcher("severity", "ticket"),))])
    assert book.muted_by(LABELS, NOW_S) == ()
    assert book.muted_by({**LABELS, "severity": "ticket"}, NOW_S) == ("silence:a",)


@pytest.mark.parametrize(
    ("effect", "mutes", "excludes", "notes"),
    [
        (Effect.MUTE, True, False, False),
        (Effect.EXCLUDE_FROM_BUDGET, False, True, False),
        (Effect.BOTH, True, True, False),
        (Effect.ANNOTATE, False, False, True),
    ],
)
def test_a_window_does_what_its_effect_says(
    effect: Effect, mutes: bool, excludes: bool, notes: bool
) -> None:
    book = MuteBook([window("w", effect=effect)])
    assert book.muted_by(LABELS, NOW_S) == (("maintenance:w",) if mutes else ())
    assert book.excluded_by(LABELS, NOW_S) == (("maintenance:w",) if excludes else ())
    assert book.notes(LABELS, NOW_S) == (("upgrade (ci)",) if notes else ())
    assert book.excluded_by({**LABELS, "service": "other"}, NOW_S) == ()
    assert book.excluded_by(LABELS, NOW_S + 60) == ()


def test_a_page_waits_until_its_short_window_lies_after_the_end() -> None:
    book = MuteBook([window("w", ends_at_us=NOW)])
    assert book.pages_held_by(LABELS, NOW_S, 300) == ("maintenance:w",)
    assert book.pages_held_by(LABELS, NOW_S + 299, 300) == ("maintenance:w",)
    assert book.pages_held_by(LABELS, NOW_S + 300, 300) == ()


def test_a_window_that_is_on_mutes_and_need_not_hold() -> None:
    assert MuteBook([window("w")]).pages_held_by(LABELS, NOW_S, 300) == ()


def test_a_deploy_that_only_annotates_holds_nothing() -> None:
    book = MuteBook([window("w", ends_at_us=NOW, effect=Effect.ANNOTATE)])
    assert book.pages_held_by(LABELS, NOW_S, 300) == ()


def test_a_window_that_comes_again_holds_after_each_end() -> None:
    weekly = window("w", ends_at_us=FOREVER_US, intervals=(SUNDAY_NIGHT,))
    book = MuteBook([weekly])
    end_s = instant_us("2026-01-11T02:00:00Z") // S
    assert book.muted_by(LABELS, end_s - 1) == ("maintenance:w",)
    assert book.muted_by(LABELS, end_s) == ()
    assert book.pages_held_by(LABELS, end_s + 100, 300) == ("maintenance:w",)
    assert book.pages_held_by(LABELS, end_s + 300, 300) == ()
    assert book.pages_held_by(LABELS, end_s - 3601, 300) == ()


def test_windows_that_touch_are_one_span() -> None:
    first = TimeInterval(times=((60, 120),))
    both = window(
        "w",
        starts_at_us=0,
        ends_at_us=FOREVER_US,
        intervals=(first, TimeInterval(times=((120, 180), (110, 130)))),
    )
    day = 86_400 * S
    assert both.spans(0, day) == [(3600 * S, 3 * 3600 * S)]
    assert both.spans(day, 0) == []


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"matchers": ()}, "no matcher"),
        ({"ends_at_us": FOREVER_US}, "never ends"),
        ({"ends_at_us": NOW}, "past"),
        ({"starts_at_us": NOW + 90 * S}, "before endsAt"),
        ({"reason": ""}, "reason"),
        ({"created_by": "x" * 5000}, "longer"),
        ({"intervals": (SUNDAY_NIGHT,) * 101}, "time intervals"),
    ],
)
def test_a_window_that_cannot_be_says_why(fields: dict[str, object], said: str) -> None:
    problems = problems_of(window("w", **fields), NOW)
    assert len(problems) == 1
    assert said in problems[0]
    with pytest.raises(MuteRefusedError, match=said):
        stored(window("w", **fields), None, NOW)


def test_the_effect_of_a_window_that_is_on_stays() -> None:
    with pytest.raises(MuteRefusedError, match="effect"):
        stored(window("w", effect=Effect.BOTH), window("w"), NOW)
    later = window("w", starts_at_us=NOW + S)
    assert stored(replace(later, effect=Effect.BOTH), later, NOW).effect is Effect.BOTH


def test_a_window_that_is_ended_is_over_at_once() -> None:
    ended = ending(window("w"), NOW + 1)
    assert ended is not None
    assert not ended.is_active(NOW + 1)
    assert ended.is_active(NOW - S)
    assert ending(ended, NOW + 2) is None
    never = ending(window("w", starts_at_us=NOW + 30 * S), NOW)
    assert never is not None
    assert never.spans(0, FOREVER_US) == []


def test_what_ended_long_ago_is_found_and_forgotten() -> None:
    book = MuteBook([silence("old", ends_at_us=NOW - 100 * S), silence("new"), window("w")])
    assert book.outdated(NOW - 50 * S) == ["old"]
    book.forget("old")
    book.forget("unknown")
    assert [each.id for each in book.silences()] == ["new"]
    assert book.silence("old") is None
    assert book.window("w") in book.windows()


versions = st.builds(
    silence,
    st.sampled_from("ab"),
    updated_at_us=st.integers(NOW, NOW + 3),
    ends_at_us=st.integers(NOW + 100, NOW + 102),
) | st.builds(window, st.sampled_from("wv"), updated_at_us=st.integers(NOW, NOW + 3))


@given(st.lists(versions, max_size=12), st.randoms(use_true_random=False))
def test_any_order_and_repetition_of_records_gives_the_same_book(
    entries: list[Entry], chance: object
) -> None:
    shuffled = [*entries, *entries[::2]]
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    one, other = MuteBook(entries), MuteBook(shuffled)
    assert sorted(map(repr, one.silences())) == sorted(map(repr, other.silences()))
    assert sorted(map(repr, one.windows())) == sorted(map(repr, other.windows()))
