"""What a notice says of the incidents behind it."""

from __future__ import annotations

from decimal import Decimal

from inferometer.core.alerts.composing import MAX_MEMBERS, MAX_SUPPRESSED, shared_labels
from inferometer.core.alerts.payload import notice_data, summary
from inferometer.core.alerts.subjects import Definition
from inferometer.core.slo.definitions import Availability, OutageRule, Slo, Tier
from tests.unit.core.alerts.ticking import START_S, TICKET, F, T, U, definition, reading, run_of

CHAT = definition()
SUBJECT = CHAT.subject(())


def test_labels_of_a_group_are_those_that_all_have() -> None:
    assert shared_labels([{"a": "1", "b": "2"}, {"a": "1", "b": "3"}, {"a": "1"}]) == {"a": "1"}


def test_a_notice_of_a_rule_with_a_wait_starts_before_it_was_detected() -> None:
    run = run_of(CHAT)
    run.say(SUBJECT, [reading(T, for_s=60)], 120)
    (notice,) = run.notices
    assert notice.starts_at_us == START_S * 1_000_000
    assert notice.detected_at_us == (START_S + 60) * 1_000_000


def test_conditions_say_which_rules_are_true_and_which_are_only_held() -> None:
    run = run_of(CHAT)
    run.say(SUBJECT, [reading(T), reading(T, rule="slow", severity=TICKET)], 60)
    run.say(SUBJECT, [reading(F), reading(T, rule="slow", severity=TICKET)], 10)
    (incident,) = run.alerts.incidents()
    assert [(one.rule, one.is_true) for one in incident.conditions] == [
        ("page-fast", False),
        ("slow", True),
    ]


def test_a_repeat_without_data_says_so() -> None:
    run = run_of(CHAT)
    run.say(SUBJECT, [reading(T)], 60)
    run.say(SUBJECT, [reading(U)], 4 * 3600)
    assert run.told() == ["firing", "repeated"]
    assert run.notices[-1].details["data"] == "stale"


def test_more_than_fifty_muted_incidents_are_a_number() -> None:
    others = [definition(f"slo-{number:02}") for number in range(MAX_SUPPRESSED + 10)]
    run = run_of(CHAT, *others)
    ticket = [reading(T, severity=TICKET)]
    run.tick({SUBJECT: [reading(T)], **{one.subject(()): ticket for one in others}})
    (notice,) = run.notices
    assert len(notice.suppressed) == MAX_SUPPRESSED + 1
    assert notice.suppressed[-1] == "and 10 more"


def test_very_many_that_fail_together_are_a_number_behind_the_first_thousand() -> None:
    chat = definition(group_by=("model",))
    run = run_of(chat)
    models = [f"m-{number:05}" for number in range(MAX_MEMBERS + 500)]
    run.tick({chat.subject((model,)): [reading(T)] for model in models})
    (notice,) = run.notices
    assert [one["model"] for one in notice.members] == models[:MAX_MEMBERS]
    assert len(notice.details["member_incident_ids"]) == MAX_MEMBERS
    assert notice_data(notice)["members"] == MAX_MEMBERS + 500
    assert summary(notice).endswith(f": {MAX_MEMBERS + 500} incidents")


def test_a_definition_takes_from_an_objective_what_people_need() -> None:
    found = Definition.of_slo(
        Slo(
            name="chat",
            workspace="acme",
            service="api",
            indicator=Availability(),
            objective=Decimal("0.999"),
            outage=OutageRule(),
            tier=Tier.CRITICAL,
            owner="ada",
            cost_responder="bob",
            runbook_url="https://example.org/r",
            labels={"team": "x"},
        )
    )
    assert found.labels == {"tier": "critical", "team": "x"}
    assert found.annotations["owner"] == "ada"
    assert found.annotations["cost_responder"] == "bob"
    assert found.links == {"runbook": "https://example.org/r"}
    assert found.has_rule("outage")
    assert not found.has_rule("absence")
