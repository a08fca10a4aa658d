"""What receivers hear, and when."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from inferometer.core.alerts.incident_listing import listed_alerts
from inferometer.core.alerts.matchers import Matcher
from inferometer.core.alerts.notices import Family
from inferometer.core.alerts.routing import ReceiverTraits, Route
from tests.unit.core.alerts.ticking import (
    PAGE,
    START_S,
    TICKET,
    F,
    T,
    definition,
    reading,
    run_of,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

CHAT = definition()
SUBJECT = CHAT.subject(())
MODELS = definition(group_by=("model",))
HOUR = 3600


@dataclass
class Quiet:
    """Mutes that a test switches, with maintenance that ended at an instant."""

    by: tuple[str, ...] = ()
    only: dict[str, str] = field(default_factory=dict)
    maintenance_end_s: int | None = None

    def muted_by(self, labels: Mapping[str, str], now_s: int) -> tuple[str, ...]:
        if any(labels.get(name) != value for name, value in self.only.items()):
            return ()
        if self.maintenance_end_s is not None:
            return ("maintenance",) if now_s < self.maintenance_end_s else ()
        return self.by

    def pages_held_by(self, labels: Mapping[str, str], now_s: int, short_s: int) -> tuple[str, ...]:
        end_s = self.maintenance_end_s
        return ("maintenance",) if end_s is not None and end_s <= now_s < end_s + short_s else ()

    def notes(self, labels: Mapping[str, str], now_s: int) -> tuple[str, ...]:
        return ()


def test_a_page_is_told_at_its_tick() -> None:
    run = run_of(CHAT)
    assert [one.transition for one in run.say(SUBJECT, [reading(T)])] == ["firing"]


def test_a_ticket_waits_half_a_minute_for_others() -> None:
    run = run_of(CHAT)
    assert run.say(SUBJECT, [reading(T, severity=TICKET)], 30) == []
    assert len(run.say(SUBJECT, [reading(T, severity=TICKET)])) == 1


def test_a_ticket_that_ends_before_it_was_told_is_never_told() -> None:
    run = run_of(CHAT)
    run.say(SUBJECT, [reading(T, severity=TICKET, keep_firing_s=0)])
    run.say(SUBJECT, [reading(F, severity=TICKET, keep_firing_s=0)], 600)
    assert run.notices == []


@pytest.mark.parametrize(("severity", "hours"), [(PAGE, 4), (TICKET, 24)])
def test_what_lasts_is_repeated(severity: object, hours: int) -> None:
    run = run_of(CHAT)
    said = [reading(T, severity=severity)]  # type: ignore[arg-type]
    run.say(SUBJECT, said, 60)
    run.tick_s = START_S + hours * HOUR - 600
    run.say(SUBJECT, said, 600)
    assert run.told() == ["firing"]
    run.say(SUBJECT, said, 60)
    assert run.told() == ["firing", "repeated"]
    assert run.notices[-1].reason == "repeat_interval"
    assert len({one.notification_id for one in run.notices}) == 2


def test_what_is_only_held_is_not_repeated() -> None:
    run = run_of(CHAT)
    run.say(SUBJECT, [reading(T, keep_firing_s=6 * HOUR)], 60)
    run.say(SUBJECT, [reading(F, keep_firing_s=6 * HOUR)], 5 * HOUR)
    assert run.told() == ["firing"]


def test_a_silenced_alert_is_told_when_the_silence_ends() -> None:
    run = run_of(CHAT)
    run.mutes = quiet = Quiet(by=("s1",))
    run.say(SUBJECT, [reading(T)], 600)
    assert run.notices == []
    assert run.alerts.incidents()[0].silenced_by == ("s1",)
    quiet.by = ()
    assert [one.transition for one in run.say(SUBJECT, [reading(T)])] == ["silence_ended"]
    assert [kind for kind in run.kinds() if "suppressed" in kind] == ["suppressed", "unsuppressed"]


def test_an_alert_that_ended_while_silenced_is_never_told() -> None:
    run = run_of(CHAT)
    run.mutes = Quiet(by=("s1",))
    run.say(SUBJECT, [reading(T)], 60)
    run.say(SUBJECT, [reading(F)], 600)
    assert run.notices == []


def test_the_end_of_what_was_told_passes_through_a_silence() -> None:
    run = run_of(CHAT)
    run.say(SUBJECT, [reading(T)])
    run.mutes = Quiet(by=("s1",))
    run.say(SUBJECT, [reading(T)], 60)
    run.say(SUBJECT, [reading(F)], 600)
    assert run.told() == ["firing", "resolved"]


def test_a_silence_after_the_page_that_ends_before_the_alert_adds_no_notice() -> None:
    run = run_of(CHAT)
    run.say(SUBJECT, [reading(T)])
    run.mutes = Quiet(by=("s1",))
    run.say(SUBJECT, [reading(T)], 60)
    run.mutes = Quiet()
    run.say(SUBJECT, [reading(T)], 60)
    run.say(SUBJECT, [reading(F)], 600)
    assert run.told() == ["firing", "resolved"]


def test_an_escalation_in_a_silence_is_told_when_it_ends() -> None:
    run = run_of(CHAT)
    run.say(SUBJECT, [reading(T, severity=TICKET)], 60)
    run.mutes = Quiet(by=("s1",))
    run.say(SUBJECT, [reading(T, severity=PAGE)], 60)
    run.mutes = Quiet()
    run.say(SUBJECT, [reading(T, severity=PAGE)])
    assert [(one.transition, one.severity) for one in run.notices] == [
        ("firing", TICKET),
        ("silence_ended", PAGE),
    ]


def test_a_page_waits_until_its_short_window_lies_after_the_maintenance() -> None:
    run = run_of(CHAT)
    end_s = START_S + 600
    run.mutes = Quiet(maintenance_end_s=end_s)
    run.say(SUBJECT, [reading(T, short_s=300)], 1200)
    (notice,) = run.notices
    told_at_s = next(tick for tick in range(START_S, run.tick_s, 10) if tick - 300 >= end_s)
    assert notice.transition == "silence_ended"
    assert run.alerts.state.book.groups[next(iter(run.alerts.state.book.groups))].told_s == {
        PAGE: told_at_s
    }


def test_a_tick_far_behind_the_clock_is_told_only_if_it_lasts_to_the_live_edge() -> None:
    run = run_of(CHAT)
    run.behind_s = 3600
    run.say(SUBJECT, [reading(T)], 600)
    assert run.notices == []
    assert "detected_late" in run.kinds()
    run.behind_s = 300
    run.say(SUBJECT, [reading(T)], 600)
    assert run.notices == []
    run.behind_s = 30
    run.say(SUBJECT, [reading(T)], 600)
    assert [one.is_detected_late for one in run.notices] == [True]


def test_an_outage_that_ended_before_the_live_edge_is_recorded_and_never_told() -> None:
    run = run_of(CHAT)
    run.behind_s = 3600
    run.say(SUBJECT, [reading(T)], 600)
    run.say(SUBJECT, [reading(F)], 200)
    run.behind_s = 30
    run.say(SUBJECT, [reading(F)], 600)
    assert run.notices == []
    assert run.kinds()[-1] == "resolved"


def test_the_end_of_what_was_told_is_told_however_late() -> None:
    run = run_of(CHAT)
    run.say(SUBJECT, [reading(T)], 60)
    run.behind_s = 7200
    run.say(SUBJECT, [reading(F)], 600)
    assert run.told() == ["firing", "resolved"]


def test_a_clock_that_jumps_back_tells_nothing_twice() -> None:
    run = run_of(CHAT)
    run.say(SUBJECT, [reading(T)], 60)
    run.behind_s = -86_400
    run.say(SUBJECT, [reading(T)], 60)
    assert run.told() == ["firing"]


def test_a_receiver_for_which_a_resolve_is_final_hears_it_after_its_delay() -> None:
    run = run_of(CHAT, traits={"oncall": ReceiverTraits(resolve_delay_s=1800)})
    run.say(SUBJECT, [reading(T, keep_firing_s=0)], 60)
    run.say(SUBJECT, [reading(F, keep_firing_s=0)], 1500)
    run.say(SUBJECT, [reading(T, keep_firing_s=0)], 60)
    assert run.told() == ["firing"]
    run.say(SUBJECT, [reading(F, keep_firing_s=0)], 1860)
    assert run.told() == ["firing", "resolved"]


def test_a_delay_beyond_the_reopen_window_is_cut_to_it() -> None:
    run = run_of(CHAT, traits={"oncall": ReceiverTraits(resolve_delay_s=99_999)})
    run.say(SUBJECT, [reading(T, keep_firing_s=0)], 60)
    run.say(SUBJECT, [reading(F, keep_firing_s=0)], 3000)
    assert run.told() == ["firing", "resolved"]


def test_an_escalation_reaches_the_receiver_of_pages_and_both_hear_the_end() -> None:
    routes = Route(
        receiver="tickets",
        routes=(Route(receiver="pager", matchers=(Matcher("severity", "page"),)),),
    )
    run = run_of(CHAT, routes=routes)
    run.say(SUBJECT, [reading(T, severity=TICKET)], 60)
    run.say(SUBJECT, [reading(T, severity=PAGE)], 60)
    run.say(SUBJECT, [reading(F)], 600)
    assert [(one.receiver, one.transition) for one in run.notices] == [
        ("tickets", "firing"),
        ("pager", "firing"),
        ("pager", "resolved"),
        ("tickets", "resolved"),
    ]


def test_models_that_fail_together_are_one_notice_that_lists_them() -> None:
    run = run_of(MODELS)
    subjects = [MODELS.subject((name,)) for name in "abc"]
    run.tick({one: [reading(T)] for one in subjects})
    (notice,) = run.notices
    assert [one["model"] for one in notice.members] == ["a", "b", "c"]
    assert notice.labels == {"workspace": "acme", "service": "api", "slo": "chat"}


def test_a_model_that_follows_within_a_minute_needs_no_page_of_its_own() -> None:
    run = run_of(MODELS)
    first, second = MODELS.subject(("a",)), MODELS.subject(("b",))
    run.tick({first: [reading(T)]})
    for _ in range(60):
        run.tick({first: [reading(T)], second: [reading(T)]})
    assert run.told() == ["firing"]
    joined = [one for one in run.records if one.kind == "grouped"]
    (lead,) = {one.incident_id for one in run.records if one.labels["model"] == "a"}
    assert [(one.labels["model"], one.reason) for one in joined] == [("b", lead)]


def test_who_is_told_together_with_another_incident_has_a_row_that_names_it() -> None:
    routes = Route(
        receiver="all",
        routes=(
            Route(receiver="first", matchers=(Matcher("model", "a", is_equal=False),),
                  keep_going=True),
            Route(receiver="second"),
        ),
    )  # fmt: skip
    run = run_of(MODELS, routes=routes)
    run.tick({MODELS.subject((name,)): [reading(T)] for name in "abc"})
    of = {one.labels["model"]: one.incident_id for one in run.records if one.kind == "firing"}
    joined = [one for one in run.records if one.kind == "grouped"]
    # The two receivers hear of c together with different ones.
    assert {(one.labels["model"], one.reason) for one in joined} == {
        ("b", of["a"]), ("c", of["a"]), ("c", of["b"]),
    }  # fmt: skip
    assert len({one.transition_id for one in joined}) == 3


def test_a_model_that_follows_later_is_told_after_the_group_interval() -> None:
    run = run_of(MODELS)
    first, second = MODELS.subject(("a",)), MODELS.subject(("b",))
    run.say(first, [reading(T)], 120)
    while run.tick_s < START_S + 400:
        run.tick({first: [reading(T)], second: [reading(T)]})
    assert run.told() == ["firing", "firing"]
    added = run.notices[-1]
    assert added.reason == "members_added"
    assert added.incident_id == run.notices[0].incident_id
    assert len(added.members) == 2


def test_a_group_ends_with_the_last_of_its_members() -> None:
    run = run_of(MODELS)
    first, second = MODELS.subject(("a",)), MODELS.subject(("b",))
    run.tick({first: [reading(T)], second: [reading(T)]})
    for _ in range(60):
        run.tick({first: [reading(F)], second: [reading(T)]})
    assert run.told() == ["firing"]
    for _ in range(60):
        run.tick({first: [reading(F)], second: [reading(F)]})
    assert run.told() == ["firing", "resolved"]
    assert len(run.notices[-1].members) == 2


def test_a_silenced_member_is_left_out_of_the_notice() -> None:
    run = run_of(MODELS)
    run.mutes = Quiet(by=("s1",), only={"model": "a"})
    run.tick({MODELS.subject((name,)): [reading(T)] for name in "ab"})
    assert run.notices[0].labels["model"] == "b"
    assert run.notices[0].members == ()


def test_a_storm_is_one_notice() -> None:
    slos = [definition(f"slo-{n:02}", service=f"s{n}", group_by=("provider",)) for n in range(12)]
    run = run_of(*slos)
    said = {one.subject(("p",)): [reading(T, keep_firing_s=0)] for one in slos}
    run.tick(said)
    (notice,) = run.notices
    assert len(notice.members) == 12
    assert notice.labels["provider"] == "p"
    run.tick({one: [reading(F, keep_firing_s=0)] for one in said})
    assert run.told() == ["firing", "resolved"]


def test_ten_incidents_are_no_storm() -> None:
    slos = [definition(f"slo-{n:02}", service=f"s{n}", group_by=("provider",)) for n in range(10)]
    run = run_of(*slos)
    run.tick({one.subject(("p",)): [reading(T)] for one in slos})
    assert len(run.notices) == 10


def test_a_ticket_of_a_service_that_pages_waits_for_the_end_of_the_page() -> None:
    other = definition("ttft")
    run = run_of(CHAT, other)
    ticket = reading(T, severity=TICKET, rule="ticket-slow")
    said = {SUBJECT: [reading(T)], other.subject(()): [ticket]}
    for _ in range(10):
        run.tick(said)
    assert [one.labels["slo"] for one in run.notices] == ["chat"]
    assert run.notices[0].suppressed == ("ttft (ticket)",)
    for _ in range(40):
        run.tick({SUBJECT: [reading(F)], other.subject(()): [ticket]})
    assert [(one.labels["slo"], one.reason) for one in run.notices] == [
        ("chat", "first_notification"),
        ("chat", "condition_cleared"),
        ("ttft", "inhibition_ended"),
    ]


def test_a_broken_pipeline_keeps_absence_quiet() -> None:
    meta = definition("pipeline-lag", family=Family.SYSTEM, service="")
    run = run_of(CHAT, meta)
    said = {
        SUBJECT: [reading(T, rule="absence")],
        meta.subject(()): [reading(T, rule="level-1", severity=TICKET)],
    }
    for _ in range(10):
        run.tick(said)
    assert [one.family for one in run.notices] == [Family.SYSTEM]


def test_what_another_partition_tells_inhibits_here_and_says_nothing() -> None:
    meta = definition("heartbeat-missing", family=Family.SYSTEM, service="")
    run = run_of(CHAT, meta)
    run.alerts.hush([meta.key])
    broken = {meta.subject(()): [reading(T, rule="threshold", severity=TICKET)]}
    said = {SUBJECT: [reading(T, rule="absence", keep_firing_s=0)], **broken}
    for _ in range(10):
        run.tick(said)
    assert run.notices == []
    assert {one.labels["slo"] for one in run.records} == {"chat"}
    assert [one.labels["slo"] for one in listed_alerts(run.alerts)] == ["chat"]
    (absent,) = listed_alerts(run.alerts)
    assert absent.inhibited_by
    for _ in range(40):
        run.tick({SUBJECT: said[SUBJECT], meta.subject(()): [reading(F, rule="threshold")]})
    assert [one.reason for one in run.notices] == ["inhibition_ended"]


def test_notices_carry_what_the_definition_says() -> None:
    told = definition(
        labels={"team": "x"},
        annotations={"owner": "ada"},
        links={"runbook": "https://example.org/r"},
        receivers=("direct",),
    )
    run = run_of(told)
    run.say(told.subject(()), [reading(T)])
    assert [one.receiver for one in run.notices] == ["direct", "oncall"]
    notice = run.notices[0]
    assert notice.labels["team"] == "x"
    assert notice.annotations == {"summary": "api chat: page-fast", "owner": "ada"}
    assert notice.links == {"runbook": "https://example.org/r"}
    assert notice.type == "slo.alert.firing"
