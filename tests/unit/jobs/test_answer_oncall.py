from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from inferometer.core.query.answers import Freshness
from inferometer.core.query.objective_facts import ObjectiveFacts
from inferometer.core.query.questions import Filter, Match
from inferometer.errors import QueryTooCostlyError, StateError, StoreError
from inferometer.jobs.answer_alerts import AnswerAlerts
from inferometer.jobs.answer_oncall import AnswerOncall
from inferometer.testing.incidents import MemoryIncidentRecords, MemorySilenceDesk
from inferometer.testing.query_store import MemoryQueryStore

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

NOW = datetime(2026, 3, 1, 3, 0, 20, tzinfo=UTC)
BEGUN = NOW - timedelta(minutes=20)
FIRED = {
    "rule": "page-fast", "severity": "page", "is_true": True, "threshold": 14.4, "long_s": 3600,
    "long_burn": 90.0, "long_bad": 180, "long_total": 2000, "short_s": 300, "short_burn": 500.0,
    "short_bad": 50, "short_total": 100, "p_value": 1e-12, "value": None, "unit": "",
}  # fmt: skip
HAPPENED = [
    {"at": BEGUN, "kind": "rule_fired", "rule": "page-fast", "conditions": [FIRED]},
    {"at": BEGUN, "kind": "firing", "rule": "", "conditions": [FIRED]},
]


def incident(**changes: Any) -> dict[str, Any]:
    labels = {"workspace": "acme", "service": "chat", "slo": "chat-ok", "model": "m-large"}
    row = {
        "incident_id": "i1", "workspace_id": "acme", "service": "chat", "slo": "chat-ok",
        "family": "slo", "labels": labels, "severity": "page", "starts_at": BEGUN,
        "detected_at": BEGUN + timedelta(seconds=30), "resolved_at": None,
    }  # fmt: skip
    return {**row, **changes}


def requests(
    begin: datetime, end: datetime, *, failing_node: str, every_s: int = 15
) -> Iterable[dict[str, Any]]:
    """Requests of ten users over ten nodes of two regions; one node may fail all of its own."""
    at, number = begin, 0
    while at < end:
        node = f"n-{number % 10}"
        fails = node == failing_node
        yield {
            "event_id": f"e{at.timestamp()}", "request_id": f"r{at.timestamp()}", "ts_end": at,
            "workspace_id": "acme", "model": "m-large", "node_id": node,
            "region": "eu" if number % 10 < 5 else "us", "user_id": f"u-{number % 10}",
            "status_code": 503 if fails else 200, "error_type": "overloaded" if fails else "",
            "ttft_ms": 4000.0 if node == "n-1" else 300.0, "e2e_ms": 5000.0,
            "cost_usd": Decimal("0.01"),
        }  # fmt: skip
        at += timedelta(seconds=every_s)
        number += 1


class Standing:
    def __init__(self, *rows: dict[str, Any]) -> None:
        self._rows = list(rows)

    def rows(self) -> list[dict[str, Any]]:
        return self._rows


class Away:
    def rows(self) -> list[dict[str, Any]]:
        raise StateError("the state topic is gone")


class Declared:
    def __init__(self, facts: ObjectiveFacts) -> None:
        self._facts = facts

    def find(self, family: str, workspace: str, name: str) -> ObjectiveFacts | None:
        return self._facts


FACTS = ObjectiveFacts(name="chat-ok", workspace="acme", service="chat", objective=Decimal("0.99"))
STANDING = {"workspace": "acme", "slo": "chat-ok", "incident_id": "i1", "state": "firing",
            "burn": 90.0, "budget_left": 0.4, "exhausts_in_s": 7200, "at": "2026-03-01T03:00:00Z"}  # fmt: skip


class Night:
    """Everything that the job asks, as a test wants it."""

    def __init__(
        self,
        *incidents: dict[str, Any],
        facts: ObjectiveFacts = FACTS,
        happened: Sequence[dict[str, Any]] = HAPPENED,
        status: Standing | Away | None = None,
        watermark: datetime = NOW - timedelta(seconds=5),
    ) -> None:
        self.now = NOW
        well = requests(NOW - timedelta(minutes=150), BEGUN, failing_node="")
        ill = requests(BEGUN, NOW, failing_node="n-7")
        self.store = MemoryQueryStore([*well, *ill], watermark=watermark)
        self.desk = MemorySilenceDesk(lambda: int(self.now.timestamp() * 1e6))
        self.alerts = AnswerAlerts(
            records=MemoryIncidentRecords(
                incidents, transitions={row["incident_id"]: happened for row in incidents}
            ),
            clock=lambda: self.now,
            status=status or Standing(STANDING),
            desk=self.desk,
            objectives=Declared(facts),
        )
        self.job = AnswerOncall(
            alerts=self.alerts,
            margins=self.store.margins,
            freshness=lambda: Freshness(watermark, watermark),
            clock=lambda: self.now,
        )

    def answer(self, workspace: str | None = "acme") -> dict[str, Any]:
        return self.job.now(workspace)


def test_a_page_says_what_since_when_for_whom_and_where() -> None:
    answer = Night(incident()).answer()
    assert answer["state"] == "page"
    [found] = answer["incidents"]
    assert found["age_s"] == 1200
    assert (found["burn"], found["budget_left"], found["exhausts_in_s"]) == (90.0, 0.4, 7200)
    assert [facts["rule"] for facts in found["numbers"]] == ["page-fast"]
    behind = found["behind"]
    assert behind["about"] == "failures"
    assert behind["bad_ratio_before"] == 0
    # 20 minutes of 4 requests a minute; every tenth on the node that fails.
    assert behind["bad"] == 8
    # That all eight are of one half of the regions may be chance: 1 in 256.
    assert [(each["dimension"], each["value"]) for each in behind["stands_out"]] == [
        ("node_id", "n-7"), ("user_id", "u-7"),
    ]  # fmt: skip
    assert behind["stands_out"][0]["share_of_excess"] == 1
    who = {each["dimension"]: each for each in behind["affected"]}
    assert (who["user_id"]["affected"], who["user_id"]["seen"]) == (1, 10)
    assert "workspace_id" not in who
    kinds = {each["dimension"]: (each["value"], each["share"]) for each in behind["kinds"]}
    assert kinds == {"error_type": ("overloaded", 1.0), "status_code": ("503", 1.0)}
    assert behind["filters"] == [{"dimension": "model", "match": "=", "values": ["m-large"]}]


def test_the_span_before_ends_before_the_trouble_can_have_begun() -> None:
    behind = Night(incident()).answer()["incidents"][0]["behind"]
    # The long window of the rule is an hour.
    assert datetime.fromisoformat(behind["before"]["to"]) <= BEGUN - timedelta(hours=1)
    assert datetime.fromisoformat(behind["during"]["from"]) <= BEGUN


def test_a_slow_service_is_looked_at_by_what_is_slow() -> None:
    facts = ObjectiveFacts(
        name="chat-ttft", workspace="acme", service="chat", duration="ttft", slow_over_ms=2000,
        objective=Decimal("0.95"),
    )  # fmt: skip
    night = Night(incident(), facts=facts)
    for row in night.store.rows:
        if row["ts_end"] < BEGUN:
            row["ttft_ms"] = 300.0
    behind = night.answer()["incidents"][0]["behind"]
    assert (behind["about"], behind["slow_over_ms"]) == ("slow", 2000)
    assert behind["stands_out"][0]["value"] in {"n-1", "u-1"}
    who = {each["dimension"]: each["affected"] for each in behind["affected"]}
    assert who["user_id"] == 1


def test_money_is_held_against_what_was_spent_before() -> None:
    facts = ObjectiveFacts(name="budget", workspace="acme", service="chat", is_about_cost=True)
    night = Night(incident(family="cost"), facts=facts)
    for row in night.store.rows:
        if row["ts_end"] >= BEGUN and row["user_id"] == "u-3":
            row["cost_usd"] = Decimal(1)
    behind = night.answer()["incidents"][0]["behind"]
    assert behind["about"] == "cost"
    assert behind["bad"] > 5 * behind["bad_before_scaled"]
    assert ("user_id", "u-3") in {(e["dimension"], e["value"]) for e in behind["stands_out"]}
    assert behind["affected"] == []


def test_nothing_open_and_fresh_data_is_all_clear() -> None:
    answer = Night(incident(resolved_at=NOW - timedelta(hours=1))).answer()
    assert answer["state"] == "quiet"
    assert [row["incident_id"] for row in answer["resolved"]] == ["i1"]
    assert answer["objectives"]["groups"] == 1


def test_stale_data_is_never_all_clear() -> None:
    answer = Night(watermark=NOW - timedelta(minutes=6)).answer()
    assert answer["state"] == "unknown"
    assert answer["freshness"]["is_stale"]


def test_without_objectives_nobody_says_that_all_is_well() -> None:
    night = Night()
    bare = AnswerAlerts(records=MemoryIncidentRecords(), clock=lambda: NOW)
    job = AnswerOncall(
        alerts=bare, margins=night.store.margins,
        freshness=lambda: Freshness(NOW, NOW), clock=lambda: NOW,
    )  # fmt: skip
    answer = job.now(None)
    assert answer["state"] == "unknown"
    assert "--slo" in answer["reason"]


def test_what_is_silenced_wakes_nobody_and_is_still_shown() -> None:
    night = Night(incident())
    night.alerts.add_silence(
        None,
        {"matchers": [{"name": "slo", "value": "chat-ok"}],
         "endsAt": (NOW + timedelta(hours=1)).isoformat()},
        created_by="ana",
    )  # fmt: skip
    answer = night.answer()
    assert answer["state"] == "silenced"
    assert len(answer["incidents"]) == 1


def test_pages_come_before_tickets_and_the_loud_before_the_silenced() -> None:
    older = BEGUN - timedelta(hours=1)
    answer = Night(
        incident(incident_id="t", severity="ticket", starts_at=older),
        incident(incident_id="p2", starts_at=BEGUN),
        incident(incident_id="p1", starts_at=older),
    ).answer()
    assert [row["incident_id"] for row in answer["incidents"]] == ["p2", "p1", "t"]


def test_a_workspace_sees_nothing_of_another() -> None:
    night = Night(incident(workspace_id="globex"))
    answer = night.answer("acme")
    assert answer["incidents"] == []
    assert answer["state"] == "quiet"


def test_who_cannot_say_how_objectives_stand_is_named_and_the_rest_is_told() -> None:
    answer = Night(incident(), status=Away()).answer()
    assert len(answer["incidents"]) == 1
    assert "state topic" in answer["problems"][0]


def test_a_question_that_costs_too_much_is_asked_of_a_shorter_span() -> None:
    night = Night(incident())
    night.store.fail_next(QueryTooCostlyError("more than 5 s", "choose a shorter time range"))
    behind = night.answer()["incidents"][0]["behind"]
    assert behind["notes"] == ["only the last 15 minutes were looked at: more than 5 s"]
    assert behind["stands_out"][0]["value"] == "n-7"
    begin, end = (datetime.fromisoformat(behind["during"][side]) for side in ("from", "to"))
    assert end - begin == timedelta(minutes=15)


def test_what_costs_too_much_even_so_leaves_the_incident_itself() -> None:
    night = Night(incident())
    costly = QueryTooCostlyError("more than 5 s", "choose a shorter time range")
    night.store.fail_next(costly, costly)
    [found] = night.answer()["incidents"]
    assert found["numbers"]
    assert found["behind"]["notes"] == ["more than 5 s; choose a shorter time range"]


def test_a_selector_that_no_filter_can_say_is_named() -> None:
    facts = replace(
        FACTS, filters=(Filter("colour", Match.IS, ("red",)),), unsaid=('model=~"m.*"',)
    )
    notes = Night(incident(), facts=facts).answer()["incidents"][0]["behind"]["notes"]
    assert notes[0] == 'not looked at: model=~"m.*"'
    assert "colour" in notes[1]


def test_an_investigation_is_kept_for_half_a_minute() -> None:
    night = Night(incident())
    night.answer()
    # Whoever asked the store again would hear this.
    night.store.fail_next(StoreError("asked again", retryable=True))
    night.answer()
    night.now += timedelta(seconds=31)
    with pytest.raises(StoreError, match="asked again"):
        night.answer()


def test_a_meta_alert_of_the_pipeline_has_no_requests_behind_it() -> None:
    [found] = Night(incident(family="system")).answer()["incidents"]
    assert found["behind"] is None


def test_a_rule_on_a_metric_blames_no_requests() -> None:
    facts = replace(FACTS, metric="unpriced_requests / attempts", description="No price is known.")
    [found] = Night(incident(), facts=facts).answer()["incidents"]
    assert (found["behind"], found["description"]) == (None, "No price is known.")


@pytest.mark.parametrize("kind", ["cleared", "escalated"])
def test_a_condition_that_cleared_is_told_until_it_is_true_again(kind: str) -> None:
    later = [
        {"at": NOW - timedelta(minutes=2), "kind": "cleared", "conditions": []},
        {"at": NOW - timedelta(minutes=1), "kind": kind, "conditions": []},
    ]
    [found] = Night(incident(), happened=[*HAPPENED, *later]).answer()["incidents"]
    assert (found["cleared_at"] is not None) is (kind == "cleared")
