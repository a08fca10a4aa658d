"""One suite for the port IncidentRecords, run over the fake and the store."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from inferometer.clickhouse.alert_history import ClickHouseAlertHistory
from inferometer.clickhouse.connect import StoreConnection
from inferometer.clickhouse.incident_records import ClickHouseIncidentRecords
from inferometer.clickhouse.migrations import migrate
from inferometer.clickhouse.settings import StoreSettings
from inferometer.core.alerts.history import RecordKind
from inferometer.testing.incidents import MemoryIncidentRecords
from tests.integration.alert_seed import ATTEMPTS, HISTORY, LABELS, START, happened

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inferometer.alert_ports import IncidentRecords

OTHERS = {**LABELS, "workspace": "globex"}
OPEN = happened(11, RecordKind.FIRING, 2000, incident_id="open", labels=OTHERS, starts_at_us=None)
SPAN = {"since": START - timedelta(hours=1), "until": START + timedelta(hours=3)}


def after(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def memory() -> MemoryIncidentRecords:
    page = {"incident_id": "q7c", "workspace_id": "acme", "service": "chat", "slo": "chat-success",
            "labels": LABELS, "detected_at": after(110), "resolved_at": after(1200)}  # fmt: skip
    other = {**page, "incident_id": "open", "workspace_id": "globex", "labels": OTHERS,
             "detected_at": after(2000), "resolved_at": None}  # fmt: skip
    told = [
        {"at": after(seconds), "receiver": each.receiver, "transition": each.transition}
        for each, seconds in zip(ATTEMPTS, (111, 116, 1201), strict=True)
    ]
    kinds = [
        {"at": after(seconds), "kind": str(each.kind)}
        for each, seconds in zip(HISTORY, (110, 110, 900, 1200), strict=True)
    ]
    return MemoryIncidentRecords([page, other], transitions={"q7c": kinds}, attempts={"q7c": told})


@pytest.fixture(scope="module", params=["fake", "store"])
def records(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[IncidentRecords]:
    if request.param == "fake":
        yield memory()
        return
    with StoreConnection(StoreSettings(data_dir=tmp_path_factory.mktemp("records"))) as connection:
        migrate(connection, report=lambda _: None)
        history = ClickHouseAlertHistory(connection)
        history.keep_transitions([*HISTORY, OPEN], token="a")
        history.keep_attempts(ATTEMPTS, token="a")
        yield ClickHouseIncidentRecords(connection)


def ids(rows: list[dict[str, Any]]) -> list[str]:
    return [row["incident_id"] for row in rows]


def test_a_span_holds_what_was_open_in_it_the_latest_first(records: IncidentRecords) -> None:
    assert ids(records.incidents(None, **SPAN, is_open_only=False, limit=9)) == ["open", "q7c"]
    assert ids(records.incidents(None, **SPAN, is_open_only=False, limit=1)) == ["open"]
    later = {"since": after(1300), "until": after(9000)}
    assert ids(records.incidents(None, **later, is_open_only=False, limit=9)) == ["open"]


def test_open_ones_alone_can_be_asked(records: IncidentRecords) -> None:
    assert ids(records.incidents(None, **SPAN, is_open_only=True, limit=9)) == ["open"]


def test_a_workspace_has_its_own(records: IncidentRecords) -> None:
    assert ids(records.incidents("acme", **SPAN, is_open_only=False, limit=9)) == ["q7c"]
    assert records.incident("acme", "open") is None
    assert records.incident("acme", "q") is None
    found = records.incident("acme", "q7c")
    assert found is not None
    assert found["labels"] == LABELS
    assert records.notifications("globex", **SPAN, limit=9) == []


def test_what_happened_and_who_was_told_are_in_order(records: IncidentRecords) -> None:
    happened_to = records.transitions(["q7c", "none"])
    assert [row["kind"] for row in happened_to] == ["rule_fired", "firing", "cleared", "resolved"]
    assert set(ids(happened_to)) == {"q7c"}
    assert [row["transition"] for row in records.attempts("q7c")] == [
        "firing",
        "firing",
        "resolved",
    ]
    assert records.transitions([]) == []


def test_notices_say_which_objective_they_are_about(records: IncidentRecords) -> None:
    rows = records.notifications("acme", **SPAN, limit=2)
    assert [(row["transition"], row["slo"]) for row in rows] == [
        ("resolved", "chat-success"), ("firing", "chat-success"),
    ]  # fmt: skip
    assert rows[0]["labels"] == LABELS
    assert len(records.notifications(None, **SPAN, limit=9)) == 3
