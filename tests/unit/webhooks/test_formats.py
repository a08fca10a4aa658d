from __future__ import annotations

import dataclasses
from decimal import Decimal

import jsonschema
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferometer.core.alerts.notices import (
    BudgetFacts,
    ConditionFacts,
    Family,
    Notice,
    Transition,
)
from inferometer.core.alerts.receivers import Format
from inferometer.core.alerts.trials import Heartbeat, trial_notice
from inferometer.core.slo.definitions import Severity
from inferometer.testing.notices import example_notice, example_resolve
from inferometer.webhooks.body_schema import standard_schema
from inferometer.webhooks.messages import WITHOUT_HEARTBEAT, compose_heartbeat
from tests.unit.webhooks.rendering import KEY, NOW_US, body_of, message_of, receiver_of


def test_the_standard_body_is_the_documented_one() -> None:
    notice = example_notice(notification_id="msg_1")
    message = message_of(Format.STANDARD, notice)
    assert message.id == "msg_1"
    body = orjson.loads(message.body)
    assert (body["type"], body["timestamp"]) == ("slo.alert.firing", "2026-01-05T10:01:50Z")
    data = body["data"]
    text = data.pop("text")
    assert "page-fast burns 15.1 times too fast over 1h (151 of 10021 bad), 181 over 5m" in text
    assert data == {
        "schema": "1",
        "incident_id": "q7cexampleincident00000000",
        "seq": 1,
        "episode": 1,
        "severity": "page",
        "status": "firing",
        "reason": "first_notification",
        "fingerprint": "9f86d081884c7d65",
        "summary": "[PAGE] acme/chat-api/chat-success model=m-large: page-fast burns 15.1 times "
        "too fast over 1h (151 of 10021 bad), 181 over 5m",
        "labels": {
            "workspace": "acme",
            "service": "chat-api",
            "slo": "chat-success",
            "model": "m-large",
        },
        "annotations": {"owner": "team-inference"},
        "starts_at": "2026-01-05T10:01:00Z",
        "detected_at": "2026-01-05T10:01:50Z",
        "condition_cleared_at": None,
        "resolved_at": None,
        "slo": {
            "target": 0.999,
            "period": "30d",
            "budget_remaining": 0.913,
            "exhausts_in_s": 216_000,
        },
        "conditions": [
            {
                "rule": "page-fast",
                "severity": "page",
                "true": True,
                "burn": 14.4,
                "long": {"w": "1h", "burn": 15.1, "bad": 151, "total": 10_021},
                "short": {"w": "5m", "burn": 181.0, "bad": 150, "total": 829},
                "p_value": 1e-12,
            }
        ],
        "drivers": [{"dim": "error_class", "value": "timeout", "share": 0.92}],
        "members": 1,
        "member_labels": [],
        "suppressed": [],
        "detected_late": False,
        "flapping": False,
        "links": {
            "runbook": "https://runbooks.example/chat",
            "dashboard": "https://boards.example/chat",
        },
        "details": {},
    }


@pytest.mark.parametrize(
    "notice",
    [
        example_notice(),
        example_resolve(members=({"model": "a"}, {"model": "b"}), suppressed=("x",)),
        example_notice(
            family=Family.COST,
            budget=BudgetFacts(target=Decimal(5), period_s=86_400, remaining=-0.5),
            conditions=(
                ConditionFacts(
                    rule="r",
                    severity=Severity.TICKET,
                    is_true=True,
                    threshold=1,
                    value=2,
                    unit="USD",
                ),
            ),
        ),
        trial_notice("oncall", now_us=NOW_US),
        example_notice(members=tuple({"model": f"model-{at}"} for at in range(2000))),
    ],
    ids=["firing", "resolved", "cost", "test", "truncated"],
)
def test_a_standard_body_fits_its_schema(notice: Notice) -> None:
    jsonschema.validate(body_of(Format.STANDARD, notice), standard_schema())


def test_a_heartbeat_fits_the_schema_too() -> None:
    beat = Heartbeat(receiver="oncall", at_us=NOW_US, interval_s=60, last_tick_us=NOW_US)
    body = orjson.loads(compose_heartbeat(receiver_of(Format.STANDARD), beat).body)
    jsonschema.validate(body, standard_schema())
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(body | {"data": {"interval_s": 60}}, standard_schema())


def test_money_is_text() -> None:
    budget = BudgetFacts(target=Decimal("1000.10"), period_s=2_592_000, remaining=0.2)
    body = body_of(Format.STANDARD, example_notice(family=Family.COST, budget=budget))
    assert body["type"] == "cost.alert.firing"
    assert body["data"]["budget"]["amount_usd"] == "1000.10"
    assert "slo" not in body["data"]


def test_a_resolve_tells_how_long_it_took() -> None:
    body = body_of(Format.STANDARD, example_resolve())
    assert body["type"] == "slo.alert.resolved"
    assert body["timestamp"] == body["data"]["resolved_at"] == "2026-01-05T10:16:00Z"
    assert body["data"]["summary"].endswith("over after 10m")


def test_numbers_that_json_lacks_are_null() -> None:
    condition = dataclasses.replace(example_notice().conditions[0], p_value=float("nan"))
    notice = example_notice(conditions=(condition,), details={"ratio": float("inf"), 1: Decimal(2)})
    data = body_of(Format.STANDARD, notice)["data"]
    assert data["conditions"][0]["p_value"] is None
    assert data["details"] == {"ratio": None, "1": "2"}


def test_a_structured_cloudevent_holds_its_attributes() -> None:
    notice = example_notice(notification_id="msg_1")
    message = message_of(Format.CLOUDEVENTS, notice)
    assert message.headers["Content-Type"].startswith("application/cloudevents+json")
    event = orjson.loads(message.body)
    data = event.pop("data")
    assert event == {
        "specversion": "1.0",
        "id": "msg_1",
        "source": "/inferometer/alerts",
        "type": "slo.alert.firing",
        "subject": "q7cexampleincident00000000",
        "time": "2026-01-05T10:01:50Z",
        "datacontenttype": "application/json",
    }
    assert data == body_of(Format.STANDARD, notice)["data"]


def test_a_binary_cloudevent_has_its_attributes_in_headers() -> None:
    notice = example_notice(notification_id="msg_1")
    url = "https://alerts.example/ü x"
    message = message_of(Format.CLOUDEVENTS_BINARY, notice, external_url=url)
    assert message.headers == {
        "Content-Type": "application/json",
        "ce-specversion": "1.0",
        "ce-id": "msg_1",
        "ce-source": "https://alerts.example/%C3%BC%20x",
        "ce-type": "slo.alert.firing",
        "ce-subject": "q7cexampleincident00000000",
        "ce-time": "2026-01-05T10:01:50Z",
    }
    assert orjson.loads(message.body)["incident_id"] == "q7cexampleincident00000000"


def test_alerts_of_one_webhook_are_told_apart_and_the_first_is_so_alone_and_among_others() -> None:
    alone = example_notice()
    members = tuple({"slo": "chat", "model": name} for name in ("a", "b", "c"))
    ids = ["other", alone.incident_id, "third"]
    together = example_notice(members=members, details={"member_incident_ids": ids})
    found = [
        [alert["fingerprint"] for alert in body_of(Format.ALERTMANAGER_V4, notice)["alerts"]]
        for notice in (alone, together)
    ]
    assert found[0] == [alone.fingerprint] == found[1][1:2]
    assert len(set(found[1])) == len(members)


def test_the_body_of_alertmanagers_webhook_has_its_names() -> None:
    body = body_of(Format.ALERTMANAGER_V4, example_notice())
    labels = {
        "alertname": "chat-success",
        "model": "m-large",
        "service": "chat-api",
        "severity": "page",
        "slo": "chat-success",
        "workspace": "acme",
    }
    (alert,) = body["alerts"]
    assert alert["labels"] == body["commonLabels"] == labels
    assert (alert["status"], alert["endsAt"]) == ("firing", "0001-01-01T00:00:00Z")
    assert alert["startsAt"] == "2026-01-05T10:01:00Z"
    assert alert["annotations"]["runbook_url"] == "https://runbooks.example/chat"
    assert alert["generatorURL"] == "https://boards.example/chat"
    assert body["groupLabels"] == {n: labels[n] for n in ("workspace", "service", "slo")}
    assert (body["version"], body["groupKey"]) == ("4", "q7cexampleincident00000000")
    assert body["notification_reason"] == "first notification"


def test_members_are_alerts_and_are_cut_where_the_receiver_wants() -> None:
    members = tuple({"slo": "chat", "model": f"m{at}"} for at in range(3))
    notice = example_notice(members=members)
    body = body_of(Format.ALERTMANAGER_V4, notice, max_alerts=2)
    assert [alert["labels"]["model"] for alert in body["alerts"]] == ["m0", "m1"]
    assert body["truncatedAlerts"] == 1
    assert "model" not in body["commonLabels"]
    assert body["commonLabels"]["slo"] == "chat"


def test_an_alert_for_the_api_ends_far_ahead_until_it_is_resolved() -> None:
    (alert,) = body_of(Format.ALERTMANAGER_API, example_notice())
    assert alert["endsAt"] == "2026-01-12T10:01:51Z"
    (over,) = body_of(Format.ALERTMANAGER_API, example_resolve())
    assert over["endsAt"] == "2026-01-05T10:16:00Z"
    assert over["labels"] == alert["labels"]


def test_an_escalation_ends_the_alert_of_the_lower_severity() -> None:
    escalated = example_notice(transition=Transition.ESCALATED, seq=2)
    page, ticket = body_of(Format.ALERTMANAGER_API, escalated)
    assert (page["labels"]["severity"], page["endsAt"]) == ("page", "2026-01-12T10:01:51Z")
    assert (ticket["labels"]["severity"], ticket["endsAt"]) == ("ticket", "2026-01-05T10:01:51Z")
    over = body_of(Format.ALERTMANAGER_API, example_resolve(seq=3))
    assert {alert["labels"]["severity"] for alert in over} == {"page", "ticket"}
    assert {alert["endsAt"] for alert in over} == {"2026-01-05T10:16:00Z"}


def test_label_names_that_prometheus_refuses_are_changed() -> None:
    notice = example_notice(labels={"slo": "s", "gen_ai.model": "m", "9lives": "y", "empty": ""})
    (alert,) = body_of(Format.ALERTMANAGER_API, notice)
    assert {"gen_ai_model", "_9lives"} <= set(alert["labels"])
    assert "empty" not in alert["labels"]


@pytest.mark.parametrize(
    ("notice", "action", "severity"),
    [
        (example_notice(), "trigger", "critical"),
        (example_notice(severity=Severity.TICKET), "trigger", "warning"),
        (example_resolve(), "resolve", "critical"),
        (trial_notice("oncall", now_us=NOW_US), "trigger", "info"),
    ],
    ids=["page", "ticket", "resolve", "test"],
)
def test_pagerduty_events(notice: Notice, action: str, severity: str) -> None:
    body = body_of(Format.PAGERDUTY_V2, notice)
    assert body["event_action"] == action
    assert body["payload"]["severity"] == severity
    assert body["dedup_key"] == notice.incident_id
    assert body["routing_key"] == KEY


def test_pagerduty_gets_what_its_fields_are_for() -> None:
    body = body_of(Format.PAGERDUTY_V2, example_notice(), external_url="https://alerts.example")
    payload = body["payload"]
    assert payload["custom_details"]["incident_id"] == body["dedup_key"]
    assert (payload["source"], payload["component"]) == ("chat-api", "m-large")
    assert (payload["group"], payload["class"]) == ("acme", "chat-success")
    assert body["links"][0] == {"href": "https://runbooks.example/chat", "text": "Runbook"}
    assert body["client_url"] == "https://alerts.example"


def test_slack_shows_texts_labels_and_links_and_no_markup_of_others() -> None:
    labels = {"slo": "a&b <!channel>"}
    body = body_of(Format.SLACK, example_notice(labels=labels))
    raw = orjson.dumps(body).decode()
    assert "<!channel>" not in raw.replace(orjson.dumps(body["blocks"][0]).decode(), "")
    assert body["blocks"][0]["text"]["type"] == "plain_text"
    assert body["blocks"][-1]["elements"][0]["url"] == "https://runbooks.example/chat"
    assert body["blocks"][0]["text"]["text"].startswith(":rotating_light:")
    assert body_of(Format.SLACK, example_resolve())["blocks"][0]["text"]["text"].startswith(
        ":white_check_mark:"
    )


WILD = st.text(max_size=400) | st.just("&" * 5000) | st.just("x" * 20_000)


@given(
    text=WILD,
    count=st.integers(0, 300),
    format_=st.sampled_from(list(Format)),
    is_over=st.booleans(),
)
def test_no_message_is_longer_than_its_product_allows(
    text: str, count: int, format_: Format, *, is_over: bool
) -> None:
    make = example_resolve if is_over else example_notice
    notice = make(
        labels={"slo": text, "model": text[:100], **{f"l{at}": "v" for at in range(20)}},
        annotations={"description": text},
        members=tuple({"model": f"{text[:50]}{at}"} for at in range(count)),
        suppressed=tuple(text[:50] for _ in range(count)),
        links={"dashboard": f"https://{text}"},
        details={"more": text},
    )
    message = message_of(format_, notice)
    body = orjson.loads(message.body)
    assert message_of(format_, notice) == message
    if format_ is Format.SLACK:
        blocks = body["blocks"]
        assert len(blocks) <= 20
        assert len(str(body["blocks"][0]["text"]["text"])) <= 150
        shown = [str(block["text"]["text"]) for block in blocks if "text" in block]
        assert all(len(one) <= 3000 for one in shown)
        assert sum(map(len, shown)) <= 10_000
    if format_ is Format.PAGERDUTY_V2:
        assert len(body["payload"]["summary"]) <= 1024
        assert len(message.body) <= 512_000
    assert all(value.isascii() and "\n" not in value for value in message.headers.values())


def test_the_standard_body_stays_under_its_limit_and_says_what_is_missing() -> None:
    notice = example_notice(members=tuple({"model": f"model-{at}"} for at in range(2000)))
    message = message_of(Format.STANDARD, notice)
    assert len(message.body) < 20_000
    data = orjson.loads(message.body)["data"]
    assert data["truncated"] == ["member_labels"]
    assert data["members"] == 2000


@pytest.mark.parametrize("format_", sorted(set(Format) - WITHOUT_HEARTBEAT))
def test_heartbeats_have_one_id_for_each_interval(format_: Format) -> None:
    first, second = (
        Heartbeat(receiver="oncall", at_us=at_us, interval_s=60, last_tick_us=at_us)
        for at_us in (NOW_US, NOW_US + 60_000_000)
    )
    one, other = (compose_heartbeat(receiver_of(format_), beat) for beat in (first, second))
    assert one.id != other.id
    assert orjson.loads(one.body)
    if format_ is Format.STANDARD:
        assert orjson.loads(one.body)["type"] == "system.heartbeat"


@pytest.mark.parametrize("format_", sorted(WITHOUT_HEARTBEAT))
def test_what_people_read_has_no_heartbeat(format_: Format) -> None:
    beat = Heartbeat(receiver="oncall", at_us=NOW_US, interval_s=60, last_tick_us=NOW_US)
    with pytest.raises(ValueError, match="another receiver"):
        compose_heartbeat(receiver_of(format_), beat)
