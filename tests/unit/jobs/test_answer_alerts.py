from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from inferometer.core.alerts.silences import MuteRefusedError
from inferometer.core.query.objective_facts import ObjectiveFacts
from inferometer.errors import PipelineError
from inferometer.jobs.answer_alerts import AnswerAlerts, SilencesAwayError
from inferometer.testing.incidents import MemoryIncidentRecords, MemorySilenceDesk

NOW = datetime(2026, 3, 1, 3, 0, tzinfo=UTC)
ENDS = (NOW + timedelta(hours=2)).isoformat()


def incident(number: int, workspace: str = "acme", **changes: Any) -> dict[str, Any]:
    row = {
        "incident_id": f"i{number}", "workspace_id": workspace, "service": "chat", "slo": "chat-ok",
        "family": "slo", "labels": {"workspace": workspace, "service": "chat", "slo": "chat-ok"},
        "severity": "page", "starts_at": NOW - timedelta(minutes=20),
        "detected_at": NOW - timedelta(minutes=18), "resolved_at": None,
    }  # fmt: skip
    return {**row, **changes}


def matcher(name: str, value: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "value": value, "isRegex": False, "isEqual": True, **more}


class Standing:
    def rows(self) -> list[dict[str, Any]]:
        return [
            {"workspace": "acme", "slo": "chat-ok", "at": "2026-03-01T02:59:50+00:00"},
            {"workspace": "globex", "slo": "other", "at": "2026-03-01T02:59:40+00:00"},
        ]


class Declared:
    def find(self, family: str, workspace: str, name: str) -> ObjectiveFacts | None:
        if (family, workspace, name) != ("slo", "acme", "chat-ok"):
            return None
        return ObjectiveFacts(
            name=name,
            workspace=workspace,
            service="chat",
            owner="ana",
            links={"runbook": "https://r"},
        )


@pytest.fixture
def desk() -> MemorySilenceDesk:
    return MemorySilenceDesk(lambda: int(NOW.timestamp() * 1e6))


@pytest.fixture
def alerts(desk: MemorySilenceDesk) -> AnswerAlerts:
    told = {"i1": [{"at": NOW - timedelta(minutes=17), "receiver": "oncall"}],
            "i2": [{"at": NOW - timedelta(minutes=16), "receiver": "others"}]}  # fmt: skip
    records = MemoryIncidentRecords([incident(1), incident(2, "globex")], attempts=told)
    return AnswerAlerts(
        records=records, clock=lambda: NOW, status=Standing(), desk=desk, objectives=Declared()
    )


def spanning(alerts: AnswerAlerts, workspace: str | None) -> list[dict[str, Any]]:
    found = alerts.incidents(workspace, since=NOW - timedelta(days=1), until=NOW)
    rows: list[dict[str, Any]] = found["rows"]
    return rows


def test_a_workspace_sees_its_own_alone(alerts: AnswerAlerts) -> None:
    assert [row["incident_id"] for row in spanning(alerts, "acme")] == ["i1"]
    assert [row["incident_id"] for row in spanning(alerts, None)] == ["i1", "i2"]
    assert [row["slo"] for row in alerts.status("acme")["rows"]] == ["chat-ok"]
    told = alerts.notifications("acme", since=NOW - timedelta(days=1), until=NOW)["rows"]
    assert [row["receiver"] for row in told] == ["oncall"]
    assert alerts.incident("acme", "i2") is None
    assert alerts.incident("globex", "i2") is not None


def test_an_incident_comes_with_what_is_declared_of_it(alerts: AnswerAlerts) -> None:
    [row] = spanning(alerts, "acme")
    assert (row["owner"], row["links"], row["is_open"]) == ("ana", {"runbook": "https://r"}, True)
    assert spanning(alerts, "globex")[0]["links"] == {}


def test_an_incident_says_which_silence_mutes_it(alerts: AnswerAlerts) -> None:
    made = alerts.add_silence(
        None,
        {"matchers": [matcher("slo", "chat-ok"), matcher("severity", "page")], "endsAt": ENDS,
         "comment": "known"},
        created_by="ana",
    )  # fmt: skip
    assert spanning(alerts, "acme")[0]["silenced_by"] == [made["silenceID"]]
    alerts.expire_silence(None, made["silenceID"])
    assert spanning(alerts, "acme")[0]["silenced_by"] == []


def test_a_silence_of_a_workspace_is_kept_to_it(alerts: AnswerAlerts) -> None:
    alerts.add_silence(
        "acme", {"matchers": [matcher("slo", "chat-ok")], "endsAt": ENDS}, created_by="ana"
    )
    [row] = alerts.silences("acme")["rows"]
    assert matcher("workspace", "acme") in row["matchers"]
    assert row["createdBy"] == "ana"
    assert alerts.silences("globex")["rows"] == []


def test_a_maintenance_window_is_told_to_the_workspace_that_it_names(
    alerts: AnswerAlerts, desk: MemorySilenceDesk
) -> None:
    everybody = {"id": "w1", "matchers": [matcher("provider", "openai")]}
    own = {"id": "w2", "matchers": [matcher("workspace", "acme")]}
    desk.maintenance = [everybody, own]
    assert alerts.silences("acme")["windows"] == [own]
    assert alerts.silences("globex")["windows"] == []
    assert alerts.silences(None)["windows"] == [everybody, own]


@pytest.mark.parametrize(
    "about",
    [
        matcher("workspace", "globex"),
        matcher("workspace", ".*", isRegex=True),
        matcher("workspace", "globex", isEqual=False),
    ],
)
def test_a_workspace_cannot_silence_another(alerts: AnswerAlerts, about: dict[str, Any]) -> None:
    with pytest.raises(MuteRefusedError, match="workspace acme only"):
        alerts.add_silence("acme", {"matchers": [about], "endsAt": ENDS}, created_by="ana")


@pytest.mark.parametrize("matchers", [None, "slo=x", ["slo"], 7])
def test_what_is_no_list_of_matchers_is_refused(alerts: AnswerAlerts, matchers: object) -> None:
    with pytest.raises(MuteRefusedError):
        alerts.add_silence(None, {"matchers": matchers, "endsAt": ENDS}, created_by="ana")


def test_a_workspace_neither_ends_nor_changes_the_silence_of_another(
    alerts: AnswerAlerts, desk: MemorySilenceDesk
) -> None:
    made = alerts.add_silence(
        "globex", {"matchers": [matcher("slo", "other")], "endsAt": ENDS}, created_by="bo"
    )["silenceID"]
    assert not alerts.expire_silence("acme", made)
    with pytest.raises(MuteRefusedError, match="no silence"):
        alerts.add_silence(
            "acme",
            {"id": made, "matchers": [matcher("slo", "x")], "endsAt": ENDS},
            created_by="ana",
        )
    assert desk.silences()[0]["status"]["state"] == "active"


def test_incidents_are_told_while_nobody_can_say_what_mutes_them(
    alerts: AnswerAlerts, desk: MemorySilenceDesk
) -> None:
    desk.failure = PipelineError("refused")
    assert spanning(alerts, "acme")[0]["silenced_by"] == []
    with pytest.raises(SilencesAwayError):
        alerts.silences("acme")


def test_what_is_not_configured_says_how_to(desk: MemorySilenceDesk) -> None:
    bare = AnswerAlerts(records=MemoryIncidentRecords(), clock=lambda: NOW)
    assert not bare.status(None)["is_configured"]
    assert "--slo" in bare.status(None)["reason"]
    assert "--alerts-url" in bare.silences(None)["reason"]
    with pytest.raises(SilencesAwayError, match="--alerts-url"):
        bare.add_silence(None, {"matchers": [matcher("slo", "x")], "endsAt": ENDS}, created_by="a")
