"""Silences, maintenance windows and deploys in front of the state machine of alerts."""

from __future__ import annotations

from inferometer.core.alerts.incident_listing import listed_alerts
from inferometer.core.alerts.inhibition import SHIPPED_INHIBITIONS
from inferometer.core.alerts.listing import AlertQuery, alerts_answer
from inferometer.core.alerts.maintenance import Effect, Maintenance
from inferometer.core.alerts.matchers import Matcher
from inferometer.core.alerts.mute_book import MuteBook
from inferometer.core.alerts.silences import Silence, ending
from tests.unit.core.alerts.ticking import (
    PAGE,
    START_S,
    STEP_S,
    TICKET,
    F,
    Run,
    T,
    definition,
    reading,
    run_of,
)

S = 1_000_000
CHAT = definition()
SUBJECT = CHAT.subject(())
FIRING, CLEAR = [reading(T)], [reading(F)]


def now_s(run: Run) -> int:
    return run.tick_s + run.behind_s


def silence(start_s: int, end_s: int) -> Silence:
    return Silence(
        id="s",
        matchers=(Matcher("alertname", "chat"),),
        starts_at_us=start_s * S,
        ends_at_us=end_s * S,
        updated_at_us=start_s * S,
        created_by="me",
        comment="known",
    )


def window(start_s: int, end_s: int, effect: Effect = Effect.MUTE) -> Maintenance:
    return Maintenance(
        id="w",
        matchers=(Matcher("service", "api"),),
        effect=effect,
        reason="deploy 7",
        created_by="ci",
        updated_at_us=start_s * S,
        starts_at_us=start_s * S,
        ends_at_us=end_s * S,
    )


def muted_run(*entries: Silence | Maintenance) -> tuple[Run, MuteBook]:
    run, book = run_of(CHAT), MuteBook(entries)
    run.mutes = book
    return run, book


def test_firing_while_silenced_is_recorded_and_told_when_the_silence_ends() -> None:
    run, _ = muted_run(silence(START_S, START_S + 330))
    assert run.say(SUBJECT, FIRING, 300) == []
    assert "firing" in run.kinds()
    (notice,) = run.say(SUBJECT, FIRING, 60)
    assert notice.transition == "silence_ended"
    # The first tick that is judged after the end.
    assert now_s(run) >= START_S + 330
    assert run.records[-1].at_us == (START_S + 300) * S


def test_a_silence_that_is_expired_by_hand_ends_within_a_tick() -> None:
    known = silence(START_S, START_S + 10_000)
    run, book = muted_run(known)
    run.say(SUBJECT, FIRING, 60)
    ended = ending(known, now_s(run) * S)
    assert ended is not None
    book.apply(ended)
    assert [notice.transition for notice in run.say(SUBJECT, FIRING, STEP_S)] == ["silence_ended"]


def test_who_was_told_of_a_firing_is_told_of_its_end_through_a_silence() -> None:
    run, book = muted_run()
    assert [notice.transition for notice in run.say(SUBJECT, FIRING, STEP_S)] == ["firing"]
    book.apply(silence(now_s(run), now_s(run) + 10_000))
    assert run.say(SUBJECT, FIRING, 60) == []
    assert [notice.transition for notice in run.say(SUBJECT, CLEAR, 600)] == ["resolved"]


def test_what_began_and_ended_under_a_silence_is_never_told() -> None:
    run, _ = muted_run(silence(START_S, START_S + 10_000))
    assert run.say(SUBJECT, FIRING, 60) + run.say(SUBJECT, CLEAR, 1200) == []
    assert "resolved" in run.kinds()


def test_a_page_after_maintenance_waits_for_its_short_window() -> None:
    end_s = START_S + 330
    run, _ = muted_run(window(START_S, end_s))
    assert run.say(SUBJECT, FIRING, 600) == []
    run.say(SUBJECT, FIRING, 60)
    (notice,) = run.notices
    assert notice.severity is PAGE
    # Its short window is 300 s.
    told_at_s = run.tick_s + run.behind_s - 6 * STEP_S
    assert abs(told_at_s - (end_s + 300)) <= STEP_S


def test_a_page_that_was_over_when_maintenance_let_go_of_it_is_never_told() -> None:
    end_s = START_S + 330
    run, _ = muted_run(window(START_S, end_s))
    # True for a minute after the end, by what failed before it; then it is only held.
    assert run.say(SUBJECT, FIRING, 360) == []
    assert run.say(SUBJECT, CLEAR, 900) == []
    assert "resolved" in run.kinds()


def test_a_deploy_that_annotates_is_said_in_the_notice() -> None:
    run, _ = muted_run(window(START_S, START_S + 10_000, Effect.ANNOTATE))
    (notice,) = run.say(SUBJECT, FIRING, STEP_S)
    assert "deploy 7 (ci)" in str(notice.annotations) + str(notice.details)


def test_what_fires_is_listed_as_alerts() -> None:
    run, book = muted_run()
    run.say(SUBJECT, FIRING, 60)
    (alert,) = listed_alerts(run.alerts)
    assert alert.labels["slo"] == "chat"
    assert alert.labels["severity"] == "page"
    assert alert.receivers == ("oncall",)
    assert alert.starts_at_us == START_S * S
    book.apply(silence(now_s(run), now_s(run) + 100))
    (shown,) = alerts_answer([alert], book, AlertQuery(), now_s(run))
    assert shown["status"]["silencedBy"] == ["s"]
    run.say(SUBJECT, CLEAR, 600)
    assert listed_alerts(run.alerts) == []


def test_an_alert_says_which_alert_inhibits_it() -> None:
    latency = definition("latency")
    run = run_of(CHAT, latency, inhibitions=SHIPPED_INHIBITIONS)
    ticket = reading(T, rule="ticket-slow", severity=TICKET)
    for _ in range(6):
        run.tick({SUBJECT: FIRING, latency.subject(()): [ticket]})
    listed = {alert.labels["slo"]: alert for alert in listed_alerts(run.alerts)}
    assert listed["latency"].inhibited_by == (listed["chat"].fingerprint,)
    assert listed["chat"].inhibited_by == ()
