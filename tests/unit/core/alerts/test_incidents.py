"""Incidents as the union of their rules."""

from __future__ import annotations

from dataclasses import replace

from inferometer.core.alerts.notices import Status
from inferometer.core.alerts.subjects import Observation
from tests.unit.core.alerts.ticking import (
    PAGE,
    START_S,
    TICKET,
    F,
    T,
    U,
    definition,
    reading,
    run_of,
)

CHAT = definition()
SUBJECT = CHAT.subject(())


def test_a_page_and_a_ticket_of_one_objective_are_one_incident_and_one_page() -> None:
    run = run_of(CHAT)
    both = [reading(T), reading(T, rule="ticket-slow", severity=TICKET, keep_firing_s=1800)]
    run.say(SUBJECT, both, 3600)
    assert [(one.severity, one.transition) for one in run.notices] == [(PAGE, "firing")]


def test_a_ticket_that_becomes_a_page_escalates_the_same_incident() -> None:
    run = run_of(CHAT)
    ticket = reading(T, rule="ticket-slow", severity=TICKET)
    run.say(SUBJECT, [ticket], 60)
    run.say(SUBJECT, [ticket, reading(T)], 60)
    assert run.told() == ["firing", "escalated"]
    assert len({one.incident_id for one in run.notices}) == 1
    assert [one.severity for one in run.notices] == [TICKET, PAGE]


def test_a_page_that_becomes_a_ticket_is_silent() -> None:
    run = run_of(CHAT)
    ticket = reading(T, rule="ticket-slow", severity=TICKET)
    run.say(SUBJECT, [ticket, reading(T)], 60)
    run.say(SUBJECT, [ticket, reading(F)], 3600)
    assert run.told() == ["firing"]
    assert "deescalated" in run.kinds()


def test_an_incident_ends_with_the_last_of_its_rules() -> None:
    run = run_of(CHAT)
    ticket = reading(T, rule="ticket-slow", severity=TICKET, keep_firing_s=600)
    run.say(SUBJECT, [ticket, reading(T)], 60)
    run.say(SUBJECT, [replace(ticket, condition=F), reading(F)], 580)
    assert run.told() == ["firing"]
    run.say(SUBJECT, [replace(ticket, condition=F), reading(F)], 20)
    assert run.told() == ["firing", "resolved"]
    ended = run.notices[-1]
    assert ended.status is Status.RESOLVED
    assert ended.condition_cleared_at_us == (START_S + 60) * 1_000_000
    assert ended.resolved_at_us == (START_S + 650) * 1_000_000


def test_missing_data_resolves_nothing() -> None:
    run = run_of(CHAT)
    run.say(SUBJECT, [reading(T)], 60)
    run.say(SUBJECT, [reading(U)], 7200)
    assert run.told() == ["firing"]
    assert run.alerts.incidents()[0].is_stale


def test_a_subject_that_nobody_speaks_of_is_without_data() -> None:
    run = run_of(CHAT)
    run.say(SUBJECT, [reading(T)], 60)
    for _ in range(60):
        run.tick({})
    (incident,) = run.alerts.incidents()
    assert incident.is_firing
    assert incident.is_stale


def test_an_alert_that_comes_back_within_half_an_hour_is_the_same_incident() -> None:
    run = run_of(CHAT)
    run.say(SUBJECT, [reading(T)], 60)
    run.say(SUBJECT, [reading(F)], 600)
    run.say(SUBJECT, [reading(T)], 60)
    (incident,) = run.alerts.incidents()
    assert incident.episode == 2
    assert run.told() == ["firing", "resolved"]
    run.say(SUBJECT, [reading(F)], 600)
    assert run.told() == ["firing", "resolved"]


def test_another_outage_after_the_first_was_told_to_be_over_is_told_again() -> None:
    run = run_of(CHAT)
    run.say(SUBJECT, [reading(T)], 60)
    run.say(SUBJECT, [reading(F)], 600)
    run.say(SUBJECT, [reading(T), reading(T, rule="outage", keep_firing_s=60)], 620)
    assert run.told() == ["firing", "resolved", "firing"]
    assert run.notices[-1].reason == "reopened"
    run.say(SUBJECT, [reading(F), reading(F, rule="outage", keep_firing_s=60)], 1200)
    assert run.told() == ["firing", "resolved", "firing", "resolved"]


def test_what_comes_back_as_it_was_waits_for_the_repeat_interval() -> None:
    run = run_of(CHAT)
    run.say(SUBJECT, [reading(T)], 60)
    run.say(SUBJECT, [reading(F)], 600)
    run.say(SUBJECT, [reading(T)], 4 * 3600 - 660)
    assert run.told() == ["firing", "resolved"]
    run.say(SUBJECT, [reading(T)], 20)
    assert run.told() == ["firing", "resolved", "firing"]


def test_a_page_that_returns_shortly_while_a_ticket_lasts_is_silent() -> None:
    run = run_of(CHAT)
    ticket = reading(T, rule="ticket-slow", severity=TICKET)
    run.say(SUBJECT, [ticket, reading(T)], 60)
    for _ in range(3):
        run.say(SUBJECT, [ticket, reading(F)], 1200)
        run.say(SUBJECT, [ticket, reading(T)], 600)
    assert run.told() == ["firing"]


def test_a_page_that_returns_later_while_a_ticket_lasts_is_told_anew() -> None:
    run = run_of(CHAT)
    ticket = reading(T, rule="ticket-slow", severity=TICKET)
    run.say(SUBJECT, [ticket, reading(T)], 60)
    run.say(SUBJECT, [ticket, reading(F)], 300 + 1860)
    run.say(SUBJECT, [ticket, reading(T)])
    assert run.told() == ["firing", "escalated"]


def test_an_alert_that_comes_back_later_is_another_incident() -> None:
    run = run_of(CHAT)
    run.say(SUBJECT, [reading(T)], 60)
    run.say(SUBJECT, [reading(F)], 300 + 1900)
    run.say(SUBJECT, [reading(T)], 60)
    assert run.told() == ["firing", "resolved", "firing"]
    assert len({one.incident_id for one in run.notices}) == 2


def test_a_removed_rule_resolves_with_its_reason() -> None:
    run = run_of(definition(rules=frozenset({"page-fast"})))
    run.say(SUBJECT, [reading(T)], 60)
    after = run_of(definition(rules=frozenset({"other"})), state=run.alerts.state)
    after.tick_s = run.tick_s
    after.say(SUBJECT, [], 10)
    assert [(one.transition, one.reason) for one in after.notices] == [("resolved", "rule_removed")]


def test_a_removed_objective_resolves_with_its_reason() -> None:
    run = run_of(CHAT)
    run.say(SUBJECT, [reading(T)], 60)
    after = run_of(definition("another"), state=run.alerts.state)
    after.tick_s = run.tick_s
    after.tick({})
    assert [(one.transition, one.reason) for one in after.notices] == [("resolved", "rule_removed")]


def test_a_rule_whose_thresholds_changed_continues_its_incident() -> None:
    run = run_of(definition(rules=frozenset({"page-fast"})))
    run.say(SUBJECT, [reading(T)], 60)
    after = run_of(
        definition(rules=frozenset({"page-fast"}), annotations={"owner": "x"}),
        state=run.alerts.state,
    )
    after.tick_s = run.tick_s
    after.say(SUBJECT, [reading(T, short_s=60)], 60)
    assert after.notices == []
    assert after.alerts.incidents()[0].episode == 1


def test_an_exhausted_budget_is_told_once_and_keeps_no_other_incident_open() -> None:
    spent = definition(apart=frozenset({"exhausted"}))
    run = run_of(spent)
    gone = reading(T, rule="exhausted", severity=TICKET)
    run.say(SUBJECT, [reading(T), gone], 60)
    run.say(SUBJECT, [reading(F), gone], 600)
    assert sorted(run.told()) == ["firing", "firing", "resolved"]
    run.tick_s += 30 * 86_400
    run.say(SUBJECT, [reading(F), gone], 60)
    assert sorted(run.told()) == ["firing", "firing", "resolved"]


def test_a_budget_that_is_about_spent_is_told_once_a_day_at_most() -> None:
    run = run_of(definition(apart=frozenset({"exhausted"})))
    for _ in range(6):
        run.say(SUBJECT, [reading(T, rule="exhausted", severity=TICKET, keep_firing_s=0)], 600)
        run.say(SUBJECT, [reading(F, rule="exhausted", severity=TICKET, keep_firing_s=0)], 7200)
    assert run.told() == ["firing", "resolved"]


def test_several_evaluators_may_speak_of_one_subject() -> None:
    run = run_of(CHAT)
    outcome = run.alerts.step(
        START_S,
        [
            Observation(subject=SUBJECT, readings=(reading(T),)),
            Observation(subject=SUBJECT, readings=(reading(T, rule="outage"),)),
        ],
        now_s=START_S,
    )
    assert [one.rule for one in outcome.notices[0].conditions] == ["outage", "page-fast"]


def test_a_flapping_alert_is_told_about_once() -> None:
    run = run_of(CHAT)
    run.say(SUBJECT, [reading(T)], 100)
    for _ in range(60):
        run.say(SUBJECT, [reading(F)], 120)
        run.say(SUBJECT, [reading(T)], 60)
    assert run.told() == ["firing"]
    assert run.alerts.incidents()[0].is_flapping


def test_an_outage_of_two_minutes_in_twenty_is_told_about_once_in_three_hours() -> None:
    run = run_of(CHAT)
    for _ in range(9):
        run.say(SUBJECT, [reading(T)], 420)
        run.say(SUBJECT, [reading(F)], 780)
    assert run.told() == ["firing", "resolved"]
    assert len({one.incident_id for one in run.records}) == 1
