"""What Alertmanager's API lists: filters, groups, and why an alert is suppressed."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from inferometer.core.alerts.listing import AlertQuery, ListedAlert, alerts_answer, groups_answer
from inferometer.core.alerts.maintenance import Effect, Maintenance
from inferometer.core.alerts.matchers import Matcher
from inferometer.core.alerts.mute_book import MuteBook
from inferometer.core.alerts.silences import Silence

S = 1_000_000
NOW_S = 1_767_600_000
ALERT = ListedAlert(
    fingerprint="1",
    labels={"workspace": "acme", "service": "chat", "slo": "success", "severity": "page"},
    receivers=("oncall", "log"),
    starts_at_us=NOW_S * S,
    updated_at_us=NOW_S * S,
    ends_at_us=(NOW_S + 60) * S,
)
QUIET = replace(ALERT, fingerprint="2", labels={**ALERT.labels, "slo": "quiet"})
INHIBITED = replace(
    ALERT, fingerprint="3", labels={**ALERT.labels, "slo": "latency"}, inhibited_by=("1",)
)
MAINTAINED = replace(ALERT, fingerprint="4", labels={**ALERT.labels, "service": "batch"})
ALERTS = [MAINTAINED, INHIBITED, QUIET, ALERT]
TIMES: dict[str, Any] = {"starts_at_us": 0, "ends_at_us": 2 * NOW_S * S, "updated_at_us": 0}
BOOK = MuteBook(
    [
        Silence(id="s", matchers=(Matcher("slo", "quiet"),), created_by="me", comment="", **TIMES),
        Maintenance(
            id="w",
            matchers=(Matcher("service", "batch"),),
            effect=Effect.MUTE,
            reason="r",
            created_by="ci",
            **TIMES,
        ),
    ]
)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        (AlertQuery(), ["1", "2", "3", "4"]),
        (AlertQuery(silenced=False, inhibited=False), ["1"]),
        (AlertQuery(active=False), ["2", "3", "4"]),
        (AlertQuery(active=False, inhibited=False), ["2", "4"]),
        (AlertQuery(active=False, silenced=False), ["3"]),
        (AlertQuery(matchers=(Matcher("alertname", "success"),)), ["1", "4"]),
        (AlertQuery(receiver=re.compile("onc.*")), ["1", "2", "3", "4"]),
        (AlertQuery(receiver=re.compile("call")), []),
    ],
)
def test_a_query_selects(query: AlertQuery, found: list[str]) -> None:
    answer = alerts_answer(ALERTS, BOOK, query, NOW_S)
    assert [each["fingerprint"] for each in answer] == found


def test_an_alert_says_what_suppresses_it() -> None:
    states = [each["status"] for each in alerts_answer(ALERTS, BOOK, AlertQuery(), NOW_S)]
    assert [state["state"] for state in states] == ["active", *["suppressed"] * 3]
    assert states[1]["silencedBy"] == ["s"]
    assert states[2]["inhibitedBy"] == ["1"]
    assert states[3]["mutedBy"] == ["maintenance:w"]


def test_the_answer_has_alertmanagers_fields() -> None:
    (first, *_) = alerts_answer(ALERTS, BOOK, AlertQuery(), NOW_S)
    assert set(first) == {
        "annotations", "endsAt", "fingerprint", "receivers", "startsAt", "status", "updatedAt",
        "labels",
    }  # fmt: skip
    linked = replace(ALERT, link="https://alerts.example/1")
    (first, *_) = alerts_answer([linked], BOOK, AlertQuery(), NOW_S)
    assert first["generatorURL"] == "https://alerts.example/1"
    assert first["labels"]["alertname"] == "success"
    assert first["startsAt"] == "2026-01-05T08:00:00.000000Z"


def test_groups_are_by_receiver_and_identity() -> None:
    query = AlertQuery(receiver=re.compile("oncall"), silenced=False)
    groups = groups_answer([ALERT, replace(ALERT, fingerprint="9"), QUIET], BOOK, query, NOW_S)
    assert [(group["receiver"], len(group["alerts"])) for group in groups] == [
        ({"name": "oncall"}, 2)
    ]
    assert groups[0]["labels"] == {"workspace": "acme", "service": "chat", "slo": "success"}
    assert len(groups_answer(ALERTS, BOOK, AlertQuery(), NOW_S)) == 8
